//! Lists of recipients, in the format of `age -R`: the members, their names, and changes to them.
//!
//! A member's name is one word in a comment: in the line above the key, or behind the key. The comment
//! of an SSH key is its own, and counts where no name stands above it. A member who is removed leaves
//! a comment with the end of the key. So the removal can be finished later, and a merge does not bring
//! the key back.

use std::path::{Path, PathBuf};

use super::entry::{Entry, short};
use super::{RECIPIENTS, bad_recipient, foreign, git, no_recipients, ssh};
use crate::model::error::StoreError;
use crate::model::name::Scope;
use crate::model::store_error::FaultKind;
use crate::stores::folder::scope_folder;

/// The longest name of a member, in characters.
const LONGEST_NAME: usize = 64;

/// The beginning of the comment that takes the place of a removed member.
const REMOVED: &str = "# removed: ";

/// A member who an argument means.
pub enum Who {
    /// The owner of a key, as age writes the key.
    Key(String),
    /// Everybody of this name.
    Name(String),
}

impl Who {
    /// The text that means the same member.
    pub fn as_str(&self) -> &str {
        match self {
            Who::Key(text) | Who::Name(text) => text,
        }
    }

    /// True if a list names the member.
    pub fn is_in(&self, list: &[u8]) -> bool {
        let mut all = lines(list).into_iter();
        all.any(|line| match self {
            Who::Key(key) => line.is_of(key),
            Who::Name(name) => line.key.is_some() && line.name == Some(name),
        })
    }

    /// True if a list says that the member was removed.
    pub fn was_in(&self, list: &[u8]) -> bool {
        removals(list).any(|(end, name)| match self {
            Who::Key(key) => end == short(key),
            Who::Name(wanted) => name == Some(wanted),
        })
    }
}

/// Reads arguments that are keys, each with the name that its own comment has. One that is none is not
/// shown: it may be a secret key. `before` is the number of arguments in front of these.
///
/// # Errors
/// The first argument that is no key.
pub fn keys(texts: &[String], before: usize) -> Result<Vec<Known>, StoreError> {
    let one = |(index, text): (usize, &String)| {
        said(text).ok_or_else(|| bad_recipient(before + index + 1, text))
    };
    texts.iter().enumerate().map(one).collect()
}

/// A key as its own programs write it, and the name of its owner.
pub type Known = (String, Option<String>);

/// Reads a key that somebody has given: one line.
fn said(text: &str) -> Option<Known> {
    let [line] = lines(text.trim().as_bytes()).try_into().ok()?;
    let Line { key, name, .. } = line;
    Some((canonical(key?)?, name.map(str::to_owned)))
}

/// Reads arguments that are keys or names of members.
///
/// # Errors
/// The first argument that is neither.
pub fn members(texts: &[String], before: usize) -> Result<Vec<Who>, StoreError> {
    let one = |(index, text): (usize, &String)| match said(text) {
        Some((key, _)) => Ok(Who::Key(key)),
        None if is_name(text) && foreign::recipient(text.as_bytes()).is_none() => {
            Ok(Who::Name(text.clone()))
        }
        None => Err(bad_recipient(before + index + 1, text)),
    };
    texts.iter().enumerate().map(one).collect()
}

/// Writes a key as its own programs do; `None` if the text is no key.
fn canonical(text: &str) -> Option<String> {
    Entry::new(text).map(|entry| entry.text)
}

/// True if a text can be a member's name: a word that is no key.
pub fn is_name(text: &str) -> bool {
    let is_key = |start: &str| {
        let beginning = text.get(..start.len());
        beginning.is_some_and(|text| text.eq_ignore_ascii_case(start))
    };
    let mut rest = text.chars();
    rest.next().is_some_and(char::is_alphanumeric)
        && rest.all(|c| c.is_alphanumeric() || "._@+-".contains(c))
        && text.chars().count() <= LONGEST_NAME
        && !["age1", "age-", ssh::PREFIX].into_iter().any(is_key)
}

