//! The stores: where secrets are kept, and how they are asked for.
//!
//! # How a store is asked
//! Everything that can be asked for has a [`Location`]: a path, a key in the document there, a
//! version. A name in a scope becomes one by [`Store::locate`], which asks nothing; a direct
//! reference is the text of one. All that a launch asks comes in one [`Store::fetch`], as questions:
//! each a list of locations, narrowest scope first. The first that has a value answers; one that
//! fails ends the question, since a wider scope must not answer in its place.
//!
//! # How to add one
//! A file here, its `mod` line below, its row of [`KINDS`] in `registry.rs`, and a page:
//! `docs/src/add-a-store.md` leads there.
//!
//! Grammar, help, configuration file, what is stripped and what is overwritten, and the texts that
//! list stores follow from the row. No other file has to say a word about it, which
//! `tests/house/layers.rs` holds.

mod age;
mod aws;
mod aws_sm;
mod aws_ssm;
mod context;
mod credential;
mod dir;
mod document;
mod exec;
mod file;
mod folder;
mod k8s;
mod kind;
mod lease;
mod program;
mod registry;
mod remote;
mod settings;
mod variables;
mod vault;

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::core::json::Levels;
use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::model::store_error;

pub use crate::model::location::Location;
pub use age::{EXAMPLE, KEY_FILE, embedded, init as init_age, seal, unseal};
pub use context::{Access, Context, OfMain, Opened, Origin, Setting};
pub use kind::{Kind, NOTHING, Places, StoreOption, Use};
pub use lease::{Holder, Lease, Lender, Renewal, Renewals};
pub use registry::{
    KINDS, configurable, forms, is_handed_over, is_same_kind, kinds, likely, open, open_places,
    ours, references, schemes, schemes_of, unnamed, use_table,
};
pub use variables::{
    are_remote, credentials, flags, instead, is_file, listing, may_be_lent, needed, own_variables,
    passed, read_variables, spent,
};

/// What every store can do: say where a name in a scope would be, and answer questions about such
/// places. What wins over what is not its business.
pub trait Store: Sync {
    /// The store as messages name it.
    fn label(&self) -> &str;

    /// What its values come from, so that nobody takes another's for them.
    fn identity(&self) -> String {
        self.label().to_owned()
    }

    /// Where a name in a scope is, if it is there. Nothing is asked.
    ///
    /// # Errors
    /// What of the store, or of the scope, keeps it from being anywhere.
    fn locate(&self, scope: &Scope, name: &Name) -> Result<Location, StoreError>;

    /// Answers questions, each by its locations in their order: [`search`] does that. All of a
    /// launch come at once, so that the store can share the work, or ask in one round; a document
    /// that several are about is read once.
    ///
    /// # Errors
    /// What keeps every question from being answered. To be said once, it is no [`Answer::Failed`].
    fn fetch(&self, questions: &[Vec<Location>], depth: Depth) -> Result<Vec<Answer>, StoreError>;

    /// Whether what is missing at single places is left out, as the user's variables have it.
    fn leaves_out_missing(&self) -> bool {
        false
    }

    /// The names in each of these scopes, sorted. Like all that follows it needs no key.
    ///
    /// # Errors
    /// What keeps all of them from being listed; in the list, what keeps one.
    fn names(&self, _scopes: &[Scope]) -> Result<Vec<Names>, StoreError> {
        Err(unlisted())
    }

    /// What the store knows of a secret; `None` where the scope does not have it.
    ///
    /// # Errors
    /// Why that can't be said.
    fn record(&self, _scope: &Scope, _name: &Name) -> Result<Option<Record>, StoreError> {
        Err(unlisted())
    }

    /// Every scope that there is, sorted.
    ///
    /// # Errors
    /// Why that can't be said.
    fn scopes(&self) -> Result<Vec<Scope>, StoreError> {
        Err(unlisted())
    }

    /// The store as one that lends, if it does.
    fn lender(&self) -> Option<&dyn Lender> {
        None
    }

    /// The store as one that can be written to, if doorkey can.
    fn writer(&self) -> Option<&dyn Writer> {
        None
    }

    /// The store as one that keeps lists of who can read it, if it does.
    fn recipients(&self) -> Option<&dyn Recipients> {
        None
    }
}

/// A store that answers questions only.
fn unlisted() -> StoreError {
    StoreError::setting("this kind of store does not say what it holds")
}

/// That doorkey can't write to a kind of store.
pub fn read_only() -> StoreError {
    StoreError::read_only("doorkey only reads this kind of store")
}

/// That a store which holds text can't hold a value.
pub fn not_text() -> StoreError {
    let what = "the value is not UTF-8, which this store can't hold";
    StoreError::of(store_error::Kind::Unusable, what)
        .hint("store it as base64, and read it with |base64decode")
}

/// That others changed something at the same time, again and again.
pub fn contended() -> StoreError {
    let what = "others change it at the same time";
    StoreError::of(store_error::Kind::Unusable, what).hint("nothing is changed, try again")
}

/// That a kind of store keeps no lists of who can read it.
pub fn no_lists() -> StoreError {
    StoreError::read_only("this kind of store has no recipients")
}

