//! The environment that a deployment spec gives a container: a list of variables, each with a
//! `name` and a `value`, somewhere in a YAML or JSON text. The rest of the text may hold anything.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::value::RawValue;

use super::dotenv;
use super::json::{self, View};
use crate::words::error::Malformed;

/// How much all names and values may come to, in bytes: more than any kernel hands a process, yet
/// so little that many aliases of one large value do no harm.
const LARGEST: usize = 16 << 20;

const NOT_YAML: &str = "this is not YAML";

/// A variable of a deployment spec.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// The name, in UTF-8: not empty, without `=` and NUL.
    pub name: Vec<u8>,
    /// The value, in UTF-8; empty where the spec has none or null, as in Kubernetes.
    pub value: Vec<u8>,
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(&self.name);
        f.debug_struct("Variable")
            .field("name", &name)
            .finish_non_exhaustive()
    }
}

/// The variables in the list at a dotted path of keys and indices, such as `containers.0.env`, in
/// their order, repeated names and all.
///
/// A text that is JSON as a whole is read as that, any other as YAML 1.2 with one document. Tags
/// have no effect: a scalar is what is written, so `010` and `yes` are text, but a plain `null`, in
/// any spelling of YAML's core schema (`~` is one), is empty.
///
/// # Errors
/// The first place where the text is neither, where the list is not to be found, or where an item
/// of it is no variable.
pub fn parse(text: &[u8], path: &str) -> Result<Vec<Variable>, Malformed> {
    let text = match str::from_utf8(text) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            return Err(dotenv::fault(
                text,
                error.valid_up_to(),
                "this is not UTF-8",
            ));
        }
    };
    match serde_json::from_str(text) {
        Ok(root) => variables(&Json { text }, root, path),
        Err(_) => variables(&Yaml::read(text)?, 0, path),
    }
}

fn variables<T: Tree>(tree: &T, root: T::Node, path: &str) -> Result<Vec<Variable>, Malformed> {
    let mut node = root;
    for segment in path.split('.') {
        node = child(tree, node, segment)?;
    }
    let View::List(items) = tree.view(node)? else {
        return Err(tree.fault(node, "this is not a list of variables"));
    };
    let mut variables = Vec::new();
    let mut size = 0;
    for item in items {
        let variable = variable(tree, item)?;
        size += variable.name.len() + variable.value.len();
        if size > LARGEST {
            return Err(tree.fault(item, "the variables are too large together"));
        }
        variables.push(variable);
    }
    Ok(variables)
}

fn child<T: Tree>(tree: &T, node: T::Node, segment: &str) -> Result<T::Node, Malformed> {
    let child = match tree.view(node)? {
        View::Scalar(_) => None,
        View::List(items) => json::index(segment).and_then(|index| items.get(index).copied()),
        View::Mapping(members) => member(tree, &members, segment)?.map(|(_, value)| value),
    };
    child.ok_or_else(|| tree.fault(node, "the path to the variables leads no further than this"))
}

fn variable<T: Tree>(tree: &T, item: T::Node) -> Result<Variable, Malformed> {
    let View::Mapping(members) = tree.view(item)? else {
        return Err(tree.fault(item, "this is not a mapping with a name and a value"));
    };
    if let Some((key, _)) = member(tree, &members, "valueFrom")? {
        return Err(tree.fault(key, "valueFrom is not supported; write value: secret:NAME"));
    }
    let Some((_, name)) = member(tree, &members, "name")? else {
        return Err(tree.fault(item, "the variable has no name"));
    };
    let value = match member(tree, &members, "value")? {
        Some((_, value)) => scalar(tree, value, "the value is not a scalar")?,
        None => String::new(),
    };
    let text = scalar(tree, name, "the name is not a scalar")?;
    if text.is_empty() {
        return Err(tree.fault(name, "the name is empty"));
    }
    if text.contains(['=', '\0']) {
        return Err(tree.fault(name, "the name has = or NUL in it"));
    }
    Ok(Variable {
        name: text.into_bytes(),
        value: value.into_bytes(),
    })
}

/// The one member of a mapping that has this key.
fn member<T: Tree>(
    tree: &T,
    members: &[Pair<T>],
    wanted: &str,
) -> Result<Option<Pair<T>>, Malformed> {
    let mut found = None;
    for &(key, value) in members {
        let is_wanted = matches!(tree.view(key)?, View::Scalar(key) if key == wanted);
        if is_wanted && found.replace((key, value)).is_some() {
            return Err(tree.fault(key, "the key is repeated"));
        }
    }
    Ok(found)
}

