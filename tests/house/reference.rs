//! The grammar of references, held from outside: tables of what is read and of what is refused,
//! with column and reason.

use doorkey::model::error::Malformed;
use doorkey::model::location::Location;
use doorkey::model::name::{Level, Name};
use doorkey::model::reference::{Delivery, Direct, Filter, Part, Reference, Scoped, Target, Value};
use doorkey::stores::schemes;

pub fn parse(value: &[u8]) -> Result<Value, Malformed> {
    doorkey::model::reference::parse(value, &schemes(&[]))
}

pub fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn bare(text: &str) -> Reference {
    Reference {
        target: Target::Scoped(Scoped {
            level: None,
            name: name(text),
            member: None,
        }),
        filters: vec![],
        delivery: Delivery::Plain,
        fallback: None,
    }
}

pub fn place(scheme: &'static str, path: &str, key: &str, version: Option<u64>) -> Target {
    let location = Location {
        path: path.to_owned(),
        key: Some(key.to_owned()),
        version: version.map(|version| version.to_string()),
    };
    Target::Direct(Direct { scheme, location })
}

pub fn plain(target: Target) -> Reference {
    Reference {
        target,
        filters: vec![],
        delivery: Delivery::Plain,
        fallback: None,
    }
}

/// The scoped part of a reference that has one.
fn scoped(reference: &mut Reference) -> &mut Scoped {
    match &mut reference.target {
        Target::Scoped(scoped) => scoped,
        Target::Direct(_) => panic!("it is direct"),
    }
}

pub fn text(bytes: impl AsRef<[u8]>) -> Part {
    Part::Text(bytes.as_ref().to_vec())
}

#[test]
fn whole_values() {
    let with = |change: fn(&mut Reference)| {
        let mut reference = bare("a");
        change(&mut reference);
        reference
    };
    let long = "n".repeat(253);
    let table: Vec<(&[u8], Reference)> = vec![
        (b"secret:a", bare("a")),
        (b"secret:db-password", bare("db-password")),
        (b"secret:tls.crt", bare("tls.crt")),
        (b"secret:0", bare("0")),
        (b"secret:_-.", bare("_-.")),
        // A level's word is a name where no slash follows.
        (b"secret:team", bare("team")),
        (
            b"secret:team/a",
            with(|r| scoped(r).level = Some(Level::Team)),
        ),
        (
            b"secret:cluster/a",
            with(|r| scoped(r).level = Some(Level::Cluster)),
        ),
        (
            b"secret:project/a",
            with(|r| scoped(r).level = Some(Level::Project)),
        ),
        (b"secret:a#b", with(|r| scoped(r).member = Some("b".into()))),
        (
            b"secret:a#b.0.c",
            with(|r| scoped(r).member = Some("b.0.c".into())),
        ),
        (
            b"secret:a#b /:$\"'{[-",
            with(|r| scoped(r).member = Some("b /:$\"'{[-".into())),
        ),
        (
            "secret:a#schlüssel".as_bytes(),
            with(|r| scoped(r).member = Some("schlüssel".into())),
        ),
        (b"secret:a|trim", with(|r| r.filters = vec![Filter::Trim])),
        (
            b"secret:a|base64decode|trim|urlencode|base64|base64",
            with(|r| {
                r.filters = vec![
                    Filter::Base64Decode,
                    Filter::Trim,
                    Filter::UrlEncode,
                    Filter::Base64,
                    Filter::Base64,
                ]
            }),
        ),
        (
            b"secret:a|file",
            with(|r| r.delivery = Delivery::File(None)),
        ),
        (
            b"secret:a|trim|file:tls.key?b",
            with(|r| {
                r.filters = vec![Filter::Trim];
                r.delivery = Delivery::File(Some(name("tls.key")));
                r.fallback = Some(b"b".to_vec());
            }),
        ),
        (b"secret:a?", with(|r| r.fallback = Some(vec![]))),
        (
            b"secret:a?b}c",
            with(|r| r.fallback = Some(b"b}c".to_vec())),
        ),
        (
            b"secret:a?b?c|trim#d",
            with(|r| r.fallback = Some(b"b?c|trim#d".to_vec())),
        ),
        (
            b"secret:a?secret:b",
            with(|r| r.fallback = Some(b"secret:b".to_vec())),
        ),
        (
            b"secret:a?${secret:b}",
            with(|r| r.fallback = Some(b"${secret:b}".to_vec())),
        ),
        (
            b"secret:a?\xff\0\n",
            with(|r| r.fallback = Some(b"\xff\0\n".to_vec())),
        ),
        (
            b"secret:project/a#b|trim?c",
            with(|r| {
                scoped(r).level = Some(Level::Project);
                scoped(r).member = Some("b".into());
                r.filters = vec![Filter::Trim];
                r.fallback = Some(b"c".to_vec());
            }),
        ),
    ];
    for (value, expected) in table {
        assert_eq!(
            parse(value),
            Ok(Value::Whole(expected)),
            "{}",
            value.escape_ascii()
        );
    }
    assert_eq!(
        parse(format!("secret:{long}").as_bytes()),
        Ok(Value::Whole(bare(&long)))
    );
}

