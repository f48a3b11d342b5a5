//! Paths and addresses in settings, in a form fit to be shown. A key or a token easily stands in
//! place of a path (`X` for `X_FILE`), and is not printed then.

use std::fmt;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::error::Os;
use super::escape::Shown;

/// The text in place of one that is not shown and has no setting.
const HIDDEN: &str = "[not shown]";

/// The longest text that is taken for a path, in bytes.
const LONGEST: usize = 255;

/// The beginnings of keys and tokens: age's, OpenBao's and Vault's, JSON web tokens, PEM.
const BEGINNINGS: [&[u8]; 7] = [
    b"age-secret-key-",
    b"age-plugin-",
    b"hvs.",
    b"hvb.",
    b"hvr.",
    b"eyj",
    b"-----begin",
];

/// The beginnings of tokens that count only with [`MORE`] letters, digits, `_` or `-` after them:
/// older tokens of Vault, and those of clouds and forges.
const LONG_BEGINNINGS: [&[u8]; 15] = [
    b"s.",
    b"b.",
    b"r.",
    b"akia",
    b"asia",
    b"ghp_",
    b"gho_",
    b"ghs_",
    b"github_pat_",
    b"glpat-",
    b"sk-",
    b"sk_live_",
    b"xoxb-",
    b"xoxp-",
    b"npm_",
];
const MORE: usize = 16;

/// A path, and the setting that holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    setting: Option<String>,
    path: PathBuf,
    is_hidden: bool,
}

impl Named {
    /// Makes the path that a setting holds (`--spec`, `DOORKEY_SPEC`, `an argument`).
    pub fn new(setting: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Named {
            setting: Some(setting.into()),
            path: path.into(),
            is_hidden: false,
        }
    }

    /// Makes another path, to which the same setting leads.
    pub fn with(&self, path: impl Into<PathBuf>) -> Self {
        Named {
            setting: self.setting.clone(),
            path: path.into(),
            is_hidden: !self.is_shown(),
        }
    }

    /// Hides the path in every message.
    pub fn hidden(self) -> Self {
        let is_hidden = true;
        Named { is_hidden, ..self }
    }

    /// Returns the setting's name.
    pub fn setting(&self) -> &str {
        self.setting.as_deref().unwrap_or_default()
    }

    /// Formats the setting and the path.
    pub fn named(&self) -> String {
        match &self.setting {
            Some(setting) if self.is_shown() => format!("{setting}: {self}"),
            _ => self.to_string(),
        }
    }

    /// Formats the failed action and the reason.
    pub fn cannot(&self, doing: &str, why: impl Into<Os>) -> String {
        let why = why.into();
        match &self.setting {
            Some(setting) if self.is_shown() => format!("{setting}: can't {doing} {self}: {why}"),
            _ if self.is_shown() => format!("can't {doing} {self}: {why}"),
            _ => format!(
                "can't {doing} {self}: {why}; it does not look like a path, and is not shown"
            ),
        }
    }

    /// True if messages show the path itself.
    pub fn is_shown(&self) -> bool {
        if self.is_hidden {
            return false;
        }
        let text = self.path.as_os_str().as_bytes();
        let Some(setting) = self.setting.as_deref() else {
            return is_path(text);
        };
        // A password is any word; a file for one has a folder, or at least an ending.
        let of_credential = setting.ends_with("-file") || setting.ends_with("_FILE");
        let of_variables = ["--env-file", "DOORKEY_ENV_FILE"].contains(&setting);
        let is_any = !of_credential || of_variables;
        is_path(text) && (is_any || text.contains(&b'/') || has_ending(text))
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.setting {
            _ if self.is_shown() => Shown(self.path.as_os_str().as_bytes()).fmt(f),
            Some(setting) => write!(f, "[{setting}]"),
            None => f.write_str(HIDDEN),
        }
    }
}

