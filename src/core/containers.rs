//! The containers in a document: in manifests of Kubernetes whatever has a list `containers` is a
//! pod's spec, and a Compose file has services.

use std::collections::{BTreeMap, BTreeSet};

use super::compose::Services;
use super::container::{Container, Dialect, EnvFrom, short};
use super::document::{DEEPEST, Pair, TOO_MUCH, Tree, View};
use super::env_list::{self, LARGEST};
use crate::model::error::Malformed;

/// The most nodes of a file that are looked at, those that aliases stand for included.
const MOST: usize = 4_000_000;

/// Finds all containers, and all faults in them.
pub(super) fn search<'t, 'c>(tree: &'t Tree<'c>) -> Search<'t, 'c> {
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

/// A search for containers, and what it has found.
pub(super) struct Search<'t, 'c> {
    pub tree: &'t Tree<'c>,
    pub found: Vec<Container>,
    /// Dotted paths to lists called `env` that are no container's.
    pub lists: Vec<String>,
    pub faults: Vec<Malformed>,
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
