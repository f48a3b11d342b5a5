//! Looks at every reference without launching anything.

use std::collections::BTreeMap;

use super::fetch::Fetched;
use super::fill::{FilledVariable, Filling};
use super::lookup::{Answered, Question};
use super::manifests::{Gathered, Place, What};
use super::substitute::Piece;
use crate::model::error::{Cause, Error, Fault};
use crate::model::escape::Shown;
use crate::model::meant::Meant;
use crate::model::name::{Name, Scope};
use crate::model::reference::Reference;

/// The facts about one reference. No value is in it, nor a hash of one.
pub struct Row {
    /// The place of the variable, if a manifest says it.
    pub place: Option<Place>,
    /// The variable.
    pub variable: Vec<u8>,
    /// The reference, without parts that may be secret; nothing for a malformed one.
    pub reference: Option<String>,
    /// The scope that has it.
    pub scope: Option<Scope>,
    /// The wider scopes that have the name too.
    pub shadows: Vec<Scope>,
    /// The number of bytes that the reference gives, where values were read.
    pub size: Option<usize>,
    /// The status in one word: `ok`, `leased`, `default`, `absent`, `platform`, `unused`, or the
    /// fault.
    pub status: &'static str,
    /// The fault in words.
    pub cause: Option<String>,
    /// The scopes that were searched.
    pub searched: Vec<Scope>,
    /// The existing name that is most like a missing one, and its scope.
    pub nearest: Option<(Name, Scope)>,
}

/// Makes a row for each reference, in the environment's order; `shadows` are the wider scopes of
/// each.
pub fn check(
    fetched: &Fetched<'_>,
    filling: &Filling<'_>,
    shadows: &BTreeMap<Question, Vec<Scope>>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for error in &fetched.errors {
        if let Error::Fault(fault) = error {
            let mut row = Row::new(&fault.variable);
            row.fail(&fault.cause);
            rows.push(row);
        }
    }
    for variable in &filling.variables {
        rows.extend(of_variable(variable, fetched, shadows));
    }
    let variables = fetched.environment.variables();
    let places: BTreeMap<&[u8], usize> = variables.map(|(at, name, _)| (name, at)).collect();
    rows.sort_by_key(|row| places.get(&*row.variable).copied().unwrap_or(usize::MAX));
    rows
}

/// Makes a row for each reference of the manifests, in the order of the files. Takes their values
/// from those that are filled in. Also returns the faults.
pub fn check_manifests(
    gathered: &Gathered,
    fetched: &Fetched<'_>,
    filling: &mut Filling<'_>,
    shadows: &BTreeMap<Question, Vec<Scope>>,
) -> (Vec<Row>, Vec<Error>) {
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    let values = gathered.before..gathered.before + gathered.values;
    let mut values = filling.variables.drain(values);
    for mention in &gathered.mentions {
        let (rows, faults) = match &mention.what {
            What::Value => match values.next() {
                None => continue,
                Some(value) => {
                    let faults = value.faults().collect();
                    (of_variable(&value, fetched, shadows), faults)
                }
            },
            What::Fault(cause) => {
                let mut row = Row::new(&mention.variable);
                row.fail(cause);
                let fault = Fault::of(&mention.variable, None, cause.clone());
                (vec![row], vec![Error::from(fault)])
            }
            What::Platform(source) => {
                let row = Row {
                    reference: Some(Shown(source.as_bytes()).to_string()),
                    status: PLATFORM,
                    ..Row::new(&mention.variable)
                };
                (vec![row], vec![])
            }
        };
        all.extend(rows.into_iter().map(|row| Row {
            place: Some(mention.place.clone()),
            ..row
        }));
        let Place {
            file,
            line,
            container,
        } = &mention.place;
        errors.extend(faults.into_iter().map(|fault| Error::Found {
            place: format!("{file}:{line}: {}", Shown(container.as_bytes())),
            what: fault.to_string(),
        }));
    }
    (all, errors)
}

/// Makes a row for each name of the store that no reference is to.
///
/// # Errors
/// The names can't be listed.
pub fn unused(fetched: &Fetched<'_>) -> Result<Vec<Row>, Error> {
    let answers = &fetched.answers;
    let Some(store) = answers.stores.main.as_deref() else {
        return Ok(Vec::new());
    };
    let scopes = answers.scopes.in_force();
    let fault = |trouble| Error::Store {
        store: store.label().to_owned(),
        trouble,
    };
    let mut rows = Vec::new();
    for (scope, names) in scopes.iter().zip(store.names(&scopes).map_err(fault)?) {
        for name in names.map_err(fault)? {
            let level = scope.level();
            let asked = |level| {
                answers
                    .all
                    .contains_key(&Question::Scoped(level, name.clone()))
            };
            if !asked(None) && !asked(Some(level)) {
                rows.push(Row {
                    reference: Some(format!("secret:{level}/{name}")),
                    scope: Some(scope.clone()),
                    status: UNUSED,
                    ..Row::new(NO_VARIABLE)
                });
            }
        }
    }
    Ok(rows)
}

