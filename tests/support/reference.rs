//! A launch with one reference, in `V`.

use crate::Run;

impl Run {
    /// Gives the value of a reference, which this launch prints as `V`.
    #[track_caller]
    pub fn value_of(self, reference: &str) -> String {
        let out = self.env("V", reference).ok().out();
        out.strip_suffix('\n').unwrap().to_owned()
    }

    /// Gives the one fault of this launch with a reference, without the reference before it.
    #[track_caller]
    pub fn fault_of(self, reference: &str) -> String {
        let ended = self.env("V", reference).end();
        assert_eq!(ended.code(), 125);
        let said = ended.err();
        let said = said.trim_end().strip_prefix("doorkey: error: ").unwrap();
        let after = said.strip_prefix(&format!("V: {reference}: "));
        after.unwrap_or(said).to_owned()
    }
}
