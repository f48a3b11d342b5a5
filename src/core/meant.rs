//! References that are plainly meant in a text, and are none by the grammar: in the middle of a
//! text, in quotes, misspelt. Nothing of the text is in a finding but a name that may exist.

use crate::model::location::{Form, Location, Scheme};
use crate::model::name::{self, Level, Name};

/// The word that begins a reference to a name in the scopes.
const SECRET: &[u8] = b"secret";

/// The reason for a reference that nothing but its place keeps from being read.
const IN_TEXT: &str = "it stands in the middle of a text";

/// The longest word before a colon that is compared, in bytes.
const LONGEST: usize = 12;

/// The shortest word that is compared for typing errors, in bytes.
const SHORTEST: usize = 5;

/// The most bytes after an escape that are looked at: a word, and the longest name after it.
const ESCAPED: usize = 300;

/// The most names that one place may stand for: the longest, and those that end at a dot or dash.
const MOST_NAMES: usize = 4;

/// A place in a text where a reference is meant.
#[derive(Debug, PartialEq, Eq)]
pub struct Meant {
    /// The thing that is referred to.
    pub target: MeantTarget,
    /// The reason why it is not read as a reference.
    pub why: &'static str,
    /// True if the reference would be the whole value.
    pub alone: bool,
    /// True if it is worth a warning even where nothing of that name exists.
    pub warns: bool,
}

/// The thing that is referred to.
#[derive(Debug, PartialEq, Eq)]
pub enum MeantTarget {
    /// The same text is another variable's reference, which is shown so.
    Known(String),
    /// A name in the scopes: the first of these that exists.
    Names(Option<Level>, Vec<Name>),
    /// A single place of a store.
    Place,
}

impl Meant {
    /// Spells a reference as it has to stand there.
    pub fn right(&self, reference: &str) -> String {
        match self.alone {
            true => reference.to_owned(),
            false => format!("${{{reference}}}"),
        }
    }
}

/// The texts that are looked for.
pub struct Words<'w> {
    /// The schemes of single places.
    schemes: &'w [Scheme],
    /// Whole references of other variables, as they are written, and as they are shown.
    known: &'w [(&'w [u8], String)],
    /// The texts in front of the first colon of those, each once.
    heads: Vec<&'w [u8]>,
}

