//! The identity for AWS, in the whole order of its own clients. A step that a variable asks for and
//! that fails is a fault. It is never passed over for the next one: a pod must not become its node.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::profile::{Section, value};
use super::{Aws, AwsRemote, Keys, is_yes, sso, sts};
use crate::model::error::StoreError;
use crate::model::named::{Named, ShownPath};
use crate::model::secret::Secret;
use crate::stores::{credential, program, remote};
use crate::sys::program::{Program, found};

/// The variables of a key, without `AWS_`.
const OF_KEYS: [&str; 3] = ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"];

/// The step that gives the identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Keys in variables, doorkey's own (`DOORKEY_`) or everybody's.
    Keys(&'static str),
    /// A profile.
    Profile,
    /// A token of another identity provider, for a role.
    WebIdentity,
    /// The metadata service of a container.
    Container(&'static str),
    /// The machine.
    Machine,
}

/// A role that is to be assumed.
pub struct Role<'a> {
    /// The role's ARN.
    pub arn: &'a str,
    /// The session's name.
    pub session: Option<&'a str>,
    /// The external id that the role's owner asks for.
    pub external_id: Option<&'a str>,
    /// The duration in seconds.
    pub duration: Option<&'a str>,
}

impl Aws {
    /// Finds the step that gives the identity. Nothing is asked.
    ///
    /// # Errors
    /// Shared files that can't be read.
    pub fn step(&self) -> Result<Step, StoreError> {
        let context = &self.context;
        if context.said("profile").is_some() {
            return Ok(Step::Profile);
        }
        // Doorkey's own variables count before everybody's, whatever the step.
        for whose in ["DOORKEY_", ""] {
            let has = |name: &str| self.of(whose, name).is_some();
            if OF_KEYS
                .iter()
                .any(|name| self.secret(whose, name).is_some())
            {
                return Ok(Step::Keys(whose));
            }
            if has("PROFILE") || has("DEFAULT_PROFILE") {
                return Ok(Step::Profile);
            }
            if has("WEB_IDENTITY_TOKEN_FILE") || has("ROLE_ARN") {
                return Ok(Step::WebIdentity);
            }
            let is_last = whose.is_empty();
            if is_last && context.configured("profile").is_some() {
                return Ok(Step::Profile);
            }
            if is_last && self.profiles()?.default_with_identity() {
                return Ok(Step::Profile);
            }
            if is_last && let Some(missing) = &self.profiles()?.missing {
                return Err(missing.clone());
            }
            let uris = [
                "CONTAINER_CREDENTIALS_RELATIVE_URI",
                "CONTAINER_CREDENTIALS_FULL_URI",
            ];
            if uris.iter().any(|name| has(name)) {
                return Ok(Step::Container(whose));
            }
        }
        Ok(Step::Machine)
    }

    /// Finds the keys, and asks other services for them if necessary.
    ///
    /// # Errors
    /// The reason why there are none.
    pub fn find_keys(&self, remote: &AwsRemote) -> Result<Keys, StoreError> {
        let step = self.step()?;
        let (keys, who) = match &step {
            Step::Keys(whose) => (
                self.given_keys(whose)?,
                format!("the key in {whose}AWS_ACCESS_KEY_ID"),
            ),
            Step::Profile => {
                let profiles = self.profiles()?;
                let name = &profiles.name;
                let keys = self.of_profile(remote, name, &mut BTreeSet::new())?;
                (keys, format!("the profile {}", ShownPath(name)))
            }
            Step::WebIdentity => {
                let role = self.web_role()?;
                let who = format!("the role {} by web identity", ShownPath(role.arn));
                let file = self.given_path("WEB_IDENTITY_TOKEN_FILE");
                let file = file.ok_or_else(|| missing("WEB_IDENTITY_TOKEN_FILE", "ROLE_ARN"))?;
                (sts::with_web_identity(remote, &role, &file)?, who)
            }
            Step::Container(whose) => {
                let who = format!("the container's, by {whose}AWS_CONTAINER_CREDENTIALS_…");
                (self.of_container(remote, whose)?, who)
            }
            Step::Machine => (self.of_machine(remote)?, "the machine's".to_owned()),
        };
        self.context
            .tell_identity(&format!("the identity that counts: {who}"));
        Ok(keys)
    }

    /// A variable with a secret, doorkey's own or everybody's.
    pub fn secret(&self, whose: &str, name: &str) -> Option<&[u8]> {
        remote::secret(&self.context, whose, &format!("AWS_{name}"))
    }