/// The names in a scope, or why they can't be listed.
pub type Names = Result<Vec<Name>, StoreError>;

/// How much is asked of a store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Whether each name is there: no value, so that no key is needed.
    Names,
    /// The values.
    Values,
    /// The values, but for those that would be made for whoever reads them: of these only that
    /// they would be.
    Look,
    /// The values, and no kept ones in their place.
    Fresh,
    /// The same without reading what is lent at these paths.
    Watch(&'static [String]),
}

/// What a store says to a question.
#[derive(Debug)]
pub enum Answer {
    /// The question's location of this index has it; those before don't.
    Found(usize, Found),
    /// None of the locations has it.
    Missing {
        /// Whether there is a document without the key.
        document: bool,
    },
    /// The location of this index could not answer; those before don't have it. A later one must
    /// not answer in its place.
    Failed(usize, StoreError),
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The value; `None` where only names were asked for, and of a whole document.
    pub value: Option<Secret>,
    /// What is known of the value where it is JSON, and members of it are looked for.
    pub levels: RefCell<Levels>,
    /// Of a whole document its members, in their order.
    pub members: Vec<(String, Secret)>,
    /// What it is lent by; `None` for what is good until it is changed.
    pub lease: Option<Lease>,
}

/// What is at one location.
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

    /// That there is a value, or not.
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
    /// Stores values in a scope, lastingly: all of them or, where the store can't, none.
    ///
    /// # Errors
    /// [`StoreError::taken`] and [`StoreError::no_secret`], as `how` has it; why nothing is stored.
    fn write(&self, scope: &Scope, values: &[(Name, Secret)], how: How) -> Result<(), StoreError>;

    /// Removes a secret, lastingly.
    ///
    /// # Errors
    /// [`StoreError::no_secret`]; why it is not removed.
    fn delete(&self, scope: &Scope, name: &Name) -> Result<(), StoreError>;
}

/// What is expected of a name that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It must be new. Of several writers at once exactly one succeeds.
    Create,
    /// It may be there or not.
    Set,
    /// It must be there.
    Update,
}

/// What a store knows of a secret, without its value.
#[derive(Clone, Debug)]
pub struct Record {
    /// The value's length in bytes.
    pub size: usize,
    /// When it was made, by the store's own record.
    pub created: Option<SystemTime>,
    /// When it was last changed, by the store's own record.
    pub modified: Option<SystemTime>,
    /// Who can read it, where the store knows.
    pub recipients: Option<Vec<String>>,
}

/// A store that is encrypted for lists of recipients: one of its own, and those that scopes have
/// of theirs in its place. A `scope` of `None` means the store's own list.
pub trait Recipients {
    /// Who can read a scope.
    ///
    /// # Errors
    /// Where a list can't be read.
    fn list(&self, scope: Option<&Scope>) -> Result<Vec<String>, StoreError>;

    /// Changes a list, and encrypts everything that it is for anew, whatever the files say of their
    /// recipients. The list is written first: interrupted at any moment, nothing is lost, and the
    /// same change made again finishes.
    ///
    /// # Errors
    /// Why nothing was changed, or not all.
    fn change(
        &self,
        scope: Option<&Scope>,
        add: &[String],
        remove: &[String],
    ) -> Result<Changed, StoreError>;

    /// Every list that names some of these, and which it names. A list that can't be read is
    /// taken to name them all. With `removed` those count that say who was removed, and each one
    /// must be in some list.
    ///
    /// # Errors
    /// Where one is no recipient, or in no list.
    fn naming(&self, recipients: &[String], removed: bool) -> Result<Vec<Naming>, StoreError>;

    /// Looks at everything in the store: each file opens and is what it says, its recipients are
    /// those of its scope, and nothing else lies there. With `fix` a sound file that says not
    /// which secret it is, is written anew and says so from then on.
    ///
    /// # Errors
    /// Where there is no key to look with; where something can't be written.
    fn check(&self, fix: bool) -> Result<Checked, StoreError>;
}

/// A list, the store's own where there is no scope, and those that it names.
pub type Naming = (Option<Scope>, Vec<String>);

/// What a change of recipients came to.
#[derive(Debug, Default)]
pub struct Changed {
    /// Who can read it now.
    pub recipients: Vec<String>,
    /// Whether the list was another before.
    pub list: bool,
    /// The secrets that were encrypted anew.
    pub rewritten: Vec<(Scope, Name)>,
    /// Every secret that the list is for.
    pub covered: Vec<(Scope, Name)>,
    /// The scopes that have a list of their own, and were left.
    pub left: Vec<Scope>,
}

/// What looking at a store came to.
#[derive(Debug, Default)]
pub struct Checked {
    /// How many secrets there are.
    pub secrets: usize,
    /// In how many scopes.
    pub scopes: usize,
    /// What is wrong: where, and what.
    pub findings: Vec<(String, String)>,
    /// The sound secrets whose files say not which secret they are.
    pub unbound: Vec<(Scope, Name)>,
    /// Those whose files say so since now.
    pub bound: Vec<(Scope, Name)>,
    /// The file that should tell git that the store's files are no text, and the line for it.
    pub attributes: Option<(PathBuf, &'static str)>,
}
