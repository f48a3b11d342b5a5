//! Env files: the variables in them, with `${NAME}` filled in where that is asked for.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::dotenv;
use crate::core::executing::is_executing;
use crate::core::interpolate::{Lookup, interpolate};
use crate::model::error::{Error, Malformed};
use crate::model::escape::Shown;
use crate::model::log::{self, Label};
use crate::model::named::Named;

/// The way to read env files.
pub struct EnvFiles<'e> {
    /// The variables that can be filled in, beside those further up in a file.
    pub known: Lookup<'e>,
    /// True if `${NAME}` is filled in.
    pub interpolates: bool,
    /// True if nobody named the file. It has no variable then by which programs run code.
    pub is_found: bool,
}

/// A variable of an env file.
pub struct EnvVariable {
    /// The name.
    pub name: Vec<u8>,
    /// The value. None for a name alone on a line, which asks for the value that the variable has.
    pub value: Option<Vec<u8>>,
    /// The line, from 1.
    pub line: usize,
}

const EXECUTING: &str = "programs run code by this variable; it counts only if --config or DOORKEY_CONFIG names \
     doorkey.toml";

impl EnvFiles<'_> {
    /// Reads the variables in a file's text. Faults are added to the errors. There are no variables
    /// where the text is no env file.
    pub fn read(
        &self,
        path: &Named,
        text: Result<Vec<u8>, Error>,
        errors: &mut Vec<Error>,
    ) -> Vec<EnvVariable> {
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                errors.push(error);
                return Vec::new();
            }
        };
        let mut fail = |at: Malformed| {
            let path = path.clone();
            errors.push(Error::Text { path, at });
        };
        let assignments = match dotenv::parse(&text, self.interpolates) {
            Ok(assignments) => assignments,
            Err(faults) => {
                faults.into_iter().for_each(fail);
                return Vec::new();
            }
        };
        let lines = dotenv::lines(&text);
        if self.is_found {
            let executing = assignments.iter().filter(|one| is_executing(&one.name));
            let faults = executing.map(|one| one.fault(&lines, EXECUTING));
            faults.for_each(&mut fail);
        }
        let (mut braced, mut unset) = (BTreeSet::new(), BTreeSet::new());
        let mut further: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut variables = Vec::with_capacity(assignments.len());
        for assignment in assignments {
            let line = assignment.fault(&lines, "").line;
            let value = match &assignment.value {
                Some(text) if self.interpolates && !assignment.is_literal => {
                    let known = |name: &[u8]| further.get(name).cloned();
                    let known = |name: &[u8]| known(name).or_else(|| (self.known)(name));
                    match interpolate(text, &known, &mut unset) {
                        Ok(value) => Some(value),
                        Err(unfilled) => {
                            let at = assignment.fault(&lines, unfilled.reason);
                            let place = format!("{path}:{}:{}", at.line, at.column);
                            let what = format!("{}: {}", Shown(&unfilled.name), at.reason);
                            errors.push(Error::Found { place, what });
                            continue;
                        }
                    }
                }
                value => {
                    if !self.interpolates {
                        braced.extend(assignment.braced);
                    }
                    value.clone()
                }
            };
            if let Some(value) = value.as_ref().filter(|_| self.interpolates) {
                further.insert(assignment.name.clone(), value.clone());
            }
            variables.push(EnvVariable {
                name: assignment.name,
                value,
                line,
            });
        }
        warn_of_braced(path, &braced);
        warn_of_unset(path, &unset);
        variables
    }
}

/// Warns of variables in braces that an env file has, where nothing fills them in.
pub fn warn_of_braced(path: &Named, names: &BTreeSet<Vec<u8>>) {
    if !names.is_empty() {
        let names = in_braces(names);
        log::warning!(
            Ignored, variable = &Label(&names);
            "{path}: not filled in: {names}; --interpolate does, as Compose would; single quotes \
             end this"
        );
    }
}

/// Warns of variables that were filled in as empty, since they are not set.
pub fn warn_of_unset(path: &Named, names: &BTreeSet<Vec<u8>>) {
    if !names.is_empty() {
        let names = in_braces(names);
        log::warning!(
            Ignored, variable = &Label(&names);
            "{path}: not set, and empty here: {names}; set it, or write ${{NAME:-}} if it may be"
        );
    }
}

/// Lists names as they stand in a file.
pub fn in_braces(names: &BTreeSet<Vec<u8>>) -> String {
    let names = names.iter().map(|name| format!("${{{}}}", Shown(name)));
    names.collect::<Vec<_>>().join(", ")
}
