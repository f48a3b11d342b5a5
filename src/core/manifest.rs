//! The containers of a deployment spec, whatever it is: a list of variables at `env`; manifests of
//! Kubernetes, in which whatever has a list `containers` is a pod's spec; or a Compose file.

use std::collections::{BTreeMap, BTreeSet};

use super::compose::Services;
use super::container::{Container, Dialect, EnvFrom, short};
use super::document::{DEEPEST, NOT_YAML, Pair, TOO_MUCH, Tree, View};
use super::env_list::{self, LARGEST};
use super::json;
use super::suggest::nearest;
use crate::model::error::Malformed;
use crate::model::escape::Shown;

/// The most nodes of a file that are looked at, those that aliases stand for included.
const MOST: usize = 4_000_000;

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

/// Lists all containers of a text in their order. There has to be one if `any` is true.
///
/// # Errors
/// All places where the text is not what it should be.
pub fn containers(text: &[u8], any: bool) -> Result<Vec<Container>, Vec<Unfit>> {
    let tree = read(text)?;
    let mut search = search(&tree);
    let of_containers = search.found.iter_mut().flat_map(|one| one.faults.drain(..));
    search.faults.extend(of_containers);
    search.end()?;
    match search.found.is_empty() && any {
        true => Err(vec![search.nothing()]),
        false => Ok(search.found),
    }
}