    /// The keys in variables. Doorkey's own and the workload's are never mixed.
    fn given_keys(&self, whose: &str) -> Result<Keys, StoreError> {
        let [id, secret, token] = OF_KEYS;
        let given = |name: &str| match self.secret(whose, name) {
            Some(value) if !credential::is_visible(value) => Err(StoreError::setting(format!(
                "{whose}AWS_{name} has a space or a line break in it, or a character that no key has"
            ))),
            found => Ok(found),
        };
        let needed = |name: &str| {
            let missing = format!(
                "{whose}AWS_{name} is missing: give {whose}AWS_{id} and {whose}AWS_{secret}"
            );
            given(name)?.ok_or_else(|| StoreError::setting(missing))
        };
        Ok(made(needed(id)?, needed(secret)?, given(token)?))
    }

    /// Gives the role of a web identity that variables name.
    fn web_role(&self) -> Result<Role<'_>, StoreError> {
        let arn = self.variable("ROLE_ARN");
        Ok(Role {
            arn: arn.ok_or_else(|| missing("ROLE_ARN", "WEB_IDENTITY_TOKEN_FILE"))?,
            session: self.variable("ROLE_SESSION_NAME"),
            external_id: None,
            duration: None,
        })
    }

    /// The keys of the machine, unless that is ruled out.
    fn of_machine(&self, remote: &AwsRemote) -> Result<Keys, StoreError> {
        if self.is_machine_ruled_out()? {
            let how = "AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE, AWS_PROFILE, or \
                       AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY";
            return Err(StoreError::setting(format!(
                "nothing says who doorkey is: give {how}; the machine is not asked, as \
                 AWS_EC2_METADATA_DISABLED says"
            )));
        }
        self.machine(remote)?.keys()
    }

    /// True if the machine may not be asked.
    pub fn is_machine_ruled_out(&self) -> Result<bool, StoreError> {
        Ok(is_yes(self.setting("EC2_METADATA_DISABLED")?))
    }

    /// Gives the keys of a profile, which may lead to other profiles.
    fn of_profile(
        &self,
        remote: &AwsRemote,
        name: &str,
        seen: &mut BTreeSet<String>,
    ) -> Result<Keys, StoreError> {
        let section = self.profiles()?.profile(name)?;
        let setting = |name| value(section, name);
        let fault =
            |what: String| StoreError::setting(format!("profile {}: {what}", ShownPath(name)));
        let is_first = seen.insert(name.to_owned());
        // A role may be assumed with the keys that stand in its own profile.
        if let Some(arn) = setting("role_arn").filter(|_| is_first) {
            if setting("mfa_serial").is_some() {
                let what = "mfa_serial: doorkey asks nobody for a code; use a role without it";
                return Err(fault(what.to_owned()));
            }
            let role = Role {
                arn,
                session: setting("role_session_name").or(self.variable("ROLE_SESSION_NAME")),
                external_id: setting("external_id"),
                duration: setting("duration_seconds"),
            };
            if let Some(file) = setting("web_identity_token_file") {
                let file = Named::new("web_identity_token_file", file);
                return sts::with_web_identity(remote, &role, &file);
            }
            let source = match (setting("source_profile"), setting("credential_source")) {
                (Some(source), None) => self.of_profile(remote, source, seen)?,
                (None, Some("Environment")) => self.given_keys("")?,
                (None, Some("EcsContainer")) => self.of_container(remote, "")?,
                (None, Some("Ec2InstanceMetadata")) => self.of_machine(remote)?,
                (None, Some(_)) => {
                    let what = "credential_source is Environment, EcsContainer or \
                                Ec2InstanceMetadata";
                    return Err(fault(what.to_owned()));
                }
                (None, None) => {
                    let what = "role_arn needs source_profile, credential_source or \
                                web_identity_token_file";
                    return Err(fault(what.to_owned()));
                }
                (Some(_), Some(_)) => {
                    let what = "it has source_profile and credential_source; keep one";
                    return Err(fault(what.to_owned()));
                }
            };
            return sts::assume(remote, &role, &source);
        }
        if setting("sso_session")
            .or(setting("sso_start_url"))
            .is_some()
        {
            return sso::keys(remote, name, section);
        }
        if setting("aws_access_key_id")
            .or(setting("aws_secret_access_key"))
            .is_some()
        {
            return in_section(section).ok_or_else(|| {
                let what = "aws_access_key_id and aws_secret_access_key go together, each without \
                            spaces";
                fault(what.to_owned())
            });
        }
        if let Some(command) = setting("credential_process") {
            return self.of_program(remote, name, command);
        }
        let what = match setting("login_session") {
            Some(_) => {
                "login_session is nothing that doorkey can use; aws configure \
                        export-credentials can, as credential_process"
            }
            None if !is_first => "its source_profile leads back to it",
            None => "it has no keys, no role_arn, no sso_session and no credential_process",
        };
        Err(fault(what.to_owned()))
    }

    /// Gets the keys that a program prints. The program is run without a shell, inside the
    /// deadline.
    fn of_program(
        &self,
        remote: &AwsRemote,
        profile: &str,
        command: &str,
    ) -> Result<Keys, StoreError> {
        let fault = |what: String| {
            let profile = ShownPath(profile);
            StoreError::setting(format!("profile {profile}: credential_process: {what}"))
        };
        let words = program::words(command).map_err(|why| fault(why.to_owned()))?;
        let (file, arguments) = words
            .split_first()
            .ok_or_else(|| fault("there is no program".to_owned()))?;
        let file = found(file, &self.context.base);
        let answer = program::run(&Program {
            file: &file,
            arguments,
            environment: &[],
            without: &[],
            input: &[],
            deadline: remote.client()?.deadline(),
        })?;
        answer.log(std::iter::empty());
        let name = program::shown(&file);
        if answer.code != 0 {
            let code = answer.code;
            return Err(fault(format!("{name} has ended with exit code {code}")));
        }
        #[derive(Deserialize)]
        struct Said {
            #[serde(rename = "Version")]
            version: u32,
        }
        let said: Option<Said> = serde_json::from_slice(answer.output.expose()).ok();
        let is_known = said.is_some_and(|said| said.version == 1);
        let keys = from_json(answer.output.expose()).filter(|_| is_known);
        keys.ok_or_else(|| fault(format!("{name} prints no keys in JSON of version 1")))
    }
}