#[test]
fn single_places() {
    let key = |path: &str, key: &str| plain(place("vault", path, key, None));
    let table: Vec<(&[u8], Reference)> = vec![
        (
            b"vault:secret/data/db#password",
            key("secret/data/db", "password"),
        ),
        (
            b"vault:/secret/data/db#password",
            key("secret/data/db", "password"),
        ),
        (b"vault:db#-1", key("db", "-1")),
        (b"vault:db#tls.crt#-1", key("db", "tls.crt")),
        (b"vault:db#a b", key("db", "a b")),
        (b"bao:db#a#3", plain(place("bao", "db", "a", Some(3)))),
        (
            b"vault:db#a#2|trim?x",
            Reference {
                target: place("vault", "db", "a", Some(2)),
                filters: vec![Filter::Trim],
                delivery: Delivery::Plain,
                fallback: Some(b"x".to_vec()),
            },
        ),
        (
            b"vault:login",
            plain(Target::Direct(Direct {
                scheme: "vault",
                location: Location {
                    path: "login".to_owned(),
                    key: None,
                    version: None,
                },
            })),
        ),
    ];
    for (value, expected) in table {
        let read = parse(value);
        assert_eq!(read, Ok(Value::Whole(expected)), "{}", value.escape_ascii());
    }
    assert_eq!(
        parse(b"x${vault:a/b#c}y${bao:a#d#1}"),
        Ok(Value::Mixed(vec![
            text("x"),
            Part::Reference(key("a/b", "c")),
            text("y"),
            Part::Reference(plain(place("bao", "a", "d", Some(1)))),
        ]))
    );
    const PATH: &str = "a path is missing";
    const STEPS: &str = "a path has no empty steps, no '.' and no '..'";
    const HASH: &str = "'#' and a key must follow the path";
    const TRANSIT: &str =
        "this is a value that transit has encrypted, and no path; doorkey does not decrypt it";
    const KEY: &str = "a key is missing";
    const TEMPLATE: &str = "templates are not supported; name one key";
    let table: &[(&[u8], usize, &str)] = &[
        (b"vault:", 7, PATH),
        (b"vault:#a", 7, PATH),
        (b"vault:a", 8, HASH),
        (b"vault:a/../b#c", 7, STEPS),
        (b"vault:a//b#c", 7, STEPS),
        (b"vault:a/#c", 7, STEPS),
        (b"vault:a#", 9, KEY),
        (b"vault:a#${.b}", 9, TEMPLATE),
        (b"vault:a#b#c", 11, "the version is no number"),
        (b"vault:a#b#", 11, "a version is missing"),
        (b"vault:v1:abcd==", 7, TRANSIT),
        (b"${vault:a#b", 12, "the closing '}' is missing"),
        (b">>vault:a#b", 1, "references that write are not supported"),
    ];
    for &(value, column, reason) in table {
        let fault = parse(value).expect_err(&value.escape_ascii().to_string());
        let fault = (fault.column, fault.reason);
        assert_eq!(fault, (column, reason), "{}", value.escape_ascii());
    }
}