/// The status of a variable that the platform gives.
const PLATFORM: &str = "platform";
/// The status of a name that no reference is to.
const UNUSED: &str = "unused";
/// The variable of a row that is about none.
pub const NO_VARIABLE: &[u8] = b"";

fn of_variable(
    variable: &FilledVariable<'_>,
    fetched: &Fetched<'_>,
    shadows: &BTreeMap<Question, Vec<Scope>>,
) -> Vec<Row> {
    let references = variable.filled.references();
    let mut rows: Vec<Row> = references
        .map(|(reference, part)| Row {
            reference: Some(reference.in_full()),
            ..row(variable.name, reference, &part.gives, fetched, shadows)
        })
        .collect();
    // A fault of the whole value is said of each reference in it.
    if let Some(cause) = &variable.refused {
        for row in &mut rows {
            row.fail(cause);
        }
    }
    rows
}

fn row(
    variable: &[u8],
    reference: &Reference,
    gives: &Result<Option<Piece<'_>>, Cause>,
    fetched: &Fetched<'_>,
    shadows: &BTreeMap<Question, Vec<Scope>>,
) -> Row {
    let mut row = Row::new(variable);
    let question = Question::from(reference);
    let Some(answered) = fetched.answers.all.get(&question) else {
        row.status = "unknown";
        return row;
    };
    if let Answered::Asked(scopes, _) = answered {
        row.searched.clone_from(scopes);
    }
    if let (Question::Scoped(..), Some(found)) = (&question, answered.found()) {
        row.scope = answered.scope().cloned();
        row.shadows = shadows.get(&question).cloned().unwrap_or_default();
        row.status = match found.value {
            Some(_) => "ok",
            None => "exists",
        };
    }
    match gives {
        Ok(Some(Piece::Secret(_, value) | Piece::File(_, _, value))) => {
            row.size = Some(value.len());
            row.status = "ok";
        }
        Ok(Some(Piece::Lent(_))) => row.status = "leased",
        Ok(Some(Piece::Text(_))) => row.status = "default",
        Ok(None) if row.scope.is_none() => row.status = "absent",
        Ok(None) => {}
        Err(cause) => row.fail(cause),
    }
    row
}

impl Row {
    fn new(variable: &[u8]) -> Self {
        Row {
            place: None,
            variable: variable.to_vec(),
            reference: None,
            scope: None,
            shadows: vec![],
            size: None,
            status: "",
            cause: None,
            searched: vec![],
            nearest: None,
        }
    }

    fn fail(&mut self, cause: &Cause) {
        self.status = status(cause);
        self.cause = Some(cause.to_string());
        if let Cause::Missing {
            meant: Meant::Name(name, scope),
            ..
        } = cause
        {
            self.nearest = Some((name.clone(), scope.clone()));
        }
    }

    /// True if the row says what nobody has to do anything about.
    pub fn is_fine(&self) -> bool {
        let fine = ["ok", "exists", "leased", "default", "absent", PLATFORM];
        fine.contains(&self.status)
    }

    /// True if the row is about a reference.
    pub fn is_of_reference(&self) -> bool {
        ![PLATFORM, UNUSED].contains(&self.status)
    }
}

/// Returns a fault in one word.
fn status(cause: &Cause) -> &'static str {
    match cause {
        Cause::Malformed(_) | Cause::NoVariable => "malformed",
        Cause::Missing { .. } | Cause::Absent { .. } => "missing",
        Cause::NotInForce(_) => "no-scope",
        Cause::Failed { trouble, .. } => trouble.status(),
        Cause::NotJson(_) => "not-json",
        Cause::NoMember { .. } => "no-member",
        Cause::NotBase64(_) => "not-base64",
        Cause::NoFileName | Cause::SameFile(_) => "file-name",
        Cause::Nul => "nul",
        Cause::TooLong(_) => "too-long",
        Cause::NotHere(_) => "platform",
        Cause::InText(..) => "in-text",
        Cause::Unfilled(..) => "unfilled",
    }
}
