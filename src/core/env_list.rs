//! The variables of one container, as a manifest lists them: in Kubernetes a list of entries, each
//! with a `name`, and a `value` or a `valueFrom`.

use std::fmt;

use super::document::{Tree, View};
use super::suggest::nearest;
use crate::model::error::Malformed;

/// Limit for the variables of one file: bytes of keys, names and values. It is more than a kernel
/// hands a process, and stops aliases that repeat something large.
pub(super) const LARGEST: usize = 8 << 20;

/// The most faults of one file that are listed.
const MOST_FAULTS: usize = 50;

/// A variable of a manifest.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// The line of its entry, from 1.
    pub line: usize,
    /// The name, in UTF-8: not empty, without `=` and NUL.
    pub name: Vec<u8>,
    /// The source of the value.
    pub given: Given,
}

/// The source of a variable's value.
#[derive(Clone, PartialEq, Eq)]
pub enum Given {
    /// The text in the manifest, in UTF-8; empty where it has none or null, as in Kubernetes.
    Text(Vec<u8>),
    /// The platform, by a source that is called so (`secretKeyRef`); whether the source says that
    /// there may be no value.
    Platform(String, bool),
    /// The environment of who starts the container.
    Inherited,
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(&self.name);
        f.debug_struct("Variable")
            .field("name", &name)
            .finish_non_exhaustive()
    }
}

/// Reads a list of variables. Order and repeated names are kept. Each entry that is none is a
/// fault. `left` is the size that all lists together may still have.
pub(super) fn read(
    tree: &Tree<'_>,
    list: usize,
    left: &mut usize,
    faults: &mut Vec<Malformed>,
) -> Vec<Variable> {
    let items = match tree.view(list) {
        View::List(items) => items,
        View::Scalar("") => &[],
        _ => {
            faults.push(tree.fault(list, NO_LIST));
            return Vec::new();
        }
    };
    let mut variables = Vec::with_capacity(items.len());
    for &item in items {
        // Kustomize removes or replaces entries by these, and no container has them.
        if tree.get(item, "$patch").is_some() {
            continue;
        }
        match variable(tree, item) {
            Err(fault) if faults.len() < MOST_FAULTS => faults.push(fault),
            Err(_) => return variables,
            Ok(variable) => {
                let value = match &variable.given {
                    Given::Text(text) => text.len(),
                    _ => 0,
                };
                let size = KEYS.len() + variable.name.len() + value;
                let Some(rest) = left.checked_sub(size) else {
                    faults.push(tree.fault(item, TOO_LARGE));
                    return variables;
                };
                *left = rest;
                variables.push(variable);
            }
        }
    }
    variables
}

pub(super) const NO_LIST: &str = "this is not a list of variables";
pub(super) const TOO_LARGE: &str = "the variables are too large together";

/// Makes a variable of an entry's members.
fn variable(tree: &Tree<'_>, item: usize) -> Result<Variable, Malformed> {
    let members = tree.members(item);
    let members =
        members.ok_or_else(|| tree.fault(item, "this is not a mapping with a name and a value"))?;
    for &(key, _) in &members {
        let text = tree.scalar(key);
        if text.is_none_or(|text| !KEYS.contains(&text)) {
            return Err(tree.fault(key, unknown(text.unwrap_or_default())));
        }
    }
    let Some((_, name)) = tree.member(&members, "name")? else {
        return Err(tree.fault(item, "the variable has no name"));
    };
    let value = tree.member(&members, "value")?;
    let given = match tree
        .member(&members, "valueFrom")?
        .filter(|(_, from)| !tree.is_null(*from))
    {
        Some((key, _)) if value.is_some_and(|(_, value)| tree.scalar(value) != Some("")) => {
            return Err(tree.fault(key, "a variable has a value or a valueFrom, not both"));
        }
        Some((_, from)) => platform(tree, from)?,
        None => Given::Text(match value {
            Some((_, value)) => scalar(tree, value, "the value is not a scalar")?.into(),
            None => Vec::new(),
        }),
    };
    let text = scalar(tree, name, "the name is not a scalar")?;
    Ok(Variable {
        line: tree.line(item),
        name: self::name(text).map_err(|reason| tree.fault(name, reason))?,
        given,
    })
}

/// Returns a name that a variable can have.
pub(super) fn name(text: &str) -> Result<Vec<u8>, &'static str> {
    if text.is_empty() {
        return Err("the name is empty");
    }
    if text.contains(['=', '\0']) {
        return Err("the name has = or NUL in it");
    }
    Ok(text.into())
}

/// Reads a source of the platform's: a mapping with its kind as the only key.
pub(super) fn platform(tree: &Tree<'_>, from: usize) -> Result<Given, Malformed> {
    let members = tree.members(from).unwrap_or_default();
    let [(kind, source)] = members[..] else {
        return Err(tree.fault(from, "this is not a mapping with one source"));
    };
    let optional = tree.get(source, "optional");
    let optional = optional.and_then(|optional| tree.scalar(optional));
    let kind = scalar(tree, kind, "the source is not a scalar")?;
    Ok(Given::Platform(kind.to_owned(), optional == Some("true")))
}

/// Keys of a variable.
const KEYS: [&str; 3] = ["name", "value", "valueFrom"];

/// Explains an unknown key. Its text may be anything and is not repeated.
fn unknown(key: &str) -> &'static str {
    match nearest(key, &KEYS, |known| known).copied() {
        Some("name") => "a variable has no such key; did you mean name?",
        Some("value") => "a variable has no such key; did you mean value?",
        Some(_) => "a variable has no such key; did you mean valueFrom?",
        None => "a variable has a name, and a value or a valueFrom, and no other key",
    }
}

pub(super) fn scalar<'t>(
    tree: &'t Tree<'_>,
    node: usize,
    otherwise: &'static str,
) -> Result<&'t str, Malformed> {
    tree.scalar(node).ok_or_else(|| tree.fault(node, otherwise))
}
