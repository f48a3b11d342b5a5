//! An environment: bytes, in order, untouched unless assigned.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::ffi::{CStr, CString};
use std::rc::Rc;

use crate::model::error::Cause;

/// The longest `NAME=value`, its ending NUL included (`MAX_ARG_STRLEN`: 32 pages of 4 KiB).
const LONGEST: usize = 131_072;

/// Names that stay when the inherited environment is cleared.
const ALWAYS: [&[u8]; 5] = [b"PATH", b"HOME", b"TERM", b"TZ", b"LANG"];

/// An environment as the kernel takes it.
pub type Block<'a> = Vec<Cow<'a, CStr>>;

/// One entry: as inherited, or `NAME=value` as assigned.
enum EnvEntry<'a> {
    Inherited(&'a CStr),
    Assigned(Vec<u8>),
}

impl EnvEntry<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            EnvEntry::Inherited(entry) => entry.to_bytes(),
            EnvEntry::Assigned(entry) => entry,
        }
    }
}

/// The environment of a workload while it is put together.
#[derive(Default)]
pub struct Environment<'a> {
    entries: Vec<EnvEntry<'a>>,
    /// Index of each name's entry.
    places: BTreeMap<Cow<'a, [u8]>, usize>,
    /// The file, and the line from 1, of each value that a file gives.
    said: BTreeMap<Vec<u8>, (Rc<str>, usize)>,
}

/// Rules for passing on the inherited environment.
#[derive(Default)]
pub struct Inheriting<'a> {
    /// Clear everything but a few names that most programs need.
    pub clear: bool,
    /// Names that are always kept.
    pub keep: BTreeSet<&'a [u8]>,
}

impl Inheriting<'_> {
    /// True for a name of doorkey's own that nobody asked to keep.
    pub fn strips(&self, name: &[u8]) -> bool {
        name.starts_with(b"DOORKEY_") && !self.keeps(name)
    }

    fn keeps(&self, name: &[u8]) -> bool {
        self.keep.contains(name)
    }

    fn passes(&self, name: &[u8]) -> bool {
        let cleared = self.clear && !ALWAYS.contains(&name) && !self.keeps(name);
        !cleared && !self.strips(name)
    }
}

/// Splits an entry at its first `=`. An entry without `=` or without a name is no variable.
fn split(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = entry
        .iter()
        .position(|&byte| byte == b'=')
        .filter(|&at| at > 0)?;
    Some((&entry[..at], &entry[at + 1..]))
}

/// Returns the value of an entry that has this name.
pub fn value_in<'a>(entry: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    entry.strip_prefix(name)?.strip_prefix(b"=")
}

/// Finds the value of a name in a block. The first entry counts, as for `getenv`.
pub fn lookup<'a>(block: &[&'a CStr], name: &[u8]) -> Option<&'a [u8]> {
    block
        .iter()
        .find_map(|entry| value_in(entry.to_bytes(), name))
}

/// The value of each name in a block, as [`lookup`] finds it.
pub fn values<'a>(block: &[&'a CStr]) -> BTreeMap<&'a [u8], &'a [u8]> {
    let mut values = BTreeMap::new();
    for (name, value) in block.iter().filter_map(|entry| split(entry.to_bytes())) {
        values.entry(name).or_insert(value);
    }
    values
}

/// Joins name and value to an entry, with room for the final NUL.
fn joined(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut entry = Vec::with_capacity(name.len() + value.len() + 2);
    entry.extend_from_slice(name);
    entry.push(b'=');
    entry.extend_from_slice(value);
    entry
}

