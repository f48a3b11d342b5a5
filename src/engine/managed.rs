//! A store whose secrets are managed: listed, written, imported and removed.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::missing::Existing;
use crate::model::error::{Error, StoreError};
use crate::model::log::{self, Label};
use crate::model::meant::Meant;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::stores::{self, Answer, Depth, Found, How, Member, Record, Store, Writer};

/// The largest value, in bytes. AWS Secrets Manager has this limit, and so stores stay
/// exchangeable.
pub const LARGEST: usize = 65_536;

/// The reason for refusing a larger value.
pub const TOO_LARGE: &str = "a value is at most 65536 bytes";

/// The longest name that is created, in bytes. A new name begins with a letter and has only
/// letters, digits and `_`, so that every store and every shell can use it.
const LONGEST_NAME: usize = 128;
/// The rule for a new name.
pub const RULE: &str = "a new name is letters, digits and '_', the first a letter, at most 128";

/// The reason for refusing a text that is no name, of a secret that another program may have made.
pub const NAME_RULE: &str =
    "a name is letters, digits, '_', '.' and '-', the first a letter, digit or '_', at most 253";

/// An open store.
pub struct Managed {
    /// The store.
    pub store: Box<dyn Store>,
}

impl Managed {
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
        find(self.store.as_ref(), scope, name, depth)
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

    /// Lists every scope of the store, sorted.
    ///
    /// # Errors
    /// The reason why they can't be listed.
    pub fn scopes(&self) -> Result<Vec<Scope>, Error> {
        let scopes = self.store.scopes();
        scopes.map_err(|trouble| self.error(None, trouble))
    }

    /// Lists the secrets in a scope, without values.
    ///
    /// # Errors
    /// The reason why the scope can't be listed.
    pub fn list(&self, scope: &Scope) -> Result<Vec<Listed>, Error> {
        let names = self.names(scope);
        let names = names.map_err(|trouble| self.error(Some(scope.to_string()), trouble))?;
        let listed = names.into_iter().map(|name| {
            let (record, trouble) = match self.store.record(scope, &name) {
                Ok(record) => (record, None),
                Err(trouble) => (None, Some(trouble)),
            };
            Listed {
                scope: scope.clone(),
                name,
                record,
                trouble,
            }
        });
        Ok(listed.collect())
    }

    /// Returns the store for writing.
    ///
    /// # Errors
    /// A store that can't be written to.
    pub fn writer(&self) -> Result<&dyn Writer, StoreError> {
        self.store.writer().ok_or_else(stores::read_only)
    }

    /// Judges a name before its value is asked for. An existing secret may have any name: another
    /// program may have made it. Only for such a name is the store asked, so that nobody must log
    /// in before typing the value.
    ///
    /// # Errors
    /// A usage error for a name that doorkey would not create.
    pub fn judge_name(&self, scope: &Scope, name: &Name, how: How) -> Result<(), Error> {
        let is_refused = !is_creatable(name.as_str())
            && match how {
                How::Create => true,
                How::Set => self.has(scope, name) != Ok(true),
                How::Update => false,
            };
        match is_refused {
            true => Err(Error::Usage(RULE.to_owned())),
            false => Ok(()),
        }
    }

    /// Stores one value.
    ///
    /// # Errors
    /// The reason why it is not stored.
    pub fn write(
        &self,
        scope: &Scope,
        name: &Name,
        value: Secret,
        how: How,
    ) -> Result<Done, Error> {
        let values = [(name.clone(), value)];
        let written = self.writer().and_then(|to| to.write(scope, &values, how));
        written.map_err(|trouble| self.secret_error(scope, name, trouble))?;
        Ok(self.done(scope, name, how.done()))
    }

    /// Removes a secret.
    ///
    /// # Errors
    /// The reason why it is not removed.
    pub fn delete(&self, scope: &Scope, name: &Name) -> Result<Done, Error> {
        let removed = self.writer().and_then(|from| from.delete(scope, name));
        removed.map_err(|trouble| self.secret_error(scope, name, trouble))?;
        Ok(self.done(scope, name, "removed"))
    }

    /// Makes the report of a change.
    pub fn done(&self, scope: &Scope, name: &Name, done: &'static str) -> Done {
        Done {
            scope: scope.clone(),
            name: name.clone(),
            store: self.store.label().to_owned(),
            done,
        }
    }