/// Finds the environment of one container. Without a path, it has to be the only one.
///
/// # Errors
/// All places where the text is not what it should be. If several could be meant, the fault lists
/// them.
pub fn container(text: &[u8], path: Option<&str>) -> Result<Container, Vec<Unfit>> {
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
    search.end()?;
    Ok(container)
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

/// Finds all containers, and all faults in them.
fn search<'t, 'c>(tree: &'t Tree<'c>) -> Search<'t, 'c> {
    let mut search = Search {
        tree,
        found: Vec::new(),
        lists: Vec::new(),
        faults: Vec::new(),
        left: LARGEST,
        nodes: MOST,
        path: Vec::new(),
    };
    for &document in &tree.documents {
        search.document(document);
    }
    search.tell_apart();
    search
}

struct Search<'t, 'c> {
    tree: &'t Tree<'c>,
    found: Vec<Container>,
    /// Dotted paths to lists called `env` that are no container's.
    lists: Vec<String>,
    faults: Vec<Malformed>,
    /// The size that all variables together may still have.
    left: usize,
    /// The number of nodes that may still be looked at.
    nodes: usize,
    /// The way from the root.
    path: Vec<String>,
}

/// Lists of a pod's spec, in which containers are.
const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

impl Search<'_, '_> {
    fn document(&mut self, root: usize) {
        let tree = self.tree;
        let services = tree.get(root, "services");
        let is_manifest = tree.get(root, "apiVersion").is_some();
        if let Some(services) =
            services.filter(|&services| !is_manifest && tree.members(services).is_some())
        {
            let services = Services {
                tree,
                services,
                left: &mut self.left,
            };
            self.found.extend(services.read());
            return;
        }
        let members = tree.members(root).unwrap_or_default();
        match tree.member(&members, "env") {
            Ok(Some((key, list)))
                if matches!(tree.view(list), View::List(_)) || tree.is_null(list) =>
            {
                let mut container = Container {
                    label: "env".to_owned(),
                    line: tree.line(key),
                    ..Container::new(Dialect::Kubernetes)
                };
                container.variables =
                    env_list::read(tree, list, &mut self.left, &mut container.faults);
                self.found.push(container);
            }
            Ok(Some((_, other))) if members.len() == 1 => {
                self.faults.push(tree.fault(other, env_list::NO_LIST));
            }
            Ok(_) => {}
            Err(fault) => self.faults.push(fault),
        }
        self.walk(root, None);
    }

    /// Gives containers that would be called the same their paths.
    fn tell_apart(&mut self) {
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for one in &self.found {
            *count.entry(&one.label).or_default() += 1;
        }
        let same: BTreeSet<String> = count
            .into_iter()
            .filter(|(_, count)| *count > 1)
            .map(|(label, _)| label.to_owned())
            .collect();
        for one in &mut self.found {
            if same.contains(&one.label) && !one.path.is_empty() {
                one.label.clone_from(&one.path);
            }
        }
    }

    /// Looks for the specs of pods in a node.
    fn walk(&mut self, node: usize, owner: Option<&(String, String)>) {
        let tree = self.tree;
        if self.nodes == 0 || self.path.len() > DEEPEST {
            if self
                .faults
                .last()
                .is_none_or(|last| last.reason != TOO_MUCH)
            {
                self.faults.push(tree.fault(node, TOO_MUCH));
            }
            return;
        }
        self.nodes -= 1;
        match tree.view(node) {
            View::Scalar(_) => {}
            View::List(items) => {
                for (index, &item) in items.iter().enumerate() {
                    if tree.scalar(item).is_none() {
                        self.path.push(index.to_string());
                        self.walk(item, owner);
                        self.path.pop();
                    }
                }
            }
            View::Mapping(_) => {
                let Some(members) = tree.members(node) else {
                    self.faults.push(tree.fault(node, TOO_MUCH));
                    return;
                };
                let own = self.owner(&members);
                let owner = own.as_ref().or(owner);
                let is_list = |pair: &&Pair| tree.scalar(pair.0) == Some(LISTS[0]);
                let is_pod = members
                    .iter()
                    .find(is_list)
                    .is_some_and(|pair| self.is_containers(pair.1));
                for (key, value) in members {
                    let key = tree.scalar(key).unwrap_or_default();
                    if tree.scalar(value).is_some() {
                        continue;
                    }
                    self.path.push(key.to_owned());
                    if key == "env"
                        && self.path.len() > 1
                        && matches!(tree.view(value), View::List(_))
                    {
                        self.lists.push(self.path.join("."));
                    }
                    match is_pod && LISTS.contains(&key) {
                        true => self.containers(value, owner),
                        false => self.walk(value, owner),
                    }
                    self.path.pop();
                }
            }
        }
    }

    /// Returns the kind and the name of a resource.
    fn owner(&self, members: &[Pair]) -> Option<(String, String)> {
        let tree = self.tree;
        let get = |key| {
            tree.member(members, key)
                .ok()
                .flatten()
                .map(|(_, value)| value)
        };
        let kind = tree.scalar(get("kind")?)?;
        let metadata = get("metadata")?;
        tree.members(metadata)?;
        let name = tree
            .get(metadata, "name")
            .or_else(|| tree.get(metadata, "generateName"));
        let name = name.and_then(|name| tree.scalar(name)).unwrap_or("-");
        Some((kind.to_lowercase(), name.to_owned()))
    }

    /// True for a list of mappings that have a name or an image.
    fn is_containers(&self, list: usize) -> bool {
        let tree = self.tree;
        let is_one = |item: &usize| {
            tree.get(*item, "name")
                .or(tree.get(*item, "image"))
                .is_some()
        };
        match tree.view(list) {
            View::List(items) => items.iter().all(is_one) || self.path.is_empty(),
            _ => false,
        }
    }

    fn containers(&mut self, list: usize, owner: Option<&(String, String)>) {
        let tree = self.tree;
        let View::List(items) = tree.view(list) else {
            return;
        };
        for (index, &item) in items.iter().enumerate() {
            let members = tree.members(item).unwrap_or_default();
            let name = tree.get(item, "name").and_then(|name| tree.scalar(name));
            let name = name.map_or_else(|| index.to_string(), str::to_owned);
            let path = format!("{}.{index}.env", self.path.join("."));
            let mut container = Container {
                label: match owner {
                    Some((kind, of)) => format!("{}/{of}/{name}", short(kind)),
                    None => path.clone(),
                },
                path,
                owner: owner.cloned(),
                name,
                line: tree.line(item),
                ..Container::new(Dialect::Kubernetes)
            };
            if let Err(fault) = self.environment(&members, &mut container) {
                container.faults.push(fault);
            }
            self.found.push(container);
        }
    }

    fn environment(
        &mut self,
        members: &[Pair],
        container: &mut Container,
    ) -> Result<(), Malformed> {
        let tree = self.tree;
        if let Some((_, from)) = tree.member(members, "envFrom")? {
            let items = match tree.view(from) {
                View::List(items) => items,
                View::Scalar("") => &[],
                _ => return Err(tree.fault(from, "this is not a list of sources")),
            };
            for &item in items {
                let members = tree.members(item);
                let mut members = members
                    .ok_or_else(|| tree.fault(item, "this is not a mapping with one source"))?;
                let prefix = tree.member(&members, "prefix")?;
                let prefix = prefix
                    .and_then(|(_, prefix)| tree.scalar(prefix))
                    .unwrap_or_default();
                members.retain(|pair| tree.scalar(pair.0) != Some("prefix"));
                let source = match members[..] {
                    [(kind, _)] => tree.scalar(kind),
                    _ => None,
                };
                let source = source
                    .ok_or_else(|| tree.fault(item, "this is not a mapping with one source"))?;
                container.env_from.push(EnvFrom {
                    line: tree.line(item),
                    source: source.to_owned(),
                    prefix: prefix.to_owned(),
                });
            }
        }
        if let Some((_, list)) = tree.member(members, "env")? {
            let faults = &mut container.faults;
            container.variables = env_list::read(tree, list, &mut self.left, faults);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
