//! References that are plainly meant, and are read by nobody: found while an environment is
//! assembled, and judged when the stores have answered.

use std::collections::BTreeMap;

use super::lookup::Answers;
use crate::core::meant::{Meant, MeantTarget, Words};
use crate::model::error::{Cause, Error, Fault, Malformed};
use crate::model::escape::Shown;
use crate::model::location::Scheme;
use crate::model::log::{self, Label};
use crate::model::reference::{Part, Value, references};
use crate::stores::{Answer, Depth, Store};

/// The name that stands for the command's arguments in `--literal`.
pub const ARGUMENTS: &[u8] = b"arguments";

/// Places where a reference is meant, each with the variable or the argument that it is in.
#[derive(Default)]
pub struct MeantPlaces {
    places: Vec<(Holder, Meant)>,
}

/// The holder of a text that the workload gets.
#[derive(Clone, PartialEq, Eq)]
enum Holder {
    Variable(Vec<u8>),
    /// The command's argument of this number, from 1.
    Argument(usize),
    /// A variable of a manifest, by a number; and its place.
    Manifest(usize, String),
    /// A place of a template.
    Template(String),
}

/// The faults of places where a reference is meant.
#[derive(Default)]
pub struct Judged {
    /// The faults of what a workload gets.
    pub errors: Vec<Error>,
    /// The faults of manifests, each with its number.
    pub of_manifests: BTreeMap<usize, Cause>,
}

impl Judged {
    fn add(&mut self, holder: &Holder, meant: &Meant, reference: String) {
        let (why, right) = (meant.why, meant.right(&reference));
        let unread = Cause::Unread { why, right };
        self.errors.push(match holder {
            Holder::Variable(name) => Fault::of(name, None, unread).into(),
            Holder::Argument(_) => {
                let name = holder.to_string();
                Fault::of(name.as_bytes(), None, Cause::InArgument(reference)).into()
            }
            Holder::Template(place) => Error::Found {
                place: place.clone(),
                what: format!("{unread}; $${{ stands for ${{ as text"),
            },
            Holder::Manifest(number, _) => {
                self.of_manifests.insert(*number, unread);
                return;
            }
        });
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Holder::Variable(name) => Shown(name).fmt(f),
            Holder::Argument(number) => write!(f, "argument {number}"),
            Holder::Manifest(_, place) | Holder::Template(place) => f.write_str(place),
        }
    }
}

/// A variable as it was read: its name, its text, and the value in it.
pub type ReadVariable<'v> = (&'v [u8], &'v [u8], &'v Result<Value, Malformed>);