#[test]
fn mixed_values() {
    let a = || Part::Reference(bare("a"));
    let optional = |fallback: &str| {
        Part::Reference(Reference {
            fallback: Some(fallback.into()),
            ..bare("a")
        })
    };
    let table: Vec<(&str, Vec<Part>)> = vec![
        ("${secret:a}", vec![a()]),
        ("x${secret:a}y", vec![text("x"), a(), text("y")]),
        ("${secret:a}${secret:a}", vec![a(), a()]),
        ("${secret:a}}", vec![a(), text("}")]),
        ("{${secret:a}}", vec![text("{"), a(), text("}")]),
        (
            "$ $x ${y} $$ ${secret:a}$",
            vec![text("$ $x ${y} $$ "), a(), text("$")],
        ),
        ("x secret:b ${secret:a}", vec![text("x secret:b "), a()]),
        ("${secret:a?}", vec![optional("")]),
        ("${secret:a?b c}}", vec![optional("b c"), text("}")]),
        (
            "${secret:a?${secret:b}}",
            vec![optional("${secret:b"), text("}")],
        ),
        // Escapes.
        ("secret::", vec![text("secret:")]),
        ("secret::a", vec![text("secret:a")]),
        ("secret:::a", vec![text("secret::a")]),
        ("secret::x${secret:a}", vec![text("secret:x${secret:a}")]),
        ("$${secret:", vec![text("${secret:")]),
        ("$${secret:a}", vec![text("${secret:a}")]),
        ("$$${secret:a}", vec![text("$${secret:a}")]),
        ("$$$${secret:a}", vec![text("$$${secret:a}")]),
        (
            "x$${secret:y${secret:a}z",
            vec![text("x${secret:y"), a(), text("z")],
        ),
        ("${secret:a}$${secret:b}", vec![a(), text("${secret:b}")]),
    ];
    for (value, expected) in table {
        assert_eq!(
            parse(value.as_bytes()),
            Ok(Value::Mixed(expected)),
            "{value}"
        );
    }
}

#[test]
fn plain_values() {
    for value in [
        "",
        "secret",
        "secre:a",
        "Secret:a",
        "SECRET:a",
        " secret:a",
        "x secret:a",
        "$secret:a",
        "{secret:a}",
        "$ {secret:a}",
        "${ secret:a}",
        "${Secret:a}",
        "${secret}",
        "${secret",
        "$${secret",
        "$$$",
        "${",
        "secret\u{ff1a}a",
    ] {
        assert_eq!(parse(value.as_bytes()), Ok(Value::Plain), "{value}");
    }
}

