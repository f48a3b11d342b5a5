//! The environment that a deployment spec gives a container: a list of variables, each with a
//! `name` and a `value`, somewhere in a YAML or JSON text. The rest of the text may hold anything.

use std::fmt;

use super::document::{Json, Pair, Tree, Yaml};
use super::dotenv::BYTE_ORDER_MARK;
use super::json::{self, View};
use super::suggest::nearest;
use crate::model::error::Malformed;

/// Limit for the whole list: members of the items plus bytes of names and values. It is more than
/// a kernel hands a process, and stops aliases that repeat something large.
const LARGEST: usize = 8 << 20;

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

/// Reads the list at a dotted path of keys and indices, such as `containers.0.env`. Order and
/// repeated names are kept.
///
/// A text that is JSON as a whole is read as JSON, any other text as YAML 1.2 with one document.
/// Tags have no effect. A scalar is its own text, so `010` and `yes` are text. A plain `null`, in
/// any spelling of YAML's core schema (`~` is one), is empty.
///
/// # Errors
/// The first place where the text is neither, where the path ends early, or where an item is no
/// variable.
pub fn parse(text: &[u8], path: &str) -> Result<Vec<Variable>, Malformed> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let text = str::from_utf8(text)
        .map_err(|error| Malformed::at(text, error.valid_up_to(), "this is not UTF-8"))?;
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
    let items = match tree.view(node)? {
        View::List(items) => items,
        View::Scalar(null) if null.is_empty() => Vec::new(),
        _ => return Err(tree.fault(node, "this is not a list of variables")),
    };
    let mut variables = Vec::new();
    let mut size = 0;
    for item in items {
        let View::Mapping(members) = tree.view(item)? else {
            return Err(tree.fault(item, "this is not a mapping with a name and a value"));
        };
        let variable = variable(tree, item, &members)?;
        size += KEYS.len() + variable.name.len() + variable.value.len();
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

/// Makes a variable of an item's members.
fn variable<T: Tree>(tree: &T, item: T::Node, members: &[Pair<T>]) -> Result<Variable, Malformed> {
    if let Some((key, _)) = member(tree, members, "valueFrom")? {
        return Err(tree.fault(key, "valueFrom is not supported; write value: secret:NAME"));
    }
    for &(key, _) in members {
        let reason = match tree.view(key)? {
            View::Scalar(key) if KEYS.contains(&&*key) => continue,
            View::Scalar(key) => unknown(&key),
            _ => unknown(""),
        };
        return Err(tree.fault(key, reason));
    }
    let Some((_, name)) = member(tree, members, "name")? else {
        return Err(tree.fault(item, "the variable has no name"));
    };
    let value = match member(tree, members, "value")? {
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

/// Keys of a variable.
const KEYS: [&str; 2] = ["name", "value"];

/// Explains an unknown key. Its text may be anything and is not repeated.
fn unknown(key: &str) -> &'static str {
    match nearest(key, &KEYS, |known| known).copied() {
        Some("name") => "a variable has a name and a value alone; did you mean name?",
        Some(_) => "a variable has a name and a value alone; did you mean value?",
        None => "a variable has a name and a value alone",
    }
}

/// Finds the one member of a mapping with this key.
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

#[cfg(test)]
mod tests {
    use super::parse;

    /// The variables as `NAME=value`, or the line, column and reason of the fault.
    fn read(text: impl AsRef<[u8]>, path: &str) -> Result<String, (usize, usize, &'static str)> {
        let variables = parse(text.as_ref(), path);
        let variables = variables.map_err(|fault| (fault.line, fault.column, fault.reason))?;
        let shown = variables.into_iter().map(|one| {
            let [name, value] = [one.name, one.value].map(|text| String::from_utf8(text).unwrap());
            format!("{name}={value}")
        });
        Ok(shown.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn yaml_values() {
        for (written, value) in [
            ("010", "010"),
            ("yes", "yes"),
            ("1.0", "1.0"),
            ("a  b # c", "a  b"),
            ("a\n    b", "a b"),
            ("", ""),
            ("# c", ""),
            ("~", ""),
            ("null", ""),
            ("'null'", "null"),
            ("\"~\"", "~"),
            ("nUll", "nUll"),
            ("!!int \"1\"", "1"),
            ("!secret b", "b"),
            ("*a", "A"),
            (r#""\x41\u00e9\U0001f600\0\/""#, "A\u{e9}\u{1f600}\0/"),
            ("|\n    a\n     b\n", "a\n b\n"),
            (">-\n    a\n    b\n", "a b"),
        ] {
            let text = format!("env:\n- name: &a A\n  value: {written}\nother: [*a]");
            assert_eq!(read(&text, "env"), Ok(format!("A={value}")), "{text}");
        }
    }

    #[test]
    fn json_values() {
        for (written, value) in [
            (r#""\ud83d\ude00\/\u0000é""#, "\u{1f600}/\0é"),
            ("1.0", "1.0"),
            ("1e400", "1e400"),
            ("true", "true"),
            ("null", ""),
            (r#""null""#, "null"),
        ] {
            let text = format!(r#"{{"env":[{{"n\u0061me":"A","value":{written}}}]}}"#);
            assert_eq!(read(&text, "env"), Ok(format!("A={value}")), "{text}");
        }
    }

    #[test]
    fn lists() {
        let pod = "apiVersion: v1\r\n# c\r\ncontainers:\r\n- {image: a}\r\n- env:\r\n  - name: A\r\n\
                  \x20   value: 1\r\n  - {value: 2, name: B}\r\n  - \"name\": C\r\n";
        assert_eq!(read(pod, "containers.1.env"), Ok("A=1 B=2 C=".to_owned()));
        for (text, variables) in [
            ("env: []", ""),
            ("env:", ""),
            ("--- \nenv: [{name: A}, {name: A}]\n...\n", "A= A="),
            ("\u{feff}%YAML 1.2\n---\nenv: [name: 1]", "1="),
            ("\u{feff}{\"env\":[{\"name\":\"\\ud83d\\ude00\"}]}", "😀="),
            ("{\"env\": [name: A]} # flow YAML", "A="),
            ("x: &x {name: A, value: b}\nenv: [*x, *x]", "A=b A=b"),
            ("x: &x [{name: A, value: b}]\nenv: *x", "A=b"),
            ("{x: &x 1, y: &x 2, env: [name: *x]}", "2="),
            ("? [a]\n: b\n? {c: d}\nenv: [name: A]", "A="),
            ("a: 1\na: 2\nenv: [{name: A}]", "A="),
            ("a.env: [name: A]\n\"env\": [name: B]", "B="),
        ] {
            assert_eq!(read(text, "env"), Ok(variables.to_owned()), "{text}");
        }
    }

    #[test]
    fn faults() {
        const FURTHER: &str = "the path to the variables leads no further than this";
        const LIST: &str = "this is not a list of variables";
        const ITEM: &str = "this is not a mapping with a name and a value";
        const FROM: &str = "valueFrom is not supported; write value: secret:NAME";
        const EQUALS: &str = "the name has = or NUL in it";
        const VALUE: &str = "the value is not a scalar";
        const YAML: &str = "this is not YAML";
        const KEYS: &str = "a variable has a name and a value alone";
        const MEANT_NAME: &str = "a variable has a name and a value alone; did you mean name?";
        const MEANT_VALUE: &str = "a variable has a name and a value alone; did you mean value?";
        for (text, line, column, reason) in [
            ("", 1, 1, FURTHER),
            ("\n a: 1", 2, 2, FURTHER),
            ("\n[]", 2, 1, FURTHER),
            ("env: 1", 1, 6, LIST),
            ("env:\n  a: 1", 2, 3, LIST),
            ("{\"env\":\n {}}", 2, 2, LIST),
            ("env: []\nenv: []", 2, 1, "the key is repeated"),
            ("env:\n- name: A\n- B", 3, 3, ITEM),
            ("{\"env\":[\n[]]}", 2, 1, ITEM),
            ("env:\n- name: A\n  valueFrom: {}", 3, 3, FROM),
            ("{\"env\":[{\"é\":0,\"valueFrom\":0}]}", 1, 17, FROM),
            ("env:\n- value: 1", 2, 3, "the variable has no name"),
            ("env: [name: [A]]", 1, 13, "the name is not a scalar"),
            (
                "\u{feff}é: é\nenv: [{name: ''}]",
                2,
                14,
                "the name is empty",
            ),
            ("env: [name: A=]", 1, 13, EQUALS),
            (r#"{"env":[{"name":"\u0000"}]}"#, 1, 17, EQUALS),
            ("env: [{name: A, value: {}}]", 1, 24, VALUE),
            ("env:\n- {name: A, vlaue: b}", 2, 13, MEANT_VALUE),
            ("env:\n- {Name: A}", 2, 4, MEANT_NAME),
            ("env:\n- {name: A, secret: b}", 2, 13, KEYS),
            ("env:\n- {name: A, [value]: b}", 2, 13, KEYS),
            (
                "{\"env\":[{\"name\":\"A\",\n\"valeu\":0}]}",
                2,
                1,
                MEANT_VALUE,
            ),
            ("env: [{name: A, name: B}]", 1, 17, "the key is repeated"),
            ("env:\n- &a {name: A, value: *a}", 2, 23, VALUE),
            ("{\"env\":[]} {}", 1, 12, YAML),
            ("env:\n\t- name: A", 2, 2, YAML),
            ("env: é: b", 1, 8, YAML),
            ("env: [*a]", 1, 7, YAML),
            ("env: []\n# \0", 2, 3, YAML),
            ("env: []\n---\na", 2, 1, "more than one document"),
        ] {
            assert_eq!(read(text, "env"), Err((line, column, reason)), "{text}");
        }
        let half = r#"{"env":[{"name":"\ud800"}]}"#;
        assert_eq!(
            read(half, "env"),
            Err((1, 17, "this is half of a surrogate pair"))
        );
        assert_eq!(
            read(b"env: \n\xc3\xa9\xff", "env"),
            Err((2, 3, "this is not UTF-8"))
        );
    }

    #[test]
    fn bombs() {
        for open in ["- ", "? ", "[", "{", "[{\"\":"] {
            assert!(read(open.repeat(50_000), "env").is_err());
        }
        let [opening, closing] = ["[", "]"].map(|bracket| bracket.repeat(50_000));
        let deep = format!("{{\"a\":{opening}{closing},\"env\":[]}}");
        assert_eq!(read(deep, "env"), Ok(String::new()));

        let value = "a".repeat(20_000);
        let items = "- {name: A, value: *a}\n".repeat(1_000);
        let (_, _, reason) = read(format!("a: &a {value}\nenv:\n{items}"), "env").unwrap_err();
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
            if let Err((line, column, _)) = read(&text, "env") {
                let line = text.split('\n').nth(line - 1).unwrap();
                assert!(column <= line.len() + 1, "{text:?}");
            }
        }
    }
}
