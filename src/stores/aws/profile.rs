//! The files that AWS' clients share: `~/.aws/config` and `~/.aws/credentials`.

use std::collections::BTreeMap;

use super::Aws;
use crate::model::error::{Os, StoreError};
use crate::model::named::{Named, ShownPath};
use crate::stores::credential;
use crate::sys::files;

/// The settings of a section: names in lower case, values as they stand there. Indented lines below
/// a setting belong to its value.
pub type Section = BTreeMap<String, String>;

/// The content of both files.
#[derive(Default)]
pub struct Profiles {
    /// The profile that counts.
    pub name: String,
    /// The setting that names it; `None` for `default`.
    pub named_by: Option<&'static str>,
    /// The paths that were searched, as messages show them.
    places: Vec<String>,
    /// The error that a file does not exist which a variable names.
    pub missing: Option<StoreError>,
    profiles: BTreeMap<String, Section>,
    sessions: BTreeMap<String, Section>,
    services: BTreeMap<String, Section>,
}

impl Profiles {
    /// Reads both files, as far as they are there.
    ///
    /// # Errors
    /// A file that can't be read, that others can write, or that is none of these files.
    pub fn read(aws: &Aws) -> Result<Self, StoreError> {
        let mut all = Profiles::default();
        let context = &aws.context;
        let variables = [
            ("DOORKEY_AWS_PROFILE", "DOORKEY_AWS_PROFILE"),
            ("AWS_PROFILE", "AWS_PROFILE"),
            ("AWS_DEFAULT_PROFILE", "AWS_DEFAULT_PROFILE"),
        ];
        let by_option = context.said("profile").map(|name| ("?profile=", name));
        let by_file = context.configured("profile").map(|name| ("profile", name));
        let mut by_variable = variables.iter().filter_map(|(setting, name)| {
            Some((*setting, crate::stores::remote::text(context, name)?))
        });
        match by_option.or_else(|| by_variable.next()).or(by_file) {
            Some((setting, name)) => {
                (all.name, all.named_by) = (name.to_owned(), Some(setting));
            }
            None => "default".clone_into(&mut all.name),
        }
        for (variable, file, is_config) in [
            ("CONFIG_FILE", ".aws/config", true),
            ("SHARED_CREDENTIALS_FILE", ".aws/credentials", false),
        ] {
            let given = aws.given_path(variable);
            let home = || {
                context
                    .home
                    .as_ref()
                    .map(|home| Named::from(home.join(file)))
            };
            let is_given = given.is_some();
            let Some(path) = given.or_else(home) else {
                continue;
            };
            all.places.push(path.to_string());
            if !files::exists(&path) {
                let error = is_given.then(|| StoreError::file("read", &path, Os(libc::ENOENT)));
                all.missing = all.missing.or(error);
                continue;
            }
            let read = credential::open(&path);
            let file = match read {
                Ok(file) => file,
                // Nobody has asked for files in a home that is another user's.
                Err(_) if !is_given && all.named_by.is_none() && !is_readable(&path) => continue,
                Err(trouble) => return Err(trouble),
            };
            all.add(file.contents.expose(), is_config)
                .map_err(|(line, what)| {
                    StoreError::setting(format!("{path}: line {line}: {what}"))
                })?;
        }
        Ok(all)
    }

    /// Adds the content of a file; it wins over content that was added before.
    ///
    /// # Errors
    /// The line that is wrong, and its fault.
    fn add(&mut self, text: &[u8], is_config: bool) -> Result<(), (usize, &'static str)> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let text = str::from_utf8(text).map_err(|_| (1, "the file is not UTF-8"))?;
        let mut section: Option<&mut Section> = None;
        let mut key: Option<String> = None;
        let mut known = false;
        for (number, line) in text.lines().enumerate() {
            let fault = |what| (number + 1, what);
            let content = line.trim();
            if content.is_empty() || content.starts_with(['#', ';']) {
                continue;
            }
            if let Some(header) = line.strip_prefix('[') {
                let (name, _) = header.split_once(']').ok_or(fault("']' is missing"))?;
                section = self.section(name.trim(), is_config);
                (key, known) = (None, true);
                continue;
            }
            if !known {
                return Err(fault("a setting stands before the first [SECTION]"));
            }
            if line.starts_with([' ', '\t'])
                && let Some(key) = &key
            {
                if let Some(value) = section.as_mut().and_then(|all| all.get_mut(key)) {
                    value.push('\n');
                    value.push_str(content);
                }
                continue;
            }
            let at = content.find(['=', ':']);
            let at = at.ok_or(fault("neither [SECTION] nor NAME = VALUE"))?;
            let name = content[..at].trim_end().to_ascii_lowercase();
            if let Some(section) = &mut section {
                let value = content[at + 1..].trim_start();
                section.insert(name.clone(), value.to_owned());
            }
            key = Some(name);
        }
        Ok(())
    }

