//! The stores: they keep secrets, and answer questions about them.
//!
//! # Questions to a store
//! Every secret or document has a [`Location`]: a path, a key in the document there, a version.
//! [`Store::locate`] gives the location of a name in a scope, and asks nothing. A direct reference
//! is the text of a location.
//!
//! A launch asks all its questions in one [`Store::fetch`]. Each question is a list of locations,
//! narrowest scope first. The first that has a value answers. One that fails ends the question,
//! since a wider scope must not answer in its place.
//!
//! # Steps to add a store
//! A store needs a file here, its `mod` line below, its row of [`KINDS`] in `registry.rs`, and a
//! page: `docs/src/add-a-store.md` lists the steps.
//!
//! The row supplies the grammar, the help, the configuration file, and the texts that list stores.
//! It also supplies the variables to strip and to overwrite. No other file may mention the store,
//! which `tests/house/layers.rs` checks.

mod age;
mod aws;
mod aws_sm;
mod aws_ssm;
mod azure;
mod azure_kv;
mod clock;
mod context;
mod credential;
mod dir;
mod document;
mod exec;
mod fault;
mod file;
mod flat;
mod folder;
mod form;
mod gcp;
mod gcp_sm;
mod jwt;
mod k8s;
mod kind;
mod lease;
mod metadata;
mod plain;
mod program;
mod readers;
mod registry;
mod remote;
mod settings;
mod variables;
mod vault;

use std::cell::RefCell;
use std::time::SystemTime;

use crate::core::json::Levels;
use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::model::store_error;

pub use crate::model::location::Location;
pub use age::{
    EXAMPLE, KEY, KEY_FILE, OwnKeys, embedded, init as init_age, new_key, own_keys, seal, unseal,
};
pub use context::{Access, Context, OfMain, Opened, Origin, Setting};
pub use kind::{Kind, NOTHING, Places, StoreOption, Use};
pub use lease::{Holder, Lease, Lender, Renewal, Renewals};
pub use readers::{Changed, Checked, Fix, Member, Naming, Recipients, Rotation};
pub use registry::{
    KINDS, configurable, forms, is_handed_over, is_local, is_same_kind, kinds, likely, open,
    open_places, ours, references, schemes, schemes_of, unnamed, use_table,
};
pub use variables::{
    are_remote, credentials, flags, instead, is_file, listing, may_be_lent, needed, own_variables,
    passed, read_variables, spent,
};

/// Finds the location of a name in a scope, and answers questions about locations. Which scope or
/// source wins is decided elsewhere.
pub trait Store: Sync {
    /// The store as messages name it.
    fn label(&self) -> &str;

    /// Names the source of the values, so that nobody takes another source's values for them.
    fn identity(&self) -> String {
        self.label().to_owned()
    }

    /// Names the store of a single place: with the server's address, if there is one.
    fn at(&self) -> String {
        self.label().to_owned()
    }

    /// True if a list of everything costs no request.
    fn is_local(&self) -> bool {
        false
    }

    /// Lists facts about the way to the store, for a person who looks for a fault: its key or
    /// credential, its address, and who we are there. A server is asked.
    fn findings(&self) -> Vec<Finding> {
        vec![]
    }

    /// Gives the next step for a single place that is missing, if the store knows a better one than
    /// usual. `document` is true if only its key is missing. The store may be asked once more.
    fn advice(&self, _place: &Location, _document: bool) -> Option<String> {
        None
    }

    /// Gives the location that a name in a scope would have. Nothing is asked.
    ///
    /// # Errors
    /// The fault of the store, or of the scope, that leaves the name without a location.
    fn locate(&self, scope: &Scope, name: &Name) -> Result<Location, StoreError>;

    /// Answers questions, each by its locations in their order: [`search`] does that. All questions
    /// of a launch come at once, so that the store can share the work, or ask in one round. A
    /// document that several questions are about is read once.
    ///
    /// # Errors
    /// The fault that keeps every question from being answered. It is told once, so it is no
    /// [`Answer::Failed`].
    fn fetch(&self, questions: &[Vec<Location>], depth: Depth) -> Result<Vec<Answer>, StoreError>;

    /// True if missing single places are left out, as the user's variables ask.
    fn leaves_out_missing(&self) -> bool {
        false
    }

    /// Lists the names in each of these scopes, sorted. This and all that follows needs no key.
    ///
    /// # Errors
    /// The fault that keeps all scopes from being listed. A fault of one scope is in the list.
    fn names(&self, _scopes: &[Scope]) -> Result<Vec<Names>, StoreError> {
        Err(unlisted())
    }

    /// Tells what the store knows of a secret; `None` if the scope does not have it.
    ///
    /// # Errors
    /// The reason why that can't be said.
    fn record(&self, _scope: &Scope, _name: &Name) -> Result<Option<Record>, StoreError> {
        Err(unlisted())
    }

    /// Lists every scope that exists, sorted.
    ///
    /// # Errors
    /// The reason why that can't be said.
    fn scopes(&self) -> Result<Vec<Scope>, StoreError> {
        Err(unlisted())
    }

    /// The store as a lender, if it is one.
    fn lender(&self) -> Option<&dyn Lender> {
        None
    }

    /// The store as a writer, if doorkey can write to it.
    fn writer(&self) -> Option<&dyn Writer> {
        None
    }

    /// The store as a keeper of lists of recipients, if it is one.
    fn recipients(&self) -> Option<&dyn Recipients> {
        None
    }
}

