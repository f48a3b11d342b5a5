//! YAML and JSON texts as trees that know the place of each node.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::dotenv::BYTE_ORDER_MARK;
use super::json;
use crate::model::error::{Lines, Malformed};

pub(super) const NOT_YAML: &str = "this is not YAML";
pub(super) const TOO_MUCH: &str = "there is too much in this";

/// The most nodes that a text may come to, those that its aliases stand for included.
const MOST: usize = 100_000;

/// The most mappings that one mapping merges, those that these merge included.
const MERGES: usize = 100;

/// Deepest nesting of nodes.
pub(super) const DEEPEST: usize = 64;

/// A YAML text with one document, or a JSON text, as a tree in which every scalar is text: what is
/// written, and nothing for a null. Of a key that is repeated the first one counts.
///
/// # Errors
/// The first place where it is neither, or where it is too large.
pub fn tree(text: &[u8]) -> Result<Value, Malformed> {
    let tree = Tree::read(text)?;
    if let Some(&second) = tree.documents.get(1) {
        return Err(tree.fault(second, "more than one document"));
    }
    grown(&tree, tree.documents[0], 0, &mut MOST.clone())
}

fn grown(tree: &Tree<'_>, node: usize, depth: usize, left: &mut usize) -> Result<Value, Malformed> {
    if *left == 0 || depth > DEEPEST {
        return Err(tree.fault(node, TOO_MUCH));
    }
    *left -= 1;
    let mut inside = |node| grown(tree, node, depth + 1, left);
    Ok(match tree.view(node) {
        View::Scalar(text) => Value::String(text.to_owned()),
        View::List(items) => Value::Array(
            items
                .iter()
                .map(|&item| inside(item))
                .collect::<Result<_, _>>()?,
        ),
        View::Mapping(pairs) => {
            let mut map = Map::new();
            for pair in pairs.chunks_exact(2) {
                let (Value::String(key), value) = (inside(pair[0])?, inside(pair[1])?) else {
                    return Err(tree.fault(pair[0], "this key is no text"));
                };
                map.entry(key).or_insert(value);
            }
            Value::Object(map)
        }
    })
}

/// A YAML or JSON text and its nodes, which refer to each other by number. So neither aliases nor
/// deep nesting cost more than the text they take.
pub(super) struct Tree<'t> {
    text: &'t str,
    /// The root of each document. There is one at least: a text without any is a null.
    pub documents: Vec<usize>,
    nodes: Vec<Node<'t>>,
    /// The nodes that have an anchor, by the number that the parser gives it.
    anchored: BTreeMap<usize, usize>,
    /// The line breaks before each node of a JSON text are counted by these.
    lines: Option<Lines>,
}

struct Node<'t> {
    /// Start of the node in the text: in characters from 0, in JSON in bytes.
    index: usize,
    /// The line, from 1; in JSON none is known.
    line: usize,
    kind: NodeKind<'t>,
    /// Child nodes. In a mapping keys and values alternate.
    children: Vec<usize>,
}

enum NodeKind<'t> {
    Scalar(Cow<'t, str>),
    Null,
    List,
    Mapping,
    Alias(usize),
}

