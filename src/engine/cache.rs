//! The last values that a store gave, kept for when it can't be reached.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::lookup::{Answered, Answers, Question};
use crate::core::scope::Scopes;
use crate::model::error::{Error, Os, StoreError};
use crate::model::log;
use crate::model::name::{Level, Name, Scope};
use crate::model::named::Named;
use crate::model::secret::Secret;
use crate::stores::{self, Access, Answer, Found};
use crate::sys::draft::{self, FileKind};
use crate::sys::files;

/// The limit of a cache's size, in bytes.
const LARGEST: usize = 64 * 1024 * 1024;

/// A file of the last values, sealed for a recipient.
pub struct Cache {
    /// The file.
    pub file: Named,
    /// The recipient who can open it.
    pub recipient: String,
    /// The age beyond which values don't count.
    pub longest: Duration,
    /// The access with the key to open it.
    pub access: Arc<Access>,
}

/// The contents of the file.
#[derive(Serialize, Deserialize)]
struct CachedValue {
    /// The stores, scopes and references that the values answer.
    bound: String,
    /// The time at which the values were read, in seconds since 1970.
    time: u64,
    scoped: Vec<KeptName>,
    /// The answers for single places, in the order of the questions.
    direct: Vec<KeptPlace>,
}

#[derive(Serialize, Deserialize)]
struct KeptName {
    level: Option<String>,
    name: String,
    /// The scope in which the name was found.
    scope: Option<String>,
    /// The name's value in base64.
    value: Option<String>,
}

#[derive(Serialize, Deserialize)]
enum KeptPlace {
    Value(String),
    Members(Vec<(String, String)>),
    NoKey,
    Nothing,
}

/// Describes the stores, scopes and questions that the values of a launch are bound to.
pub fn bound(
    stores: &[String],
    scopes: &Scopes,
    questions: &BTreeSet<Question>,
    all: bool,
) -> String {
    let mut out = stores.join(" and ");
    for scope in scopes.in_force() {
        out.push_str(&format!(" {scope}"));
    }
    if all {
        out.push_str(" all");
    }
    for question in questions {
        match question {
            Question::Scoped(level, name) => {
                let level = level.map_or("", Level::as_str);
                out.push_str(&format!(" {level}/{name}"));
            }
            Question::Direct(place) => out.push_str(&format!(" {place}")),
        }
    }
    out
}

impl Cache {
    /// Keeps the answers to the questions asked, if there is a value for each question. A failure
    /// is no reason not to launch.
    pub fn keep(&self, bound: String, answers: &Answers, asked: &BTreeSet<Question>) {
        if answers.all.values().any(Answered::is_leased) {
            // A lent value may be over when it is needed, and is nobody else's.
            let why = "some of the values are lent";
            return log::warning!(Cache; "the cache {} is not written: {why}", self.file);
        }
        let Some(kept) = kept(bound, answers, asked) else {
            return;
        };
        let written = serde_json::to_vec(&kept)
            .map_err(|_| "the values can't be put into it".to_owned())
            .and_then(|text| {
                let sealed = stores::seal(&Secret::new(text), &self.recipient);
                sealed.map_err(|trouble| trouble.to_string())
            })
            .and_then(|sealed| {
                let written = draft::write(&self.file, &sealed, &FileKind::PRIVATE);
                written.map_err(|error| Os::from(error).to_string())
            });
        if let Err(why) = written {
            log::warning!(Cache; "the cache {} is not written: {why}", self.file);
        }
    }