fn scalar<T: Tree>(tree: &T, node: T::Node, otherwise: &'static str) -> Result<String, Malformed> {
    match tree.view(node)? {
        View::Scalar(text) => Ok(text.into_owned()),
        View::List(_) | View::Mapping(_) => Err(tree.fault(node, otherwise)),
    }
}

/// A text as nodes, of which few are ever looked at.
trait Tree {
    type Node: Copy;

    /// What a node is; the scalar of a null is empty.
    fn view(&self, node: Self::Node) -> Result<View<'_, Self::Node>, Malformed>;

    fn fault(&self, node: Self::Node, reason: &'static str) -> Malformed;
}

/// A key and its value.
type Pair<T> = (<T as Tree>::Node, <T as Tree>::Node);

/// A JSON text, of which each node is a part.
struct Json<'t> {
    text: &'t str,
}

impl<'t> Tree for Json<'t> {
    type Node = &'t RawValue;

    fn view(&self, node: &'t RawValue) -> Result<View<'_, &'t RawValue>, Malformed> {
        match node.get() {
            "null" => Ok(View::Scalar(Cow::Borrowed(""))),
            _ => json::view(node).ok_or_else(|| self.fault(node, "half of a surrogate pair")),
        }
    }

    fn fault(&self, node: &'t RawValue, reason: &'static str) -> Malformed {
        let offset = node.get().as_ptr().addr() - self.text.as_ptr().addr();
        dotenv::fault(self.text.as_bytes(), offset, reason)
    }
}

/// A YAML text and its nodes, the root first. They refer to each other by number, so that neither
/// aliases nor deep nesting cost more than the text that they take.
struct Yaml<'t> {
    text: &'t str,
    nodes: Vec<Node<'t>>,
    /// The nodes that have an anchor, by the number that the parser gives it.
    anchored: BTreeMap<usize, usize>,
}

struct Node<'t> {
    /// Where it starts, in characters.
    index: usize,
    kind: Kind<'t>,
    /// The nodes in it; of a mapping, keys and values in turn.
    children: Vec<usize>,
}

enum Kind<'t> {
    Scalar(Cow<'t, str>),
    List,
    Mapping,
    Alias(usize),
}

