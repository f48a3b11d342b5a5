//! `run --mask`: what the supervisor is told to look for in the command's output.

use std::collections::BTreeSet;

use super::options::Options;
use crate::core::mask::patterns::{Needles, too_short};
use crate::engine::lookup::Answers;
use crate::engine::substitute::{Filled, Piece};
use crate::engine::supervise::Supervised;
use crate::model::error::Error;
use crate::model::log::{self, Label};
use crate::model::secret::Secret;

/// How many bytes are looked for at least.
const USUAL: usize = 8;

/// The window: what has so many bytes or more is masked.
///
/// # Errors
/// Usage.
pub fn window(options: &Options) -> Result<usize, Error> {
    let Some(text) = options.text("mask-min")? else {
        return Ok(USUAL);
    };
    let window = text.parse().ok().filter(|bytes| (4..=32).contains(bytes));
    window.ok_or_else(|| options.usage("mask-min", "must be a number from 4 to 32"))
}

/// What is to be looked for, each value after what stands for it.
#[derive(Default)]
pub struct Sought(Vec<(String, Secret)>);

impl Sought {
    /// Adds a value. Where it is there already, the label that it has stays.
    pub fn add(&mut self, label: &str, value: &[u8]) {
        self.0.push((label.to_owned(), Secret::new(value.to_vec())));
    }

    /// Adds every value that was read.
    pub fn add_read(&mut self, answers: &Answers) {
        let read = answers.values();
        read.for_each(|(label, _, value)| self.add(&label, value.expose()));
    }

    /// Adds what a variable is filled in with.
    pub fn add_filled(&mut self, filled: &Filled<'_>) {
        let secrets = filled.iter().flatten().filter_map(Piece::secret);
        secrets.for_each(|(label, value)| self.add(label, value));
    }

    /// What the supervisor is to be told; says what is too short for it.
    ///
    /// # Errors
    /// Usage.
    pub fn needles(self, options: &Options, supervised: &Supervised) -> Result<Vec<u8>, Error> {
        let window = window(options)?;
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
        Ok(Needles::of(values(), window, supervised.key).to_bytes())
    }
}
