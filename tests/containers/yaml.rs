//! YAML as JSON, to look into examples.

use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

/// The one document of a YAML text, in which nothing is written twice. Anchors are followed.
pub fn read(text: &str) -> Value {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchored: Vec::new(),
    };
    loop {
        match reader.next() {
            Event::StreamStart | Event::DocumentStart(_) => {}
            first => return reader.node(first),
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchored: Vec<(usize, Value)>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Event<'t> {
        self.parser.next().expect("there is more").expect("YAML").0
    }

    fn node(&mut self, first: Event<'t>) -> Value {
        let (anchor, value) = match first {
            Event::Alias(which) => {
                let named = self.anchored.iter().find(|(anchor, _)| *anchor == which);
                return named.expect("an anchor").1.clone();
            }
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == saphyr_parser::ScalarStyle::Plain;
                let value = match &*text {
                    "true" if plain => Value::Bool(true),
                    "false" if plain => Value::Bool(false),
                    text => match text.parse::<i64>() {
                        // An octal number is a mode, and the one kind there is here.
                        Ok(_) if plain && text.starts_with('0') && text.len() > 1 => {
                            i64::from_str_radix(text, 8).unwrap().into()
                        }
                        Ok(number) if plain => number.into(),
                        _ => Value::String(text.to_owned()),
                    },
                };
                (anchor, value)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next() {
                        Event::SequenceEnd => break,
                        first => items.push(self.node(first)),
                    }
                }
                (anchor, Value::Array(items))
            }
            Event::MappingStart(anchor, _) => {
                let mut map = Map::new();
                loop {
                    let key = match self.next() {
                        Event::MappingEnd => break,
                        Event::Scalar(key, ..) => key.into_owned(),
                        other => panic!("{other:?} is no key"),
                    };
                    let first = self.next();
                    let value = self.node(first);
                    assert!(map.insert(key.clone(), value).is_none(), "{key} twice");
                }
                (anchor, Value::Object(map))
            }
            other => panic!("{other:?} is no value"),
        };
        self.anchored.push((anchor, value.clone()));
        value
    }
}