    /// Takes the answers from the file, as `why` keeps them from being had otherwise.
    ///
    /// # Errors
    /// The reason why the file is of no use.
    pub fn use_instead(
        &self,
        why: &StoreError,
        bound: &str,
        answers: &mut Answers,
        questions: &BTreeSet<Question>,
    ) -> Result<(), Error> {
        let useless = |what: &str| Error::Found {
            place: format!("the cache {}", self.file),
            what: what.to_owned(),
        };
        let sealed = files::read(&self.file, LARGEST)
            .map_err(|error| Error::file("read", self.file.clone(), error))?;
        let text = stores::unseal(&sealed, &self.access)
            .map_err(|trouble| useless(&trouble.to_string()))?;
        let kept: CachedValue =
            serde_json::from_slice(text.expose()).map_err(|_| useless("it is damaged"))?;
        if kept.bound != bound {
            return Err(useless(
                "it is of another store, other scopes or other references",
            ));
        }
        let then = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(kept.time));
        let age = then.and_then(|then| SystemTime::now().duration_since(then).ok());
        let age = age.ok_or_else(|| useless("it is of a time to come; is the clock right?"))?;
        let shown = humantime::format_duration(Duration::from_secs(age.as_secs()));
        if age > self.longest {
            return Err(useless(&format!(
                "it is {shown} old, more than --cache-max-age"
            )));
        }
        restore(kept, answers, questions).ok_or_else(|| useless("it is damaged"))?;
        log::warning!(
            Cache, kind = why.kind();
            "{why}; the values of {shown} ago are used, from the cache {}",
            self.file
        );
        Ok(())
    }

    /// Removes the file, as the store has said no.
    pub fn forget(&self) {
        match files::remove(&self.file) {
            Ok(()) => log::warning!(Cache; "the cache {} is removed", self.file),
            Err(error) if files::is_absent(&error) => {}
            Err(error) => {
                let why = Os::from(error);
                log::warning!(Cache; "the cache {} can't be removed: {why}", self.file);
            }
        }
    }
}

/// Returns the answers as they are kept; `None` where one of them is a fault.
fn kept(bound: String, answers: &Answers, asked: &BTreeSet<Question>) -> Option<CachedValue> {
    let mut all = answers.all.values();
    if all.any(|answered| answered.trouble().is_some()) {
        return None;
    }
    let text = |value: &Secret| BASE64_STANDARD.encode(value.expose());
    let mut scoped = Vec::new();
    for (question, answered) in &answers.all {
        if let Question::Scoped(level, name) = question {
            let Answered::Asked(_, answer) = answered else {
                return None;
            };
            let value = match answer {
                Answer::Found(_, found) => Some(text(found.value.as_ref()?)),
                _ => None,
            };
            scoped.push(KeptName {
                level: level.map(|level| level.as_str().to_owned()),
                name: name.to_string(),
                scope: answered.scope().map(Scope::to_string),
                value,
            });
        }
    }
    let mut direct = Vec::new();
    for question in asked.iter().filter(|question| question.is_direct()) {
        let Answered::Asked(_, answer) = answers.all.get(question)? else {
            return None;
        };
        direct.push(match answer {
            Answer::Found(_, found) => match &found.value {
                Some(value) => KeptPlace::Value(text(value)),
                None => {
                    let members = found.members.iter();
                    let members = members.map(|(key, value)| (key.clone(), text(value)));
                    KeptPlace::Members(members.collect())
                }
            },
            Answer::Missing { document: true } => KeptPlace::NoKey,
            Answer::Missing { document: false } => KeptPlace::Nothing,
            Answer::Failed(..) => return None,
        });
    }
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    Some(CachedValue {
        bound,
        time: now.as_secs(),
        scoped,
        direct,
    })
}

/// Puts the answers that were kept in the place of those from the stores.
fn restore(kept: CachedValue, answers: &mut Answers, questions: &BTreeSet<Question>) -> Option<()> {
    let value = |text: &str| BASE64_STANDARD.decode(text).ok().map(Secret::new);
    let found = |text: &str| {
        let value = Some(value(text)?);
        let found = Found {
            value,
            ..Found::default()
        };
        Some(Answer::Found(0, found))
    };
    for name in kept.scoped {
        let level = match &name.level {
            Some(level) => Some(Level::new(level.as_bytes())?),
            None => None,
        };
        let question = Question::Scoped(level, Name::new(name.name.as_bytes())?);
        let answered = match (&name.scope, &name.value) {
            (Some(scope), Some(value)) => {
                Answered::Asked(vec![Scope::parse(scope)?], found(value)?)
            }
            _ => Answered::Asked(vec![], Answer::Missing { document: false }),
        };
        answers.all.insert(question, answered);
    }
    let places = questions.iter().filter(|question| question.is_direct());
    for (place, kept) in places.zip(kept.direct) {
        let answer = match kept {
            KeptPlace::Value(text) => found(&text)?,
            KeptPlace::Members(members) => {
                let member = |(key, text): (String, String)| Some((key, value(&text)?));
                let members = members.into_iter().map(member).collect::<Option<_>>()?;
                let found = Found {
                    members,
                    ..Found::default()
                };
                Answer::Found(0, found)
            }
            KeptPlace::NoKey => Answer::Missing { document: true },
            KeptPlace::Nothing => Answer::Missing { document: false },
        };
        let answered = Answered::Asked(vec![], answer);
        answers.all.insert(place.clone(), answered);
    }
    Some(())
}
