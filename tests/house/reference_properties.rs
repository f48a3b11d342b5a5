//! The grammar of references, held from outside: what is printed parses back, and no bytes panic.

use doorkey::model::name::Level;
use doorkey::model::reference::{Delivery, Filter, Part, Reference, Scoped, Target, Value};
use proptest::prelude::*;

use crate::reference::{name, parse, place, plain, text};

const FILTERS: [Filter; 4] = [
    Filter::UrlEncode,
    Filter::Base64,
    Filter::Base64Decode,
    Filter::Trim,
];

/// Any reference; `fallback` says what may stand after the question mark.
fn references(fallback: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Reference> {
    let level = prop_oneof![
        Just(Level::Team),
        Just(Level::Cluster),
        Just(Level::Project)
    ];
    let step = "[^#|?}.\\p{Cc}]{1,8}";
    let member = prop::collection::vec(step, 1..4).prop_map(|steps| steps.join("."));
    let filters = prop::collection::vec(prop::sample::select(&FILTERS[..]), 0..5);
    let in_scopes = (
        prop::option::of(level),
        "[A-Za-z0-9_][A-Za-z0-9._-]{0,252}",
        prop::option::of(member),
    );
    let in_scopes = in_scopes.prop_map(|(level, text, member)| {
        let name = name(&text);
        plain(Target::Scoped(Scoped {
            level,
            name,
            member,
        }))
    });
    let at_a_place = (
        prop::sample::select(&["vault", "bao"][..]),
        "[^#|?{}/.\\p{Cc}:][^#|?{}/.\\p{Cc}]{0,8}(/[^#|?{}/.\\p{Cc}]{1,8}){0,3}",
        "[^#|?{}$\\p{Cc}]{1,8}",
        prop::option::of(1..u64::MAX),
    );
    let at_a_place = at_a_place
        .prop_map(|(scheme, path, key, version)| plain(place(scheme, &path, &key, version)));
    let any = prop_oneof![in_scopes, at_a_place];
    let file = "[A-Za-z0-9_][A-Za-z0-9._-]{0,252}".prop_map(|text| name(&text));
    let delivery = prop_oneof![
        Just(Delivery::Plain),
        prop::option::of(file).prop_map(Delivery::File),
    ];
    let rest = (filters, delivery, prop::option::of(fallback));
    (any, rest).prop_map(|(any, (filters, delivery, fallback))| Reference {
        filters,
        delivery,
        fallback,
        ..any
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..40)
}

fn bytes_without(unwanted: u8) -> impl Strategy<Value = Vec<u8>> {
    bytes().prop_map(move |mut bytes| {
        bytes.retain(|&byte| byte != unwanted);
        bytes
    })
}

/// Bytes that often come near to a reference.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b"secret:",
        b"${secret:",
        b"$${secret:",
        b"vault:",
        b"${bao:",
        b">>",
        b"login",
        b"$",
        b"{",
        b"}",
        b":",
        b"/",
        b"#",
        b"|",
        b"?",
        b".",
        b"-",
        b"team/",
        b"project",
        b"a",
        b"db_password",
        b"trim",
        b"base64",
        b"file",
        b"\xff",
        b"\xc3\xa4",
        b"\0",
        b"\n",
        b" ",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..14).prop_map(|pieces| pieces.concat())
}

fn contains(value: &[u8], wanted: &[u8]) -> bool {
    value.windows(wanted.len()).any(|window| window == wanted)
}

proptest! {
    #[test]
    fn a_whole_reference_parses_back(reference in references(bytes())) {
        let value = reference.to_bytes();
        prop_assert!(parse(&value) == Ok(Value::Whole(reference)));
    }

    #[test]
    fn inline_references_parse_back(
        parts in prop::collection::vec((bytes_without(b'$'), references(bytes_without(b'}'))), 1..4),
        end in bytes_without(b'$'),
    ) {
        let mut value = b"=".to_vec();
        let mut expected = Vec::new();
        for (at, (before, reference)) in parts.into_iter().enumerate() {
            value.extend_from_slice(&before);
            value.extend([b"${", &reference.to_bytes()[..], b"}"].concat());
            let before = if at == 0 { [b"=", &before[..]].concat() } else { before };
            if !before.is_empty() {
                expected.push(text(before));
            }
            expected.push(Part::Reference(reference));
        }
        value.extend_from_slice(&end);
        if !end.is_empty() {
            expected.push(text(end));
        }
        prop_assert!(parse(&value) == Ok(Value::Mixed(expected)));
    }

    #[test]
    fn an_escaped_reference_is_text(reference in references(bytes_without(b'$'))) {
        let inside = reference.to_bytes();
        let escaped = [b"$${", &inside[..], b"}"].concat();
        prop_assert!(parse(&escaped) == Ok(Value::Mixed(vec![text(&escaped[1..])])));
        let colon = inside.iter().position(|&byte| byte == b':').unwrap();
        let escaped = [&inside[..colon], b":", &inside[colon..]].concat();
        prop_assert!(parse(&escaped) == Ok(Value::Mixed(vec![text(inside)])));
    }

    #[test]
    fn any_bytes_are_read_or_refused_inside_them(value in prop_oneof![bytes(), nearly()]) {
        if let Err(fault) = parse(&value) {
            prop_assert_eq!(fault.line, 1);
            prop_assert!((1..=value.len() + 1).contains(&fault.column), "{:?}", fault);
        }
    }

    #[test]
    fn only_what_starts_as_a_reference_is_one(value in prop_oneof![bytes(), nearly()]) {
        let words = ["secret:", "vault:", "bao:"].map(str::as_bytes);
        let starts = words.iter().any(|word| {
            value.starts_with(word) || contains(&value, &[b"${", *word].concat())
        }) || value.starts_with(b">>vault:") || value.starts_with(b">>bao:");
        prop_assert_eq!(parse(&value) == Ok(Value::Plain), !starts);
    }
}