impl<'w> Words<'w> {
    /// Looks for references with these schemes, and for whole ones of other variables: as they are
    /// written, and as they are shown.
    pub fn new(schemes: &'w [Scheme], known: &'w [(&'w [u8], String)]) -> Self {
        let heads = known.iter().map(|(whole, _)| head(whole));
        let mut heads: Vec<_> = heads.collect();
        heads.sort_unstable();
        heads.dedup();
        Words {
            schemes,
            known,
            heads,
        }
    }

    /// Lists the places of a text where a reference is meant. `is_whole` is false for a part of a
    /// value.
    pub fn find(&self, text: &[u8], is_whole: bool) -> Vec<Meant> {
        let mut found = self.places(text);
        if !is_whole {
            for meant in found.iter_mut().filter(|meant| meant.alone) {
                (meant.alone, meant.why) = (false, IN_TEXT);
            }
        }
        found
    }

    /// Lists the misspelt references in braces, such as `${secrets:NAME}`, of a text in which only
    /// those are read; each with its offset.
    pub fn misspelt(&self, text: &[u8]) -> Vec<(usize, Meant)> {
        let colons = text.iter().enumerate().filter(|&(_, &byte)| byte == b':');
        let found = colons.filter_map(|(colon, _)| {
            let (_, length, exact) = self.word(&text[..colon])?;
            let start = colon - length;
            if exact || !text[..start].ends_with(b"${") {
                return None;
            }
            let mut meant = self.at(text, colon)?;
            meant.alone = false;
            Some((start - 2, meant))
        });
        found.collect()
    }

    /// Lists the escapes of such references, `$${secrets:NAME}`, each by its offset. The text is
    /// `${secrets:NAME}` without its first sign.
    pub fn escapes(&self, text: &[u8]) -> Vec<usize> {
        let opens = text.windows(b"$${".len()).enumerate();
        let opens = opens.filter(|(_, open)| open == b"$${").map(|(at, _)| at);
        let is_one = |at: &usize| {
            let inside = &text[at + 1..];
            let mut word = inside.iter().take("${:".len() + LONGEST);
            word.any(|byte| *byte == b':') && {
                let found = self.misspelt(&inside[..inside.len().min(ESCAPED)]);
                found.iter().any(|(at, _)| *at == 0)
            }
        };
        opens.filter(is_one).collect()
    }

    fn places(&self, text: &[u8]) -> Vec<Meant> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(next) = text[at..].iter().position(|&byte| byte == b':') {
            at += next;
            found.extend(self.known_at(text, at).or_else(|| self.at(text, at)));
            at += 1;
        }
        found
    }

    /// Finds another variable's reference whose first colon is here.
    fn known_at(&self, text: &[u8], colon: usize) -> Option<Meant> {
        // There may be many references, and many colons.
        if !self.heads.iter().any(|head| text[..colon].ends_with(head)) {
            return None;
        }
        let stands = |whole: &[u8]| {
            let start = colon.checked_sub(head(whole).len())?;
            let rest = text[start..].strip_prefix(whole)?;
            // The beginning of a longer name is another name.
            let ends = rest.first().is_none_or(|byte| !is_of_word(*byte));
            ends.then_some((start, rest))
        };
        let all = self.known.iter();
        let longest = all.filter_map(|(whole, shown)| Some((stands(whole)?, whole.len(), shown)));
        let ((start, rest), _, shown) = longest.max_by_key(|(_, length, _)| *length)?;
        if is_escaped(&text[..start], true) {
            return None;
        }
        let (alone, why) = place(&text[..start], rest, false);
        Some(Meant {
            target: MeantTarget::Known(shown.clone()),
            why,
            alone,
            warns: true,
        })
    }

    fn at(&self, text: &[u8], colon: usize) -> Option<Meant> {
        let before = &text[..colon];
        let (scheme, length, exact) = self.word(before)?;
        let before = &before[..before.len() - length];
        if is_escaped(before, exact) || is_of_arn(before) {
            return None;
        }
        let mut rest = &text[colon + 1..];
        let (target, odd) = match scheme {
            Some(scheme) => {
                rest = place_in(rest, scheme)?;
                (MeantTarget::Place, false)
            }
            None => {
                let after = rest;
                // In the middle of a text, a blank there is a sentence's.
                if is_opening(before) {
                    rest = rest.trim_ascii_start();
                }
                let slashes = rest.iter().take(3).take_while(|&&byte| byte == b'/');
                rest = &rest[slashes.count()..];
                let odd = rest.len() < after.len();
                let (target, after) = names(rest)?;
                rest = after;
                (target, odd)
            }
        };
        let is_apart = before.last().is_none_or(|byte| !is_of_word(*byte));
        let (alone, why) = place(before, rest, !exact || odd);
        Some(Meant {
            target,
            why,
            alone,
            warns: is_apart,
        })
    }

    /// Finds the word that is meant at the end of a text: its scheme, its length as it is written,
    /// and true if it is spelt right.
    fn word(&self, text: &[u8]) -> Option<(Option<&Scheme>, usize, bool)> {
        if text.ends_with(SECRET) {
            return Some((None, SECRET.len(), true));
        }
        let is_it = |scheme: &&Scheme| text.ends_with(scheme.word.as_bytes());
        let mut schemes = self.schemes.iter();
        // Some words end with others.
        if let Some(scheme) = schemes
            .by_ref()
            .filter(is_it)
            .max_by_key(|one| one.word.len())
        {
            return Some((Some(scheme), scheme.word.len(), true));
        }
        let run = text.iter().rev().take(LONGEST + 1);
        let length = run.take_while(|byte| is_of_word(**byte)).count();
        if !(SHORTEST..=LONGEST).contains(&length) {
            return None;
        }
        let word = str::from_utf8(&text[text.len() - length..]).ok()?;
        let word = word.to_ascii_lowercase();
        let is_like = |known: &str| {
            word == known
                || known.len() >= SHORTEST
                    && word.len().abs_diff(known.len()) <= 1
                    && strsim::osa_distance(&word, known) <= 1
        };
        if is_like("secret") {
            return Some((None, length, false));
        }
        let scheme = self.schemes.iter().find(|scheme| is_like(scheme.word))?;
        Some((Some(scheme), length, false))
    }
}

/// Returns the text in front of the first colon.
fn head(whole: &[u8]) -> &[u8] {
    let end = whole.iter().position(|&byte| byte == b':');
    &whole[..end.unwrap_or(whole.len())]
}

/// True if a reference after this text is escaped, or would have been read.
fn is_escaped(before: &[u8], exact: bool) -> bool {
    before.ends_with(b"$${") || exact && before.ends_with(b"${")
}

/// Tells if a reference between these texts would be the whole value, and why it is not read.
fn place(before: &[u8], after: &[u8], misspelt: bool) -> (bool, &'static str) {
    let ends = after
        .first()
        .is_none_or(|byte| b"\"' \t\r\n#|?".contains(byte));
    if !is_opening(before) || !ends {
        return match misspelt {
            true => (before.ends_with(b"${"), "it is misspelt"),
            false => (false, IN_TEXT),
        };
    }
    let why = match before.last() {
        _ if misspelt => "it is misspelt",
        Some(b'"' | b'\'') => "it stands in quotes",
        Some(_) => "a blank stands before it",
        None => "text follows it",
    };
    (true, why)
}

/// True if a text is the beginning of an ARN of AWS Secrets Manager, in which the word stands too.
fn is_of_arn(before: &[u8]) -> bool {
    let mut parts = before.rsplit(|&byte| byte == b':');
    parts.nth(3) == Some(b"secretsmanager")
}

/// True if a text has nothing but quotes and blanks in it.
fn is_opening(text: &[u8]) -> bool {
    text.iter().all(|byte| b"\"' \t\r\n".contains(byte))
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Reads the name at the beginning of a text: as long as can be, or shorter where a sentence or a
/// host's name may go on. Also returns the text after it.
fn names(text: &[u8]) -> Option<(MeantTarget, &[u8])> {
    let mut rest = text;
    let first = &rest[..name::prefix(rest)];
    let level = Level::new(first).filter(|_| rest[first.len()..].starts_with(b"/"));
    if level.is_some() {
        rest = &rest[first.len() + 1..];
    }
    let (mut name, after) = rest.split_at(name::prefix(rest));
    let mut names = Vec::new();
    while names.len() < MOST_NAMES && !name.is_empty() {
        names.extend(Name::new(name));
        let cut = name.iter().rposition(|byte| matches!(byte, b'.' | b'-'));
        name = &name[..cut.unwrap_or(0)];
    }
    let target = MeantTarget::Names(level, names);
    let has_names = matches!(&target, MeantTarget::Names(_, names) if !names.is_empty());
    has_names.then_some((target, after))
}

/// Returns the text after a single place, if the store's kind takes it for one.
fn place_in<'t>(text: &'t [u8], scheme: &Scheme) -> Option<&'t [u8]> {
    let ends = |byte: &u8| b"|?{}\"'@ \t\r\n".contains(byte);
    let length = text.iter().position(ends).unwrap_or(text.len());
    let location = Location::parse(str::from_utf8(&text[..length]).ok()?).ok()?;
    (scheme.judge)(location, Form::Value).ok()?;
    Some(&text[length..])
}

