//! What a person should know of the store's keys: which ones we have, and who else has one.

use std::path::Path;

use super::key::Keys;
use super::{Age, file};
use crate::model::error::StoreError;
use crate::model::escape::counted;
use crate::model::name::Scope;
use crate::stores::{Finding, Location, Recipients};

impl Age {
    /// The error that no key of ours opens a file: which keys these are, who can add one, and how.
    pub(super) fn closed(&self, file: &[u8], location: &Location, keys: &Keys) -> StoreError {
        let what = format_args!("the key {} is not one of its recipients", keys.shown());
        let noted = file::inspect(file).ok().and_then(|found| found.recipients);
        let who = match noted.as_deref() {
            Some([one]) => format!("the holder of {one}"),
            Some([one, _]) => format!("the holder of {one}, or the other one"),
            Some([one, others @ ..]) => {
                format!("the holder of {one}, or one of {} others,", others.len())
            }
            _ => "somebody who can read it".to_owned(),
        };
        let scope = Path::new(&location.path).parent();
        let scope = scope.and_then(|scope| Scope::parse(scope.to_str()?));
        let scope = scope.filter(|scope| self.has_own_list(scope));
        let option = scope.map_or_else(String::new, |scope| format!(" {}", scope.option()));
        let key = keys.all.first().map_or("", |key| key.recipient.as_str());
        let hint = format!("have {who} run doorkey store recipient add {key}{option}");
        StoreError::denied(what).hint(hint).of_key()
    }

    /// Reports our keys, and whether the store's list names one of them.
    pub(super) fn report(&self) -> Vec<Finding> {
        let key = self.keys().map(Keys::shown);
        let readers = self.list(None).and_then(|listed| {
            let Ok(keys) = self.keys() else {
                return Ok(counted(listed.len(), "recipient"));
            };
            match keys.all.iter().any(|key| listed.contains(&key.recipient)) {
                true => Ok(format!(
                    "{}, this key among them",
                    counted(listed.len(), "recipient")
                )),
                false => Err(
                    StoreError::setting("the store's list does not name this key").hint(
                        "have a recipient run doorkey store recipient add with its public half",
                    ),
                ),
            }
        });
        vec![("key", key), ("readers", readers)]
    }
}
