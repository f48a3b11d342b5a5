//! The store and the scope of a subcommand, and questions to the person at the terminal.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::configuration::StorePlace;
use super::options::Options;
use super::{flags, own_flags};
use crate::engine::missing::Existing;
use crate::model::error::{Error, StoreError};
use crate::model::meant::Meant;
use crate::model::name::{Name, Scope};
use crate::stores::{self, Answer, Depth, Found, Recipients, Store, Writer};
use crate::sys::terminal;

/// An open store, and the place in it to work on.
pub struct ScopeTarget {
    /// The store.
    pub store: Box<dyn Store>,
    place: StorePlace,
}

impl ScopeTarget {
    /// Opens the store that the options name; `reads` is true if values are read. Some stores need
    /// a key for that alone.
    ///
    /// # Errors
    /// A usage error, or the reason why the store can't be opened.
    pub fn open(options: &mut Options, reads: bool) -> Result<Self, Error> {
        let place = options.place()?;
        let location = place.store.as_deref().ok_or_else(stores::unnamed)?;
        let access = Arc::new(options.access(&place, &BTreeSet::new(), &[], reads));
        let store = stores::open(location, &access)?;
        Ok(ScopeTarget { store, place })
    }

    /// Opens the store twice, for a command that reads and, after a person's time, writes.
    ///
    /// # Errors
    /// The errors of [`ScopeTarget::open`].
    pub fn open_twice(options: &mut Options) -> Result<[Self; 2], Error> {
        let place = options.place()?;
        let location = place.store.as_deref().ok_or_else(stores::unnamed)?;
        let mut access = options.access(&place, &BTreeSet::new(), &[], true);
        access.deadline = None;
        let access = Arc::new(access);
        let [one, other] = [(); 2].map(|()| stores::open(location, &access));
        let (one, other) = (one?, other?);
        let place = |store| ScopeTarget {
            store,
            place: place.clone(),
        };
        Ok([one, other].map(place))
    }

    /// True if no server is asked.
    pub fn is_local(&self) -> bool {
        !stores::are_remote(self.place.store.as_deref(), &BTreeSet::new())
    }

    /// Returns the scope of the command line, else the project in force, else the choice of the
    /// person at the terminal.
    ///
    /// # Errors
    /// A usage error if there is none.
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

    /// Returns the scope that the command line itself names, or the team if a variable says `team`.
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

    /// Makes the error of a store, or of a named secret or scope in it.
    pub fn error(&self, what: Option<String>, trouble: StoreError) -> Error {
        let label = self.store.label();
        let store = what.map_or_else(|| label.to_owned(), |what| format!("{what} of {label}"));
        Error::Store { store, trouble }
    }

    /// Makes the error about one secret. If the secret is missing, the error has a hint with the
    /// most similar name.
    pub fn secret_error(&self, scope: &Scope, name: &Name, trouble: StoreError) -> Error {
        let trouble = match trouble.is_no_secret() {
            true => {
                let store = self.store.as_ref();
                let in_force = std::slice::from_ref(scope);
                match Existing::default().meant(store, in_force, name, false) {
                    Meant::New => trouble,
                    Meant::Name(near, _) => trouble.hint(format!("did you mean {near}?")),
                    meant => trouble.hint(meant.to_string()),
                }
            }
            false => trouble,
        };
        self.error(Some(format!("{name} in {scope}")), trouble)
    }

    /// Finds the secret of one name; `None` if there is none.
    ///
    /// # Errors
    /// A failure of the whole store; inside the result, a failure of this name alone.
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
    /// The reason why the store can't tell.
    pub fn has(&self, scope: &Scope, name: &Name) -> Result<bool, StoreError> {
        Ok(self.find(scope, name, Depth::Names)??.is_some())
    }

    /// Lists the names in a scope, sorted.
    ///
    /// # Errors
    /// The reason why the names can't be listed.
    pub fn names(&self, scope: &Scope) -> Result<Vec<Name>, StoreError> {
        let mut names = self.store.names(std::slice::from_ref(scope))?;
        names.pop().unwrap_or(Ok(vec![]))
    }

    /// Returns the store's lists of recipients.
    ///
    /// # Errors
    /// A kind of store that has none.
    pub fn recipients(&self) -> Result<&dyn Recipients, Error> {
        let lists = self.store.recipients();
        lists.ok_or_else(|| self.error(None, stores::no_lists()))
    }

    /// Returns the store for writing.
    ///
    /// # Errors
    /// A store that can't be written to.
    pub fn writer(&self) -> Result<&dyn Writer, StoreError> {
        self.store.writer().ok_or_else(stores::read_only)
    }
}

/// Lists secrets as `SCOPE/NAME`.
pub fn paths(secrets: &[(Scope, Name)]) -> Vec<String> {
    let paths = secrets
        .iter()
        .map(|(scope, name)| format!("{scope}/{name}"));
    paths.collect()
}

fn no_scope() -> Error {
    Error::Usage("which scope? give --project ID, --cluster ID or --team".to_owned())
}

/// Returns the name that a subcommand is about. It may be one that doorkey itself would not create.
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

/// Asks for a confirmation: at a terminal from the person, elsewhere by `--yes`.
///
/// # Errors
/// A usage error if nobody can be asked; [`Error::Declined`].
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

/// Makes the error for standard input that could not be read.
pub fn unreadable(error: io::Error) -> Error {
    Error::file("read", "standard input", error)
}