impl Deref for Named {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl AsRef<Path> for Named {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

/// Makes a path without a setting.
impl<T: Into<PathBuf>> From<T> for Named {
    fn from(path: T) -> Self {
        Named {
            setting: None,
            path: path.into(),
            is_hidden: false,
        }
    }
}

/// Shows a path or an address if it looks like one.
pub struct ShownPath<'a>(pub &'a str);

impl fmt::Display for ShownPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match is_path(self.0.as_bytes()) {
            true => Shown(self.0.as_bytes()).fmt(f),
            false => f.write_str(HIDDEN),
        }
    }
}

/// Shows a line of another program. A word that looks like a key, a token or a password is hidden.
pub struct ShownLine<'a>(pub &'a [u8]);

impl fmt::Display for ShownLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_between =
            |c: char| c.is_whitespace() || c.is_control() || "\"'`=,;()[]{}<>".contains(c);
        let text = String::from_utf8_lossy(self.0);
        for piece in text.split_inclusive(is_between) {
            let word = piece.trim_end_matches(is_between);
            match word.is_empty() || is_path(word.as_bytes()) {
                true => Shown(word.as_bytes()).fmt(f)?,
                false => f.write_str(HIDDEN)?,
            }
            Shown(&piece.as_bytes()[word.len()..]).fmt(f)?;
        }
        Ok(())
    }
}

/// Formats a store's location for messages: `WORD:PLACE`, `WORD:PLACE?OPTION=VALUE&OPTION=VALUE`.
pub fn location(text: &str) -> String {
    let (word, rest) = text.split_once(':').unwrap_or(("", text));
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let is_fit = |part: &str| part.is_empty() || is_path(part.as_bytes());
    match is_fit(place) && options.split(['&', '=']).all(is_fit) {
        true => Shown(text.as_bytes()).to_string(),
        false => format!("{}:[store]", ShownPath(word)),
    }
}

/// True if a text looks like a path or an address: it is short, on one line, without an assignment.
/// None of its steps looks like a key, a token or a password.
pub fn is_path(text: &[u8]) -> bool {
    let is_odd = |&byte: &u8| byte.is_ascii_control() || byte == b'=';
    let is_address = text.windows(3).any(|three| three == b"://");
    let mut steps = text.split(|byte| b"/:@".contains(byte));
    // Base64 has slashes, too.
    let is_absolute = is_address || text.starts_with(b"/") || text.starts_with(b".");
    let longest = if is_absolute { 24 } else { 12 };
    let has_secret = steps.any(|step| begins_like_secret(step) || is_random(step, longest));
    let has_user = is_address && text.contains(&b'@');
    let is_fit = (1..=LONGEST).contains(&text.len()) && !text.iter().any(is_odd);
    is_fit && !has_user && !has_secret && !is_number(text)
}

fn begins_like_secret(step: &[u8]) -> bool {
    let rest_after = |beginning: &[u8]| {
        let (start, rest) = step.split_at_checked(beginning.len())?;
        start.eq_ignore_ascii_case(beginning).then_some(rest)
    };
    let is_long = |rest: &[u8]| {
        let mut rest = rest.iter();
        let is_of_token = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
        rest.by_ref().take_while(is_of_token).count() >= MORE
    };
    BEGINNINGS.iter().any(|one| rest_after(one).is_some())
        || LONG_BEGINNINGS
            .iter()
            .any(|one| rest_after(one).is_some_and(is_long))
}

/// True if a step looks like a password rather than a name: long, with digits and letters of both
/// cases, and without an ending.
fn is_random(step: &[u8], longest: usize) -> bool {
    let has = |is_it: fn(&u8) -> bool| step.iter().any(is_it);
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase);
    step.len() >= longest && is_mixed && has(u8::is_ascii_uppercase) && !has_ending(step)
}

/// True if a text is only a long hexadecimal number, with or without dashes.
fn is_number(text: &[u8]) -> bool {
    let is_of_number = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    text.len() >= 24 && text.iter().all(is_of_number) && text.iter().any(u8::is_ascii_digit)
}

/// True if a file's name ends in a point and a few small letters.
fn has_ending(name: &[u8]) -> bool {
    let point = name.iter().rposition(|&byte| byte == b'.');
    point.filter(|&at| at > 0).is_some_and(|at| {
        let ending = &name[at + 1..];
        (1..=8).contains(&ending.len()) && ending.iter().all(u8::is_ascii_lowercase)
    })
}

