//! A check of values that are put into a text. The text has to keep the shape that it has with a
//! plain word in each place.

use super::shape::{Format, Node, Style};

/// A part of a text that is filled in.
pub enum Slice<'t> {
    /// Text that stays.
    Text(&'t [u8]),
    /// A place, and the value for it.
    Value(&'t [u8]),
}

/// The reason why a text that is filled in is not what it should be.
#[derive(Debug, PartialEq, Eq)]
pub enum Breach {
    /// The text is not of its format, whatever the values are: the part, and the offset in it.
    Template(usize, usize),
    /// Values break it: the parts that they are.
    Values(Vec<usize>),
}

/// Checks that values leave a text's shape as it is. A place of JSON or TOML outside of a string
/// may have any one value of the format.
///
/// # Errors
/// The text itself, or the values that break it.
pub fn check(format: Format, parts: &[Slice<'_>]) -> Result<(), Breach> {
    let mut template = Template {
        format,
        parts,
        bare: vec![false; parts.len()],
        nodes: Vec::new(),
    };
    template.read()?;
    if template.holds(|_| true) {
        return Ok(());
    }
    let places = (0..parts.len()).filter(|&at| matches!(parts[at], Slice::Value(_)));
    let places: Vec<usize> = places.collect();
    let breaks = |&at: &usize| !template.holds(|part| part == at);
    let alone: Vec<usize> = places.iter().copied().filter(|at| breaks(at)).collect();
    // Where none does alone, they do together.
    Err(Breach::Values(match alone.is_empty() {
        true => places,
        false => alone,
    }))
}

struct Template<'t> {
    format: Format,
    parts: &'t [Slice<'t>],
    /// True for a place outside of a string, where a plain word can't stand.
    bare: Vec<bool>,
    /// The nodes with a plain word in each place.
    nodes: Vec<Node>,
}

impl Template<'_> {
    /// The word that stands for a value.
    fn word(&self, at: usize) -> String {
        match self.bare[at] {
            true => format!("9{at:09}9"),
            false => format!("Doorkey{at}yek"),
        }
    }

    /// Reads the text with words in all places.
    fn read(&mut self) -> Result<(), Breach> {
        loop {
            let (text, starts) = self.text(|_| false);
            let offset = match self.format.nodes(&text) {
                Ok(nodes) => {
                    self.nodes = nodes;
                    return Ok(());
                }
                Err(offset) => offset,
            };
            let at = starts.partition_point(|start| *start <= offset).max(1) - 1;
            // A parser may point just behind a word that it can't take.
            let near = [at, at.saturating_sub(1)].into_iter().find(|&at| {
                let is_place = matches!(self.parts.get(at), Some(Slice::Value(_)));
                let end = starts.get(at + 1).copied().unwrap_or(text.len());
                is_place && !self.bare[at] && offset <= end
            });
            match near.filter(|_| self.format != Format::Yaml) {
                Some(place) => self.bare[place] = true,
                None => {
                    let start = starts.get(at).copied().unwrap_or(0);
                    return Err(Breach::Template(at, offset - start));
                }
            }
        }
    }

    /// Joins the parts, with the values that are wanted and words for the others. Also returns the
    /// offset of each.
    fn text(&self, wanted: impl Fn(usize) -> bool) -> (Vec<u8>, Vec<usize>) {
        let (mut text, mut starts) = (Vec::new(), Vec::new());
        for (at, part) in self.parts.iter().enumerate() {
            starts.push(text.len());
            match part {
                Slice::Value(value) if wanted(at) => text.extend_from_slice(value),
                Slice::Value(_) => text.extend_from_slice(self.word(at).as_bytes()),
                Slice::Text(part) => text.extend_from_slice(part),
            }
        }
        (text, starts)
    }

    /// True if the text has its shape with these values.
    fn holds(&self, wanted: impl Fn(usize) -> bool) -> bool {
        let (text, _) = self.text(&wanted);
        let Ok(nodes) = self.format.nodes(&text) else {
            return false;
        };
        let mut nodes = nodes.as_slice();
        for expected in &self.nodes {
            let Some((found, rest)) = nodes.split_first() else {
                return false;
            };
            let (fits, taken) = self.fits(expected, found, &wanted);
            if !fits {
                return false;
            }
            nodes = match taken {
                true => after_node(nodes),
                false => rest,
            };
        }
        nodes.is_empty()
    }

    /// Compares two nodes. The second is true if a whole node may stand there.
    fn fits(&self, expected: &Node, found: &Node, wanted: &impl Fn(usize) -> bool) -> (bool, bool) {
        let Node::Scalar { style, text, .. } = expected else {
            return (expected == found, false);
        };
        if *style == Style::Bare {
            let is_it = |at: usize| self.bare[at] && *text == self.word(at);
            if (0..self.parts.len()).any(is_it) {
                return (*found != Node::Close, true);
            }
        }
        let Some(meant) = self.meant(text, wanted) else {
            return (expected == found, false);
        };
        let Node::Scalar {
            style: found_style,
            is_marked: found_marked,
            text: found_text,
        } = found
        else {
            return (false, false);
        };
        let is_marked = matches!(
            expected,
            Node::Scalar {
                is_marked: true,
                ..
            }
        );
        let is_same = *found_style == *style && *found_marked == is_marked;
        // In a plain scalar the value may be another one by its quotes, a comment, line breaks.
        let is_whole = *style != Style::Plain || is_plainly(&meant, found_text.as_bytes());
        (is_same && is_whole, false)
    }

    /// Puts the values into a scalar's text; `None` if no place is in it.
    fn meant(&self, text: &str, wanted: &impl Fn(usize) -> bool) -> Option<Vec<u8>> {
        const BEGINNING: &str = "Doorkey";
        let mut rest = text;
        let mut meant = Vec::new();
        let mut any = false;
        while let Some(start) = rest.find(BEGINNING) {
            let after = &rest[start + BEGINNING.len()..];
            let place = after.split_once("yek").and_then(|(number, after)| {
                let at: usize = number.parse().ok()?;
                Some((at, self.parts.get(at)?, after))
            });
            meant.extend_from_slice(&rest.as_bytes()[..start]);
            rest = match place {
                Some((at, Slice::Value(value), after)) => {
                    any = true;
                    match wanted(at) {
                        true => meant.extend_from_slice(value),
                        false => meant.extend_from_slice(self.word(at).as_bytes()),
                    }
                    after
                }
                _ => {
                    meant.extend_from_slice(BEGINNING.as_bytes());
                    after
                }
            };
        }
        meant.extend_from_slice(rest.as_bytes());
        any.then_some(meant)
    }
}

