//! Suggestions for misspelt names.

use std::cell::Cell;

/// Finds the candidate most like `wanted` that may be a typing error: at most a third of it
/// differs, and not all of it. Letter case does not count.
pub fn nearest<'a, T>(
    wanted: &str,
    candidates: &'a [T],
    text: impl Fn(&T) -> &str,
) -> Option<&'a T> {
    let wanted = wanted.to_lowercase();
    let distance = |candidate: &T| strsim::osa_distance(&wanted, &text(candidate).to_lowercase());
    let length = wanted.chars().count();
    let best = candidates
        .iter()
        .min_by_key(|candidate| distance(candidate))?;
    let differs = distance(best);
    (differs <= length.div_ceil(3) && differs < length).then_some(best)
}

/// Comparisons for all suggestions of a launch together, about half a microsecond each.
const MOST: usize = 1 << 18;

/// Suggests names until [`MOST`] comparisons are used up.
#[derive(Default)]
pub struct Hints {
    compared: Cell<usize>,
}

impl Hints {
    /// Finds a suggestion as [`nearest`] does, while comparisons are left.
    pub fn nearest<'a, T>(
        &self,
        wanted: &str,
        candidates: &'a [T],
        text: impl Fn(&T) -> &str,
    ) -> Option<&'a T> {
        let before = self.compared.get();
        self.compared.set(before + candidates.len());
        let worth = before < MOST;
        worth.then(|| nearest(wanted, candidates, text)).flatten()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_what_is_like_it() {
        let names = ["db_password", "api_key"];
        let nearest = |wanted| super::nearest(wanted, &names, |name| name).copied();
        assert_eq!(nearest("db_pasword"), Some("db_password"));
        assert_eq!(nearest("DB_PASSWORD"), Some("db_password"));
        assert_eq!(nearest("smtp_token"), None);
        assert_eq!(super::nearest("b", &["a"], |name| name), None);
    }
}
