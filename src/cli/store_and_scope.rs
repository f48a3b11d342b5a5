//! The store and the scope of a subcommand, and questions to the person at the terminal.

use std::collections::BTreeSet;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use super::configuration::StorePlace;
use super::options::Options;
use super::{flags, own_flags};
use crate::engine::managed::{Managed, NAME_RULE};
use crate::model::error::Error;
use crate::model::name::{Name, Scope};
use crate::stores::{self, Recipients};
use crate::sys::terminal;

/// An open store, and the place in it to work on.
pub struct ScopeTarget {
    managed: Managed,
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
        Ok(ScopeTarget {
            managed: Managed { store },
            place,
        })
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
            managed: Managed { store },
            place: place.clone(),
        };
        Ok([one, other].map(place))
    }

    /// Returns the store's lists of recipients.
    ///
    /// # Errors
    /// A kind of store that has none.
    pub fn recipients(&self) -> Result<&dyn Recipients, Error> {
        let lists = self.store.recipients();
        lists.ok_or_else(|| self.error(None, stores::no_lists()))
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

    /// Returns every scope that the command line itself names.
    pub fn named_scopes(&self, options: &Options) -> Vec<Scope> {
        let scopes = self.place.scopes.clone();
        let project = scopes.project.filter(|_| options.is_given(&flags::PROJECT));
        let cluster = scopes.cluster.filter(|_| options.is_given(&flags::CLUSTER));
        let project = project.map(Scope::Project).into_iter();
        project.chain(cluster.map(Scope::Cluster)).collect()
    }

    fn choose(&self) -> Result<Scope, Error> {
        let scopes = self.scopes()?;
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
}

impl Deref for ScopeTarget {
    type Target = Managed;

    fn deref(&self) -> &Managed {
        &self.managed
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
    name.ok_or_else(|| Error::Usage(NAME_RULE.to_owned()))
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