/// True if a plain scalar has this content. Blanks at its ends never count; an empty one is null.
fn is_plainly(meant: &[u8], found: &[u8]) -> bool {
    let meant = meant.trim_ascii();
    meant == found.trim_ascii() || meant.is_empty() && found == b"~"
}

/// The nodes after the first one, with all in it.
fn after_node(nodes: &[Node]) -> &[Node] {
    let mut depth = 0_usize;
    for (at, node) in nodes.iter().enumerate() {
        match node {
            Node::Open(_) => depth += 1,
            Node::Close => depth = depth.saturating_sub(1),
            Node::Scalar { .. } => {}
        }
        if depth == 0 {
            return &nodes[at + 1..];
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::{Breach, Slice, check};
    use crate::core::shape::Format::{self, Json, Toml, Yaml};

    /// Fills `@` in a text with values, one after the other.
    fn judged(format: Format, text: &str, values: &[&str]) -> Result<(), Breach> {
        let mut values = values.iter();
        let mut parts = Vec::new();
        for (at, text) in text.split('@').enumerate() {
            if at > 0 {
                parts.push(Slice::Value(values.next().unwrap().as_bytes()));
            }
            parts.push(Slice::Text(text.as_bytes()));
        }
        check(format, &parts)
    }

    #[test]
    fn values_that_fit() {
        for (format, text, values) in [
            (Json, r#"{"a": "@", "b": ["x@y"]}"#, &["1\\n", "{}"][..]),
            (
                Json,
                r#"{"a": @, "b": [@, @], "@": 1}"#,
                &["1", "{\"x\": [1]}", "null", "k"],
            ),
            (
                Yaml,
                "a: @\nb: \"@\"\nc: |\n  @\n",
                &["1", "x\\\"", "l\n  m: n"],
            ),
            (Yaml, "a: @\n---\nb: '@ x'", &["", "''"]),
            (Yaml, "a: u:@@h\n", &["b#c:d", "x"]),
            (
                Toml,
                "a = \"@\"\nb = @\n[@]\nc = '@'",
                &["\\n", "[1, {c = 2}]", "t", "\\"],
            ),
            (Json, "1", &[]),
        ] {
            assert_eq!(judged(format, text, values), Ok(()), "{text}");
        }
    }

    #[test]
    fn values_that_break() {
        for (format, text, values, places) in [
            (Json, r#"{"a": "@", "b": "@"}"#, &["x", "\""][..], &[3][..]),
            (
                Json,
                r#"{"a": "@", "b": "@"}"#,
                &["\n", "\", \"c\": \"d"],
                &[1, 3],
            ),
            (Json, r#"{"a": @}"#, &["1, \"b\": 2"], &[1]),
            (
                Json,
                r#"{"a": "@", "b": "c@"}"#,
                &["\\", ", \"x\": \""],
                &[1, 3],
            ),
            (Yaml, "a: @\n", &["b\nc: d"], &[1]),
            (Yaml, "a: @\n", &["b #c"], &[1]),
            (Yaml, "a: @\n", &["\"b\""], &[1]),
            (Yaml, "a: @\n", &["!!str b"], &[1]),
            (Yaml, "a: @\n", &["[b]"], &[1]),
            (Yaml, "a: @\n", &["*b"], &[1]),
            (Yaml, "a: |\n  @\n", &["b\nc: d"], &[1]),
            (Yaml, "a: \"@\"", &["\\"], &[1]),
            (Toml, "a = \"@\"", &["\"\nb = \"c"], &[1]),
            (Toml, "a = @", &["1\nb = 2"], &[1]),
            (Toml, "a = '@'", &["'"], &[1]),
        ] {
            let expected = Err(Breach::Values(places.to_vec()));
            assert_eq!(judged(format, text, values), expected, "{text} {values:?}");
        }
        for (format, text, part, offset) in [
            (Json, "{\"a\": \"@\",\n // b\n}", 2, 4),
            (Yaml, "a: [@\nb: c", 2, 2),
            (Toml, "a = @\nb", 2, 2),
        ] {
            let found = judged(format, text, &["1"]);
            let Err(Breach::Template(at, from)) = found else {
                panic!("{text}: {found:?}");
            };
            assert_eq!((at, from >= offset), (part, true), "{text} {from}");
        }
    }

    #[test]
    fn names_of_files() {
        for (name, format) in [
            ("a.json", Some(Json)),
            ("a.YML", Some(Yaml)),
            ("/x.json/config.yaml.tmpl", Some(Yaml)),
            ("a.toml.in", Some(Toml)),
            ("a.json.yaml", Some(Yaml)),
            ("a.json.x.y", None),
            ("json", None),
            ("a.conf", None),
        ] {
            assert_eq!(Format::of(name.as_ref()), format, "{name}");
        }
    }
}
