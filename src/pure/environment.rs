//! An environment: bytes, in order, untouched unless assigned.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString};

use crate::words::error::Cause;

/// The longest `NAME=value`, its ending NUL included (`MAX_ARG_STRLEN`: 32 pages of 4 KiB).
const LONGEST: usize = 131_072;

/// What stays of the inherited environment when it is cleared.
const ALWAYS: [&[u8]; 5] = [b"PATH", b"HOME", b"TERM", b"TZ", b"LANG"];

/// An environment as the kernel takes it.
pub type Block<'a> = Vec<Cow<'a, CStr>>;

/// One entry: as inherited, or `NAME=value` as assigned.
enum Entry<'a> {
    Inherited(&'a CStr),
    Assigned(Vec<u8>),
}

impl Entry<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Entry::Inherited(entry) => entry.to_bytes(),
            Entry::Assigned(entry) => entry,
        }
    }
}

/// The environment of a workload while it is put together.
#[derive(Default)]
pub struct Environment<'a> {
    entries: Vec<Entry<'a>>,
}

/// What of the inherited environment is passed on.
#[derive(Default)]
pub struct Inheriting<'a> {
    /// Start from nothing but a handful of names that most programs need.
    pub clear: bool,
    /// Names that are kept in any case.
    pub keep: &'a [Vec<u8>],
}

impl Inheriting<'_> {
    /// Whether a name is doorkey's own and nobody asked to keep it.
    pub fn strips(&self, name: &[u8]) -> bool {
        name.starts_with(b"DOORKEY_") && !self.keeps(name)
    }

    fn keeps(&self, name: &[u8]) -> bool {
        self.keep.iter().any(|kept| kept == name)
    }

    fn passes(&self, name: &[u8]) -> bool {
        let cleared = self.clear && !ALWAYS.contains(&name) && !self.keeps(name);
        !cleared && !self.strips(name)
    }
}

/// Splits an entry at its first `=`. What has none, or nothing before it, is no variable.
fn split(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = entry
        .iter()
        .position(|&byte| byte == b'=')
        .filter(|&at| at > 0)?;
    Some((&entry[..at], &entry[at + 1..]))
}

/// The value in an entry, if it is one of this name.
pub fn value_in<'a>(entry: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    entry.strip_prefix(name)?.strip_prefix(b"=")
}

/// The value of a name in a block, as `getenv` reads it: the first one's.
pub fn lookup<'a>(block: &[&'a CStr], name: &[u8]) -> Option<&'a [u8]> {
    block
        .iter()
        .find_map(|entry| value_in(entry.to_bytes(), name))
}

/// Names and value put together as an entry, with room for its end.
fn joined(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut entry = Vec::with_capacity(name.len() + value.len() + 2);
    entry.extend_from_slice(name);
    entry.push(b'=');
    entry.extend_from_slice(value);
    entry
}

impl<'a> Environment<'a> {
    /// Takes over what was inherited, in order. Of a name that is there twice the first stays,
    /// as `getenv` reads it; entries that are no variables pass, unless all is cleared.
    pub fn inherit(block: &[&'a CStr], inheriting: &Inheriting<'_>) -> Self {
        let mut seen = BTreeSet::new();
        let mut entries = Vec::with_capacity(block.len());
        for &entry in block {
            let passes = match split(entry.to_bytes()) {
                Some((name, _)) => inheriting.passes(name) && seen.insert(name),
                None => !inheriting.clear,
            };
            if passes {
                entries.push(Entry::Inherited(entry));
            }
        }
        Environment { entries }
    }

    /// Assigns a value, in place of the one that the name had, or at the end; gives its place.
    pub fn assign(&mut self, name: &[u8], value: &[u8]) -> usize {
        let entry = Entry::Assigned(joined(name, value));
        match self.position(name) {
            Some(at) => {
                self.entries[at] = entry;
                at
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        }
    }

    /// Removes the variables whose names don't pass.
    pub fn retain(&mut self, passes: impl Fn(&[u8]) -> bool) {
        let name = |entry: &Entry<'_>| split(entry.bytes()).map(|(name, _)| passes(name));
        self.entries.retain(|entry| name(entry).unwrap_or(true));
    }

    /// The value of a name.
    pub fn value(&self, name: &[u8]) -> Option<&[u8]> {
        let (_, value) = split(self.entries[self.position(name)?].bytes())?;
        Some(value)
    }

    /// The variables in order: each with its place, name and value.
    pub fn variables(&self) -> impl Iterator<Item = (usize, &[u8], &[u8])> {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(place, entry)| {
                split(entry.bytes()).map(|(name, value)| (place, name, value))
            })
    }

    /// Every entry in order.
    pub fn entries(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().map(Entry::bytes)
    }

    /// Gives the variables at these places (which ascend) other values, or removes those whose
    /// value is `None`.
    pub fn fill(&mut self, values: Vec<(usize, Option<Vec<u8>>)>) {
        let mut values = values.into_iter().peekable();
        let mut place = 0;
        self.entries.retain_mut(|entry| {
            let filled = values.next_if(|(at, _)| *at == place);
            place += 1;
            match filled {
                None => true,
                Some((_, None)) => false,
                Some((_, Some(filled))) => {
                    *entry = Entry::Assigned(filled);
                    true
                }
            }
        });
    }

    /// The block for the exec. Every entry's [`refusal`] has been looked for before.
    pub fn seal(self) -> Block<'a> {
        let seal = |entry| match entry {
            Entry::Inherited(entry) => Cow::Borrowed(entry),
            Entry::Assigned(entry) => Cow::Owned(CString::new(entry).unwrap_or_default()),
        };
        self.entries.into_iter().map(seal).collect()
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        let is_it = |entry: &Entry| value_in(entry.bytes(), name).is_some();
        self.entries.iter().position(is_it)
    }
}

/// Why the kernel would not take a variable.
pub fn refusal(name: &[u8], value: &[u8]) -> Option<Cause> {
    let length = name.len() + value.len() + 2;
    if length > LONGEST {
        Some(Cause::TooLong(length))
    } else {
        value.contains(&0).then_some(Cause::Nul)
    }
}
