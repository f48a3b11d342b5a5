//! Fills in every value of an environment, each once: all of them, or none.

use std::collections::BTreeMap;

use super::fetch::Fetched;
use super::secret_files::Deliveries;
use super::substitute::{self, Filled, FilledPart};
use crate::core::environment::{Environment, refusal};
use crate::model::error::{Cause, Error, Fault};
use crate::model::log::{self, InPhase, Label, Phase};
use crate::model::name::Scope;

/// An environment's values filled in, beside it.
pub struct Filling<'f> {
    /// The variables, in the order in which they are filled in.
    pub variables: Vec<FilledVariable<'f>>,
    /// The text's parts, each with the offset of its beginning.
    pub template: Vec<(usize, FilledPart<'f>)>,
    /// The values that go into files.
    deliveries: Deliveries,
    phase: InPhase,
}

/// A variable with its value.
pub struct FilledVariable<'f> {
    /// The variable's place in the environment.
    pub place: usize,
    /// The variable's name.
    pub name: &'f [u8],
    /// The variable's value.
    pub filled: Filled<'f>,
    /// The entry `NAME=VALUE`; none where the variable is removed, or has no value.
    entry: Option<Vec<u8>>,
    /// The reason why the variable can't have this value.
    pub refused: Option<Cause>,
}

/// The entries that fill an environment in.
pub struct Entries {
    entries: Vec<(usize, Option<Vec<u8>>)>,
    deliveries: Deliveries,
    references: usize,
    errors: Vec<Error>,
    phase: InPhase,
}

/// An environment for the workload, the files beside it, and a summary of their sources.
pub struct Ready<'e> {
    /// The environment.
    pub environment: Environment<'e>,
    /// The files; none of them is written yet.
    pub deliveries: Deliveries,
    /// The number of references and secrets in it, by source.
    pub summary: Summary,
}

/// The number of references that were filled in, and of values by source.
pub struct Summary {
    /// References in all variables.
    pub references: usize,
    /// Secrets by scope, the narrowest first.
    pub scopes: BTreeMap<Scope, usize>,
    /// Values of single places.
    pub direct: usize,
}

/// Fills every value in.
pub fn fill<'f>(fetched: &'f Fetched<'_>) -> Filling<'f> {
    let phase = log::begin(Phase::Fill);
    let answers = &fetched.answers;
    let template = fetched.template.iter();
    let template = template.map(|(at, part)| (*at, FilledPart::of_template(part, answers)));
    let template = template.collect();
    let mut deliveries = Deliveries::new(fetched.files.clone());
    let mut variables = Vec::with_capacity(fetched.values.len());
    for (place, name, value) in &fetched.values {
        let filled = substitute::fill(name, value, answers, &mut deliveries);
        let has_value = filled.faults().next().is_none() && !filled.is_removed();
        let entry = has_value.then(|| filled.entry(name));
        let value = entry.as_ref().map(|entry| &entry[name.len() + 1..]);
        variables.push(FilledVariable {
            place: *place,
            name,
            refused: value.and_then(|value| refusal(name, value)),
            filled,
            entry,
        });
    }
    Filling {
        variables,
        template,
        deliveries,
        phase,
    }
}

impl FilledVariable<'_> {
    /// Returns the value, if there is one.
    pub fn value(&self) -> Option<&[u8]> {
        let entry = self.entry.as_ref()?;
        entry.get(self.name.len() + 1..)
    }
}

impl Filling<'_> {
    /// Returns the entries that fill the environment in, without the answers that they come from.
    pub fn finish(self) -> Entries {
        let mut entries = Vec::with_capacity(self.variables.len());
        let (mut references, mut errors) = (0, Vec::new());
        for variable in self.variables {
            let FilledVariable { name, filled, .. } = variable;
            references += filled.references().count();
            errors.extend(filled.faults().map(|(reference, cause)| {
                Error::from(Fault::of(name, Some(reference.clone()), cause.clone()))
            }));
            let refused = variable.refused;
            errors.extend(refused.map(|cause| Error::from(Fault::of(name, None, cause))));
            entries.push((variable.place, variable.entry));
        }
        Entries {
            entries,
            deliveries: self.deliveries,
            references,
            errors,
            phase: self.phase,
        }
    }
}

impl<'e> Fetched<'e> {
    /// Puts the entries into their places. The stores are closed, and their values and keys wiped.
    ///
    /// # Errors
    /// The errors of all that is wrong.
    pub fn complete(mut self, entries: Entries) -> Result<Ready<'e>, Error> {
        let _phase = entries.phase;
        self.errors.extend(entries.errors);
        if !self.errors.is_empty() {
            return Err(Error::all(self.errors));
        }
        self.environment.fill(entries.entries);
        let mut summary = Summary {
            references: entries.references,
            scopes: BTreeMap::new(),
            direct: 0,
        };
        for (name, scope, _) in self.answers.values() {
            match scope {
                Some(scope) => {
                    log::debug!(
                        Found, reference = &Label(&name), scope = scope;
                        "{name} comes from {scope}"
                    );
                    *summary.scopes.entry(scope.clone()).or_default() += 1;
                }
                None => summary.direct += 1,
            }
        }
        Ok(Ready {
            environment: self.environment,
            deliveries: entries.deliveries,
            summary,
        })
    }
}
