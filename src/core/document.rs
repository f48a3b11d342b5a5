//! YAML and JSON texts as trees that know the place of each node.

use std::borrow::Cow;
use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::json::{self, View};
use crate::model::error::Malformed;

const NOT_YAML: &str = "this is not YAML";

/// The most nodes that a text may come to, those that its aliases stand for included.
const MOST: usize = 100_000;

/// Deepest nesting of nodes.
const DEEPEST: usize = 64;

/// A YAML text with one document, or a JSON text, as a tree in which every scalar is text: what is
/// written, and nothing for a null. Of a key that is repeated the first one counts.
///
/// # Errors
/// The first place where it is neither, or where it is too large.
pub fn tree(text: &[u8]) -> Result<Value, Malformed> {
    let text = str::from_utf8(text)
        .map_err(|error| Malformed::at(text, error.valid_up_to(), "this is not UTF-8"))?;
    let yaml = Yaml::read(text)?;
    grown(&yaml, 0, 0, &mut MOST.clone())
}

fn grown(yaml: &Yaml<'_>, node: usize, depth: usize, left: &mut usize) -> Result<Value, Malformed> {
    if *left == 0 || depth > DEEPEST {
        return Err(yaml.fault(node, "there is too much in this"));
    }
    *left -= 1;
    let mut inside = |node| grown(yaml, node, depth + 1, left);
    Ok(match yaml.view(node)? {
        View::Scalar(text) => Value::String(text.into_owned()),
        View::List(items) => Value::Array(items.into_iter().map(inside).collect::<Result<_, _>>()?),
        View::Mapping(pairs) => {
            let mut map = Map::new();
            for (key, value) in pairs {
                let (Value::String(key), value) = (inside(key)?, inside(value)?) else {
                    return Err(yaml.fault(key, "this key is no text"));
                };
                map.entry(key).or_insert(value);
            }
            Value::Object(map)
        }
    })
}

/// A text as nodes, of which few are ever looked at.
pub(super) trait Tree {
    type Node: Copy;

    /// One level of a node. The scalar of a null is empty.
    fn view(&self, node: Self::Node) -> Result<View<'_, Self::Node>, Malformed>;

    fn fault(&self, node: Self::Node, reason: &'static str) -> Malformed;
}

/// A key and its value.
pub(super) type Pair<T> = (<T as Tree>::Node, <T as Tree>::Node);

/// A JSON text, of which each node is a part.
pub(super) struct Json<'t> {
    pub text: &'t str,
}

impl<'t> Tree for Json<'t> {
    type Node = &'t RawValue;

    fn view(&self, node: &'t RawValue) -> Result<View<'_, &'t RawValue>, Malformed> {
        if node.get() == "null" {
            return Ok(View::Scalar(Cow::Borrowed("")));
        }
        let view = json::view(node);
        view.ok_or_else(|| self.fault(node, "this is half of a surrogate pair"))
    }

    fn fault(&self, node: &'t RawValue, reason: &'static str) -> Malformed {
        let offset = node.get().as_ptr().addr() - self.text.as_ptr().addr();
        Malformed::at(self.text.as_bytes(), offset, reason)
    }
}

/// A YAML text and its nodes, the root first; a text without any is a null. They refer to each
/// other by number, so that neither aliases nor deep nesting cost more than the text they take.
#[derive(Default)]
pub(super) struct Yaml<'t> {
    text: &'t str,
    nodes: Vec<Node<'t>>,
    /// The nodes that have an anchor, by the number that the parser gives it.
    anchored: BTreeMap<usize, usize>,
}

struct Node<'t> {
    /// Start of the node in the text, in characters from 0.
    index: usize,
    kind: NodeKind<'t>,
    /// Child nodes. In a mapping keys and values alternate.
    children: Vec<usize>,
}

enum NodeKind<'t> {
    Scalar(Cow<'t, str>),
    List,
    Mapping,
    Alias(usize),
}