#[cfg(test)]
mod tests {
    use super::{Named, ShownLine, is_path, location};

    #[test]
    fn what_looks_like_a_path() {
        for path in [
            "/",
            ".",
            "secrets",
            "key.txt",
            "none",
            "a b/c",
            "../conf/app.env",
            "/gnu/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-hello-2.12.1/bin",
            "/var/lib/kubelet/pods/0a1b2c3d-1111-2222-3333-444455556666/volumes",
            "/var/run/secrets/kubernetes.io/serviceaccount/token",
            "https://bao.internal:8200/v1/secret/data/app",
            "unix:///run/agent.sock",
            "secret/app",
            "s.internal",
            "my-App2.env",
            "größe",
        ] {
            assert!(is_path(path.as_bytes()), "{path}");
        }
        for value in [
            "",
            "AGE-SECRET-KEY-1QQQ",
            "age-secret-key-1qqq",
            "/run/AGE-SECRET-KEY-1QQQ",
            "hvs.CAESIJ",
            "https://hvs.caesij/",
            "s.4WIrCAZvg3DQnHqBNGIVHPYA",
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
            "-----BEGIN PRIVATE KEY-----",
            "line\nline",
            "A=b",
            "postgres://app:pw@db/app",
            "5f3a0c1e-9b7d-4c2a-8e6f-0123456789ab",
            "tr0ub4dor&Three",
            "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY1",
            "ghp_0123456789abcdefghij",
            "MIIEvQIBADANBgkq/hkiG9w0BAQEFAASC",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY9",
        ] {
            assert!(!is_path(value.as_bytes()), "{value}");
        }
        assert!(!is_path(&[b'a'; 256]));
    }

    #[test]
    fn words_of_a_line() {
        let shown = |line: &str| ShownLine(line.as_bytes()).to_string();
        let plain = "gpg: can't open 'a/b.gpg': No such file (2), see https://a.test/b";
        assert_eq!(shown(plain), plain);
        let said =
            "Bearer eyJhbGciOi.x \"hvs.CAESIJ\" key=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY1,";
        let hidden = "Bearer [not shown] \"[not shown]\" key=[not shown],";
        assert_eq!(shown(said), hidden);
        assert_eq!(shown("a\u{1b}[1m\u{7}"), "a\\u{1b}[1m\\u{7}");
    }

    #[test]
    fn a_setting_stands_for_what_is_hidden() {
        let shown = |setting: &str, path: &str| Named::new(setting, path).to_string();
        assert_eq!(shown("--spec", "hunter"), "hunter");
        assert_eq!(shown("--env-file", "app"), "app");
        assert_eq!(shown("--value-file", "correct horse"), "[--value-file]");
        assert_eq!(shown("--value-file", "my value.txt"), "my value.txt");
        assert_eq!(
            shown("VAULT_PASSWORD_FILE", "hunter"),
            "[VAULT_PASSWORD_FILE]"
        );
        assert_eq!(shown("--key-file", "./hunter"), "./hunter");
        assert_eq!(shown("--key-file", "key.txt"), "key.txt");
        assert_eq!(shown("--cache", "A=b"), "[--cache]");
        assert_eq!(Named::from("A=b").to_string(), "[not shown]");
        assert_eq!(Named::from("standard input").to_string(), "standard input");
        assert_eq!(location("age:secrets"), "age:secrets");
        assert_eq!(location("vault:kv/app?kv=1"), "vault:kv/app?kv=1");
        assert_eq!(
            location("vault:kv/app?auth-path=hvs.x&kv=1"),
            "vault:[store]"
        );
        assert_eq!(location("vault:"), "vault:");
        assert_eq!(location("age:hvs.x"), "age:[store]");
        assert_eq!(location("vault:kv/app?kv=hvs.x"), "vault:[store]");
        assert_eq!(location("vault:kv/app?hvs.x"), "vault:[store]");
    }
}
