//! The answers of the stores. Each name is asked once, in the scopes in force; each single place
//! once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use super::missing::Existing;
use super::open_stores::Stores;
use crate::core::scope::Scopes;
use crate::model::error::{Cause, StoreError};
use crate::model::name::{Level, Name, Scope};
use crate::model::named::ShownPath;
use crate::model::reference::{Direct, Reference, Scoped, Target};
use crate::model::secret::Secret;
use crate::stores::{Answer, Depth, Found, Location, Store};

/// The question behind a reference. Names in scopes sort before single places.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// A name, and the one level to look in where the reference says so.
    Scoped(Option<Level>, Name),
    /// A single place.
    Direct(Direct),
}

impl Question {
    /// Asks for the key that a reference with a fallback would name if its `?` were part of the key.
    /// `None` for any other reference.
    pub fn with_fallback(reference: &Reference) -> Option<Self> {
        let Target::Direct(mut direct) = reference.target.clone() else {
            return None;
        };
        let key = with_fallback(direct.location.key.as_deref()?, reference)?;
        direct.location.key = Some(key);
        Some(Question::Direct(direct))
    }

    /// True for a single place.
    pub fn is_direct(&self) -> bool {
        matches!(self, Question::Direct(_))
    }
}

impl From<&Reference> for Question {
    fn from(reference: &Reference) -> Self {
        match &reference.target {
            Target::Scoped(scoped) => Question::Scoped(scoped.level, scoped.name.clone()),
            Target::Direct(direct) => Question::Direct(direct.clone()),
        }
    }
}

/// Shows the name or place instead of the value.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Question::Scoped(_, name) => name.fmt(f),
            Question::Direct(direct) => direct.fmt(f),
        }
    }
}

/// The outcome of a question.
pub enum Answered {
    /// The level that was asked has no scope in force.
    NotInForce(Level),
    /// The store's answer, and the scopes of its locations; no scope for a single place.
    Asked(Vec<Scope>, Answer),
}

impl Answered {
    /// True for a value that is lent.
    pub fn is_leased(&self) -> bool {
        self.found().is_some_and(|found| found.lease.is_some())
    }

    /// Returns the value or document, where one was found.
    pub fn found(&self) -> Option<&Found> {
        match self {
            Answered::Asked(_, Answer::Found(_, found)) => Some(found),
            _ => None,
        }
    }

    /// Returns the failure, where the store could not answer.
    pub fn trouble(&self) -> Option<&StoreError> {
        match self {
            Answered::Asked(_, Answer::Failed(_, trouble)) => Some(trouble),
            _ => None,
        }
    }

    /// Returns the scope that has the value, or that failed.
    pub fn scope(&self) -> Option<&Scope> {
        match self {
            Answered::Asked(scopes, Answer::Found(at, _) | Answer::Failed(at, _)) => {
                scopes.get(*at)
            }
            _ => None,
        }
    }
}

/// The answers to everything that was asked. A question that could not be asked has none: the
/// reason is among the errors already.
pub struct Answers {
    /// The stores.
    pub stores: Rc<Stores>,
    /// The scopes in force.
    pub scopes: Scopes,
    /// The answers by question.
    pub all: BTreeMap<Question, Answered>,
    existing: Existing,
}

impl Answers {
    /// Creates an empty set of answers.
    pub fn none(stores: Stores, scopes: Scopes) -> Self {
        Answers {
            stores: Rc::new(stores),
            scopes,
            all: BTreeMap::new(),
            existing: Existing::default(),
        }
    }

    /// Asks a store all questions at once.
    ///
    /// # Errors
    /// The error that keeps everything from being answered.
    pub fn ask(
        &mut self,
        store: &dyn Store,
        questions: &BTreeSet<Question>,
        depth: Depth,
    ) -> Result<(), StoreError> {
        let mut asked = Vec::with_capacity(questions.len());
        let mut locations = Vec::with_capacity(questions.len());
        for question in questions {
            let scopes = match question {
                Question::Direct(place) => {
                    locations.push(vec![place.location.clone()]);
                    vec![]
                }
                Question::Scoped(level, name) => match self.scopes.searched(*level) {
                    Ok(scopes) => {
                        locations.push(located(store, &scopes, name)?);
                        scopes
                    }
                    Err(level) => {
                        let none = Answered::NotInForce(level);
                        self.all.insert(question.clone(), none);
                        continue;
                    }
                },
            };
            asked.push((question, scopes));
        }
        let answers = store.fetch(&locations, depth)?;
        for ((question, scopes), answer) in asked.into_iter().zip(answers) {
            let answered = Answered::Asked(scopes, answer);
            self.all.insert(question.clone(), answered);
        }
        Ok(())
    }