#[cfg(test)]
mod tests {
    use super::{MeantTarget, Words};
    use crate::model::location::Scheme;

    #[test]
    fn places() {
        let schemes = [Scheme {
            word: "vault",
            judge: |location, _| match location.key {
                Some(_) => Ok(location),
                None => Err((
                    crate::model::location::LocationPart::Key,
                    "a key is missing",
                )),
            },
            bare: None,
        }];
        let known: [(&[u8], String); 2] = [
            (b"vault:a/b#c", "vault:a/b#c".to_owned()),
            (b"file:/run/x", "file:/run/x".to_owned()),
        ];
        let words = Words::new(&schemes, &known);
        let found = |text: &str| -> String {
            let one = |meant: super::Meant| {
                let target = match &meant.target {
                    MeantTarget::Known(shown) => meant.right(shown),
                    MeantTarget::Names(level, names) => {
                        let level = level.map_or(String::new(), |level| format!("{level}/"));
                        let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
                        meant.right(&format!("secret:{level}{}", names.join(",")))
                    }
                    MeantTarget::Place => meant.right("place"),
                };
                let quiet = if meant.warns { "" } else { " (quiet)" };
                format!("{target}{quiet}")
            };
            words
                .find(text.as_bytes(), true)
                .into_iter()
                .map(one)
                .collect::<Vec<_>>()
                .join(" ")
        };
        for (text, expected) in [
            (
                "postgres://u:secret:db_password@h:5432/d",
                "${secret:db_password}",
            ),
            ("\"secret:x\"", "secret:x"),
            (" secret:x", "secret:x"),
            ("'secret:team/x#a|trim'", "secret:team/x"),
            ("secrets:x", "secret:x"),
            ("Secret:x", "secret:x"),
            ("SECRET: x", "secret:x"),
            ("sercet://x", "secret:x"),
            ("u:Secrets:x@h", "${secret:x}"),
            ("${secrets:x}", "secret:x"),
            ("client_secret:x", "${secret:x} (quiet)"),
            ("at secret:a.b-c.", "${secret:a.b-c.,a.b-c,a.b,a}"),
            ("u:vault:a/b#c@h", "${vault:a/b#c}"),
            ("'vault:a/b#d'", "place"),
            ("u:Vault:a/b#d@h", "${place}"),
            ("jdbc:file:/run/x", "${file:/run/x}"),
            // Plain text.
            (
                "see arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-AbCdEf",
                "",
            ),
            ("hashicorp/vault:1.13 file:/run/y file:/run/xy", ""),
            ("the secret: x is kept, secret:$X secret: secret::x", ""),
            ("$${Secret:x} ${secret:x} http://h:80/ 01;31:secre", ""),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }
}
