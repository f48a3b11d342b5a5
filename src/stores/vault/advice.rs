//! The next step where something is missing, and who we are to the server.

use serde::Deserialize;

use super::{Vault, get, known, response};
use crate::core::suggest::nearest;
use crate::model::error::StoreError;
use crate::model::named::ShownPath;
use crate::stores::Location;

/// Gives the advice for a path that lacks the step by which a mount with versions is read.
pub fn advice_for_path(path: &str) -> Option<String> {
    let (mount, rest) = path.split_once('/')?;
    let has_step = path.split('/').any(|step| step == "data");
    let path = format!("{mount}/data/{rest}");
    (!has_step).then(|| format!("in KV version 2 the path is {}", ShownPath(&path)))
}

impl Vault {
    /// Gives the key of a document that is most like a missing one.
    pub(super) fn like_key(&self, place: &Location) -> Option<String> {
        let known = known(self);
        let document = known
            .places
            .get(&(place.path.clone(), place.version.clone()));
        let document = document?.as_ref().ok()?.as_ref()?;
        let names: Vec<&str> = document
            .members
            .all
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let near = nearest(place.key.as_deref()?, &names, |name| name)?;
        Some(format!("did you mean {}?", ShownPath(near)))
    }

    /// Says who we are to the server, and what policies that gives.
    pub(super) fn who(&self) -> Result<String, StoreError> {
        #[derive(Deserialize)]
        struct Who<'a> {
            #[serde(borrow, default)]
            display_name: &'a str,
            #[serde(borrow, default)]
            policies: Vec<&'a str>,
        }
        let answer = self.ask(get("v1/auth/token/lookup-self".to_owned()))?;
        if answer.status >= 400 {
            return Err(response::trouble(&answer, "auth/token/lookup-self"));
        }
        let data = response::open(&answer, "auth/token/lookup-self")?.data;
        let who: Option<Who<'_>> = data.and_then(|data| serde_json::from_str(data.get()).ok());
        let who = who.map(|who| {
            let name = ShownPath(who.display_name).to_string();
            format!("{name}, with the policies {}", who.policies.join(", "))
        });
        Ok(who.unwrap_or_else(|| "the server takes the token".to_owned()))
    }
}
