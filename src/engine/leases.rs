//! What of a launch is lent: by a lease each document, which ends by itself or with a token.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::lookup::{Answered, Answers};
use super::resolve::Resolved;
use crate::model::escape::Shown;
use crate::model::reference::{Target, references};
use crate::stores::Lease;

/// The leases of a launch, and what of it is theirs.
#[derive(Default)]
pub struct Lent {
    /// The variables, by their names as they are shown.
    pub variables: Vec<String>,
    /// What stands for the references, where their values aren't shown.
    pub labels: BTreeSet<String>,
    /// The paths of the documents.
    pub paths: BTreeSet<String>,
    /// The leases, each once.
    pub leases: Vec<Lease>,
}

impl Lent {
    /// Looks for them in what was resolved.
    pub fn of(resolved: &Resolved<'_, '_>) -> Self {
        let mut lent = Lent::default();
        let answers = &resolved.answers;
        let mut known = BTreeSet::new();
        for found in answers.all.values().filter_map(Answered::found) {
            if let Some(lease) = &found.lease
                && !lease.id.is_empty()
                && known.insert(lease.id.as_str())
            {
                lent.leases.push(lease.clone());
            }
        }
        for (_, variable, value) in &resolved.values {
            let mut is_lent = false;
            for reference in references(value) {
                if let Target::Direct(place) = &reference.target
                    && is_leased(answers.to(reference))
                {
                    is_lent = true;
                    lent.labels.insert(reference.label());
                    lent.paths.insert(place.location.path.clone());
                }
            }
            if is_lent {
                lent.variables.push(Shown(variable).to_string());
            }
        }
        lent
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// How long the shortest lives from now on, and whether it is the token that ends it.
    pub fn shortest(&self) -> Option<(Duration, bool)> {
        let ends = self.leases.iter().map(|lease| {
            let holder = lease.holder.as_ref().and_then(|holder| holder.end);
            match holder.filter(|end| *end < lease.end) {
                Some(end) => (end, true),
                None => (lease.end, false),
            }
        });
        let (end, by_token) = ends.min()?;
        Some((end.saturating_duration_since(Instant::now()), by_token))
    }
}

fn is_leased(answered: Option<&Answered>) -> bool {
    let found = answered.and_then(Answered::found);
    found.is_some_and(|found| found.lease.is_some())
}

/// Whether any answer is lent.
pub fn any(answers: &Answers<'_>) -> bool {
    answers
        .all
        .values()
        .any(|answered| is_leased(Some(answered)))
}

/// A time as messages have it: whole seconds from ten on.
pub fn shown(time: Duration) -> String {
    let time = match time < Duration::from_secs(10) {
        true => Duration::from_millis((time.as_millis() as u64).div_ceil(100) * 100),
        // A lease of an hour was an hour when it was got.
        false => Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0)),
    };
    humantime::format_duration(time).to_string()
}
