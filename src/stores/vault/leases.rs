//! Leases: what the server makes for whoever reads, and takes back when its time, or that of the
//! token it hangs on, is over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::paths::encoded;
use super::read::Granted;
use super::session::Session;
use super::{Vault, get, response};
use crate::model::error::StoreError;
use crate::model::secret::Secret;
use crate::stores::document::{Place, known};
use crate::stores::{Holder, Lease};
use crate::sys::http::{self, Method, Request};

/// The capabilities by which a path can be read.
const READING: [&str; 2] = ["read", "root"];

impl Granted {
    /// The lease that it is, of what was read at `began`.
    pub fn lease(&self, began: Instant, holder: &Arc<Holder>) -> Lease {
        let lasts = Duration::from_secs(self.seconds);
        Lease {
            id: self.id.clone(),
            renewable: self.renewable && !holder.is_batch,
            lasts,
            end: began.checked_add(lasts).unwrap_or(began),
            holder: Some(Arc::clone(holder)),
        }
    }
}

impl Vault {
    /// Has the token live on, as leases hang on it, and finds out until when it does.
    ///
    /// # Errors
    /// Why there is no session.
    pub(super) fn hold(&self) -> Result<Arc<Holder>, StoreError> {
        let keep = |session: &mut Session| session.keep();
        if let Some(holder) = self.remote.with_session(keep)? {
            return Ok(holder);
        }
        // Whatever the answer is, the leases are there.
        let answer = self.ask(get("v1/auth/token/lookup-self".to_owned()));
        let holder = answer.ok().and_then(|answer| looked_up(&answer));
        let holder = Arc::new(holder.unwrap_or_default());
        let known = Arc::clone(&holder);
        self.remote.with_session(|session| session.is(known))?;
        Ok(holder)
    }

    /// Finds out which single places are not to be read just to look at them, as something would
    /// be made for whoever reads: those whose mount is no KV store. What may not be read there is
    /// denied.
    ///
    /// # Errors
    /// What keeps all of them from being looked at.
    pub(super) fn settle_lent(&self, places: &[Place]) -> Result<(), StoreError> {
        let mut paths: BTreeSet<&str> = places.iter().map(|(path, _)| path.as_str()).collect();
        {
            let (known, server) = (known(self), self.of_server());
            paths.retain(|path| {
                let is_read = |(one, _): &Place| one == path;
                !known.scopes.contains_key(*path)
                    && !server.lent.contains(*path)
                    && !known.places.keys().any(is_read)
            });
        }
        // What is in one folder is of one mount.
        let folder = |path: &str| {
            path.rsplit_once('/')
                .map_or(path, |(folder, _)| folder)
                .to_owned()
        };
        let folders: BTreeSet<String> = paths.iter().map(|path| folder(path)).collect();
        let question =
            |folder: &String| get(format!("v1/sys/internal/ui/mounts/{}", encoded(folder)));
        let answers = self.round(folders.iter().map(question).collect())?;
        let mut others = BTreeSet::new();
        for (folder, answer) in folders.iter().zip(answers) {
            let answer = answer?;
            // Who is told nothing of a mount may not read there either.
            if answer.status < 400 && !is_kv(&answer, folder)? {
                others.insert(folder.clone());
            }
        }
        paths.retain(|path| others.contains(&folder(path)));
        if paths.is_empty() {
            return Ok(());
        }
        let body = json!({"paths": paths}).to_string().into_bytes();
        let answer = self.ask(Request {
            body: Some((http::JSON, Secret::new(body))),
            ..Request::new(Method::POST, "v1/sys/capabilities-self".to_owned())
        })?;
        let said: Option<Value> = match answer.status < 400 {
            true => serde_json::from_slice(answer.body.expose()).ok(),
            // Who may not ask may still read.
            false => None,
        };
        let (mut known, mut server) = (known(self), self.of_server());
        for path in paths {
            let list = said.as_ref().map(|said| &said["data"][path]);
            let may = list.and_then(Value::as_array).is_none_or(|list| {
                let mut list = list.iter().filter_map(Value::as_str);
                list.any(|one| READING.contains(&one))
            });
            if may {
                server.lent.insert(path.to_owned());
                continue;
            }
            for place in places.iter().filter(|(one, _)| one == path) {
                let denied = response::denied(path);
                known.places.insert(place.clone(), Err(denied));
            }
        }
        Ok(())
    }
}

/// Whether a KV store is mounted there, by what the server says.
fn is_kv(answer: &http::Answer, path: &str) -> Result<bool, StoreError> {
    #[derive(Deserialize)]
    struct Mounted<'a> {
        #[serde(borrow, rename = "type", default)]
        kind: &'a str,
    }
    let data = response::open(answer, path)?.data;
    let mounted: Option<Mounted<'_>> = data.and_then(|data| serde_json::from_str(data.get()).ok());
    Ok(mounted.is_none_or(|mounted| matches!(mounted.kind, "kv" | "generic" | "cubbyhole")))
}

/// What a token says of itself.
fn looked_up(answer: &http::Answer) -> Option<Holder> {
    #[derive(Deserialize)]
    struct Looked<'a> {
        #[serde(borrow, default)]
        accessor: &'a str,
        #[serde(default)]
        ttl: u64,
        #[serde(default)]
        renewable: bool,
        #[serde(borrow, default, rename = "type")]
        kind: &'a str,
    }
    if answer.status >= 400 {
        return None;
    }
    let data = response::open(answer, "the token").ok()?.data?;
    let looked: Looked<'_> = serde_json::from_str(data.get()).ok()?;
    Some(holder(
        looked.accessor,
        looked.ttl,
        looked.renewable,
        looked.kind == "batch",
        true,
    ))
}

/// A token's facts; a time of zero is none.
pub(super) fn holder(
    accessor: &str,
    seconds: u64,
    renewable: bool,
    is_batch: bool,
    is_given: bool,
) -> Holder {
    let lasts = Duration::from_secs(seconds);
    Holder {
        accessor: accessor.to_owned(),
        end: match seconds {
            0 => None,
            _ => Instant::now().checked_add(lasts),
        },
        lasts,
        renewable: renewable && !is_batch,
        is_batch,
        is_given,
    }
}