/// Refuses a text that can't be a member's name.
///
/// # Errors
/// The rule.
pub fn check_name(name: Option<&str>) -> Result<(), StoreError> {
    match name.is_none_or(is_name) {
        true => Ok(()),
        false => Err(StoreError::of(
            FaultKind::Unusable,
            "a member's name is one word of at most 64 letters, digits, '.', '_', '@', '+' and '-', the first a letter or digit, and no key",
        )),
    }
}

/// A line of a list.
struct Line<'l> {
    /// The line's number, from 1.
    number: usize,
    /// The line, trimmed.
    text: &'l str,
    /// The key; `None` in a comment or a blank line.
    key: Option<&'l str>,
    /// The name of the key's owner; in a comment, the name of the next key's owner.
    name: Option<&'l str>,
    /// True if the name stands in the line above.
    above: bool,
}

impl Line<'_> {
    /// True if the line has this key. One of age's own can be written in capitals as well.
    fn is_of(&self, key: &str) -> bool {
        self.key
            .is_some_and(|own| match own.starts_with(ssh::PREFIX) {
                true => ssh::is_same(own, key),
                false => own.eq_ignore_ascii_case(key),
            })
    }
}

/// Reads the lines of a list, whatever their ends are. Lines that are not UTF-8 are no keys.
fn lines(list: &[u8]) -> Vec<Line<'_>> {
    let mut all = Vec::new();
    let mut above = None;
    for (index, line) in list.split(|&byte| byte == b'\n').enumerate() {
        let text = str::from_utf8(line).unwrap_or("?").trim();
        let mut line = Line {
            number: index + 1,
            text,
            key: None,
            name: None,
            above: false,
        };
        if let Some(comment) = text.strip_prefix('#') {
            line.name = Some(comment.trim()).filter(|name| is_name(name));
            above = line.name;
        } else if text.is_empty() {
            above = None;
        } else {
            let (key, behind) = parted(text);
            line.key = Some(key);
            let behind = behind.trim().trim_start_matches('#').trim();
            line.name = Some(behind).filter(|name| is_name(name));
            let above = above.take();
            let is_own = key.starts_with(ssh::PREFIX);
            if (line.name.is_none() || is_own) && above.is_some() {
                (line.name, line.above) = (above, true);
            }
        }
        all.push(line);
    }
    all
}

/// Parts a line into a key and the comment behind it. The key of SSH is two words, and needs no `#`
/// before its comment.
fn parted(text: &str) -> (&str, &str) {
    let Some((first, rest)) = text.split_once(char::is_whitespace) else {
        return (text, "");
    };
    let rest = rest.trim_start();
    if first.starts_with(ssh::PREFIX) {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        text.split_at(text.len() - rest.len() + end)
    } else if rest.starts_with('#') {
        (first, rest)
    } else {
        (text, "")
    }
}

/// Reads the members of the list at `path`.
///
/// # Errors
/// A line that is no key, or a list without members.
pub fn parse(list: &[u8], path: &Path) -> Result<Vec<Entry>, StoreError> {
    let path = path.display().to_string();
    let mut entries = Vec::new();
    for line in lines(list) {
        let Some(text) = line.key else { continue };
        let entry = Entry::new(text).ok_or_else(|| {
            let reason = match git::is_marker(line.text.as_bytes()) {
                true => {
                    "this is a conflict marker of git's; run doorkey store check --fix, or keep the recipients that count and no marker"
                }
                false => "this is no age recipient (age1…)",
            };
            let reason = match foreign::recipient(text.as_bytes()) {
                Some(what) => &format!("this is {what}"),
                None => reason,
            };
            let what = format_args!("{path}:{}:1: {reason}", line.number);
            StoreError::of(FaultKind::Corrupt, what)
        })?;
        let name = line.name.map(str::to_owned);
        // A merge may leave a key twice.
        match entries
            .iter_mut()
            .find(|one: &&mut Entry| one.text == entry.text)
        {
            Some(there) => there.name = there.name.take().or(name),
            None => entries.push(Entry { name, ..entry }),
        }
    }
    match entries.is_empty() {
        true => Err(no_recipients(&path)),
        false => Ok(entries),
    }
}