impl<'t> Yaml<'t> {
    pub fn read(text: &'t str) -> Result<Self, Malformed> {
        let mut yaml = Yaml {
            text,
            ..Yaml::default()
        };
        // The parser would take it for the end of the text.
        if let Some(index) = text.chars().position(|character| character == '\0') {
            return Err(yaml.fault_at(index, NOT_YAML));
        }
        let mut parents = Vec::new();
        for event in Parser::new_from_str(text) {
            let (event, span) =
                event.map_err(|error| yaml.fault_at(error.marker().index(), NOT_YAML))?;
            let index = span.start.index();
            match event {
                Event::Scalar(text, style, anchor, _) => {
                    yaml.add(
                        &parents,
                        index,
                        NodeKind::Scalar(meant(text, style)),
                        anchor,
                    );
                }
                Event::Alias(anchor) => {
                    yaml.add(&parents, index, NodeKind::Alias(anchor), 0);
                }
                Event::SequenceStart(anchor, _) => {
                    parents.push(yaml.add(&parents, index, NodeKind::List, anchor));
                }
                Event::MappingStart(anchor, _) => {
                    parents.push(yaml.add(&parents, index, NodeKind::Mapping, anchor));
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    parents.pop();
                }
                Event::DocumentStart(_) if !yaml.nodes.is_empty() => {
                    return Err(yaml.fault_at(index, "more than one document"));
                }
                _ => {}
            }
        }
        if yaml.nodes.is_empty() {
            yaml.add(&[], 0, NodeKind::Scalar(Cow::Borrowed("")), 0);
        }
        Ok(yaml)
    }

    /// Adds a node to the last of its parents, and returns its number. The parser gives a node
    /// without an anchor 0 for it, which no alias has.
    fn add(&mut self, parents: &[usize], index: usize, kind: NodeKind<'t>, anchor: usize) -> usize {
        let node = self.nodes.len();
        if let Some(&parent) = parents.last() {
            self.nodes[parent].children.push(node);
        }
        self.anchored.insert(anchor, node);
        self.nodes.push(Node {
            index,
            kind,
            children: Vec::new(),
        });
        node
    }

    fn fault_at(&self, index: usize, reason: &'static str) -> Malformed {
        let mut offsets = self.text.char_indices().map(|(offset, _)| offset);
        let offset = offsets.nth(index).unwrap_or(self.text.len());
        Malformed::at(self.text.as_bytes(), offset, reason)
    }
}

/// The text of a scalar, which is empty for a null.
fn meant(text: Cow<'_, str>, style: ScalarStyle) -> Cow<'_, str> {
    match &*text {
        "~" | "null" | "Null" | "NULL" if style == ScalarStyle::Plain => Cow::Borrowed(""),
        _ => text,
    }
}

impl Tree for Yaml<'_> {
    type Node = usize;

    fn view(&self, node: usize) -> Result<View<'_, usize>, Malformed> {
        let Node { kind, children, .. } = &self.nodes[node];
        Ok(match kind {
            NodeKind::Scalar(text) => View::Scalar(Cow::Borrowed(text)),
            NodeKind::List => View::List(children.clone()),
            NodeKind::Mapping => {
                let pairs = children.chunks_exact(2).map(|pair| (pair[0], pair[1]));
                View::Mapping(pairs.collect())
            }
            NodeKind::Alias(anchor) => match self.anchored.get(anchor) {
                Some(&node) => return self.view(node),
                None => return Err(self.fault(node, NOT_YAML)),
            },
        })
    }

    fn fault(&self, node: usize, reason: &'static str) -> Malformed {
        self.fault_at(self.nodes[node].index, reason)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::tree;

    #[test]
    fn trees() {
        let text = "a: &x [1, 'b', ~]\nb: {c: *x, a: true, a: no}\n";
        let list = json!(["1", "b", ""]);
        let expected = json!({"a": list, "b": {"c": list, "a": "true"}});
        assert_eq!(tree(text.as_bytes()), Ok(expected));
        assert_eq!(tree(br#"{"a": [1.0]}"#), Ok(json!({"a": ["1.0"]})));
        assert_eq!(tree(b""), Ok(json!("")));
        for (text, line, column) in [("a: [", 1, 5), ("a: 1\n[b]: 2", 2, 1)] {
            let at = tree(text.as_bytes()).unwrap_err();
            assert_eq!(
                (at.line, at.column),
                (line, column),
                "{text}: {}",
                at.reason
            );
        }
        let mut bomb = "a0: &a0 [x]\n".to_owned();
        for at in 1..30 {
            bomb += &format!("a{at}: &a{at} [*a{0}, *a{0}]\n", at - 1);
        }
        assert!(tree(bomb.as_bytes()).is_err());
        assert!(tree(format!("a: {}", "[".repeat(1000)).as_bytes()).is_err());
    }
}
