//! Leases of values that the server makes for each reader. The server takes a value back when its
//! time, or the time of its token, is over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::paths::encoded;
use super::read::Granted;
use super::session::VaultSession;
use super::{Vault, get, response};
use crate::model::error::StoreError;
use crate::model::secret::Secret;
use crate::stores::document::{Place, known};
use crate::stores::{Holder, Lease, Lender, Renewal, Renewals};
use crate::sys::http::{self, Method, Request};

/// The capabilities by which a path can be read.
const READING: [&str; 2] = ["read", "root"];

impl Granted {
    /// Makes the lease of a value that was read at `began`.
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
    /// Keeps the token, as leases depend on it, and finds the time when it expires.
    ///
    /// # Errors
    /// The reason why there is no session.
    pub(super) fn hold(&self) -> Result<Arc<Holder>, StoreError> {
        let keep = |session: &mut VaultSession| session.keep();
        let (is_once, holder) = self.remote.with_session(keep)?;
        let once = |holder| Arc::new(Holder { is_once, ..holder });
        if let Some(holder) = holder {
            return Ok(once((*holder).clone()));
        }
        // Whatever the answer is, the leases are there.
        let answer = self.ask(get("v1/auth/token/lookup-self".to_owned()));
        let holder = answer.ok().and_then(|answer| looked_up(&answer));
        let holder = holder.unwrap_or_default();
        let known = Arc::new(holder.clone());
        self.remote.with_session(|session| session.is(known))?;
        Ok(once(holder))
    }

    /// Finds the single places that must not be read just to look at them, as a value would be made
    /// for the reader. These are places whose mount is no KV store. A place there that the token
    /// may not read is denied.
    ///
    /// # Errors
    /// The fault that keeps all places from being checked.
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
        // Places in one folder belong to one mount.
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
            // A token that is told nothing of a mount may not read there either.
            if answer.status < 400 && !is_kv(&answer, folder)? {
                others.insert(folder.clone());
            }
        }
        paths.retain(|path| others.contains(&folder(path)));
        if paths.is_empty() {
            return Ok(());
        }
        let denied = self.denied(&paths)?;
        let (mut known, mut server) = (known(self), self.of_server());
        for path in paths {
            if !denied.contains(path) {
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

impl Vault {
    /// Gives the paths that the token may not read. A token that may not even ask may still read
    /// them all.
    fn denied<'p>(&self, paths: &BTreeSet<&'p str>) -> Result<BTreeSet<&'p str>, StoreError> {
        let path = "v1/sys/capabilities-self".to_owned();
        let answer = self.ask(self.write(path, &json!({"paths": paths})))?;
        let said: Value = match answer.status < 400 {
            true => serde_json::from_slice(answer.body.expose()).unwrap_or_default(),
            false => Value::Null,
        };
        let is_denied = |path: &&str| {
            let list = said["data"][*path].as_array();
            list.is_some_and(|list| {
                let mut list = list.iter().filter_map(Value::as_str);
                !list.any(|one| READING.contains(&one))
            })
        };
        Ok(paths.iter().copied().filter(is_denied).collect())
    }

    fn write(&self, path: String, body: &Value) -> Request {
        let body = Secret::new(body.to_string().into_bytes());
        Request {
            body: Some((http::JSON, body)),
            ..Request::new(Method::POST, path)
        }
    }
}

impl Lender for Vault {
    fn renew(
        &self,
        leases: &[(String, Duration)],
        accessors: &[String],
    ) -> Result<Renewals, StoreError> {
        // First the tokens, which the leases end with.
        let token = |accessor: &String| {
            let path = "v1/auth/token/renew-accessor".to_owned();
            self.write(path, &json!({"accessor": accessor}))
        };
        let tokens = self.round(accessors.iter().map(token).collect())?;
        let lease = |(id, lasts): &(String, Duration)| {
            let path = "v1/sys/leases/renew".to_owned();
            let increment = lasts.as_secs().max(1);
            self.write(path, &json!({"lease_id": id, "increment": increment}))
        };
        let leases = self.round(leases.iter().map(lease).collect())?;
        let all = |answers: Vec<Result<http::Answer, StoreError>>| {
            let renewals = answers.into_iter().map(|answer| Ok(renewal(&answer?)));
            renewals.collect::<Result<Vec<_>, StoreError>>()
        };
        Ok(Renewals {
            leases: all(leases)?,
            tokens: all(tokens)?,
        })
    }

