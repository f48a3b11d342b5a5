//! The shape of a JSON, YAML or TOML text: its nodes one after the other, for comparing two texts.

use std::path::Path;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::value::RawValue;
use toml::de::{DeTable, DeValue};

use super::json::{View, view};

/// A format of texts that programs read their settings from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// JSON (RFC 8259).
    Json,
    /// YAML 1.2, any number of documents.
    Yaml,
    /// TOML 1.0.
    Toml,
}

/// Deepest nesting of nodes in JSON and TOML.
const DEEPEST: usize = 128;

/// A node, or the end of one with children.
#[derive(PartialEq, Eq)]
pub enum Node {
    /// The beginning of a list, a mapping or a document.
    Open(&'static str),
    /// The end of that.
    Close,
    /// A scalar.
    Scalar {
        /// The way in which it is written: a plain one, or one of several kinds in quotes.
        style: Style,
        /// True if it has a tag or an anchor.
        is_marked: bool,
        /// The content.
        text: String,
    },
}

/// The way in which a scalar is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// A plain scalar of YAML, in which some characters have a meaning.
    Plain,
    /// A value of JSON or TOML that is no string.
    Bare,
    /// A string in quotes or in a block; which one.
    Quoted(u8),
}

impl Format {
    /// Finds the format by a file's name: by its ending, or by the one before that, as in
    /// `config.yaml.tmpl`.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let (_, endings) = name.split_once('.')?;
        let known = |ending: &str| match ending.to_ascii_lowercase().as_str() {
            "json" => Some(Format::Json),
            "yaml" | "yml" => Some(Format::Yaml),
            "toml" => Some(Format::Toml),
            _ => None,
        };
        endings.rsplit('.').take(2).find_map(known)
    }

    /// Returns the format's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Json => "JSON",
            Format::Yaml => "YAML",
            Format::Toml => "TOML",
        }
    }

    /// Says that a text is not of this format.
    pub fn unreadable(self) -> &'static str {
        match self {
            Format::Json => "this is no JSON, whatever the references give",
            Format::Yaml => "this is no YAML, whatever the references give",
            Format::Toml => "this is no TOML, whatever the references give",
        }
    }

    /// Reads the nodes of a text.
    ///
    /// # Errors
    /// The offset in bytes at which the text is not of this format.
    pub fn nodes(self, text: &[u8]) -> Result<Vec<Node>, usize> {
        let text = str::from_utf8(text).map_err(|error| error.valid_up_to())?;
        let mut nodes = Vec::new();
        match self {
            Format::Json => json(text, &mut nodes)?,
            Format::Yaml => yaml(text, &mut nodes)?,
            Format::Toml => {
                let table = DeTable::parse(text);
                let table = table.map_err(|error| error.span().map_or(0, |span| span.start))?;
                toml_table(table.get_ref(), &mut nodes, 0)?;
            }
        }
        Ok(nodes)
    }
}

fn scalar(style: Style, text: &str) -> Node {
    let text = text.to_owned();
    Node::Scalar {
        style,
        is_marked: false,
        text,
    }
}

fn json(text: &str, nodes: &mut Vec<Node>) -> Result<(), usize> {
    let root: &RawValue = serde_json::from_str(text).map_err(|error| {
        let before = text
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1));
        let start: usize = before.map(str::len).sum();
        (start + error.column().saturating_sub(1)).min(text.len())
    })?;
    json_value(root, nodes, 0).ok_or(0)
}

fn json_value(value: &RawValue, nodes: &mut Vec<Node>, depth: usize) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    match view(value)? {
        View::Scalar(text) => {
            let style = match value.get().starts_with('"') {
                true => Style::Quoted(0),
                false => Style::Bare,
            };
            nodes.push(scalar(style, &text));
            return Some(());
        }
        View::List(items) => {
            nodes.push(Node::Open("list"));
            for item in items {
                json_value(item, nodes, depth + 1)?;
            }
        }
        View::Mapping(members) => {
            nodes.push(Node::Open("mapping"));
            for (key, value) in members {
                json_value(key, nodes, depth + 1)?;
                json_value(value, nodes, depth + 1)?;
            }
        }
    }
    nodes.push(Node::Close);
    Some(())
}

fn yaml(text: &str, nodes: &mut Vec<Node>) -> Result<(), usize> {
    let offset = |index: usize| {
        text.char_indices()
            .nth(index)
            .map_or(text.len(), |(at, _)| at)
    };
    // The parser would take it for the end of the text.
    if let Some(at) = text.find('\0') {
        return Err(at);
    }
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| offset(error.marker().index()))?;
        nodes.push(match event {
            Event::DocumentStart(_) => Node::Open("document"),
            Event::SequenceStart(..) => Node::Open("list"),
            Event::MappingStart(..) => Node::Open("mapping"),
            Event::DocumentEnd | Event::SequenceEnd | Event::MappingEnd => Node::Close,
            Event::Alias(anchor) => scalar(Style::Quoted(9), &anchor.to_string()),
            Event::Scalar(text, style, anchor, tag) => Node::Scalar {
                style: match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::Quoted(1),
                    ScalarStyle::DoubleQuoted => Style::Quoted(2),
                    ScalarStyle::Literal => Style::Quoted(3),
                    ScalarStyle::Folded => Style::Quoted(4),
                },
                is_marked: anchor != 0 || tag.is_some(),
                text: text.into_owned(),
            },
            _ => continue,
        });
    }
    Ok(())
}

fn toml_table(table: &DeTable<'_>, nodes: &mut Vec<Node>, depth: usize) -> Result<(), usize> {
    nodes.push(Node::Open("mapping"));
    // As they stand in the text: a key may be filled in.
    let mut members: Vec<_> = table.iter().collect();
    members.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in members {
        nodes.push(scalar(Style::Quoted(0), key.get_ref()));
        toml_value(value.get_ref(), nodes, depth + 1).map_err(|_| value.span().start)?;
    }
    nodes.push(Node::Close);
    Ok(())
}

fn toml_value(value: &DeValue<'_>, nodes: &mut Vec<Node>, depth: usize) -> Result<(), usize> {
    if depth > DEEPEST {
        return Err(0);
    }
    match value {
        DeValue::String(text) => nodes.push(scalar(Style::Quoted(0), text)),
        DeValue::Integer(number) => nodes.push(scalar(Style::Bare, number.as_str())),
        DeValue::Float(number) => nodes.push(scalar(Style::Bare, number.as_str())),
        DeValue::Boolean(yes) => nodes.push(scalar(Style::Bare, &yes.to_string())),
        DeValue::Datetime(time) => nodes.push(scalar(Style::Bare, &time.to_string())),
        DeValue::Table(table) => toml_table(table, nodes, depth)?,
        DeValue::Array(items) => {
            nodes.push(Node::Open("list"));
            for item in items {
                toml_value(item.get_ref(), nodes, depth + 1)?;
            }
            nodes.push(Node::Close);
        }
    }
    Ok(())
}
