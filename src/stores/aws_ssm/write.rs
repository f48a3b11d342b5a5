//! Changing parameters: each is written by itself. AWS itself checks that a name is new. An
//! existing value is overwritten without a check, so one of several writers at once can lose its
//! change.

use serde_json::json;

use super::ParameterStore;
use crate::model::error::StoreError;
use crate::model::log;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::stores::aws::{self, Aws};
use crate::stores::{How, Writer, not_text};

/// The greatest size of a value of the usual tier, in bytes, and of any tier.
const LARGE: usize = 4096;
const LARGEST: usize = 8192;

impl ParameterStore {
    /// True if there is a parameter of that name now.
    fn exists(&self, name: &str) -> Result<bool, StoreError> {
        match self.known().get(name) {
            Some(Ok(found)) => Ok(found.is_some()),
            Some(Err(trouble)) => Err(trouble.clone()),
            None => Ok(false),
        }
    }

    /// Writes one value, of a new name or one that `exists`. Gives true if it was written.
    fn put(&self, name: &str, text: &str, exists: bool) -> Result<bool, StoreError> {
        let mut body = json!({"Name": name, "Value": text, "Overwrite": exists});
        // The type of an existing parameter can't be changed.
        if !exists {
            body["Type"] = "SecureString".into();
        }
        if text.len() > LARGE {
            body["Tier"] = "Intelligent-Tiering".into();
        }
        let answer = Aws::ask(&self.remote, self.ask_in("", "PutParameter", body)?)?;
        match aws::code(&answer) {
            None if answer.status < 400 => Ok(true),
            Some("ParameterAlreadyExists") => Ok(false),
            Some("ParameterNotFound") => Err(StoreError::no_secret()),
            Some("ParameterLimitExceeded") => Err(StoreError::setting(
                "the account has no room for another parameter".to_owned(),
            )),
            _ => Err(aws::trouble(&answer, name, "ssm:PutParameter")),
        }
    }
}

impl Writer for ParameterStore {
    fn write(&self, scope: &Scope, values: &[(Name, Secret)], how: How) -> Result<(), StoreError> {
        let mut changes = Vec::with_capacity(values.len());
        for (name, value) in values {
            let text = str::from_utf8(value.expose()).map_err(|_| not_text())?;
            let what = match text.len() {
                0 => "the value is empty, which this store can't hold",
                1..=LARGEST => {
                    changes.push((self.name_in(scope, name)?, text));
                    continue;
                }
                _ => "the value is larger than the 8,192 bytes that this store can hold",
            };
            return Err(StoreError::setting(what.to_owned()));
        }
        let names: Vec<_> = changes.iter().map(|(name, _)| name.clone()).collect();
        self.known().retain(|name, _| !names.contains(name));
        self.fetch_names(names.clone())?;
        let mut exist = Vec::with_capacity(names.len());
        for name in &names {
            let exists = self.exists(name)?;
            match how {
                How::Create if exists => return Err(StoreError::taken()),
                How::Update if !exists => return Err(StoreError::no_secret()),
                _ => exist.push(exists),
            }
        }
        self.known().retain(|name, _| !names.contains(name));
        for (done, ((name, text), exists)) in changes.iter().zip(exist).enumerate() {
            let put = match self.put(name, text, exists) {
                Ok(true) => Ok(()),
                // Another writer was faster, which `set` does not mind.
                Ok(false) if how == How::Set => self.put(name, text, true).map(|_| ()),
                Ok(false) => Err(StoreError::taken()),
                Err(error) => Err(error),
            };
            if put.is_err() && done > 0 {
                let all = changes.len();
                log::warning!(Advice; "{done} of {all} are written, as each is by itself here");
            }
            put?;
        }
        Ok(())
    }

    fn delete(&self, scope: &Scope, name: &Name) -> Result<(), StoreError> {
        let name = self.name_in(scope, name)?;
        self.known().remove(&name);
        let ask = self.ask_in("", "DeleteParameter", json!({"Name": name}))?;
        let answer = Aws::ask(&self.remote, ask)?;
        match aws::code(&answer) {
            None if answer.status < 400 => Ok(()),
            Some("ParameterNotFound") => Err(StoreError::no_secret()),
            _ => Err(aws::trouble(&answer, &name, "ssm:DeleteParameter")),
        }
    }
}