    fn would_lend(&self, paths: &BTreeSet<String>) -> Result<(), StoreError> {
        let paths = paths.iter().map(String::as_str).collect();
        let denied = self.denied(&paths)?;
        match denied.first() {
            None => Ok(()),
            Some(path) => Err(response::denied(path)),
        }
    }

    fn give_back(&self, leases: &[(String, String)]) -> Result<Vec<usize>, StoreError> {
        // A policy can allow a path with an id in it narrowly, and no body.
        let by_path = |id: &str| {
            let path = format!("v1/sys/leases/revoke/{}", encoded(id));
            self.write(path, &json!({"sync": true}))
        };
        let by_body = |id: &str| {
            let path = "v1/sys/leases/revoke".to_owned();
            self.write(path, &json!({"lease_id": id, "sync": true}))
        };
        let mut left: Vec<usize> = (0..leases.len()).collect();
        for by in [&by_path as &dyn Fn(&str) -> Request, &by_body] {
            let requests = left.iter().map(|&at| by(&leases[at].0)).collect();
            left = refused(&left, self.round(requests)?)?;
        }
        let mut accessors: Vec<&str> = left.iter().map(|&at| leases[at].1.as_str()).collect();
        accessors.sort_unstable();
        accessors.dedup();
        accessors.retain(|accessor| !accessor.is_empty());
        let by_accessor = |accessor: &&str| {
            let path = "v1/auth/token/revoke-accessor".to_owned();
            self.write(path, &json!({"accessor": accessor}))
        };
        let answers = self.round(accessors.iter().map(by_accessor).collect())?;
        for (accessor, answer) in accessors.iter().zip(answers) {
            // A token that no longer exists has taken its leases along.
            if answer?.status != 403 {
                left.retain(|&at| leases[at].1 != *accessor);
            }
        }
        Ok(left)
    }
}

/// Gives the places whose request is refused.
fn refused(
    places: &[usize],
    answers: Vec<Result<http::Answer, StoreError>>,
) -> Result<Vec<usize>, StoreError> {
    let mut left = Vec::new();
    for (&at, answer) in places.iter().zip(answers) {
        // A lease that no longer exists counts as given back.
        if matches!(answer?.status, 403 | 405 | 500..) {
            left.push(at);
        }
    }
    Ok(left)
}

/// Reads an answer to a renewal.
fn renewal(answer: &http::Answer) -> Renewal {
    #[derive(Deserialize)]
    struct Lasts {
        #[serde(default)]
        lease_duration: u64,
    }
    match answer.status {
        ..400 => {}
        403 => return Renewal::Denied,
        _ if response::is_not_renewable(answer) => return Renewal::Denied,
        _ => return Renewal::Gone,
    }
    let opened = response::open(answer, "the renewal");
    let seconds = opened.ok().map(|opened| match opened.auth {
        Some(auth) => {
            serde_json::from_str::<Lasts>(auth.get()).map_or(0, |lasts| lasts.lease_duration)
        }
        None => opened.lease_duration,
    });
    seconds.map_or(Renewal::Denied, |seconds| {
        Renewal::Lasts(Duration::from_secs(seconds))
    })
}

/// True if a KV store is mounted there, according to the server.
fn is_kv(answer: &http::Answer, path: &str) -> Result<bool, StoreError> {
    #[derive(Deserialize)]
    struct MountKind<'a> {
        #[serde(borrow, rename = "type", default)]
        kind: &'a str,
    }
    let data = response::open(answer, path)?.data;
    let mounted: Option<MountKind<'_>> =
        data.and_then(|data| serde_json::from_str(data.get()).ok());
    Ok(mounted.is_none_or(|mounted| matches!(mounted.kind, "kv" | "generic" | "cubbyhole")))
}

/// Reads the facts about a token from an answer.
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

/// Makes the facts of a token; a time of zero is none.
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
        is_once: false,
    }
}