impl MeantPlaces {
    /// Looks at the text of each variable that is no literal, and at arguments. No name is looked up
    /// here.
    pub fn find(
        variables: &[ReadVariable<'_>],
        arguments: &[Vec<u8>],
        schemes: &[Scheme],
    ) -> MeantPlaces {
        let known = variables.iter().filter_map(|(_, text, value)| match value {
            Ok(Value::Whole(reference)) => Some((*text, reference.to_string())),
            _ => None,
        });
        let known: Vec<_> = known.collect();
        let words = Words::new(schemes, &known);
        let mut places = Vec::new();
        for (name, text, value) in variables {
            let mut add = |text: &[u8], is_whole| {
                let found = words.find(text, is_whole).into_iter();
                places.extend(found.map(|meant| (Holder::Variable(name.to_vec()), meant)));
            };
            match value {
                Ok(Value::Plain) => add(text, true),
                // Whoever writes the escape of a whole value knows the grammar.
                Ok(Value::Mixed(parts)) if !is_escape(text, schemes) => {
                    parts.iter().for_each(|part| match part {
                        Part::Text(text) => add(text, false),
                        Part::Reference(_) => {}
                    });
                }
                _ => {}
            }
            let all = value.iter().flat_map(references);
            let fallbacks = all.filter_map(|reference| reference.fallback.as_deref());
            fallbacks.for_each(|text| add(text, false));
        }
        for (at, text) in arguments.iter().enumerate() {
            let found = words.find(text, false).into_iter();
            places.extend(found.map(|meant| (Holder::Argument(at + 1), meant)));
        }
        MeantPlaces { places }
    }

    /// Adds the places of a container's variables. Returns the variables with such places: each has a
    /// number, beginning with this one. `place` says where a variable stands.
    pub fn add_container(
        &mut self,
        found: MeantPlaces,
        first: usize,
        place: &dyn Fn(&[u8]) -> String,
    ) -> Vec<Vec<u8>> {
        let mut names: Vec<Vec<u8>> = Vec::new();
        for (holder, meant) in found.places {
            let Holder::Variable(name) = holder else {
                continue;
            };
            let known = names.iter().position(|known| *known == name);
            let at = known.unwrap_or_else(|| {
                names.push(name.clone());
                names.len() - 1
            });
            let holder = Holder::Manifest(first + at, place(&name));
            self.places.push((holder, meant));
        }
        names
    }

    /// Adds misspelt references of a template, each with its place.
    pub fn add_template(&mut self, found: impl Iterator<Item = (String, Meant)>) {
        self.places
            .extend(found.map(|(place, meant)| (Holder::Template(place), meant)));
    }

    /// True if a store could tell whether a name exists that is meant.
    pub fn has_names(&self) -> bool {
        let is_name = |(_, meant): &(_, Meant)| matches!(meant.target, MeantTarget::Names(..));
        self.places.iter().any(is_name)
    }

    /// Returns the faults: places that name what exists, or another variable's reference. A warning
    /// lists the others. Without a store, no name is known to exist.
    pub fn judge(self, answers: &Answers, store: Option<&dyn Store>) -> Judged {
        let existing = store.map(|store| self.existing(answers, store));
        let existing = existing.unwrap_or_default();
        let (mut judged, mut faulty, mut unsure) = (Judged::default(), Vec::new(), Vec::new());
        for (at, (holder, meant)) in self.places.into_iter().enumerate() {
            let known = existing.iter().find(|(place, _)| *place == at);
            let shown = match &meant.target {
                MeantTarget::Known(shown) => Some(shown.clone()),
                _ => known.map(|(_, shown)| shown.clone()),
            };
            match shown {
                Some(_) if faulty.contains(&holder) => {}
                Some(shown) => {
                    judged.add(&holder, &meant, shown);
                    faulty.push(holder);
                }
                None if meant.warns && !unsure.contains(&holder) => unsure.push(holder),
                None => {}
            }
        }
        unsure.retain(|holder| !faulty.contains(holder));
        let is_template = |holder: &Holder| matches!(holder, Holder::Template(_));
        let (templates, others) = unsure
            .iter()
            .partition::<Vec<_>, _>(|holder| is_template(holder));
        warn(
            &others,
            "secret:NAME alone, or ${secret:NAME} inside a text; --literal NAME ends this",
        );
        warn(
            &templates,
            "${secret:NAME} there; $${ stands for ${ as text",
        );
        judged
    }

    /// Finds the names that exist, each with its place in the list, as a reference to it is shown.
    fn existing(&self, answers: &Answers, store: &dyn Store) -> Vec<(usize, String)> {
        let (mut asked, mut locations) = (Vec::new(), Vec::new());
        for (at, (_, meant)) in self.places.iter().enumerate() {
            let MeantTarget::Names(level, names) = &meant.target else {
                continue;
            };
            let scopes = answers.scopes.searched(*level).unwrap_or_default();
            let level = level.map_or(String::new(), |level| format!("{level}/"));
            for name in names {
                let places = scopes.iter().map(|scope| store.locate(scope, name));
                let places: Vec<_> = places.filter_map(Result::ok).collect();
                if !places.is_empty() {
                    asked.push((at, format!("secret:{level}{name}")));
                    locations.push(places);
                }
            }
        }
        // A store that can't answer keeps nobody from launching what refers to nothing in it.
        let answers = match locations.is_empty() {
            true => vec![],
            false => store.fetch(&locations, Depth::Names).unwrap_or_default(),
        };
        let found = asked.into_iter().zip(answers);
        let found = found.filter(|(_, answer)| matches!(answer, Answer::Found(..)));
        found.map(|(asked, _)| asked).collect()
    }
}

/// Warns of places that may be meant as references. `advice` says the right spelling, and how to end
/// the warning.
fn warn(holders: &[&Holder], advice: &str) {
    if !holders.is_empty() {
        let names: Vec<_> = holders.iter().map(|holder| holder.to_string()).collect();
        let names = names.join(", ");
        log::warning!(
            Ignored, variable = &Label(&names);
            "what looks like a reference is passed on as text: {names}; a reference is {advice}"
        );
    }
}

/// True if a value is the escape of a whole reference, `secret::TEXT`.
fn is_escape(text: &[u8], schemes: &[Scheme]) -> bool {
    let words = schemes.iter().map(|scheme| scheme.word);
    let mut words = words.chain(["secret"]);
    words.any(|word| {
        let rest = text.strip_prefix(word.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b"::"))
    })
}