    /// The section of a header; `None` for one that says nothing to us.
    fn section(&mut self, header: &str, is_config: bool) -> Option<&mut Section> {
        let name = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
        if !is_config {
            return Some(self.profiles.entry(name(header)).or_default());
        }
        let split = header.split_once([' ', '\t']);
        let (sections, name) = match split {
            None if header == "default" => (&mut self.profiles, name(header)),
            Some(("profile", rest)) => (&mut self.profiles, name(rest)),
            Some(("sso-session", rest)) => (&mut self.sessions, name(rest)),
            Some(("services", rest)) => (&mut self.services, name(rest)),
            _ => return None,
        };
        Some(sections.entry(name).or_default())
    }

    /// A setting of the profile that counts.
    pub fn setting(&self, name: &str) -> Option<&str> {
        value(self.profiles.get(&self.name)?, name)
    }

    /// The address that the profile's `services` section gives a service.
    pub fn of_service(&self, service: &str) -> Option<&str> {
        let section = self.services.get(self.setting("services")?)?;
        let mut lines = section.get(service)?.lines();
        lines.find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == "endpoint_url").then(|| value.trim())
        })
    }

    /// A profile.
    ///
    /// # Errors
    /// An error that there is no profile of that name.
    pub fn profile(&self, name: &str) -> Result<&Section, StoreError> {
        self.profiles.get(name).ok_or_else(|| {
            let by = match self.named_by {
                Some(by) if name == self.name => format!("{by}: "),
                _ => String::new(),
            };
            let places = match self.places.as_slice() {
                [] => "there is no home to look for it in".to_owned(),
                places => format!("it is in neither of {}", places.join(", ")),
            };
            let name = ShownPath(name);
            StoreError::setting(format!("{by}there is no profile {name}: {places}"))
        })
    }

    /// True if the `default` profile gives an identity.
    pub fn default_with_identity(&self) -> bool {
        const OF_IDENTITY: [&str; 7] = [
            "aws_access_key_id",
            "aws_secret_access_key",
            "credential_process",
            "login_session",
            "role_arn",
            "sso_session",
            "sso_start_url",
        ];
        let section = self.profiles.get("default");
        section.is_some_and(|section| {
            let mut names = OF_IDENTITY.iter();
            names.any(|name| value(section, name).is_some())
        })
    }

    /// A section `[sso-session NAME]`.
    pub fn session(&self, name: &str) -> Option<&Section> {
        self.sessions.get(name)
    }
}

fn is_readable(path: &Named) -> bool {
    files::read(path, usize::MAX).is_ok()
}

/// A section's setting; an empty one is none.
pub fn value<'s>(section: &'s Section, name: &str) -> Option<&'s str> {
    section
        .get(name)
        .map(String::as_str)
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Profiles, value};

    #[test]
    fn both_files_are_read_as_the_clients_read_them() {
        let mut all = Profiles {
            name: "web".to_owned(),
            ..Profiles::default()
        };
        let config = "\u{feff}# a comment\n[default]\nregion = eu-west-1 # stays\n\n\
             [profile  web]\nREGION: us-east-1\nrole_arn=arn:aws:iam::1:role/a=b\nservices = local\n\
             s3 =\n  region = x\n\n[profile \"a b\"]\nregion = \n[sso-session corp]\nsso_region = eu-x\n\
             [services local]\nsecrets_manager =\n  endpoint_url = http://localhost:1\nssm=\n\
             [preview]\nanything = goes\n  deeper\n";
        all.add(config.as_bytes(), true).unwrap();
        let credentials =
            "[web]\r\naws_access_key_id = A\r\n; no\r\n[profile web]\nregion = never\n";
        all.add(credentials.as_bytes(), false).unwrap();
        assert_eq!(all.setting("region"), Some("us-east-1"));
        assert_eq!(all.setting("role_arn"), Some("arn:aws:iam::1:role/a=b"));
        assert_eq!(all.setting("aws_access_key_id"), Some("A"));
        assert_eq!(
            all.of_service("secrets_manager"),
            Some("http://localhost:1")
        );
        assert_eq!(all.of_service("ssm"), None);
        let default = all.profile("default").unwrap();
        assert_eq!(value(default, "region"), Some("eu-west-1 # stays"));
        assert_eq!(value(all.profile("a b").unwrap(), "region"), None);
        assert!(all.session("corp").is_some() && all.profile("corp").is_err());
        assert!(!all.default_with_identity());
        for (text, fault) in [
            ("a = b", (1, "a setting stands before the first [SECTION]")),
            ("\n[a\n", (2, "']' is missing")),
            ("[a]\nb", (2, "neither [SECTION] nor NAME = VALUE")),
        ] {
            assert_eq!(all.add(text.as_bytes(), true), Err(fault), "{text}");
        }
        assert_eq!(
            all.add(b"[a]\n\xff", true),
            Err((1, "the file is not UTF-8"))
        );
    }
}
