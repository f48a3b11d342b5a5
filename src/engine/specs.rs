//! Deployment specs: the environment of a container in them, with what the platform would put
//! into its values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::env_files::{EnvFiles, in_braces, warn_of_unset};
use crate::core::container::{Container, Dialect, EnvFrom};
use crate::core::env_list::{Given, Variable};
use crate::core::expansion::{Piece, expanded, is_of_service, pieces};
use crate::core::interpolate::{Lookup, interpolate, unescaped};
use crate::core::manifest::{self, Unfit};
use crate::model::error::{Cause, Error};
use crate::model::location::Scheme;
use crate::model::log;
use crate::model::named::Named;
use crate::model::reference::{self, Value};
use crate::sys::files;
use crate::sys::trust::Trust;

/// The limit of the size of a file of variables, in bytes.
pub const LARGEST: usize = 8 * 1024 * 1024;

/// A deployment spec, and the text that chooses a container in it.
pub struct Spec {
    /// The file.
    pub file: Named,
    /// The container; none where it is the only one.
    pub path: Option<String>,
}

/// The facts that a container's environment needs beside the spec.
pub struct Outside<'o> {
    /// The variables that are known without the spec.
    pub known: Lookup<'o>,
    /// True if `${NAME}` in a Compose file is filled in.
    pub interpolate: bool,
    /// The schemes of references to single places.
    pub schemes: &'o [Scheme],
    /// The owners that files have to have.
    pub distrust: Option<&'o Trust>,
}

/// A variable of a container.
pub struct Specified {
    /// The file that says it, and the line.
    pub file: Named,
    /// The line, from 1.
    pub line: usize,
    /// The name.
    pub name: Vec<u8>,
    /// The value, or the reason why it has none.
    pub value: Result<Source, Cause>,
}

/// The source of a variable's value.
pub enum Source {
    /// The spec.
    Text(Vec<u8>),
    /// The platform, by a source that is called so; true if there may be no value.
    Platform(String, bool),
}

/// Reads the environment of the chosen container.
pub fn chosen(spec: &Spec, outside: &Outside<'_>, errors: &mut Vec<Error>) -> Vec<Specified> {
    let text = match read_text(&spec.file, outside.distrust) {
        Ok(text) => text,
        Err(error) => {
            errors.push(error);
            return Vec::new();
        }
    };
    match manifest::container(&text, spec.path.as_deref()) {
        Ok((container, faults)) => {
            let faults = faults.into_iter().map(|fault| unfit(&spec.file, fault));
            errors.extend(faults);
            let mut left = BTreeSet::new();
            let variables = variables(&container, &spec.file, outside, &mut left, errors);
            warn_of_left(&spec.file, &left, outside.interpolate);
            variables
        }
        Err(faults) => {
            errors.extend(faults.into_iter().map(|fault| unfit(&spec.file, fault)));
            Vec::new()
        }
    }
}

/// Makes the error of a fault in a spec.
pub fn unfit(file: &Named, fault: Unfit) -> Error {
    Error::Found {
        place: format!("{file}:{}:{}", fault.line, fault.column),
        what: fault.what,
    }
}

/// Warns of variables in a Compose file that are not filled in, or filled in as empty.
pub fn warn_of_left(file: &Named, left: &BTreeSet<Vec<u8>>, interpolates: bool) {
    if interpolates {
        warn_of_unset(file, left);
    } else if !left.is_empty() {
        let names = in_braces(left);
        log::warning!(
            Ignored;
            "{file}: passed on as it is: {names}; --interpolate has it filled in, as Compose does"
        );
    }
}

/// Lists the variables of a container as the platform would make them. Names in Compose's `${NAME}`
/// that are not filled in, or as empty, are added to `left`.
pub fn variables(
    container: &Container,
    file: &Named,
    outside: &Outside<'_>,
    left: &mut BTreeSet<Vec<u8>>,
    errors: &mut Vec<Error>,
) -> Vec<Specified> {
    let mut of_files = env_files(container, file, outside, left, errors);
    let mut own = match container.dialect {
        Dialect::Compose => composed(&container.variables, file, outside, left),
        Dialect::Kubernetes => expanded_all(container, file, outside),
    };
    of_files.append(&mut own);
    of_files
}