impl<'a> Environment<'a> {
    /// Starts from the inherited block, in its order. A repeated name keeps its first entry, as
    /// `getenv` reads it. Entries that are no variables pass, unless the environment is cleared.
    pub fn inherit(block: &[&'a CStr], inheriting: &Inheriting<'_>) -> Self {
        let mut entries = Vec::with_capacity(block.len());
        let mut places = BTreeMap::new();
        for &entry in block {
            let passes = match split(entry.to_bytes()) {
                Some((name, _)) if !inheriting.passes(name) => false,
                Some((name, _)) => match places.entry(Cow::Borrowed(name)) {
                    btree_map::Entry::Vacant(place) => {
                        place.insert(entries.len());
                        true
                    }
                    btree_map::Entry::Occupied(_) => false,
                },
                None => !inheriting.clear,
            };
            if passes {
                entries.push(EnvEntry::Inherited(entry));
            }
        }
        Environment {
            entries,
            places,
            said: BTreeMap::new(),
        }
    }

    /// Assigns a value in the name's place, or at the end. Returns the entry's index.
    pub fn assign(&mut self, name: &[u8], value: &[u8]) -> usize {
        let entry = EnvEntry::Assigned(joined(name, value));
        self.said.remove(name);
        match self.position(name) {
            Some(at) => {
                self.entries[at] = entry;
                at
            }
            None => {
                let at = self.entries.len();
                self.places.insert(Cow::Owned(name.to_vec()), at);
                self.entries.push(entry);
                at
            }
        }
    }

    /// Notes the line of a file that gives a variable its value.
    pub fn note(&mut self, name: &[u8], file: &Rc<str>, line: usize) {
        self.said.insert(name.to_vec(), (Rc::clone(file), line));
    }

    /// Returns the place of the value of a name, where a file gives it: `FILE:LINE`.
    pub fn place_of(&self, name: &[u8]) -> Option<String> {
        let (file, line) = self.said.get(name)?;
        Some(format!("{file}:{line}"))
    }

    /// Removes the variables whose names do not pass.
    pub fn retain(&mut self, passes: impl Fn(&[u8]) -> bool) {
        self.keep_those(|_, entry| split(entry.bytes()).is_none_or(|(name, _)| passes(name)));
    }

    fn keep_those(&mut self, mut stays: impl FnMut(usize, &mut EnvEntry<'a>) -> bool) {
        // Where each is then, where it still is.
        let mut new = Vec::with_capacity(self.entries.len());
        let mut next = 0;
        self.entries.retain_mut(|entry| {
            let stays = stays(new.len(), entry);
            new.push(stays.then_some(next));
            next += usize::from(stays);
            stays
        });
        if next < new.len() {
            let moved = |place: &mut usize| new[*place].map(|new| *place = new).is_some();
            self.places.retain(|_, place| moved(place));
        }
    }

    /// Returns the value of a name.
    pub fn value(&self, name: &[u8]) -> Option<&[u8]> {
        let (_, value) = split(self.entries[self.position(name)?].bytes())?;
        Some(value)
    }

    /// Iterates over the variables in order: index, name, value.
    pub fn variables(&self) -> impl Iterator<Item = (usize, &[u8], &[u8])> {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(place, entry)| {
                split(entry.bytes()).map(|(name, value)| (place, name, value))
            })
    }

    /// Iterates over all entries in order.
    pub fn entries(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().map(EnvEntry::bytes)
    }

    /// Replaces the values at these indices, which ascend. `None` removes the variable.
    pub fn fill(&mut self, values: Vec<(usize, Option<Vec<u8>>)>) {
        let mut values = values.into_iter().peekable();
        self.keep_those(
            |place, entry| match values.next_if(|(at, _)| *at == place) {
                None => true,
                Some((_, None)) => false,
                Some((_, Some(filled))) => {
                    *entry = EnvEntry::Assigned(filled);
                    true
                }
            },
        );
    }

    /// Makes the block for the exec. The caller has checked every entry with [`refusal`].
    pub fn seal(self) -> Block<'a> {
        let seal = |entry| match entry {
            EnvEntry::Inherited(entry) => Cow::Borrowed(entry),
            EnvEntry::Assigned(entry) => Cow::Owned(CString::new(entry).unwrap_or_default()),
        };
        self.entries.into_iter().map(seal).collect()
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        self.places.get(name).copied()
    }
}

/// Explains why the kernel would refuse a variable; `None` if it takes the variable.
pub fn refusal(name: &[u8], value: &[u8]) -> Option<Cause> {
    let length = name.len() + value.len() + 2;
    if length > LONGEST {
        Some(Cause::TooLong(length))
    } else {
        value.contains(&0).then_some(Cause::Nul)
    }
}

#[cfg(test)]
mod tests {
    use super::{Environment, Inheriting};

    /// Whatever was removed before, a name is found where it is then.
    #[test]
    fn names_are_found_where_they_are() {
        let block = [c"A=1", c"none", c"B=2", c"C=3", c"B=4", c"D=5"];
        let mut environment = Environment::inherit(&block, &Inheriting::default());
        let value = |environment: &Environment<'_>, name: &str| {
            let value = environment.value(name.as_bytes());
            value.map(|value| String::from_utf8(value.to_vec()).unwrap())
        };
        environment.retain(|name| name != b"A");
        assert_eq!(environment.assign(b"C", b"6"), 2);
        assert_eq!(environment.assign(b"A", b"7"), 4);
        environment.fill(vec![(1, None), (3, Some(b"D=8".to_vec()))]);
        assert_eq!(environment.assign(b"A", b"9"), 3);
        assert_eq!(environment.assign(b"B", b"10"), 4);
        for (name, found) in [("A", "9"), ("B", "10"), ("C", "6"), ("D", "8")] {
            assert_eq!(value(&environment, name).as_deref(), Some(found));
        }
        let block = environment.seal();
        let block: Vec<_> = block.iter().map(|entry| entry.to_str().unwrap()).collect();
        assert_eq!(block, ["none", "C=6", "D=8", "A=9", "B=10"]);
    }
}
