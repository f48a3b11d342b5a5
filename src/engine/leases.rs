//! Leases of a launch: each document is lent by one, which ends by itself or with a token.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::fetch::Fetched;
use super::lookup::{Answered, Answers, Question};
use super::supervise::HeldLease;
use crate::model::error::Error;
use crate::model::escape::Shown;
use crate::model::reference::{Reference, references};
use crate::stores::Lease;

/// The leases of a launch, and the variables and references that have them.
#[derive(Default)]
pub struct Lent {
    /// The variables with lent values, by their names as they are shown.
    pub variables: Vec<String>,
    /// The names of those variables in which nothing else is a secret.
    pub wholes: BTreeSet<Vec<u8>>,
    /// The labels that stand for the references, where their values aren't shown.
    pub labels: BTreeSet<String>,
    /// The leases, each once, with the scheme of the store and the path of the document.
    pub leases: Vec<(&'static str, String, Lease)>,
}

impl Lent {
    /// Looks for leases in what was fetched.
    pub fn of(fetched: &Fetched<'_>) -> Self {
        let mut lent = Lent::default();
        let answers = &fetched.answers;
        let mut known = BTreeSet::new();
        for (question, answered) in &answers.all {
            let found = answered.found();
            if let (Question::Direct(place), Some(found)) = (question, found)
                && let Some(lease) = &found.lease
                && !lease.id.is_empty()
                && known.insert(lease.id.as_str())
            {
                let path = place.location.path.clone();
                lent.leases.push((place.scheme, path, lease.clone()));
            }
        }
        for (_, variable, value) in &fetched.values {
            let (mut is_lent, mut is_whole) = (false, true);
            for reference in references(value) {
                if answers.to(reference).is_some_and(Answered::is_leased) {
                    is_lent = true;
                    lent.labels.insert(reference.label());
                } else {
                    is_whole = false;
                }
            }
            if is_lent {
                lent.variables.push(Shown(variable).to_string());
                lent.wholes.extend(is_whole.then(|| variable.clone()));
            }
        }
        for template in &fetched.templates {
            let references = template.references();
            let is_leased =
                |reference: &&Reference| answers.to(reference).is_some_and(Answered::is_leased);
            let labels: Vec<_> = references.filter(is_leased).map(Reference::label).collect();
            if let Some(out) = template.out.as_ref().filter(|_| !labels.is_empty()) {
                lent.variables.push(out.to_string());
                lent.labels.extend(labels);
            }
        }
        lent
    }

    /// Makes sure that the stores would lend the values that were not read.
    ///
    /// # Errors
    /// The reason why one of the stores would not.
    pub fn would_be(answers: &Answers) -> Result<(), Error> {
        let mut paths: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (question, answered) in &answers.all {
            if let Question::Direct(place) = question
                && answered.is_leased()
            {
                let known = paths.entry(place.scheme).or_default();
                known.insert(place.location.path.clone());
            }
        }
        for (scheme, paths) in &paths {
            let store = answers.stores.of_scheme(scheme);
            if let Some(lender) = store.and_then(|store| store.lender()) {
                lender.would_lend(paths).map_err(|trouble| Error::Store {
                    store: format!("{scheme}:"),
                    trouble,
                })?;
            }
        }
        Ok(())
    }

    /// True if there is no lease.
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// Returns the leases as a supervisor is told of them.
    pub fn held(&self) -> Vec<HeldLease> {
        let now = Instant::now();
        let held = |(scheme, path, lease): &(&'static str, String, Lease)| {
            let holder = lease.holder.as_deref().cloned().unwrap_or_default();
            HeldLease {
                scheme: (*scheme).to_owned(),
                path: path.clone(),
                id: lease.id.clone(),
                renewable: lease.renewable,
                lasts: lease.lasts,
                left: lease.end.saturating_duration_since(now),
                accessor: holder.accessor,
                token_renewable: holder.renewable,
                token_lasts: holder.lasts,
                token_left: holder.end.map(|end| end.saturating_duration_since(now)),
            }
        };
        self.leases.iter().map(held).collect()
    }

    /// True if the token of a lease was got by a credential that can be used once.
    pub fn is_once(&self) -> bool {
        let holders = self
            .leases
            .iter()
            .filter_map(|(_, _, lease)| lease.holder.as_ref());
        holders.into_iter().any(|holder| holder.is_once)
    }

    /// Returns the time that the shortest lease lasts from now on, and true if its token ends it.
    pub fn shortest(&self) -> Option<(Duration, bool)> {
        let ends = self.leases.iter().map(|(_, _, lease)| {
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

/// Formats a time as messages have it: whole seconds from ten on.
pub fn shown(time: Duration) -> String {
    let time = match time < Duration::from_secs(10) {
        true => Duration::from_millis((time.as_millis() as u64).div_ceil(100) * 100),
        // A lease of an hour was an hour when it was got.
        false => Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0)),
    };
    humantime::format_duration(time).to_string()
}
