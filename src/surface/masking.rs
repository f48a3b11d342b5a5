//! `run --mask`: what the supervisor is told to look for in the command's output.

use super::options::Options;
use crate::engines::fill::Piece;
use crate::engines::init::Supervised;
use crate::engines::resolve::Resolved;
use crate::pure::mask::needles::{Needles, too_short};
use crate::words::error::Error;

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

/// Tells the supervisor what to look for, where it is to.
///
/// # Errors
/// Usage, or the supervisor is gone.
pub fn arm(
    options: &Options,
    supervised: &mut Supervised,
    resolved: &Resolved<'_, '_>,
) -> Result<(), Error> {
    if !options.flag("mask") {
        return Ok(());
    }
    let window = window(options)?;
    let secrets = resolved.secrets();
    let values = || {
        secrets.iter().filter_map(|piece| match piece {
            Piece::Secret(label, value) => Some((label.as_str(), value.as_ref())),
            Piece::Text(_) => None,
        })
    };
    let mut short = too_short(values(), window);
    short.sort_unstable();
    short.dedup();
    if !short.is_empty() {
        let short = short.join(", ");
        ::log::warn!("not masked, as shorter than {window} bytes (--mask-min): {short}");
    }
    supervised.arm(&Needles::of(values(), window, supervised.key).to_bytes())
}
