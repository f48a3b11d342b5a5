//! Programs that stores ask: the faults that keep one from answering, and the text on its standard
//! error.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use crate::model::error::{Os, StoreError};
use crate::model::log;
use crate::model::named::{ShownLine, ShownPath};
use crate::model::secret::Secret;
use crate::sys::program::{Program, ProgramEnd};

/// The shortest word of an answer that lines are searched for, in bytes.
const SHORTEST: usize = 6;

/// A program's answer.
pub struct ProgramAnswer {
    /// The program's exit code.
    pub code: u8,
    /// The text on its standard output.
    pub output: Secret,
    name: String,
    errors: Secret,
}

/// Runs a program to its end.
///
/// # Errors
/// An error that others can write the program, that it can't be started, or that it did not end in
/// time.
pub fn run(program: &Program<'_>) -> Result<ProgramAnswer, StoreError> {
    let name = shown(program.file);
    check(program.file, &name)?;
    let began = Instant::now();
    let outcome = program.run().map_err(|error| {
        StoreError::setting(format_args!("{name} can't be started: {}", Os::from(error)))
    })?;
    let unusable = |why: String| StoreError::unusable(&name, why);
    let fault = match outcome.end {
        ProgramEnd::Code(code) => {
            let (output, errors) = (outcome.output, outcome.errors);
            return Ok(ProgramAnswer {
                code,
                output,
                name,
                errors,
            });
        }
        ProgramEnd::Signal(signal) => unusable(format!("it was ended by signal {signal}")),
        ProgramEnd::TooMuch(limit) => unusable(format!("its answer is larger than {limit} bytes")),
        ProgramEnd::Late => {
            let took = began.elapsed().as_secs_f64();
            StoreError::unreachable(format_args!(
                "{name}: no answer in {took:.1} s, so it was ended"
            ))
        }
    };
    say(&name, &outcome.errors, &outcome.output, &[]);
    Err(fault)
}

/// Refuses a program that others could replace. A program that is found in `PATH` is the system's.
fn check(file: &Path, name: &str) -> Result<(), StoreError> {
    let found = file
        .metadata()
        .ok()
        .filter(|_| file.components().count() > 1);
    let mode = found.map_or(0, |found| found.mode() & 0o777);
    match mode & 0o022 {
        0 => Ok(()),
        _ => {
            let what = format_args!("{name} can be written by others (mode {mode:04o})");
            Err(StoreError::setting(what).hint(format!("run chmod go-w {name}")))
        }
    }
}

/// A program's file as messages have it.
pub fn shown(file: &Path) -> String {
    ShownPath(&file.to_string_lossy()).to_string()
}

impl ProgramAnswer {
    /// Logs, at debug, the program's standard error. The given values, and the words of its answer,
    /// are left out.
    pub fn log<'v>(&self, values: impl Iterator<Item = &'v [u8]>) {
        if !self.errors.is_empty() {
            let values: Vec<_> = values.collect();
            say(&self.name, &self.errors, &self.output, &values);
        }
    }
}

fn say(name: &str, errors: &Secret, output: &Secret, values: &[&[u8]]) {
    let lines = |text: &'_ [u8]| -> Vec<Vec<u8>> {
        let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
        let lines = lines.filter(|line| !line.is_empty());
        lines.map(<[u8]>::to_vec).collect()
    };
    let is_between = |byte: &u8| byte.is_ascii_whitespace() || b"\"'{}[],:".contains(byte);
    let words = output.expose().split(is_between);
    let words = words.filter(|word| word.len() >= SHORTEST);
    let mut secrets: Vec<Vec<u8>> = words.map(<[u8]>::to_vec).collect();
    secrets.extend(values.iter().flat_map(|value| lines(value)));
    for line in lines(errors.expose()) {
        let has = |secret: &Vec<u8>| line.windows(secret.len()).any(|part| part == *secret);
        match secrets.iter().any(has) {
            true => log::debug!("{name} says something with a value in it, which is not shown"),
            false => log::debug!("{name} says: {}", ShownLine(&line)),
        }
    }
}

/// Splits a command into words as a shell without variables does: by white space, with quotes and
/// backslashes.
///
/// # Errors
/// A quote that is not closed.
pub fn words(command: &str) -> Result<Vec<OsString>, &'static str> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut quote = None;
    let mut rest = command.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => words.extend(word.take().map(OsString::from)),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(rest.next()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed");
    }
    words.extend(word.map(OsString::from));
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_command_is_split_without_a_shell() {
        for (text, parts) in [
            ("/bin/a b  c", &["/bin/a", "b", "c"][..]),
            (r#"a "b c" 'd "e' f\ g"#, &["a", "b c", "d \"e", "f g"]),
            (r#"a "" "x\"y" 'z\'"#, &["a", "", "x\"y", "z\\"]),
            ("a$B `c` ;d", &["a$B", "`c`", ";d"]),
            (" ", &[]),
        ] {
            let found = words(text).unwrap();
            assert!(found.iter().eq(parts.iter()), "{text}: {found:?}");
        }
        assert!(words("a 'b").is_err());
    }
}