#[test]
fn malformed_values() {
    const MISSING: &str = "a name is missing";
    const BEGINS: &str = "a name begins with a letter, a digit or '_'";
    const LONG: &str = "the name is longer than 253 bytes";
    const AT_ONCE: &str = "the name has to follow the colon at once, as in secret:NAME";
    const LEVEL: &str = "the word before '/' is not team, cluster or project";
    const STEP: &str = "an empty step in the member";
    const CONTROL: &str = "a control character in the member";
    const UTF8: &str = "the member is not UTF-8";
    const FILTER: &str =
        "the filter is not one of urlencode, base64, base64decode, trim, json, indent:N, file";
    const LAST: &str = "file must be the last filter";
    const STRAY: &str = "a character that can't stand in a reference";
    const BLANK: &str = "a blank stands at the end; leave it out";
    const BREAK: &str = "a line break stands at the end; leave it out, in YAML with |- or >-";
    const NO_ID: &str =
        "a scope takes no id here: write project/NAME, and give the id by --project";
    const CLOSING: &str = "the closing '}' is missing";
    let long = "n".repeat(254);
    let (whole_long, scoped_long, inline_long, long_level) = (
        format!("secret:{long}"),
        format!("secret:team/{long}"),
        format!("${{secret:{long}}}"),
        format!("secret:{long}/a"),
    );
    let table: &[(&[u8], usize, &str)] = &[
        (b"secret:", 8, MISSING),
        (b"secret:.a", 8, BEGINS),
        (b"secret:-a", 8, BEGINS),
        (b"secret: a", 8, AT_ONCE),
        (b"secret:?a", 8, BEGINS),
        (b"secret:#a", 8, BEGINS),
        (b"secret:}", 8, BEGINS),
        (b"secret:\xc3\xa4", 8, BEGINS),
        (b"secret:/a", 8, AT_ONCE),
        (b"secret:Team/a", 8, LEVEL),
        (b"secret:teams/a", 8, LEVEL),
        (b"secret:../a", 8, BEGINS),
        (b"secret:a/../b", 8, LEVEL),
        (b"secret:team/", 13, MISSING),
        (b"secret:team/.a", 13, BEGINS),
        (b"secret:team/../a", 13, BEGINS),
        (b"secret:team/team/a", 17, NO_ID),
        (b"secret:team/a/b", 14, NO_ID),
        (b"secret:a b", 9, STRAY),
        (b"secret:a ", 9, BLANK),
        (b"secret:a\n", 9, BREAK),
        (b"secret:a\r\n", 9, BREAK),
        (b"secret:a\0", 9, STRAY),
        (b"secret:a}", 9, STRAY),
        (b"secret:a:b", 9, STRAY),
        (b"secret:p@ss", 9, STRAY),
        (b"secret:a\xc3\xa4", 9, STRAY),
        (b"secret:a#", 10, STEP),
        (b"secret:a#.b", 10, STEP),
        (b"secret:a#b.", 12, STEP),
        (b"secret:a#b..c", 12, STEP),
        (b"secret:a#|trim", 10, STEP),
        (b"secret:a#b#c", 11, STRAY),
        (b"secret:a#b}", 11, STRAY),
        (b"secret:a#b\tc", 11, CONTROL),
        ("secret:a#ä\u{85}".as_bytes(), 12, CONTROL),
        (b"secret:a#b\xff", 11, UTF8),
        (b"secret:a|", 10, FILTER),
        (b"secret:a|upper", 10, FILTER),
        (b"secret:a|Trim", 10, FILTER),
        (b"secret:a| trim", 10, FILTER),
        (b"secret:a|trim|", 15, FILTER),
        (b"secret:a|trim#b", 14, STRAY),
        (b"secret:a|trim ", 14, BLANK),
        (b"secret:a|File", 10, FILTER),
        (b"secret:a|file|trim", 15, LAST),
        (b"secret:a|file:b|file", 17, LAST),
        (b"secret:a|file:", 15, MISSING),
        (b"secret:a|file:.b", 15, BEGINS),
        (b"secret:a|file:../b", 15, BEGINS),
        (b"secret:a|file:b/c", 16, STRAY),
        (b"${secret:", 10, MISSING),
        (b"${secret:}", 10, MISSING),
        (b"${secret::a}", 10, BEGINS),
        (b"${secret:team/}", 15, MISSING),
        (b"${secret:a", 11, CLOSING),
        (b"${secret:a#b", 13, CLOSING),
        (b"${secret:a|trim", 16, CLOSING),
        (b"${secret:a?b", 13, CLOSING),
        (b"x${secret:a b}", 12, STRAY),
        (b"${secret:a$}", 11, STRAY),
        (b"${secret:a}${secret:.b}", 21, BEGINS),
        (b"${secret:${secret:a}}", 10, BEGINS),
        (b"$${secret:${secret:a b}", 21, STRAY),
        (whole_long.as_bytes(), 8, LONG),
        (scoped_long.as_bytes(), 13, LONG),
        (inline_long.as_bytes(), 10, LONG),
        (long_level.as_bytes(), 8, LEVEL),
    ];
    for &(value, column, reason) in table {
        let fault = parse(value).expect_err(&value.escape_ascii().to_string());
        let fault = (fault.line, fault.column, fault.reason);
        assert_eq!(fault, (1, column, reason), "{}", value.escape_ascii());
    }
}

/// What faults and tables show of a reference: neither its member nor its fallback's text.
#[test]
fn shown_without_what_may_be_secret() {
    let Ok(Value::Whole(reference)) = parse(b"secret:team/a#member|trim?canary") else {
        panic!("a reference");
    };
    assert_eq!(reference.to_string(), "secret:team/a");
    assert_eq!(format!("{reference:?}"), "secret:team/a");
    let mixed = parse(b"canary${secret:a?canary}").unwrap();
    assert_eq!(format!("{mixed:?}"), "Mixed([[6 bytes], secret:a])");
}
