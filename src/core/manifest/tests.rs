//! Lists of variables: what is read, and what is a fault.

use super::{Unfit, container};
use crate::core::env_list::Given;

/// The variables as `NAME=value`, or the line, column and reason of the first fault.
fn read(text: impl AsRef<[u8]>, path: &str) -> Result<String, (usize, usize, String)> {
    let found = container(text.as_ref(), Some(path));
    let first = |mut faults: Vec<Unfit>| {
        let fault = faults.swap_remove(0);
        (fault.line, fault.column, fault.what)
    };
    let found = match found.map_err(first)? {
        (found, faults) if faults.is_empty() => found,
        (_, faults) => return Err(first(faults)),
    };
    let shown = found.variables.into_iter().map(|one| {
        let name = String::from_utf8(one.name).unwrap();
        match one.given {
            Given::Text(text) => format!("{name}={}", String::from_utf8(text).unwrap()),
            Given::Platform(source, optional) => format!("{name}<{source}{optional}"),
            Given::Inherited => name,
        }
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
    const FROM: &str = "this is not a mapping with one source";
    const BOTH: &str = "a variable has a value or a valueFrom, not both";
    const EQUALS: &str = "the name has = or NUL in it";
    const VALUE: &str = "the value is not a scalar";
    // A node inside itself.
    const ENDLESS: &str = "there is too much in this";
    const YAML: &str = "this is not YAML";
    const KEYS: &str = "a variable has a name, and a value or a valueFrom, and no other key";
    const MEANT_NAME: &str = "a variable has no such key; did you mean name?";
    const MEANT_VALUE: &str = "a variable has no such key; did you mean value?";
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
        ("env:\n- name: A\n  valueFrom: {}", 3, 14, FROM),
        ("{\"env\":[{\"name\":0,\"valueFrom\":0}]}", 1, 31, FROM),
        (
            "env: [{name: A, value: b, valueFrom: {a: {}}}]",
            1,
            27,
            BOTH,
        ),
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
        ("env:\n- &a {name: A, value: *a}", 2, 23, ENDLESS),
        ("{\"env\":[]} {}", 1, 12, YAML),
        ("env:\n\t- name: A", 2, 2, YAML),
        ("env: é: b", 1, 8, YAML),
        ("env: [*a]", 1, 7, YAML),
        ("env: []\n# \0", 2, 3, YAML),
    ] {
        let fault = Err((line, column, reason.to_owned()));
        assert_eq!(read(text, "env"), fault, "{text}");
    }
    let half = r#"{"env":[{"name":"\ud800"}]}"#;
    assert_eq!(
        read(half, "env"),
        Err((1, 17, "this is half of a surrogate pair".to_owned()))
    );
    assert_eq!(
        read(b"env: \n\xc3\xa9\xff", "env"),
        Err((2, 3, "this is not UTF-8".to_owned()))
    );
}

#[test]
fn bombs() {
    for open in ["- ", "? ", "[", "{", "[{\"\":"] {
        assert!(read(open.repeat(50_000), "env").is_err());
    }
    let [opening, closing] = ["[", "]"].map(|bracket| bracket.repeat(50_000));
    let deep = format!("{{\"a\":{opening}{closing},\"env\":[]}}");
    assert!(read(deep, "env").is_err());

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
