//! Messages to the supervisor about secrets: digests of the command's values for `--watch`, and
//! values to mask in its output for `--mask`.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;

use super::flags;
use super::options::Options;
use crate::core::mask::making::Making;
use crate::core::mask::parts::parts;
use crate::core::mask::patterns::too_short;
use crate::engine::fetch::Fetched;
use crate::engine::fill::{FilledVariable, Filling};
use crate::engine::leases::Lent;
use crate::engine::substitute::Piece;
use crate::engine::supervise::{Digests, digest};
use crate::model::escape::Shown;
use crate::model::log::{self, Label};

/// Makes the keyed digest of each variable's value, without the leased parts.
pub fn digests(filling: &Filling<'_>, lent: &Lent, key: &[u8; 32]) -> Digests {
    let variables = filling.variables.iter();
    let variables = variables.filter(|one| !lent.wholes.contains(one.name));
    let digest = |one: &FilledVariable<'_>| digest(key, &one.filled, &lent.labels);
    variables
        .map(|one| (one.name.to_vec(), digest(one)))
        .collect()
}

/// Patterns of the values to mask, and the labels of values that are too short for it.
pub struct Sought {
    window: usize,
    needles: Vec<u8>,
    short: Vec<String>,
}

impl Sought {
    /// Makes the patterns of every value that was read, of those that each variable is filled in
    /// with, of the variables of `--mask-also`, and of the parts of all these. `window` is the
    /// length in bytes from which one is masked.
    pub fn of(
        options: &Options,
        fetched: &Fetched<'_>,
        filling: &Filling<'_>,
        window: usize,
        key: &[u8; 32],
    ) -> Self {
        let read = fetched.answers.values();
        let mut values: Vec<(String, &[u8])> = read
            .map(|(label, _, value)| (label, value.expose()))
            .collect();
        let variables = filling.variables.iter();
        let pieces = variables.flat_map(|variable| variable.filled.pieces());
        let secrets = pieces.filter_map(Piece::secret);
        values.extend(secrets.map(|(label, value)| (label.to_owned(), value)));
        for name in options.values(&flags::MASK_ALSO) {
            let name = name.as_bytes();
            let filled = filling.variables.iter().find(|one| one.name == name);
            let value = match filled {
                Some(filled) => filled.value(),
                None => fetched.environment.value(name),
            };
            values.extend(value.map(|value| (Shown(name).to_string(), value)));
        }
        // The first label of a value stays.
        let mut known = BTreeSet::new();
        values.retain(|(_, value)| known.insert(*value));
        let all = || values.iter().map(|(label, value)| (label.as_str(), *value));
        let mut short: Vec<_> = too_short(all(), window)
            .into_iter()
            .map(str::to_owned)
            .collect();
        short.sort_unstable();
        short.dedup();
        let mut making = Making::new(window, *key);
        all().for_each(|(label, value)| making.add(label, value));
        for (label, value) in all() {
            let sign = if label.contains('#') { '.' } else { '#' };
            parts(value, &mut |path, part| {
                if part.len() >= window {
                    making.add(&format!("{label}{sign}{path}"), part);
                }
            });
        }
        Sought {
            window,
            needles: making.told(),
            short,
        }
    }

    /// Returns the message to the supervisor. Warns of values that are too short.
    pub fn told(self) -> Vec<u8> {
        if !self.short.is_empty() {
            let (short, window) = (self.short.join(", "), self.window);
            log::warning!(
                MaskedShort, reference = &Label(&short);
                "not masked, as shorter than {window} bytes (--mask-min): {short}"
            );
        }
        self.needles
    }
}
