//! Locations of values in a store, and the text of a direct reference to one.

use std::fmt;

use super::name::Name;

/// The location of a value in a store. A store makes one of a scope and a name. A direct reference
/// is the text of one, `PATH[#KEY[#VERSION]]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The path of a value, or of a document that holds several.
    pub path: String,
    /// The key in the document; `None` if the path leads to the value itself.
    pub key: Option<String>,
    /// The version, as the store counts them; `None` for the newest.
    pub version: Option<String>,
}

/// A part of a location's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocationPart {
    /// The text before the first `#`.
    Path,
    /// The text after the first `#`.
    Key,
    /// The text after the second `#`.
    Version,
}

/// The part of a location that a kind of store can't take, and why.
pub type Misfit = (LocationPart, &'static str);

/// The kind of thing that a text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A value, `PATH[#KEY[#VERSION]]`.
    Value,
    /// A whole document, `PATH[#VERSION]`; its location has no key.
    Document,
}

/// Checks a location as it is written: returns the location that is meant, or the reason why it is
/// none.
pub type Judge = fn(Location, Form) -> Result<Location, Misfit>;

/// The word before the colon of a direct reference, and the check of the rest by its kind of store.
#[derive(Clone, Copy)]
pub struct Scheme {
    /// The word before the colon.
    pub word: &'static str,
    /// Checks a location as it is written: returns the location that is meant, or the reason why it
    /// is none.
    pub judge: Judge,
    /// True if a whole value is a reference without the word and the colon; `None` if there is no
    /// such form.
    pub bare: Option<fn(&str) -> bool>,
}

const MISSING_KEY: &str = "a key is missing";
const MISSING_VERSION: &str = "a version is missing";
const UNFIT: &str = "a character that can't stand in a reference";

impl Location {
    /// Makes the location of a member's newest version, by its name, in the document at a path.
    pub fn member(path: String, name: &Name) -> Self {
        Location {
            path,
            key: Some(name.to_string()),
            version: None,
        }
    }

    /// Splits a text of either form at its `#`.
    ///
    /// # Errors
    /// The offset of the fault, in bytes, and the reason.
    pub fn parse_as(form: Form, text: &str) -> Result<Self, (usize, &'static str)> {
        match form {
            Form::Value => Location::parse(text),
            Form::Document => Location::parse_document(text),
        }
    }

    /// Splits a text at its `#`.
    ///
    /// # Errors
    /// The offset of the fault, in bytes, and the reason.
    pub fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        const MISSING: [&str; 3] = ["a path is missing", MISSING_KEY, MISSING_VERSION];
        let mut parts = [None; 3];
        let mut at = 0;
        for (index, part) in text.split('#').enumerate() {
            let Some(place) = parts.get_mut(index) else {
                return Err((at - 1, UNFIT));
            };
            if part.is_empty() {
                return Err((at, MISSING[index]));
            }
            *place = Some(part);
            at += part.len() + 1;
        }
        let [path, key, version] = parts.map(|part| part.map(str::to_owned));
        Ok(Location {
            path: path.unwrap_or_default(),
            key,
            version,
        })
    }

    fn parse_document(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut location = Location::parse(text).map_err(|(at, reason)| match reason {
            MISSING_KEY => (at, MISSING_VERSION),
            _ => (at, reason),
        })?;
        if location.version.is_some() {
            return Err((location.offset(LocationPart::Version) - 1, UNFIT));
        }
        location.version = location.key.take();
        Ok(location)
    }

    /// Returns the offset of a part in the location's text, in bytes. A missing part would begin
    /// there with its `#`.
    pub fn offset(&self, part: LocationPart) -> usize {
        let after = |part: &Option<String>| part.as_ref().map_or(0, |text| text.len() + 1);
        match part {
            LocationPart::Path => 0,
            LocationPart::Key => self.path.len() + usize::from(self.key.is_some()),
            LocationPart::Version => {
                self.path.len() + after(&self.key) + usize::from(self.version.is_some())
            }
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        [&self.key, &self.version]
            .into_iter()
            .flatten()
            .try_for_each(|part| write!(f, "#{part}"))
    }
}
