//! Suggestions for misspelt names.

use std::cell::Cell;

/// The shortest text that counts as the beginning of a longer one, in bytes.
const BEGINNING: usize = 3;

/// Finds the candidate most like `wanted` that may be a typing error: at most a third of it
/// differs, and not all of it. Without one, a candidate that begins with `wanted` counts, the
/// shortest first, or one with which `wanted` begins. Letter case does not count.
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
    if differs <= length.div_ceil(3) && differs < length {
        return Some(best);
    }
    let begins = |long: &str, short: &str| short.len() >= BEGINNING && long.starts_with(short);
    let longer = candidates
        .iter()
        .filter(|one| begins(&text(one).to_lowercase(), &wanted));
    let shorter = candidates
        .iter()
        .filter(|one| begins(&wanted, &text(one).to_lowercase()));
    let longer = longer.min_by_key(|one| text(one).len());
    longer.or_else(|| shorter.max_by_key(|one| text(one).len()))
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
        assert_eq!(nearest("db_pass"), Some("db_password"));
        assert_eq!(nearest("api_key_of_the_shop"), Some("api_key"));
        assert_eq!(nearest("d"), None);
        assert_eq!(super::nearest("b", &["a"], |name| name), None);
    }
}