/// Reads the env files of a service.
fn env_files(
    container: &Container,
    file: &Named,
    outside: &Outside<'_>,
    left: &mut BTreeSet<Vec<u8>>,
    errors: &mut Vec<Error>,
) -> Vec<Specified> {
    let mut variables = Vec::new();
    for env_file in &container.env_files {
        let fault = |what: String| Error::Found {
            place: format!("{file}:{}", env_file.line),
            what,
        };
        let path = match filled(env_file.path.as_bytes(), outside, left) {
            Ok(path) => path,
            Err(why) => {
                errors.push(fault(why.to_string()));
                continue;
            }
        };
        let folder = file.parent().unwrap_or(Path::new(""));
        let path = folder.join(String::from_utf8_lossy(&path).as_ref());
        let path = Named::new(format!("{file}:{}: env_file", env_file.line), path);
        if !env_file.required && !files::exists(&path) {
            continue;
        }
        let files = EnvFiles {
            known: outside.known,
            interpolates: outside.interpolate,
            is_found: false,
        };
        let text = read_text(&path, outside.distrust);
        for variable in files.read(&path, text, errors) {
            let value = variable.value.or_else(|| (outside.known)(&variable.name));
            variables.extend(value.map(|value| Specified {
                file: path.clone(),
                line: variable.line,
                name: variable.name,
                value: Ok(Source::Text(value)),
            }));
        }
    }
    variables
}

/// Fills `${NAME}` in, if that is asked for.
fn filled(
    text: &[u8],
    outside: &Outside<'_>,
    left: &mut BTreeSet<Vec<u8>>,
) -> Result<Vec<u8>, Cause> {
    if outside.interpolate {
        return interpolate(text, outside.known, left)
            .map_err(|unfilled| Cause::Unfilled(unfilled.name, unfilled.reason));
    }
    let (text, names) = unescaped(text);
    left.extend(names);
    Ok(text)
}

/// Reads the values of a Compose file by Compose's rule.
fn composed(
    variables: &[Variable],
    file: &Named,
    outside: &Outside<'_>,
    left: &mut BTreeSet<Vec<u8>>,
) -> Vec<Specified> {
    let mut made = Vec::with_capacity(variables.len());
    for variable in variables {
        let value = match &variable.given {
            Given::Text(text) => filled(text, outside, left).map(Source::Text),
            Given::Platform(source, optional) => Ok(Source::Platform(source.clone(), *optional)),
            // An unset one is not there.
            Given::Inherited => match (outside.known)(&variable.name) {
                Some(value) => Ok(Source::Text(value)),
                None => continue,
            },
        };
        made.push(specified(variable, file, value));
    }
    made
}

fn specified(variable: &Variable, file: &Named, value: Result<Source, Cause>) -> Specified {
    Specified {
        file: file.clone(),
        line: variable.line,
        name: variable.name.clone(),
        value,
    }
}

/// Expands `$(NAME)` in the values, each by those further up.
fn expanded_all(container: &Container, file: &Named, outside: &Outside<'_>) -> Vec<Specified> {
    let mut further = Further {
        known: outside.known,
        env_from: &container.env_from,
        values: BTreeMap::new(),
    };
    let mut made = Vec::with_capacity(container.variables.len());
    for variable in &container.variables {
        let value = match &variable.given {
            Given::Text(text) => further.expand(text, outside.schemes),
            Given::Platform(source, optional) => {
                let known = (outside.known)(&variable.name);
                further.values.insert(&variable.name, known);
                made.push(specified(
                    variable,
                    file,
                    Ok(Source::Platform(source.clone(), *optional)),
                ));
                continue;
            }
            Given::Inherited => continue,
        };
        let known = value.as_ref().ok().cloned();
        further.values.insert(&variable.name, known);
        made.push(specified(variable, file, value.map(Source::Text)));
    }
    made
}

/// The variables further up in a list.
struct Further<'f> {
    known: Lookup<'f>,
    env_from: &'f [EnvFrom],
    /// The values by name; none where it is the platform's, and not known here.
    values: BTreeMap<&'f [u8], Option<Vec<u8>>>,
}

impl Further<'_> {
    /// Returns the value that the cluster would put in, if it is known.
    fn value(&self, name: &[u8]) -> Option<Vec<u8>> {
        match self.values.get(name) {
            Some(value) => value.clone(),
            None => {
                // Whatever else is inherited here is not there.
                let mut prefixes = self.env_from.iter().map(|from| from.prefix.as_bytes());
                let may_be = is_of_service(name) || prefixes.any(|prefix| name.starts_with(prefix));
                may_be.then(|| (self.known)(name)).flatten()
            }
        }
    }

    fn expand(&self, text: &[u8], schemes: &[Scheme]) -> Result<Vec<u8>, Cause> {
        let pieces = pieces(text);
        if pieces.len() > 1 {
            for piece in &pieces {
                if let Piece::Name(name) = piece
                    && let Some(value) = self.value(name)
                    && let Ok(Value::Whole(reference)) = reference::parse(&value, schemes)
                {
                    return Err(Cause::InText(name.to_vec(), reference.in_full()));
                }
            }
        }
        Ok(expanded(&pieces, &|name| self.value(name)))
    }
}

/// Reads a file of variables.
///
/// # Errors
/// The file can't be read, or must not be.
pub fn read_text(path: &Named, distrust: Option<&Trust>) -> Result<Vec<u8>, Error> {
    match distrust {
        Some(trust) => trust.read_again(path, LARGEST),
        None => files::read(path, LARGEST).map_err(|why| Error::file("read", path.clone(), why)),
    }
}