    /// Returns the answer to a reference.
    pub fn to(&self, reference: &Reference) -> Option<&Answered> {
        self.all.get(&Question::from(reference))
    }

    /// True if a key has a `?` in it where a reference's fallback begins.
    pub fn is_of_key(&self, reference: &Reference) -> bool {
        let longer = Question::with_fallback(reference);
        let answered = longer.and_then(|longer| self.all.get(&longer));
        answered.is_some_and(|answered| answered.found().is_some())
    }

    /// Returns the store that a question is to, as messages name it.
    pub fn label(&self, target: &Target) -> String {
        let store = self.store(target);
        let label = store.map(|store| match target {
            Target::Scoped(_) => store.label().to_owned(),
            Target::Direct(_) => store.at(),
        });
        label.unwrap_or_default()
    }

    /// True if the store leaves out missing values.
    pub fn leaves_out(&self, target: &Target) -> bool {
        let store = self.store(target);
        store.is_some_and(Store::leaves_out_missing)
    }

    fn store(&self, target: &Target) -> Option<&dyn Store> {
        match target {
            Target::Scoped(_) => self.stores.main.as_deref(),
            Target::Direct(place) => self.stores.of(place),
        }
    }

    /// True if a store has denied anything.
    pub fn has_denial(&self) -> bool {
        let troubles = self.all.values().filter_map(Answered::trouble);
        troubles.into_iter().any(StoreError::is_denial)
    }

    /// Lists every value that was read: the label that stands for it where it isn't shown, its
    /// scope, and the value.
    pub fn values(&self) -> impl Iterator<Item = (String, Option<&Scope>, &Secret)> {
        self.all.iter().filter_map(|(question, answered)| {
            let value = answered.found()?.value.as_ref()?;
            Some((question.to_string(), answered.scope(), value))
        })
    }

    /// Lists the wider scopes that have a name too, which the scope that was found hides.
    pub fn shadows(&self) -> BTreeMap<Question, Vec<Scope>> {
        let mut shadows: BTreeMap<Question, Vec<Scope>> = BTreeMap::new();
        let Some(store) = self.stores.main.as_deref() else {
            return shadows;
        };
        let (mut wider, mut locations) = (Vec::new(), Vec::new());
        for (question, answered) in &self.all {
            if let (Question::Scoped(_, name), Answered::Asked(scopes, Answer::Found(at, _))) =
                (question, answered)
            {
                for scope in &scopes[at + 1..] {
                    if let Ok(location) = store.locate(scope, name) {
                        wider.push((question, scope));
                        locations.push(vec![location]);
                    }
                }
            }
        }
        let answers = match locations.is_empty() {
            true => vec![],
            // The value that was found is there, whatever this gives.
            false => store.fetch(&locations, Depth::Names).unwrap_or_default(),
        };
        for ((question, scope), answer) in wider.into_iter().zip(answers) {
            if matches!(answer, Answer::Found(..)) {
                let hidden = shadows.entry(question.clone()).or_default();
                hidden.push(scope.clone());
            }
        }
        shadows
    }

    /// Returns the cause that a name is missing, with what may be meant.
    pub fn missing(&self, scoped: &Scoped) -> Cause {
        let store = self.stores.main.as_deref();
        let in_force = self.scopes.in_force();
        let meant = store.map(|store| {
            let is_one_level = scoped.level.is_some();
            self.existing
                .meant(store, &in_force, &scoped.name, is_one_level)
        });
        Cause::Missing {
            searched: self.scopes.searched(scoped.level).unwrap_or_default(),
            store: store
                .map(|store| store.label().to_owned())
                .unwrap_or_default(),
            meant: meant.unwrap_or_default(),
        }
    }

    /// Returns the cause that a single place is missing: where it was looked for, and the next step.
    pub fn absent(&self, place: &Direct, document: bool) -> Cause {
        let store = self.stores.of(place);
        let at = store.map(Store::at).unwrap_or_default();
        let path = ShownPath(&place.location.path);
        Cause::Absent {
            store: match document {
                true => format!("{path} of {at}"),
                false => at,
            },
            document,
            version: place.location.version.is_some(),
            advice: store.and_then(|store| store.advice(&place.location, document)),
        }
    }
}

/// Returns a key, or a path of a member, as it would be with the fallback as a part of it.
pub fn with_fallback(key: &str, reference: &Reference) -> Option<String> {
    let plain = reference.filters.is_empty() && !reference.is_file();
    let text = reference.fallback.as_deref().filter(|_| plain)?;
    Some(format!("{key}?{}", str::from_utf8(text).ok()?))
}

/// Lists the locations where a name would be, narrowest scope first.
fn located(store: &dyn Store, scopes: &[Scope], name: &Name) -> Result<Vec<Location>, StoreError> {
    scopes
        .iter()
        .map(|scope| store.locate(scope, name))
        .collect()
}