    /// Finds the names to import that a scope has already.
    ///
    /// # Errors
    /// The reason why the store can't tell.
    pub fn existing(
        &self,
        scope: &Scope,
        values: &[(Name, Secret)],
    ) -> Result<BTreeSet<Name>, Error> {
        let fail = |trouble| self.error(Some(scope.to_string()), trouble);
        let locations = values
            .iter()
            .map(|(name, _)| self.store.locate(scope, name));
        let locations = locations.map(|one| one.map(|one| vec![one]));
        let locations = locations.collect::<Result<Vec<_>, _>>().map_err(fail)?;
        let answers = self.store.fetch(&locations, Depth::Names).map_err(fail)?;
        let mut existing = BTreeSet::new();
        for ((name, _), answer) in values.iter().zip(answers) {
            match answer {
                Answer::Found(..) => {
                    existing.insert(name.clone());
                }
                Answer::Missing { .. } => {}
                Answer::Failed(_, trouble) => return Err(self.secret_error(scope, name, trouble)),
            }
        }
        Ok(existing)
    }

    /// Stores all values, or none where the store can do that.
    ///
    /// # Errors
    /// The reason why nothing, or not all, is stored.
    pub fn import(&self, scope: &Scope, values: &[(Name, Secret)]) -> Result<(), Error> {
        let writer = self.writer();
        let written = writer.and_then(|to| to.write(scope, values, How::Set));
        written.map_err(|trouble| self.error(Some(scope.to_string()), trouble))
    }

    /// Logs an import of `count` values, and returns the sentence that was logged. `over` of them
    /// are in place of others.
    pub fn log_import(&self, scope: &Scope, count: usize, over: usize) -> String {
        let label = self.store.label();
        let sentence =
            format!("{count} stored in {scope} of {label}, {over} of them in place of others");
        log::info!(Done, scope = scope, store = &Label(label); "{sentence}");
        sentence
    }
}

/// Finds the secret of one name in a store, as [`Managed::find`] does.
///
/// # Errors
/// The errors of [`Managed::find`].
pub fn find(
    store: &dyn Store,
    scope: &Scope,
    name: &Name,
    depth: Depth,
) -> Result<Result<Option<Found>, StoreError>, StoreError> {
    let location = store.locate(scope, name)?;
    let answers = store.fetch(&[vec![location]], depth)?;
    Ok(match answers.into_iter().next() {
        Some(Answer::Found(_, found)) => Ok(Some(found)),
        Some(Answer::Failed(_, trouble)) => Err(trouble),
        Some(Answer::Missing { .. }) | None => Ok(None),
    })
}

/// A change that was made to one secret.
pub struct Done {
    /// The scope.
    pub scope: Scope,
    /// The name.
    pub name: Name,
    /// The store.
    pub store: String,
    /// The change in one word: `created`, `set`, `updated` or `removed`.
    pub done: &'static str,
}

impl Done {
    /// Logs the change, and returns the sentence that was logged.
    pub fn log(&self) -> String {
        let Done {
            scope,
            name,
            store,
            done,
        } = self;
        let preposition = if *done == "removed" { "from" } else { "in" };
        let sentence = format!("{name} is {done} {preposition} {scope} of {store}");
        log::info!(Done, reference = name, scope = scope, store = &Label(store); "{sentence}");
        sentence
    }
}

/// A secret in a list. A record that could not be read is empty, and the trouble says why.
pub struct Listed {
    /// The scope.
    pub scope: Scope,
    /// The name.
    pub name: Name,
    /// The facts about the secret.
    pub record: Option<Record>,
    /// The reason why there are none.
    pub trouble: Option<StoreError>,
}

/// The fields that can be shown of a secret.
pub const FIELDS: [&str; 6] = ["name", "scope", "size", "created", "modified", "recipients"];

impl Listed {
    /// Returns one of [`FIELDS`] for programs.
    pub fn json(&self, field: &str) -> Value {
        let record = self.record.as_ref();
        let time = |time: Option<SystemTime>| {
            time.map(|time| humantime::format_rfc3339_millis(time).to_string())
        };
        match field {
            "name" => json!(self.name.as_str()),
            "scope" => json!(self.scope.to_string()),
            "size" => json!(record.map(|record| record.size)),
            "created" => json!(record.and_then(|record| time(record.created))),
            "modified" => json!(record.and_then(|record| time(record.modified))),
            _ => json!(record.and_then(Listed::recipients(|one| &one.recipient))),
        }
    }

    /// Makes a function that lists a text of each recipient of a record.
    pub fn recipients(of: fn(&Member) -> &str) -> impl Fn(&Record) -> Option<Vec<&str>> {
        move |record| Some(record.recipients.as_ref()?.iter().map(of).collect())
    }
}

/// True if doorkey creates a secret of this name.
pub fn is_creatable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= LONGEST_NAME
}

/// Refuses a value that no store keeps.
///
/// # Errors
/// A usage error.
pub fn judge_value(value: &Secret) -> Result<(), Error> {
    match wrong_size(value) {
        Some(why) => Err(Error::Usage(why.to_owned())),
        None => Ok(()),
    }
}

fn wrong_size(value: &Secret) -> Option<&'static str> {
    match value.len() {
        0 => Some("the value is empty"),
        1..=LARGEST => None,
        _ => Some(TOO_LARGE),
    }
}
