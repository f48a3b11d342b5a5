//! The containers of a deployment spec, whatever it is: a list of variables at `env`; manifests of
//! Kubernetes, in which whatever has a list `containers` is a pod's spec; or a Compose file.

use super::container::{Container, Dialect};
use super::containers::{Search, search};
use super::document::{NOT_YAML, Tree, View};
use super::env_list::{self, LARGEST};
use super::json;
use super::suggest::nearest;
use crate::model::error::Malformed;
use crate::model::escape::Shown;

/// The most choices that a message lists.
const CHOICES: usize = 20;

/// A fault in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The line, from 1.
    pub line: usize,
    /// The column, in bytes from 1.
    pub column: usize,
    /// The fault, in lower case.
    pub what: String,
    /// False if the text as a whole can't be read.
    pub is_yaml: bool,
}

impl From<Malformed> for Unfit {
    fn from(at: Malformed) -> Self {
        Unfit {
            line: at.line,
            column: at.column,
            what: at.reason.to_owned(),
            is_yaml: true,
        }
    }
}

impl From<Malformed> for Vec<Unfit> {
    fn from(at: Malformed) -> Self {
        vec![at.into()]
    }
}

/// Lists all containers of a text in their order, and all places where the text is not what it
/// should be. There has to be a container if `any` is true. A container with a fault has its other
/// variables.
pub fn containers(text: &[u8], any: bool) -> (Vec<Container>, Vec<Unfit>) {
    let tree = match read(text) {
        Ok(tree) => tree,
        Err(faults) => return (vec![], faults),
    };
    let mut search = search(&tree);
    let of_containers = search.found.iter_mut().flat_map(|one| one.faults.drain(..));
    search.faults.extend(of_containers);
    let mut faults = search.end().err().unwrap_or_default();
    if search.found.is_empty() && faults.is_empty() && any {
        faults.push(search.nothing());
    }
    (search.found, faults)
}

/// Finds the environment of one container, with the faults in it. Without a path, it has to be the
/// only one.
///
/// # Errors
/// All faults where no container can be chosen. If several could be meant, the fault lists them.
pub fn container(text: &[u8], path: Option<&str>) -> Result<(Container, Vec<Unfit>), Vec<Unfit>> {
    let tree = read(text)?;
    let mut search = search(&tree);
    let is_chosen =
        |one: &Container| path.is_none_or(|path| one.label == path || one.is_called(path));
    let all = &mut search.found;
    let chosen: Vec<usize> = (0..all.len()).filter(|at| is_chosen(&all[*at])).collect();
    let mut container = match chosen[..] {
        [only] => all.swap_remove(only),
        [] => {
            search.end()?;
            match path {
                None => return Err(vec![search.nothing()]),
                Some(path) => search.at(path)?,
            }
        }
        [first, ..] => {
            let what = match path {
                None => format!("several containers are in this: give {}", choices(all)),
                Some(_) => format!(
                    "several containers are called so; there is {}",
                    choices(all)
                ),
            };
            let line = all[first].line;
            return Err(vec![Unfit {
                line,
                column: 1,
                what,
                is_yaml: true,
            }]);
        }
    };
    search.faults.append(&mut container.faults);
    let faults = search.end().err().unwrap_or_default();
    Ok((container, faults))
}

impl Search<'_, '_> {
    /// Ends with the faults, if there are any.
    fn end(&mut self) -> Result<(), Vec<Unfit>> {
        let faults: Vec<Unfit> = self.faults.drain(..).map(Unfit::from).collect();
        match faults.is_empty() {
            true => Ok(()),
            false => Err(faults),
        }
    }

    /// Explains that the text has no variables where they usually are.
    fn nothing(&self) -> Unfit {
        const NOTHING: &str = "there is no list `env` here, and no container";
        let tree = self.tree;
        let root = tree.documents[0];
        let members = tree.members(root).unwrap_or_default();
        let keys = members.iter().filter_map(|pair| tree.scalar(pair.0));
        let keys: Vec<&str> = keys.collect();
        // The text of a key may be anything. One that is like `env` can be shown.
        let like = nearest("env", &keys, |key| key).map(|key| (*key).to_owned());
        let what = match self.lists.first().or(like.as_ref()) {
            Some(path) => {
                let path = Shown(path.as_bytes());
                format!("{NOTHING}; if you mean that, give --spec-path {path}")
            }
            None => format!("{NOTHING}; --spec-path says where it is"),
        };
        Unfit {
            what,
            ..tree.fault(root, "").into()
        }
    }