/// The members of a list that a merge has read: those lines that are keys.
pub fn known(list: &[u8]) -> Vec<Known> {
    let keys = lines(list).into_iter().filter_map(|line| {
        let key = canonical(line.key?)?;
        Some((key, line.name.map(str::to_owned)))
    });
    keys.collect()
}

/// The keys that removed members had, as far as a list says them, each with the owner's name.
pub fn removals(list: &[u8]) -> impl Iterator<Item = (&str, Option<&str>)> {
    let comments = lines(list).into_iter().filter_map(|line| {
        let rest = line.text.strip_prefix(REMOVED)?;
        Some(match rest.split_once(' ') {
            Some((end, name)) => (end, Some(name)),
            None => (rest, None),
        })
    });
    comments.collect::<Vec<_>>().into_iter()
}

/// The ends of the keys of these members, be they in a list or removed from it.
pub fn ends_of(list: &[u8], members: &[Who]) -> Vec<String> {
    let keys = keys_of(list, members);
    let mut ends: Vec<_> = keys.iter().map(|key| short(key)).collect();
    for who in members {
        match who {
            Who::Key(key) => ends.push(short(key)),
            Who::Name(name) => {
                let removed = removals(list).filter(|(_, other)| *other == Some(name));
                ends.extend(removed.map(|(end, _)| end.to_owned()));
            }
        }
    }
    ends.sort();
    ends.dedup();
    ends
}

/// The keys that these members have in a list. None of those who were removed is among them.
pub fn keys_of(list: &[u8], members: &[Who]) -> Vec<String> {
    let is_one = |line: &Line| {
        members.iter().any(|who| match who {
            Who::Key(key) => line.is_of(key),
            Who::Name(name) => line.name == Some(name),
        })
    };
    let all = lines(list).into_iter();
    let all = all.filter(|line| line.key.is_some() && is_one(line));
    all.filter_map(|line| canonical(line.key?)).collect()
}

/// A list's text with keys added at its end, each with a name if there is one, and comments in place
/// of those removed. A name is also given to a key that is there already.
pub fn edited(list: &[u8], add: &[Known], remove: &[String]) -> Vec<u8> {
    let old = lines(list);
    let mut new: Vec<String> = Vec::with_capacity(old.len());
    let is_back = |line: &Line| {
        let end = line.text.strip_prefix(REMOVED);
        let end = end.and_then(|rest| rest.split(' ').next());
        end.is_some_and(|end| add.iter().any(|(key, _)| short(key) == end))
    };
    let whole = String::from_utf8_lossy(list);
    for (line, whole) in old.iter().zip(whole.lines()) {
        let renamed = add
            .iter()
            .find(|(key, name)| line.is_of(key) && name.is_some());
        if let Some(gone) = remove.iter().find(|gone| line.is_of(gone)) {
            if line.above {
                new.pop();
            }
            let name = line.name.map_or(String::new(), |name| format!(" {name}"));
            new.push(format!("{REMOVED}{}{name}", short(gone)));
        } else if let Some((key, Some(name))) = renamed {
            if line.above {
                new.pop();
            }
            new.extend([format!("# {name}"), key.clone()]);
        } else if !is_back(line) {
            new.push(whole.to_owned());
        }
    }
    for (at, (key, name)) in add.iter().enumerate() {
        let is_there = old.iter().any(|line| line.is_of(key));
        if is_there || add[..at].iter().any(|(other, _)| other == key) {
            continue;
        }
        let last = new.last().map_or("", |last| last.trim());
        match name {
            Some(name) => new.push(format!("# {name}")),
            // The comment is none about this key.
            None if last
                .strip_prefix('#')
                .is_some_and(|text| is_name(text.trim())) =>
            {
                new.push(String::new());
            }
            None => {}
        }
        new.push(key.clone());
    }
    let lines = new.iter().map(|line| format!("{line}\n"));
    lines.collect::<String>().into_bytes()
}

