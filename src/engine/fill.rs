//! Fills in every value of an environment, each once: all of them, or none.

use std::collections::BTreeMap;

use super::fetch::Fetched;
use super::lookup::{Answered, Answers};
use super::render::Rendered;
use super::secret_files::Deliveries;
use super::substitute::{self, Filled, Piece};
use crate::core::environment::{Environment, refusal};
use crate::model::error::{Cause, Error, Fault};
use crate::model::log::{self, InPhase, Label, Phase};
use crate::model::name::Scope;

/// An environment's values filled in, beside it.
pub struct Filling<'f> {
    /// The variables, in the order in which they are filled in.
    pub variables: Vec<FilledVariable<'f>>,
    /// The texts that are filled in.
    pub rendered: Vec<Rendered<'f>>,
    /// The errors in those.
    errors: Vec<Error>,
    /// The values that go into files.
    deliveries: Deliveries,
    summary: Summary,
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
    summary: Summary,
    errors: Vec<Error>,
    phase: InPhase,
}

/// An environment for the workload, the files beside it, and a summary of their sources.
pub struct Ready<'e> {
    /// The environment.
    pub environment: Environment<'e>,
    /// The files; none of them is written yet.
    pub deliveries: Deliveries,
    /// The number of references in it, by source.
    pub summary: Summary,
}

/// The number of references by their source. Those of all sources add up to all references.
#[derive(Default)]
pub struct Summary {
    /// References to names, by the scope that has them, the narrowest first.
    pub scopes: BTreeMap<Scope, usize>,
    /// References to single places.
    pub direct: usize,
    /// References whose own text stands in place of a missing value.
    pub defaults: usize,
    /// References that are left out.
    pub absent: usize,
}

impl Summary {
    /// Counts all references.
    pub fn references(&self) -> usize {
        self.scopes.values().sum::<usize>() + self.direct + self.defaults + self.absent
    }

    fn count(&mut self, filled: &Filled<'_>, answers: &Answers) {
        for (reference, part) in filled.references() {
            if let Ok(piece) = &part.gives {
                let scope = answers.to(reference).and_then(Answered::scope);
                self.add(piece.as_ref(), scope);
            }
        }
    }

    fn add(&mut self, piece: Option<&Piece<'_>>, scope: Option<&Scope>) {
        match (piece, scope) {
            (None, _) => self.absent += 1,
            (Some(Piece::Text(_)), _) => self.defaults += 1,
            (_, Some(scope)) => *self.scopes.entry(scope.clone()).or_default() += 1,
            (_, None) => self.direct += 1,
        }
    }
}

/// Fills every value in.
pub fn fill<'f>(fetched: &'f Fetched<'_>) -> Filling<'f> {
    let phase = log::begin(Phase::Fill);
    let answers = &fetched.answers;
    let mut errors = Vec::new();
    let rendered = fetched.templates.iter();
    let rendered = rendered.map(|template| template.filled(answers, &mut errors));
    let rendered: Vec<_> = rendered.collect();
    let mut deliveries = Deliveries::new(fetched.files.clone());
    let mut variables = Vec::with_capacity(fetched.values.len());
    let mut summary = Summary::default();
    for (place, name, value) in &fetched.values {
        let filled = substitute::fill(name, value, answers, &mut deliveries);
        summary.count(&filled, answers);
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
    for one in &rendered {
        summary.count(&one.filled, answers);
        if let Some(out) = &one.template.out {
            deliveries.add_text(out, &one.text);
        }
    }
    Filling {
        variables,
        rendered,
        errors,
        deliveries,
        summary,
        phase,
    }
}

impl FilledVariable<'_> {
    /// Returns the value, if there is one.
    pub fn value(&self) -> Option<&[u8]> {
        let entry = self.entry.as_ref()?;
        entry.get(self.name.len() + 1..)
    }

    /// Lists the errors that keep the variable from its value.
    pub fn faults(&self) -> impl Iterator<Item = Error> {
        let name = self.name;
        let faults = self.filled.faults();
        let of_references = faults.map(move |(reference, cause)| {
            Error::from(Fault::of(name, Some(reference.clone()), cause.clone()))
        });
        let refused = self.refused.iter();
        of_references.chain(refused.map(move |cause| Fault::of(name, None, cause.clone()).into()))
    }
}

impl Filling<'_> {
    /// Returns the entries that fill the environment in, without the answers that they come from.
    pub fn finish(self) -> Entries {
        let mut entries = Vec::with_capacity(self.variables.len());
        let mut errors = self.errors;
        for variable in self.variables {
            errors.extend(variable.faults());
            entries.push((variable.place, variable.entry));
        }
        Entries {
            entries,
            deliveries: self.deliveries,
            summary: self.summary,
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
            let environment = &self.environment;
            let errors = self.errors.into_iter();
            let errors = errors.map(|error| error.placed(|name| environment.place_of(name)));
            return Err(Error::all(errors.collect()));
        }
        self.environment.fill(entries.entries);
        for (name, scope, _) in self.answers.values() {
            if let Some(scope) = scope {
                log::debug!(
                    Found, reference = &Label(&name), scope = scope;
                    "{name} comes from {scope}"
                );
            }
        }
        Ok(Ready {
            environment: self.environment,
            deliveries: entries.deliveries,
            summary: entries.summary,
        })
    }
}