/// Makes keys from their parts; `None` if one is no part of a key.
pub fn keys(id: &[u8], secret: &[u8], token: Option<&[u8]>) -> Option<Keys> {
    let mut parts = [Some(id), Some(secret), token].into_iter().flatten();
    parts
        .all(credential::is_visible)
        .then(|| made(id, secret, token))
}

fn made(id: &[u8], secret: &[u8], token: Option<&[u8]>) -> Keys {
    let copy = |bytes: &[u8]| Secret::new(bytes.to_vec());
    Keys {
        id: String::from_utf8_lossy(id).into_owned(),
        secret: copy(secret),
        token: token.map(|token| copy(token).into()),
    }
}

fn in_section(section: &Section) -> Option<Keys> {
    let bytes = |name| value(section, name).map(str::as_bytes);
    keys(
        bytes("aws_access_key_id")?,
        bytes("aws_secret_access_key")?,
        bytes("aws_session_token"),
    )
}

fn missing(name: &str, beside: &str) -> StoreError {
    StoreError::setting(format!(
        "AWS_{name} is missing, which AWS_{beside} needs beside it"
    ))
}

/// Reads keys from JSON, as a metadata service or a program answers it.
///
/// # Errors
/// None but that the text has no keys.
pub fn from_json(text: &[u8]) -> Option<Keys> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Said {
        access_key_id: String,
        secret_access_key: String,
        #[serde(default, alias = "SessionToken")]
        token: Option<String>,
    }
    let said: Said = serde_json::from_slice(text).ok()?;
    let token = said.token.filter(|token| !token.is_empty());
    keys(
        said.access_key_id.as_bytes(),
        said.secret_access_key.as_bytes(),
        token.as_ref().map(String::as_bytes),
    )
}

#[cfg(test)]
mod tests {
    use super::from_json;

    #[test]
    fn keys_in_json() {
        let of = |text: &str| from_json(text.as_bytes());
        let ids = r#""AccessKeyId":"A","SecretAccessKey":"S""#;
        for name in ["Token", "SessionToken"] {
            let keys = of(&format!(r#"{{{ids},"{name}":"T"}}"#)).unwrap();
            assert_eq!(keys.token.unwrap().expose(), b"T");
        }
        assert!(of(&format!("{{{ids}}}")).unwrap().token.is_none());
        for text in [
            "{}",
            "[]",
            "",
            r#"{"AccessKeyId":"","SecretAccessKey":"S"}"#,
        ] {
            assert!(of(text).is_none(), "{text}");
        }
    }
}
