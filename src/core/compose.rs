//! The services of a Compose file: `environment` as a mapping or a list, and the files of
//! `env_file`.

use super::container::{Container, Dialect, EnvFile};
use super::document::{DEEPEST, TOO_MUCH, Tree, View};
use super::env_list::{self, Given, TOO_LARGE, Variable, scalar};
use crate::model::error::Malformed;

/// The services of a Compose file.
pub(super) struct Services<'t, 'c> {
    pub tree: &'t Tree<'c>,
    /// The mapping of services by name.
    pub services: usize,
    /// The size that all variables together may still have.
    pub left: &'t mut usize,
}

impl Services<'_, '_> {
    /// Lists the services in their order.
    pub fn read(mut self) -> Vec<Container> {
        let members = self.tree.members(self.services).unwrap_or_default();
        let mut containers = Vec::new();
        for (key, service) in members {
            let Some(name) = self.tree.scalar(key) else {
                continue;
            };
            let mut container = Container {
                label: name.to_owned(),
                name: name.to_owned(),
                line: self.tree.line(key),
                ..Container::new(Dialect::Compose)
            };
            if let Err(fault) = self.service(service, &mut container, 0) {
                container.faults.push(fault);
            }
            containers.push(container);
        }
        containers
    }

    fn service(
        &mut self,
        service: usize,
        container: &mut Container,
        depth: usize,
    ) -> Result<(), Malformed> {
        let tree = self.tree;
        let Some(members) = tree.members(service) else {
            return Ok(());
        };
        if let Some((_, base)) = tree.member(&members, "extends")? {
            let (file, name) = match tree.scalar(base) {
                Some(name) => (None, Some(name)),
                None => {
                    let name = tree.get(base, "service");
                    (
                        tree.get(base, "file"),
                        name.and_then(|name| tree.scalar(name)),
                    )
                }
            };
            let base_service = name.and_then(|name| tree.get(self.services, name));
            match (file, base_service) {
                (Some(file), _) => {
                    return Err(tree.fault(
                        file,
                        "what another file says of this service is not read; give --spec what \
                         docker compose config prints",
                    ));
                }
                (None, Some(inner)) if depth < DEEPEST => {
                    self.service(inner, container, depth + 1)?;
                }
                (None, _) => return Err(tree.fault(base, "there is no such service")),
            }
        }
        if let Some((_, files)) = tree.member(&members, "env_file")? {
            self.env_files(files, container)?;
        }
        if let Some((_, environment)) = tree.member(&members, "environment")? {
            self.environment(environment, container);
        }
        Ok(())
    }

    fn env_files(&mut self, files: usize, container: &mut Container) -> Result<(), Malformed> {
        let tree = self.tree;
        let one = [files];
        let files = match tree.view(files) {
            View::List(files) => files,
            View::Scalar("") => &[],
            _ => &one[..],
        };
        for &file in files {
            let path = match tree.view(file) {
                View::Mapping(_) => tree.get(file, "path"),
                _ => Some(file),
            };
            let path = path
                .and_then(|path| tree.scalar(path))
                .filter(|path| !path.is_empty());
            let Some(path) = path else {
                return Err(tree.fault(file, "this is not the path of an env file"));
            };
            let required = tree.get(file, "required");
            let required = required.and_then(|required| tree.scalar(required));
            container.env_files.push(EnvFile {
                line: tree.line(file),
                path: path.to_owned(),
                required: required != Some("false"),
            });
        }
        Ok(())
    }

    fn environment(&mut self, environment: usize, container: &mut Container) {
        let tree = self.tree;
        let given = |value: &str| Given::Text(value.into());
        match tree.view(environment) {
            View::List(items) => {
                for &item in items {
                    let variable = scalar(tree, item, "this is not NAME=VALUE").map(|text| {
                        match text.split_once('=') {
                            Some((name, value)) => (item, name, given(value)),
                            None => (item, text, Given::Inherited),
                        }
                    });
                    self.add(variable, container);
                }
            }
            View::Mapping(_) => match tree.members(environment) {
                None => container.faults.push(tree.fault(environment, TOO_MUCH)),
                Some(members) => {
                    for (key, value) in members {
                        let variable = scalar(tree, key, "the name is not a scalar");
                        let variable = variable.and_then(|name| {
                            let given = match tree.is_null(value) {
                                true => Given::Inherited,
                                false => given(scalar(tree, value, "the value is not a scalar")?),
                            };
                            Ok((key, name, given))
                        });
                        self.add(variable, container);
                    }
                }
            },
            View::Scalar("") => {}
            View::Scalar(_) => {
                container
                    .faults
                    .push(tree.fault(environment, "this is neither a mapping nor a list"));
            }
        }
    }

    fn add(
        &mut self,
        variable: Result<(usize, &str, Given), Malformed>,
        container: &mut Container,
    ) {
        let made = variable.and_then(|(node, name, given)| {
            let fault = |reason| self.tree.fault(node, reason);
            let size = 2
                + name.len()
                + match &given {
                    Given::Text(text) => text.len(),
                    _ => 0,
                };
            *self.left = self
                .left
                .checked_sub(size)
                .ok_or_else(|| fault(TOO_LARGE))?;
            Ok(Variable {
                line: self.tree.line(node),
                name: env_list::name(name).map_err(fault)?,
                given,
            })
        });
        match made {
            Ok(variable) => container.variables.push(variable),
            Err(fault) => container.faults.push(fault),
        }
    }
}
