//! `$(NAME)` in the values of a list, against a simple model of Kubernetes' rule.

use std::collections::BTreeMap;

use doorkey::core::manifest;
use doorkey::engine::specs::{Outside, Source, variables};
use doorkey::model::named::Named;
use proptest::prelude::*;

/// The value that Kubernetes makes of a text, one character after the other.
fn expanded(text: &str, further_up: &BTreeMap<String, String>) -> String {
    if let Some(rest) = text.strip_prefix("$$") {
        return "$".to_owned() + &expanded(rest, further_up);
    }
    if let Some((name, rest)) = text
        .strip_prefix("$(")
        .and_then(|rest| rest.split_once(')'))
    {
        let known = further_up.get(name).cloned();
        let value = known.unwrap_or_else(|| format!("$({name})"));
        return value + &expanded(rest, further_up);
    }
    let mut rest = text.chars();
    match rest.next() {
        None => String::new(),
        Some(first) => first.to_string() + &expanded(rest.as_str(), further_up),
    }
}

fn entries() -> impl Strategy<Value = Vec<(String, String)>> {
    let piece = prop_oneof![
        prop::sample::select(&["$", "$$", "$(", ")", "(", "A", "B", "é", " "][..])
            .prop_map(str::to_owned),
        prop::sample::select(&["A", "B", "C", "D", ""][..]).prop_map(|name| format!("$({name})")),
    ];
    let value = prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat());
    let name = prop::sample::select(&["A", "B", "C", "D"][..]).prop_map(str::to_owned);
    prop::collection::vec((name, value), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn a_list_is_expanded_as_by_kubernetes(entries in entries()) {
        let list: Vec<_> = entries
            .iter()
            .map(|(name, value)| serde_json::json!({"name": name, "value": value}))
            .collect();
        let text = serde_json::json!({"env": list}).to_string();
        let (container, _) = manifest::container(text.as_bytes(), None).unwrap();
        // What is inherited does not count.
        let known = |_: &[u8]| Some(b"inherited".to_vec());
        let outside = Outside {
            known: &known,
            interpolate: true,
            schemes: &[],
            distrust: None,
        };
        let file = Named::from(std::path::Path::new("spec.json"));
        let made = variables(&container, &file, &outside, &mut Default::default(), &mut vec![]);
        let made: Vec<(String, String)> = made
            .into_iter()
            .map(|one| match one.value {
                Ok(Source::Text(text)) => {
                    let [name, text] = [one.name, text].map(|text| String::from_utf8(text).unwrap());
                    (name, text)
                }
                _ => unreachable!("every value is text"),
            })
            .collect();
        let mut further_up = BTreeMap::new();
        let meant: Vec<(String, String)> = entries
            .into_iter()
            .map(|(name, value)| {
                let value = expanded(&value, &further_up);
                further_up.insert(name.clone(), value.clone());
                (name, value)
            })
            .collect();
        prop_assert_eq!(made, meant);
    }
}
