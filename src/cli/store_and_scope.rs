//! Which store and which scope a subcommand works on, and asking the person at the terminal.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::configuration::StorePlace;
use super::options::Options;
use super::{flags, own_flags};
use crate::core::suggest::nearest;
use crate::model::error::{Error, StoreError};
use crate::model::name::{Name, Scope};
use crate::stores::{self, Answer, Depth, Found, Store, Writer};
use crate::sys::terminal;

/// An open store, and where in it to work.
pub struct ScopeTarget {
    /// The store.
    pub store: Box<dyn Store>,
    place: StorePlace,
}

impl ScopeTarget {
    /// Opens the store that the options name; `reads` says whether values are read, for which alone
    /// some need a key.
    ///
    /// # Errors
    /// Usage, or why it can't be opened.
    pub fn open(options: &mut Options, reads: bool) -> Result<Self, Error> {
        let place = options.place()?;
        let location = place.store.as_deref().ok_or_else(stores::unnamed)?;
        let access = Arc::new(options.access(&place, &BTreeSet::new(), &[], reads));
        let store = stores::open(location, &access)?;
        Ok(ScopeTarget { store, place })
    }

    /// The scope: what the command line says, else the project that is in force, else what the
    /// person at the terminal chooses.
    ///
    /// # Errors
    /// A usage error where nobody says.
    pub fn scope(&self, options: &Options) -> Result<Scope, Error> {
        if let Some(scope) = self.named_scope(options) {
            return Ok(scope);
        }
        let project = self.place.scopes.project.clone().map(Scope::Project);
        match project {
            Some(scope) => Ok(scope),
            None if terminal::is_interactive() => self.choose(),
            None => Err(no_scope()),
        }
    }

    /// The scope that the command line itself names, or a variable that says `team`.
    pub fn named_scope(&self, options: &Options) -> Option<Scope> {
        let scopes = self.place.scopes.clone();
        if options.is_given(&flags::CLUSTER) {
            scopes.cluster.map(Scope::Cluster)
        } else if options.is_given(&flags::PROJECT) {
            scopes.project.map(Scope::Project)
        } else {
            options.flag(&flags::TEAM).then_some(Scope::Team)
        }
    }

    fn choose(&self) -> Result<Scope, Error> {
        let scopes = self
            .store
            .scopes()
            .map_err(|trouble| self.error(None, trouble))?;
        let projects: Vec<&Scope> = scopes
            .iter()
            .filter(|scope| matches!(scope, Scope::Project(_)))
            .collect();
        if projects.is_empty() {
            return Err(no_scope());
        }
        let list = projects
            .iter()
            .enumerate()
            .map(|(index, scope)| format!("{}) {scope}\n", index + 1));
        let question = format!("{}which project? ", list.collect::<String>());
        let answer = terminal::ask(&question, 16).map_err(unreadable)?;
        let number: Option<usize> = str::from_utf8(answer.expose())
            .ok()
            .and_then(|text| text.trim().parse().ok());
        let chosen = number.and_then(|number| projects.get(number.checked_sub(1)?));
        chosen.map(|scope| (*scope).clone()).ok_or_else(no_scope)
    }

    /// A failure of the store, of a secret or scope in it where one is named.
    pub fn error(&self, what: Option<String>, trouble: StoreError) -> Error {
        let label = self.store.label();
        let store = what.map_or_else(|| label.to_owned(), |what| format!("{what} of {label}"));
        Error::Store { store, trouble }
    }

    /// A failure about one secret; of one that is not there, with the name that was meant.
    pub fn secret_error(&self, scope: &Scope, name: &Name, trouble: StoreError) -> Error {
        let trouble = match trouble.is_no_secret() {
            true => {
                let names = self.names(scope).unwrap_or_default();
                match nearest(name.as_str(), &names, Name::as_str) {
                    Some(near) => StoreError::no_secret().hint(format!("did you mean {near}?")),
                    None => trouble,
                }
            }
            false => trouble,
        };
        self.error(Some(format!("{name} in {scope}")), trouble)
    }

    /// What is there for one name; `None` where there is nothing.
    ///
    /// # Errors
    /// As for all names at once; beside it, why this one could not be looked for.
    pub fn find(
        &self,
        scope: &Scope,
        name: &Name,
        depth: Depth,
    ) -> Result<Result<Option<Found>, StoreError>, StoreError> {
        let location = self.store.locate(scope, name)?;
        let answers = self.store.fetch(&[vec![location]], depth)?;
        Ok(match answers.into_iter().next() {
            Some(Answer::Found(_, found)) => Ok(Some(found)),
            Some(Answer::Failed(_, trouble)) => Err(trouble),
            Some(Answer::Missing { .. }) | None => Ok(None),
        })
    }

    /// True if a scope has a name.
    ///
    /// # Errors
    /// The reason why that can't be said.
    pub fn has(&self, scope: &Scope, name: &Name) -> Result<bool, StoreError> {
        Ok(self.find(scope, name, Depth::Names)??.is_some())
    }

    /// The names in a scope, sorted.
    ///
    /// # Errors
    /// The reason why they can't be listed.
    pub fn names(&self, scope: &Scope) -> Result<Vec<Name>, StoreError> {
        let mut names = self.store.names(std::slice::from_ref(scope))?;
        names.pop().unwrap_or(Ok(vec![]))
    }

    /// The store as one that can be written to.
    ///
    /// # Errors
    /// That there is none.
    pub fn writer(&self) -> Result<&dyn Writer, StoreError> {
        self.store.writer().ok_or_else(stores::read_only)
    }
}

fn no_scope() -> Error {
    Error::Usage("which scope? give --project ID, --cluster ID or --team".to_owned())
}

/// The name that a subcommand is about, which need not be one that doorkey would create.
///
/// # Errors
/// A usage error.
pub fn name(options: &Options) -> Result<Name, Error> {
    let name = options
        .value(&own_flags::NAME)
        .and_then(|name| Name::new(name.as_encoded_bytes()));
    name.ok_or_else(|| {
        let rule =
            "letters, digits, '_', '.' and '-', the first a letter, digit or '_', at most 253";
        Error::Usage(format!("a name is {rule}"))
    })
}

/// Asks whether to go on: at a terminal the person, elsewhere `--yes` has to have said so.
///
/// # Errors
/// A usage error where nobody can be asked; [`Error::Declined`].
pub fn confirm(options: &Options, what: &str) -> Result<(), Error> {
    if options.flag(&own_flags::YES) {
        return Ok(());
    }
    if !terminal::is_interactive() {
        return Err(Error::Usage(format!(
            "{what}? give --yes, as nobody can be asked here"
        )));
    }
    let answer = terminal::ask(&format!("{what}? [y/N] "), 16).map_err(unreadable)?;
    match answer.expose().trim_ascii() {
        b"y" | b"Y" | b"yes" => Ok(()),
        _ => Err(Error::Declined),
    }
}

/// Standard input could not be read.
pub fn unreadable(error: io::Error) -> Error {
    Error::file("read", "standard input", error)
}