/// A fact, by what it is about; or the fault in its place.
pub type Finding = (&'static str, Result<String, StoreError>);

/// The error of a store that answers questions only.
fn unlisted() -> StoreError {
    StoreError::setting("this kind of store does not say what it holds")
}

/// The error that doorkey can't write to a kind of store.
pub fn read_only() -> StoreError {
    StoreError::read_only("doorkey only reads this kind of store")
}

/// The error that a store which holds text can't hold a value.
pub fn not_text() -> StoreError {
    let what = "the value is not UTF-8, which this store can't hold";
    StoreError::of(store_error::FaultKind::Unusable, what)
        .hint("store it as base64, and read it with |base64decode")
}

/// The error that others changed something at the same time, again and again.
pub fn contended() -> StoreError {
    let what = "others change it at the same time";
    StoreError::of(store_error::FaultKind::Unusable, what).hint("nothing is changed, try again")
}

/// The error that a kind of store keeps no lists of recipients.
pub fn no_lists() -> StoreError {
    StoreError::read_only("this kind of store has no recipients")
}

/// The names in a scope, or why they can't be listed.
pub type Names = Result<Vec<Name>, StoreError>;

/// The extent of a question to a store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The existence of each name. No value is read, so no key is needed.
    Names,
    /// The values.
    Values,
    /// The values. A value that the store would make for its reader is not read: only a check that
    /// it would be made.
    Look,
    /// The values, read now: none that the store has kept.
    Fresh,
    /// The values as for `Fresh`, without reading what is lent at these paths.
    Watch(&'static [String]),
}

/// The answer of a store to a question.
#[derive(Debug)]
pub enum Answer {
    /// The question's location of this index has it; those before don't.
    Found(usize, Found),
    /// No location of the question has a value.
    Missing {
        /// True if there is a document without the key.
        document: bool,
    },
    /// The location of this index could not answer; those before don't have it. A later one must
    /// not answer in its place.
    Failed(usize, StoreError),
}

/// A value or a document that was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The value; `None` where only names were asked for, and of a whole document.
    pub value: Option<Secret>,
    /// Parsed levels of a JSON value, kept for lookups of its members.
    pub levels: RefCell<Levels>,
    /// The members of a whole document, in their order.
    pub members: Vec<(String, Secret)>,
    /// The lease of the value; `None` if the value is good until it is changed.
    pub lease: Option<Lease>,
}

/// The content of one location.
#[derive(Debug)]
pub enum Here {
    /// The value.
    Found(Found),
    /// A document without that key.
    NoKey,
    /// Nothing.
    Nothing,
}

impl Here {
    /// A value that is there, or not.
    pub fn value(value: Option<Secret>) -> Self {
        value.map_or(Here::Nothing, |value| {
            Here::Found(Found {
                value: Some(value),
                ..Found::default()
            })
        })
    }

    /// A found value without its content, or nothing.
    pub fn exists(exists: bool) -> Self {
        match exists {
            true => Here::Found(Found::default()),
            false => Here::Nothing,
        }
    }
}

/// Answers a question by looking at one location after the other: the first that has a value
/// answers, and one that fails ends the search.
pub fn search(
    locations: &[Location],
    mut look: impl FnMut(&Location) -> Result<Here, StoreError>,
) -> Answer {
    let mut document = false;
    for (index, location) in locations.iter().enumerate() {
        match look(location) {
            Ok(Here::Found(found)) => return Answer::Found(index, found),
            Ok(Here::NoKey) => document = true,
            Ok(Here::Nothing) => {}
            Err(trouble) => return Answer::Failed(index, trouble),
        }
    }
    Answer::Missing { document }
}

/// A store that can be written to.
pub trait Writer {
    /// Stores values in a scope, lastingly. If one can't be stored, none is, unless the store
    /// writes each value by itself.
    ///
    /// # Errors
    /// [`StoreError::taken`] and [`StoreError::no_secret`], as `how` asks; or the reason why
    /// nothing is stored.
    fn write(&self, scope: &Scope, values: &[(Name, Secret)], how: How) -> Result<(), StoreError>;

    /// Stores the value of a secret of this store under a name that must be new, with all that the
    /// store notes of the value.
    ///
    /// # Errors
    /// [`StoreError::taken`], or the reason why nothing is stored.
    fn copy(
        &self,
        _from: (&Scope, &Name),
        value: &Secret,
        (scope, name): (&Scope, &Name),
    ) -> Result<(), StoreError> {
        let value = Secret::new(value.expose().to_vec());
        self.write(scope, &[(name.clone(), value)], How::Create)
    }

    /// Removes a secret, lastingly.
    ///
    /// # Errors
    /// [`StoreError::no_secret`], or the reason why the secret is not removed.
    fn delete(&self, scope: &Scope, name: &Name) -> Result<(), StoreError>;
}

/// The condition on a name that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The name must be new. Exactly one of several writers at once succeeds.
    Create,
    /// The name may exist or not.
    Set,
    /// The name must exist.
    Update,
}

impl How {
    /// The change in one word: `created`, `set` or `updated`.
    pub fn done(self) -> &'static str {
        match self {
            How::Create => "created",
            How::Set => "set",
            How::Update => "updated",
        }
    }
}

/// Facts that a store knows about a secret, without its value.
#[derive(Clone, Debug)]
pub struct Record {
    /// The value's length in bytes.
    pub size: usize,
    /// The time of creation, by the store's own record.
    pub created: Option<SystemTime>,
    /// The time of the last change, by the store's own record.
    pub modified: Option<SystemTime>,
    /// The recipients who can read the secret, if the store knows them.
    pub recipients: Option<Vec<Member>>,
}
