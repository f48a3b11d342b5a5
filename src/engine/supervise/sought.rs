//! Values that are looked for in the workload's output. The workload was launched with them, or may
//! have got them since, where its secrets change while it runs.

use crate::core::mask::patterns::Needles;

/// The number of sets of values that are looked for beside those of the launch and of its files.
/// The workload may show values that it has had before.
const KEPT: usize = 8;

/// The patterns that were told of values, as they were told.
#[derive(Default)]
pub(super) struct SoughtPatterns {
    /// True if patterns may be told more than once.
    changes: bool,
    launch: Vec<u8>,
    /// The patterns of the values that the workload's files have now.
    placed: Vec<u8>,
    /// The last patterns of values that the files have had, or were to have; the newest last.
    since: Vec<Vec<u8>>,
}

impl SoughtPatterns {
    /// Creates an empty set of patterns.
    pub(super) fn new(changes: bool) -> Self {
        SoughtPatterns {
            changes,
            ..SoughtPatterns::default()
        }
    }

    /// Adds patterns that were told. Returns all that is to be looked for then; nothing where the
    /// told ones can't be understood.
    pub(super) fn add(&mut self, told: &[u8]) -> Option<Needles> {
        if !self.changes {
            return Needles::from_bytes(told);
        }
        if self.launch.is_empty() {
            self.launch = told.to_vec();
        } else if self.since.last().is_none_or(|last| last != told) {
            self.since.push(told.to_vec());
            self.since.drain(..self.since.len().saturating_sub(KEPT));
        }
        let all = [&self.launch, &self.placed].into_iter().chain(&self.since);
        let all = all.filter(|told| !told.is_empty()).map(Vec::as_slice);
        Needles::from_all(&all.collect::<Vec<_>>())
    }

    /// Notes that the workload's files have the values that were told last.
    pub(super) fn place(&mut self) {
        self.placed = self.since.last().cloned().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::mask::making::Making;

    fn told(value: &str) -> Vec<u8> {
        let mut making = Making::new(8, [7; 32]);
        making.add("a", value.as_bytes());
        making.told()
    }

    #[test]
    fn what_the_workload_may_have_stays() {
        // The length of the longest needle tells which values are looked for.
        let longest = |needles: Option<Needles>| needles.unwrap().longest();
        let of = |length: usize| told(&"x".repeat(length));
        let alone = |length: usize| longest(Needles::from_bytes(&of(length)));
        let mut sought = SoughtPatterns::new(true);
        assert_eq!(longest(sought.add(&of(100))), alone(100));
        assert_eq!(longest(sought.add(&of(200))), alone(200));
        sought.place();
        // A value that could not be put in its place, again and again.
        for less in 1..3 * KEPT {
            assert_eq!(longest(sought.add(&of(100 - less))), alone(200));
        }
        assert_eq!((sought.since.len(), &sought.placed), (KEPT, &of(200)));
        sought.add(&of(50));
        sought.add(&of(50));
        sought.place();
        assert_eq!(longest(sought.add(&of(20))), alone(100));
        assert!(sought.since.ends_with(&[of(50), of(20)]));
        assert!(sought.add(b"nothing").is_none());
    }
}
