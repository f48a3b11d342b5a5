//! Messages to the supervisor about secrets: digests of the command's values for `--watch`, and
//! values to mask in its output for `--mask`.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;

use crate::core::mask::patterns::{Needles, too_short};
use crate::engine::fetch::Fetched;
use crate::engine::fill::{FilledVariable, Filling};
use crate::engine::leases::Lent;
use crate::engine::substitute::{Filled, Piece};
use crate::engine::supervise::{Digests, Supervised, digest};
use crate::model::log::{self, Label};
use crate::model::secret::Secret;

/// Makes the keyed digest of each variable's value, and of each file that is filled in, without the
/// leased parts.
pub fn digests(filling: &Filling<'_>, lent: &Lent, key: &[u8; 32]) -> Digests {
    let variables = filling.variables.iter();
    let variables = variables.filter(|one| !lent.wholes.contains(one.name));
    let of = |filled: &Filled<'_>| digest(key, filled, &lent.labels);
    let digest = |one: &FilledVariable<'_>| of(&one.filled);
    let variables = variables.map(|one| (one.name.to_vec(), digest(one)));
    let files = filling.rendered.iter().filter_map(|one| {
        let out = one.template.out.as_ref()?;
        Some((out.as_os_str().as_bytes().to_vec(), of(&one.filled)))
    });
    variables.chain(files).collect()
}

/// Values to mask, each after the label that stands for it.
#[derive(Default)]
pub struct Sought(Vec<(String, Secret)>);

impl Sought {
    /// Adds a value. Its first label stays if it is there already.
    fn add(&mut self, label: &str, value: &[u8]) {
        self.0.push((label.to_owned(), Secret::new(value.to_vec())));
    }

    /// Collects every value that was read, and those that each variable is filled in with.
    pub fn of(fetched: &Fetched<'_>, filling: &Filling<'_>) -> Self {
        let mut sought = Sought::default();
        let read = fetched.answers.values();
        read.for_each(|(label, _, value)| sought.add(&label, value.expose()));
        let variables = filling.variables.iter().map(|variable| &variable.filled);
        let files = filling.rendered.iter().map(|one| &one.filled);
        let pieces = variables.chain(files).flat_map(Filled::pieces);
        let secrets = pieces.filter_map(Piece::secret);
        secrets.for_each(|(label, value)| sought.add(label, value));
        sought
    }

    /// Makes the message to the supervisor, which masks values of `window` bytes or more. Warns of
    /// values that are shorter.
    pub fn needles(self, window: usize, supervised: &Supervised) -> Vec<u8> {
        let mut known = BTreeSet::new();
        let once: Vec<_> = self
            .0
            .iter()
            .filter(|(_, value)| known.insert(value.expose()))
            .collect();
        let values = || {
            let all = once.iter();
            all.map(|(label, value)| (label.as_str(), value.expose()))
        };
        let mut short = too_short(values(), window);
        short.sort_unstable();
        short.dedup();
        if !short.is_empty() {
            let short = short.join(", ");
            log::warning!(
                MaskedShort, reference = &Label(&short);
                "not masked, as shorter than {window} bytes (--mask-min): {short}"
            );
        }
        Needles::of(values(), window, supervised.key).to_bytes()
    }
}