impl<'t> Yaml<'t> {
    fn read(text: &'t str) -> Result<Self, Malformed> {
        let mut yaml = Yaml {
            text,
            nodes: Vec::new(),
            anchored: BTreeMap::new(),
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
                    yaml.add(&parents, index, Kind::Scalar(meant(text, style)), anchor);
                }
                Event::Alias(anchor) => {
                    yaml.add(&parents, index, Kind::Alias(anchor), 0);
                }
                Event::SequenceStart(anchor, _) => {
                    parents.push(yaml.add(&parents, index, Kind::List, anchor));
                }
                Event::MappingStart(anchor, _) => {
                    parents.push(yaml.add(&parents, index, Kind::Mapping, anchor));
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
        Ok(yaml)
    }

    /// Adds a node, and returns its number. Without an anchor, the parser gives 0, which no alias has.
    fn add(&mut self, parents: &[usize], index: usize, kind: Kind<'t>, anchor: usize) -> usize {
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
        let offset = self
            .text
            .char_indices()
            .nth(index)
            .map(|(offset, _)| offset);
        dotenv::fault(
            self.text.as_bytes(),
            offset.unwrap_or(self.text.len()),
            reason,
        )
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
        // A text without a document has no nodes. It is null.
        let Some(Node { kind, children, .. }) = self.nodes.get(node) else {
            return Ok(View::Scalar(Cow::Borrowed("")));
        };
        Ok(match kind {
            Kind::Scalar(text) => View::Scalar(Cow::Borrowed(text)),
            Kind::List => View::List(children.clone()),
            Kind::Mapping => View::Mapping(
                children
                    .chunks_exact(2)
                    .map(|pair| (pair[0], pair[1]))
                    .collect(),
            ),
            Kind::Alias(anchor) => match self.anchored.get(anchor) {
                Some(&node) => return self.view(node),
                None => return Err(self.fault(node, NOT_YAML)),
            },
        })
    }

    fn fault(&self, node: usize, reason: &'static str) -> Malformed {
        self.fault_at(self.nodes.get(node).map_or(0, |node| node.index), reason)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    /// The variables as `NAME=value`, or the line, column and reason of the fault.
    fn read(text: &[u8], path: &str) -> Result<Vec<String>, (usize, usize, &'static str)> {
        let shown = |one: super::Variable| {
            String::from_utf8([&one.name, &b"="[..], &one.value].concat()).unwrap()
        };
        parse(text, path)
            .map(|all| all.into_iter().map(shown).collect())
            .map_err(|fault| (fault.line, fault.column, fault.reason))
    }

    #[test]
    fn yaml_values() {
        for (written, value) in [
            ("010", "010"),
            ("yes", "yes"),
            ("1.0", "1.0"),
            ("0x1F", "0x1F"),
            ("a  b # c", "a  b"),
            ("a\n    b", "a b"),
            ("", ""),
            ("# c", ""),
            ("~", ""),
            ("null", ""),
            ("NULL", ""),
            ("'null'", "null"),
            ("\"~\"", "~"),
            ("nUll", "nUll"),
            ("!!int \"1\"", "1"),
            ("!secret b", "b"),
            ("*a", "A"),
            ("'it''s'", "it's"),
            (r#""\x41\u00e9\U0001f600\0\/""#, "A\u{e9}\u{1f600}\0/"),
            ("|\n    a\n     b\n", "a\n b\n"),
            (">-\n    a\n    b\n", "a b"),
        ] {
            let text = format!("env:\n- name: &a A\n  value: {written}\n  other: [*a]");
            assert_eq!(
                read(text.as_bytes(), "env"),
                Ok(vec![format!("A={value}")]),
                "{text}"
            );
        }
    }

    #[test]
    fn json_values() {
        for (written, value) in [
            (r#""\ud83d\ude00\/\u0000😀""#, "😀/\0😀"),
            ("1.0", "1.0"),
            ("1e400", "1e400"),
            ("null", ""),
            (r#""null""#, "null"),
        ] {
            let text = format!(r#"{{"env":[{{"n\u0061me":"A","value":{written}}}]}}"#);
            assert_eq!(
                read(text.as_bytes(), "env"),
                Ok(vec![format!("A={value}")]),
                "{text}"
            );
        }
    }

    #[test]
    fn lists() {
        let pod = "apiVersion: v1\r\n# c\r\ncontainers:\r\n- {image: a}\r\n- env:\r\n  - name: A\r\n    \
                   value: 1\r\n  - {value: 2, name: B}\r\n  - \"name\": C\r\n";
        for (text, path, variables) in [
            (pod, "containers.1.env", "A=1 B=2 C="),
            ("env: []", "env", ""),
            (
                "--- \nenv: [{name: A}, {name: A, value: 1}]\n...\n",
                "env",
                "A= A=1",
            ),
            ("\u{feff}%YAML 1.2\n---\nenv: [name: 1]", "env", "1="),
            ("\u{feff}[[{\"name\":\"\\ud83d\\ude00\"}]]", "0", "😀="),
            ("{\"env\": [{name: A, value: b}]} # flow YAML", "env", "A=b"),
            ("x: &x {name: A, value: b}\nenv: [*x, *x]", "env", "A=b A=b"),
            ("x: &x [{name: A, y: *x}]\nenv: *x", "env", "A="),
            (
                "x: &x 1\ny: &x 2\nenv: [{name: A, value: *x}]",
                "env",
                "A=2",
            ),
            ("? [a]\n: b\n? {c: d}\nenv: [name: A]", "env", "A="),
            ("a: 1\na: 2\nenv: [{a: 1, a: 2, name: A}]", "env", "A="),
            ("\"a.b\":\n 1: [name: A]\n'1': [name: B]", "1", "B="),
        ] {
            let variables: Vec<_> = variables.split_terminator(' ').map(str::to_owned).collect();
            assert_eq!(read(text.as_bytes(), path), Ok(variables), "{text}");
        }
    }

    #[test]
    fn faults() {
        const NO_FURTHER: &str = "the path to the variables leads no further than this";
        const MAPPING: &str = "this is not a mapping with a name and a value";
        const FROM: &str = "valueFrom is not supported; write value: secret:NAME";
        const VALUE: &str = "the value is not a scalar";
        for (text, line, column, reason) in [
            (&b""[..], 1, 1, NO_FURTHER),
            (b"\n a: 1", 2, 2, NO_FURTHER),
            (b"\n[]", 2, 1, NO_FURTHER),
            (b"env:", 1, 4, "this is not a list of variables"),
            (b"env:\n  a: 1", 2, 3, "this is not a list of variables"),
            (b"{\"env\":\n {}}", 2, 2, "this is not a list of variables"),
            (b"env:\n- name: A\n- B", 3, 3, MAPPING),
            (b"{\"env\":[\n[]]}", 2, 1, MAPPING),
            (b"env:\n- name: A\n  valueFrom: {}", 3, 3, FROM),
            (
                b"{\"env\":[{\"name\":\"A\",\n \"valueFrom\":null}]}",
                2,
                2,
                FROM,
            ),
            (b"env:\n- value: 1", 2, 3, "the variable has no name"),
            (b"env: [{name: [A]}]", 1, 14, "the name is not a scalar"),
            (
                b"env: [{name: \"\xc3\xa9\", name: ''}]",
                1,
                20,
                "the key is repeated",
            ),
            (b"env: [name: ~]", 1, 13, "the name is empty"),
            (
                b"\xef\xbb\xbfenv: [{value: \xc3\xa9, name: ''}]",
                1,
                26,
                "the name is empty",
            ),
            (b"env: [{name: A=}]", 1, 14, "the name has = or NUL in it"),
            (
                b"{\"env\":[{\"name\":\"\\u0000\"}]}",
                1,
                17,
                "the name has = or NUL in it",
            ),
            (b"env: [{name: A, value: {}}]", 1, 24, VALUE),
            (
                b"{\"env\":[{\"name\":\"\xc3\xa9\",\"value\":[]}]}",
                1,
                30,
                VALUE,
            ),
            (b"a: &a []\nenv:\n- name: A\n  value: *a", 4, 10, VALUE),
            (
                b"{\"env\":[{\"name\":\"A\",\"value\":\"\\ud800\"}]}",
                1,
                29,
                "half of a surrogate pair",
            ),
            (b"{\"env\":[]} {}", 1, 12, "this is not YAML"),
            (b"env:\n\t- name: A", 2, 2, "this is not YAML"),
            (b"env: \xc3\xa9: b", 1, 8, "this is not YAML"),
            (b"env: [*a]", 1, 7, "this is not YAML"),
            (b"env: []\n# \0", 2, 3, "this is not YAML"),
            (b"env: []\n---\na", 2, 1, "more than one document"),
            (b"env: []\n\xc3\xa9\xff", 2, 3, "this is not UTF-8"),
        ] {
            let shown = String::from_utf8_lossy(text);
            assert_eq!(read(text, "env"), Err((line, column, reason)), "{shown}");
        }
    }

    #[test]
    fn bombs() {
        let deep = ["- ", "? ", "[", "{"].map(|open| open.repeat(100_000));
        for text in &deep {
            assert!(read(text.as_bytes(), "env").is_err());
        }
        let json = format!(
            "{{\"a\":{}{},\"env\":[]}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert_eq!(read(json.as_bytes(), "env"), Ok(vec![]));
        let items = "- {name: A, value: *a}\n".repeat(20_000);
        let bomb = format!("a: &a {}\nenv:\n{items}", "a".repeat(20_000));
        let (_, _, reason) = read(bomb.as_bytes(), "env").unwrap_err();
        assert_eq!(reason, "the variables are too large together");
    }

    #[test]
    fn any_text() {
        let words = "env:,\n,\n  ,- ,name: A,value: ,a, ,:,?,{,},[,],\",',|,>,&a ,*a,!!b ,#,%,---,\
                     \t,\r\n,\\ud83d,\\x4,~,\u{feff},\u{e9},\0,\u{85}";
        let words: Vec<_> = words.split(',').chain([","]).collect();
        let mut state = 1_u32;
        for length in (0..16).cycle().take(50_000) {
            let random = (0..length).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                words[(state >> 8) as usize % words.len()]
            });
            let text = random.collect::<String>();
            if let Err((line, column, _)) = read(text.as_bytes(), "env") {
                let line = text.split('\n').nth(line - 1).unwrap();
                assert!(column <= line.len() + 1, "{text:?}");
            }
        }
    }
}
