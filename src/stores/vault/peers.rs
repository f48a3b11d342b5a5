//! Variables of the tools of this kind, and of the official clients, that doorkey knows and has no
//! use for: none is passed over without a word.

use super::settings::{Reader, yes_or_no};
use crate::model::error::StoreError;
use crate::model::log::{self, Label};
use crate::stores::remote;

/// Names without prefix that decide what is delivered, or the identity at the server, and a hint
/// for each. A launch without them would have another result.
const DECIDING: &[(&str, &str)] = &[
    (
        "SRV_LOOKUP",
        "no SRV records are looked up; give the server's own address",
    ),
    (
        "MFA",
        "no second factor is sent; log in elsewhere, and give a token",
    ),
    ("HEADERS", "no headers are added; unset it"),
    ("WRAP_TTL", "values are never fetched wrapped; unset it"),
    (
        "TRANSIT_KEY_ID",
        "nothing is decrypted by transit; unset it",
    ),
    ("TRANSIT_PATH", "nothing is decrypted by transit; unset it"),
    ("TOKEN_PATH", "give VAULT_TOKEN_FILE instead"),
];

/// Names without prefix that only change the way of working, and the replacement for each.
const OTHER: &[(&str, &str)] = &[
    ("ENV_DAEMON", DAEMON),
    ("ENV_DELAY", DELAY),
    ("ENV_LOG_SERVER", LOG_SERVER),
    ("LOG_LEVEL", LOG_LEVEL),
    ("JSON_LOG", JSON_LOG),
    ("TRANSIT_BATCH_SIZE", "nothing is decrypted by transit"),
    ("RATE_LIMIT", "all documents are read at once"),
    (
        "DISABLE_REDIRECTS",
        "redirects are followed to the same server and its leader alone",
    ),
    ("CLUSTER_ADDR", SERVERS),
    ("REDIRECT_ADDR", SERVERS),
    ("CLI_NO_COLOR", "nothing of a launch has colours"),
];

const DAEMON: &str = "--init stays beside the command, --watch fetches secrets again";
const DELAY: &str = "the command is started when its secrets are there";
const LOG_SERVER: &str = "the log goes to standard error";
const LOG_LEVEL: &str = "give DOORKEY_LOG_LEVEL";
const JSON_LOG: &str = "give DOORKEY_LOG_FORMAT=json";
const SERVERS: &str = "it is a server's own";

/// The variable by which the other tool chooses where secrets come from.
const PROVIDER: &str = "SECRET_INIT_PROVIDER";

/// The other variables of that tool alone.
const SECRET_INIT: &[(&str, &str)] = &[
    ("SECRET_INIT_DAEMON", DAEMON),
    ("SECRET_INIT_DELAY", DELAY),
    ("SECRET_INIT_LOG_SERVER", LOG_SERVER),
    ("SECRET_INIT_LOG_LEVEL", LOG_LEVEL),
    ("SECRET_INIT_JSON_LOG", JSON_LOG),
];

impl Reader<'_> {
    /// Checks which of all these variables are set. Warns about those that decide nothing.
    ///
    /// # Errors
    /// An error for each set variable that decides something.
    pub fn judge_peers(&self) -> Result<(), StoreError> {
        let is_set = |value: &&str| yes_or_no(value) != Some(false);
        let full = |name: &str| {
            let both = self.prefixes().iter();
            let mut both = both.map(|prefix| format!("{prefix}_{name}"));
            both.find(|full| self.0.variable(full).is_some())
        };
        let faults = DECIDING.iter().filter_map(|(name, instead)| {
            self.variable(name).filter(is_set)?;
            Some(format!("{} is not supported: {instead}", full(name)?))
        });
        let mut faults: Vec<String> = faults.collect();
        let provider = remote::text(self.0, PROVIDER);
        if provider.is_some_and(|provider| !matches!(provider, "vault" | "bao")) {
            let why =
                "is not supported: references say themselves where values come from; unset it";
            faults.push(format!("{PROVIDER} {why}"));
        }
        let others = OTHER.iter().filter_map(|(name, instead)| {
            self.variable(name).filter(is_set)?;
            Some((full(name)?, instead))
        });
        let secret_init = SECRET_INIT.iter().filter_map(|(name, instead)| {
            remote::text(self.0, name).filter(is_set)?;
            Some(((*name).to_owned(), instead))
        });
        for (name, instead) in others.chain(secret_init) {
            log::warning!(Ignored, variable = &Label(&name); "{name} has no effect here: {instead}");
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(StoreError::setting(faults.join("; "))),
        }
    }
}
