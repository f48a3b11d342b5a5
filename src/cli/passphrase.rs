//! The question for the passphrase of a key.

use crate::model::error::Os;
use crate::model::secret::Secret;
use crate::sys::terminal::{self, LONGEST_LINE};

/// Asks a question at the terminal, without showing the answer.
///
/// # Errors
/// The reason why there is no answer, in words.
pub fn ask(question: &str) -> Result<Secret, String> {
    if !terminal::is_interactive() {
        let why = "nobody can be asked for it: standard input and standard error are no terminal";
        return Err(why.to_owned());
    }
    let answer = terminal::ask_hidden(question, LONGEST_LINE);
    let answer = answer.map_err(|why| format!("the terminal can't be read: {}", Os::from(why)))?;
    answer.ok_or_else(|| "it was not typed".to_owned())
}