/// The path of a list: a scope's own, or the store's.
pub fn path(scope: Option<&Scope>) -> PathBuf {
    scope
        .map_or_else(PathBuf::new, scope_folder)
        .join(RECIPIENTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    const B: &str = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg";

    fn named(list: &str) -> Vec<String> {
        let entries = parse(list.as_bytes(), Path::new("l")).unwrap();
        let entries = entries.iter().map(|entry| entry.member());
        entries.map(|one| one.name.unwrap_or_default()).collect()
    }

    #[test]
    fn names() {
        for (list, names) in [
            (format!("{A}\n{B}"), ["", ""]),
            (format!("# alice\r\n{A}\r\n{B} # bob\r\n"), ["alice", "bob"]),
            (
                format!("# who reads this\n{A}  #bob\n#é@x.y\n{B}"),
                ["bob", "é@x.y"],
            ),
            (
                format!("# alice\n\n{A}\n# removed: {}\n{B}", short(A)),
                ["", ""],
            ),
            (format!("{A}\n# bob\n{B}\n# alice\n{A}"), ["alice", "bob"]),
            (
                format!("# alice\n{A} # bob\n# age1x\n{B} # two words"),
                ["bob", ""],
            ),
        ] {
            assert_eq!(named(&list), names, "{list}");
        }
        assert!(!is_name("AGE-SECRET-KEY-1") && !is_name("") && !is_name("a b"));
        assert!(!is_name("ssh-rsa"));
    }

    /// Parts of a key of SSH are not case-insensitive, and its own comment counts last.
    #[test]
    fn names_of_ssh_keys() {
        const SSH: &str =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIR8U8zzGtSSwcZBUNm+qlbBQhVtdcU5jbqbMnjKChZp";
        for (list, names) in [
            (format!("{SSH} al@laptop\n{A}"), ["al@laptop", ""]),
            (format!("# al\n{SSH} al@laptop\r\n{A}"), ["al", ""]),
            (format!("{SSH}\n# bob\n{A}"), ["", "bob"]),
            (format!("{SSH}\ttwo words\n# bob\n{A}"), ["", "bob"]),
        ] {
            assert_eq!(named(&list), names, "{list}");
        }
        let both = [format!("{SSH} me"), format!(" {A}\n")];
        let read = keys(&both, 0).unwrap();
        let expected = [
            (SSH.to_owned(), Some("me".to_owned())),
            (A.to_owned(), None),
        ];
        assert_eq!(read, expected);
        let other = SSH.replacen("IIR8", "iiR8", 1);
        assert!(!Who::Key(SSH.to_owned()).is_in(other.as_bytes()));
        for bad in [
            &other,
            &format!("{SSH}x"),
            &format!("{SSH}\n{A}"),
            "ssh-rsa",
            "ssh-rsa AAAA",
        ] {
            assert!(keys(&[bad.to_owned()], 0).is_err(), "{bad}");
        }
    }

    #[test]
    fn changes() {
        let add = |key: &str, name: Option<&str>| (key.to_owned(), name.map(str::to_owned));
        let change = |list: &str, added: &[_], gone: &[&str]| {
            let gone: Vec<_> = gone.iter().map(|&key| key.to_owned()).collect();
            String::from_utf8(edited(list.as_bytes(), added, &gone)).unwrap()
        };
        let one = format!("# alice\n{A}\n");
        let both = format!("{one}# bob\n{B}\n");
        assert_eq!(change(&one, &[add(B, Some("bob"))], &[]), both);
        assert_eq!(change(&one, &[add(B, None)], &[]), format!("{one}{B}\n"));
        assert_eq!(change("# x", &[add(B, None)], &[]), format!("# x\n\n{B}\n"));
        let left = format!("# removed: {} alice\n# bob\n{B}\n", short(A));
        assert_eq!(change(&both, &[], &[A]), left);
        assert!(Who::Name("alice".to_owned()).was_in(left.as_bytes()));
        assert!(Who::Key(A.to_owned()).was_in(left.as_bytes()));
        let back = format!("# bob\n{B}\n# alice\n{A}\n");
        assert_eq!(change(&left, &[add(A, Some("alice"))], &[]), back);
        let behind = format!("{A} # al\n");
        assert_eq!(change(&behind, &[add(A, Some("alice"))], &[]), one);
        assert_eq!(
            change(&one, &[add(A, Some("al"))], &[]),
            format!("# al\n{A}\n")
        );
        assert_eq!(change(&behind, &[add(A, None)], &[]), behind);
    }
}