/// One level of a node.
#[derive(Clone, Copy)]
pub(super) enum View<'v> {
    /// The text of a scalar, which is empty for a null.
    Scalar(&'v str),
    List(&'v [usize]),
    /// Keys and values alternate.
    Mapping(&'v [usize]),
}

/// A key and its value.
pub(super) type Pair = (usize, usize);

impl<'t> Tree<'t> {
    /// Reads a text that is JSON as a whole as JSON, any other text as YAML 1.2. Tags have no
    /// effect. A scalar is its own text, so `010` and `yes` are text. A plain `null`, in any
    /// spelling of YAML's core schema (`~` is one), is empty.
    ///
    /// # Errors
    /// The first place where it is neither.
    pub fn read(text: &'t [u8]) -> Result<Self, Malformed> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let text = str::from_utf8(text)
            .map_err(|error| Malformed::at(text, error.valid_up_to(), "this is not UTF-8"))?;
        let mut tree = Tree {
            text,
            documents: Vec::new(),
            nodes: Vec::new(),
            anchored: BTreeMap::new(),
            lines: None,
        };
        match serde_json::from_str::<&RawValue>(text) {
            Ok(root) => {
                tree.lines = Some(Lines::of(text.as_bytes()));
                tree.json(&[], root)?;
            }
            Err(_) => tree.yaml()?,
        }
        Ok(tree)
    }

    fn json(&mut self, parents: &[usize], value: &'t RawValue) -> Result<(), Malformed> {
        let index = value.get().as_ptr().addr() - self.text.as_ptr().addr();
        let fault = |reason| Malformed::at(self.text.as_bytes(), index, reason);
        if parents.len() > DEEPEST {
            return Err(fault(TOO_MUCH));
        }
        let view = json::view(value).ok_or_else(|| fault("this is half of a surrogate pair"))?;
        let (kind, inside) = match view {
            json::View::Scalar(_) if value.get() == "null" => (NodeKind::Null, vec![]),
            json::View::Scalar(text) => (NodeKind::Scalar(text), vec![]),
            json::View::List(items) => (NodeKind::List, items),
            json::View::Mapping(pairs) => {
                let both = pairs.into_iter().flat_map(|(key, value)| [key, value]);
                (NodeKind::Mapping, both.collect())
            }
        };
        let node = self.add(parents, (index, 0), kind, 0);
        let parents = [parents, &[node]].concat();
        inside
            .into_iter()
            .try_for_each(|value| self.json(&parents, value))
    }

    fn yaml(&mut self) -> Result<(), Malformed> {
        // The parser would take it for the end of the text.
        if let Some(index) = self.text.chars().position(|character| character == '\0') {
            return Err(self.fault_at(index, NOT_YAML));
        }
        let mut parents = Vec::new();
        for event in Parser::new_from_str(self.text) {
            let (event, span) =
                event.map_err(|error| self.fault_at(error.marker().index(), NOT_YAML))?;
            let place = (span.start.index(), span.start.line());
            let (kind, anchor) = match event {
                Event::Scalar(text, style, anchor, _) => (meant(text, style), anchor),
                Event::Alias(anchor) if self.anchored.contains_key(&anchor) => {
                    (NodeKind::Alias(anchor), 0)
                }
                Event::Alias(_) => return Err(self.fault_at(place.0, NOT_YAML)),
                Event::SequenceStart(anchor, _) => (NodeKind::List, anchor),
                Event::MappingStart(anchor, _) => (NodeKind::Mapping, anchor),
                Event::SequenceEnd | Event::MappingEnd => {
                    parents.pop();
                    continue;
                }
                _ => continue,
            };
            let has_children = matches!(kind, NodeKind::List | NodeKind::Mapping);
            let node = self.add(&parents, place, kind, anchor);
            if has_children {
                parents.push(node);
            }
        }
        if self.documents.is_empty() {
            self.add(&[], (0, 1), NodeKind::Null, 0);
        }
        Ok(())
    }

    /// Adds a node to the last of its parents, and returns its number. The parser gives a node
    /// without an anchor 0 for it, which no alias has.
    fn add(
        &mut self,
        parents: &[usize],
        (index, line): (usize, usize),
        kind: NodeKind<'t>,
        anchor: usize,
    ) -> usize {
        let node = self.nodes.len();
        match parents.last() {
            Some(&parent) => self.nodes[parent].children.push(node),
            None => self.documents.push(node),
        }
        if anchor != 0 {
            self.anchored.insert(anchor, node);
        }
        self.nodes.push(Node {
            index,
            line,
            kind,
            children: Vec::new(),
        });
        node
    }

    /// Opens one level of a node.
    pub fn view(&self, node: usize) -> View<'_> {
        let node = &self.nodes[self.meant(node)];
        match &node.kind {
            NodeKind::Scalar(text) => View::Scalar(text),
            NodeKind::List => View::List(&node.children),
            NodeKind::Mapping => View::Mapping(&node.children),
            NodeKind::Null | NodeKind::Alias(_) => View::Scalar(""),
        }
    }

    /// True for a null, and for nothing at all.
    pub fn is_null(&self, node: usize) -> bool {
        matches!(self.nodes[self.meant(node)].kind, NodeKind::Null)
    }

    /// Returns the node that an alias stands for. An anchor is never an alias'.
    fn meant(&self, node: usize) -> usize {
        match self.nodes[node].kind {
            NodeKind::Alias(anchor) => self.anchored.get(&anchor).copied().unwrap_or(node),
            _ => node,
        }
    }

    /// Returns a scalar's text.
    pub fn scalar(&self, node: usize) -> Option<&str> {
        match self.view(node) {
            View::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// Lists the members of a mapping, those that merge keys (`<<`) add included; `None` for
    /// anything else. A mapping's own keys count, then those of the first that is merged.
    pub fn members(&self, node: usize) -> Option<Vec<Pair>> {
        self.merged(node, &mut MERGES.clone())
    }

    /// Lists the members of a mapping; `None` also where too much is merged.
    fn merged(&self, node: usize, left: &mut usize) -> Option<Vec<Pair>> {
        let View::Mapping(children) = self.view(node) else {
            return None;
        };
        let pairs = children.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        let is_merge = |pair: &Pair| self.scalar(pair.0) == Some("<<");
        let (merges, mut pairs): (Vec<Pair>, Vec<Pair>) = pairs.partition(is_merge);
        if merges.is_empty() {
            return Some(pairs);
        }
        let mut known: BTreeSet<_> = pairs
            .iter()
            .filter_map(|pair| self.scalar(pair.0))
            .collect();
        for (_, from) in merges {
            let from = match self.view(from) {
                View::List(all) => all.to_vec(),
                _ => vec![from],
            };
            for one in from {
                *left = left.checked_sub(1)?;
                let more = self.merged(one, left)?;
                let is_new = |pair: &Pair| self.scalar(pair.0).is_some_and(|key| known.insert(key));
                pairs.extend(more.into_iter().filter(is_new));
            }
        }
        Some(pairs)
    }

    /// Finds the one member with this key.
    ///
    /// # Errors
    /// The key is repeated.
    pub fn member(&self, members: &[Pair], wanted: &str) -> Result<Option<Pair>, Malformed> {
        let mut found = members
            .iter()
            .filter(|pair| self.scalar(pair.0) == Some(wanted));
        let first = found.next().copied();
        match found.next() {
            Some(&(key, _)) => Err(self.fault(key, "the key is repeated")),
            None => Ok(first),
        }
    }

    /// Returns the value of a mapping's key.
    pub fn get(&self, node: usize, wanted: &str) -> Option<usize> {
        let members = self.members(node)?;
        self.member(&members, wanted).ok()?.map(|(_, value)| value)
    }

    /// Returns the line of a node, from 1.
    pub fn line(&self, node: usize) -> usize {
        let node = &self.nodes[node];
        match &self.lines {
            Some(lines) => lines.fault(node.index, "").line,
            None => node.line,
        }
    }

    pub fn fault(&self, node: usize, reason: &'static str) -> Malformed {
        self.fault_at(self.nodes[node].index, reason)
    }

    fn fault_at(&self, index: usize, reason: &'static str) -> Malformed {
        if let Some(lines) = &self.lines {
            return lines.fault(index, reason);
        }
        let mut offsets = self.text.char_indices().map(|(offset, _)| offset);
        let offset = offsets.nth(index).unwrap_or(self.text.len());
        Malformed::at(self.text.as_bytes(), offset, reason)
    }
}

/// The kind of a scalar, which is a null in some spellings.
fn meant(text: Cow<'_, str>, style: ScalarStyle) -> NodeKind<'_> {
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" if style == ScalarStyle::Plain => NodeKind::Null,
        _ => NodeKind::Scalar(text),
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