    /// Reads the list at a dotted path of keys and indices, such as `containers.0.env`, in the
    /// first document that has it.
    fn at(&self, path: &str) -> Result<Container, Vec<Unfit>> {
        const FURTHER: &str = "the path to the variables leads no further than this";
        let tree = self.tree;
        let mut ends = Vec::new();
        for &document in &tree.documents {
            match down(tree, document, path) {
                Ok(list) => {
                    let mut container = Container::new(Dialect::Kubernetes);
                    let left = &mut LARGEST.clone();
                    container.variables = env_list::read(tree, list, left, &mut container.faults);
                    return Ok(container);
                }
                Err(end) => ends.push(end),
            }
        }
        let fault = tree.fault(ends[0], FURTHER);
        let mut fault = Unfit::from(fault);
        if path.contains('/') {
            fault.what = "no such container is in this".to_owned();
        }
        if !self.found.is_empty() {
            fault.what += &format!("; there is {}", choices(&self.found));
        }
        Err(vec![fault])
    }
}

/// Lists containers in a form that can be pasted.
fn choices(all: &[Container]) -> String {
    let shown = all.iter().take(CHOICES);
    let shown = shown.map(|one| format!("--spec-path {}", Shown(one.label.as_bytes())));
    let shown: Vec<String> = shown.collect();
    let rest = match all.len().saturating_sub(CHOICES) {
        0 => String::new(),
        more => format!(", or one of {more} more"),
    };
    shown.join(", ") + &rest
}

/// Follows a dotted path of keys and indices. Returns the last node that it leads to.
fn down(tree: &Tree<'_>, root: usize, path: &str) -> Result<usize, usize> {
    let mut node = root;
    for segment in path.split('.') {
        let next = match tree.view(node) {
            View::Scalar(_) => None,
            View::List(items) => json::index(segment).and_then(|index| items.get(index).copied()),
            View::Mapping(_) => tree.get(node, segment),
        };
        node = next.ok_or(node)?;
    }
    Ok(node)
}

fn read(text: &[u8]) -> Result<Tree<'_>, Vec<Unfit>> {
    Tree::read(text).map_err(|at| match at.reason == NOT_YAML {
        true => vec![explained(text, at)],
        false => at.into(),
    })
}

/// Explains why a text is not YAML, where that is often so.
fn explained(text: &[u8], at: Malformed) -> Unfit {
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    let line = |number: usize| {
        lines
            .get(number.wrapping_sub(1))
            .copied()
            .unwrap_or_default()
    };
    let mut fault = Unfit {
        is_yaml: false,
        ..at.into()
    };
    if text.windows(2).any(|pair| pair == b"{{")
        && line(fault.line).windows(2).any(|at| at == b"{{")
    {
        fault.what =
            "this is a template ({{ }}), and not YAML; give the file that is made of it".to_owned();
        return fault;
    }
    // The key's column in a line, the dash of a list's item passed over.
    let column = |number: usize, key: &[u8]| {
        let line = line(number);
        let start = line.iter().position(|byte| !b" -".contains(byte))?;
        line[start..].starts_with(key).then_some(start)
    };
    let places = [fault.line, fault.line.saturating_sub(1)];
    let keys: [&[u8]; 2] = [b"value:", b"valueFrom:"];
    for number in places {
        let value = keys.iter().find_map(|key| column(number, key));
        let above = number.saturating_sub(1);
        if let (Some(value), Some(name)) = (value, column(above, b"name:"))
            && value > name
        {
            let key = if column(number, b"value:").is_some() {
                "value"
            } else {
                "valueFrom"
            };
            return Unfit {
                line: number,
                column: value + 1,
                what: format!("{NOT_YAML}: indent `{key}` as `name` on line {above}"),
                is_yaml: false,
            };
        }
    }
    fault
}

#[cfg(test)]
mod tests;
