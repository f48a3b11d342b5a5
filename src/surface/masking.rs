//! `run --mask`: what the supervisor is told to look for in the command's output.

use super::options::Options;
use crate::engines::init::Supervised;
use crate::pure::mask::needles::{Needles, too_short};
use crate::words::error::Error;
use crate::words::log::{self, Label};
use crate::words::secret::Secret;

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
    /// Adds a value, if it is not there.
    pub fn add(&mut self, label: &str, value: &[u8]) {
        if self.0.iter().all(|(_, known)| known.expose() != value) {
            self.0.push((label.to_owned(), Secret::new(value.to_vec())));
        }
    }

    /// Has the supervisor be told; says what is too short for it.
    ///
    /// # Errors
    /// Usage.
    pub fn arm(self, options: &Options, supervised: &mut Supervised) -> Result<(), Error> {
        let window = window(options)?;
        let values = || {
            let all = self.0.iter();
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
        supervised.arm(&Needles::of(values(), window, supervised.key).to_bytes());
        Ok(())
    }
}
