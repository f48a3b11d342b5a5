//! References to secrets, in the values of variables. [`super::grammar`] reads them.

use std::fmt;

use super::location::Location;
use super::name::{Level, Name};
use super::named::ShownPath;

pub use super::grammar::{documents, parse, parse_inside};

/// A variable's value as read, before any secret is known.
#[derive(Debug, PartialEq, Eq)]
pub enum Value {
    /// A value without references and escapes: its bytes are passed on as they are.
    Plain,
    /// A value that is one reference.
    Whole(Reference),
    /// Text with references (or escapes) inside.
    Mixed(Vec<Part>),
}

/// A part of a mixed value.
#[derive(PartialEq, Eq)]
pub enum Part {
    /// Bytes to be passed on, escapes undone.
    Text(Vec<u8>),
    /// A reference to fill in.
    Reference(Reference),
}

/// Lists the references in a value.
pub fn references(value: &Value) -> impl Iterator<Item = &Reference> {
    let (whole, parts): (_, &[Part]) = match value {
        Value::Plain => (None, &[]),
        Value::Whole(reference) => (Some(reference), &[]),
        Value::Mixed(parts) => (None, parts),
    };
    let inside = parts.iter().filter_map(|part| match part {
        Part::Reference(reference) => Some(reference),
        Part::Text(_) => None,
    });
    whole.into_iter().chain(inside)
}

/// A reference to a value: its source, its filters, its delivery and its fallback.
#[derive(Clone, PartialEq, Eq)]
pub struct Reference {
    /// The source of the value.
    pub target: Target,
    /// The filters for the value, in their order.
    pub filters: Vec<Filter>,
    /// The form in which the value is delivered.
    pub delivery: Delivery,
    /// The text in place of a missing value; `None` if its absence is a fault.
    pub fallback: Option<Vec<u8>>,
}

/// The source of a value.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// A name in the scopes.
    Scoped(Scoped),
    /// A single place of a store.
    Direct(Direct),
}

/// A name in the scopes.
#[derive(Clone, PartialEq, Eq)]
pub struct Scoped {
    /// The kind of the one scope to search; `None` for every scope in force, narrowest first.
    pub level: Option<Level>,
    /// The name of the secret.
    pub name: Name,
    /// A dotted path into the secret, which is then JSON.
    pub member: Option<String>,
}

/// A single place of a store, independent of the scopes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Direct {
    /// The word before the colon.
    pub scheme: &'static str,
    /// The place, in the form that its kind of store uses.
    pub location: Location,
}

/// A change to a value on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Percent-encodes all but RFC 3986's unreserved characters.
    UrlEncode,
    /// Encodes as base64 (RFC 4648, padded).
    Base64,
    /// Decodes base64.
    Base64Decode,
    /// Drops ASCII white space at both ends.
    Trim,
}

/// The form in which a value is delivered to the workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// The value itself.
    #[default]
    Plain,
    /// A file, whose path stands in place of the value. It holds the file's name in a folder, if
    /// that is not the variable's name.
    File(Option<Name>),
}

impl Filter {
    const ALL: [(&'static str, Filter); 4] = [
        ("urlencode", Filter::UrlEncode),
        ("base64", Filter::Base64),
        ("base64decode", Filter::Base64Decode),
        ("trim", Filter::Trim),
    ];

    /// Returns the filter for a word in a reference.
    pub(super) fn new(word: &[u8]) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(name, _)| name.as_bytes() == word)
            .map(|(_, filter)| *filter)
    }

    /// Returns the filter's word in a reference.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, filter)| *filter == self)
            .map_or("", |(name, _)| name)
    }
}

impl From<Target> for Reference {
    /// Makes a reference without filters and without a fallback.
    fn from(target: Target) -> Self {
        Reference {
            target,
            filters: vec![],
            delivery: Delivery::Plain,
            fallback: None,
        }
    }
}

impl Reference {
    /// Returns the reference in full, as it would stand in a value; it parses back. The fallback's
    /// text is in it, so it must not be printed: `Display` is for that.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.source();
        if let Delivery::File(name) = &self.delivery {
            out.extend_from_slice(b"|file");
            if let Some(name) = name {
                out.push(b':');
                out.extend_from_slice(name.as_str().as_bytes());
            }
        }
        if let Some(text) = &self.fallback {
            out.push(b'?');
            out.extend_from_slice(text);
        }
        out
    }

    /// Returns the part of the reference that names the value's source and its filters.
    pub fn source(&self) -> Vec<u8> {
        let mut out = self.to_string().into_bytes();
        if let Target::Scoped(Scoped {
            member: Some(member),
            ..
        }) = &self.target
        {
            out.push(b'#');
            out.extend_from_slice(member.as_bytes());
        }
        for filter in &self.filters {
            out.push(b'|');
            out.extend_from_slice(filter.as_str().as_bytes());
        }
        out
    }

    /// Shows the reference with its member and its filters, for a person who asks. A member that
    /// looks like a key or a token is not shown.
    pub fn in_full(&self) -> String {
        let mut out = self.to_string();
        if let Target::Scoped(Scoped {
            member: Some(member),
            ..
        }) = &self.target
        {
            out += &format!("#{}", ShownPath(member));
        }
        for filter in &self.filters {
            out += &format!("|{}", filter.as_str());
        }
        out
    }

    /// True if it gives the same value as another reference, if neither value is missing.
    pub fn gives_what(&self, other: &Reference) -> bool {
        self.target == other.target && self.filters == other.filters
    }

    /// True if the value is delivered in a file.
    pub fn is_file(&self) -> bool {
        self.delivery != Delivery::Plain
    }

    /// Returns the name that stands for the value where the value is not shown.
    pub fn label(&self) -> String {
        match &self.target {
            Target::Scoped(scoped) => scoped.name.to_string(),
            Target::Direct(direct) => direct.to_string(),
        }
    }
}

/// Shows the reference as faults and tables name it: scope and name, or path and key.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Scoped(scoped) => {
                f.write_str("secret:")?;
                if let Some(level) = scoped.level {
                    write!(f, "{level}/")?;
                }
                scoped.name.fmt(f)
            }
            Target::Direct(direct) => direct.fmt(f),
        }
    }
}

impl fmt::Display for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme, self.location)
    }
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Shows the same text as `Display`: the member and the fallback's text must not be printed.
impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Text(text) => write!(f, "[{} bytes]", text.len()),
            Part::Reference(reference) => reference.fmt(f),
        }
    }
}
