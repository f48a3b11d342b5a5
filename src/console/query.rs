//! The query of a request: `NAME=VALUE`, with `&` between, percent-encoded.

use percent_encoding::percent_decode_str;

/// The parts of a query.
#[derive(Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query. A part that is not UTF-8 is left out.
    pub fn parse(text: &str) -> Self {
        let decoded = |text| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
        // A form writes a space as a plus.
        let text = text.replace('+', " ");
        let parts = text.split('&').filter_map(|part| {
            let (name, value) = part.split_once('=')?;
            Some((decoded(name)?, decoded(value)?))
        });
        Query(parts.collect())
    }

    /// Returns a part's value; an empty text if there is none.
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn parts() {
        let query = Query::parse("a=1&b=%2Fx%20%C3%A9+%2B&a=2&c&=3&d=%FF&e=");
        assert_eq!(
            ["a", "b", "c", "d", "e", "f"].map(|name| query.get(name)),
            ["1", "/x é +", "", "", "", ""]
        );
    }
}
