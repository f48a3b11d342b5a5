//! `doorkey redact`: a filter that masks secrets in any text.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;
use std::process::ExitCode;

use super::deadline;
use super::options::Options;
use super::output::unprintable;
use super::process_options::window;
use super::told::Sought;
use super::{own_flags, pipeline};
use crate::core::mask::patterns::Needles;
use crate::engine::check::check_manifests;
use crate::engine::redact::{Halt, Redaction};
use crate::model::error::Error;
use crate::model::named::Named;
use crate::stores::Depth;
use crate::sys::{files, random, stdio};

/// The exit code of `--fail` where a secret was found.
const FOUND: u8 = 3;

/// Passes standard input or files on to standard output, without the secrets in them.
///
/// # Errors
/// A value that can't be read, before any input is; a file that can't be read; a failure to write.
pub fn redact(options: &mut Options) -> Result<ExitCode, Error> {
    let window = window(options)?;
    let mut inputs = options.paths(&own_flags::INPUTS);
    if inputs.is_empty() {
        inputs.push(Named::from("-"));
    }
    let needles = needles(options, window, &inputs)?;
    let mut redaction = Redaction::new(needles);
    let mut passes = inputs.iter().map(|input| pass(&mut redaction, input));
    let halted = passes.find(|passed| !matches!(passed, Ok(true)));
    // The end of an input before one that can't be read is output as well.
    let ended = told(redaction.end(), &inputs[0]);
    let ended = halted.unwrap_or(ended);
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for (placeholder, count) in redaction.found() {
        *found
            .entry(String::from_utf8_lossy(placeholder).into_owned())
            .or_default() += count;
    }
    if options.flag(&own_flags::COUNT) {
        let lines = found
            .iter()
            .map(|(placeholder, count)| format!("{count} {placeholder}\n"));
        stdio::say(lines.collect::<String>().as_bytes());
    }
    ended?;
    match options.flag(&own_flags::FAIL) && !found.is_empty() {
        true => Ok(ExitCode::from(FOUND)),
        false => Ok(ExitCode::SUCCESS),
    }
}

/// Reads all values, and makes the patterns of them. Those of stores are wiped by its end.
fn needles(options: &mut Options, window: usize, inputs: &[Named]) -> Result<Needles, Error> {
    let _deadline = deadline::start(options.timeout()?, 1, "nothing was printed")?;
    let files = inputs.iter().filter(|input| !is_standard(input));
    let unread = files.filter_map(|file| {
        let why = files::probe(file).err()?;
        Some(Error::file("read", file.clone(), why))
    });
    let unread: Vec<_> = unread.collect();
    let key = random::key().map_err(|why| Error::file("get", "random bytes", why))?;
    let (sourced, gathered) = pipeline::assemble_manifests(options)?;
    // A lease of its own would have values that are nobody else's.
    let located = pipeline::locate(options, sourced, Depth::Look)?;
    let mut fetched = pipeline::fetch(located);
    fetched.errors.extend(unread);
    let shadows = fetched.answers.shadows();
    let mut filling = pipeline::fill(&fetched);
    let sought = Sought::of(options, &fetched, &filling, window, &key);
    // The variables of all containers are no environment together.
    let (_, faults) = check_manifests(&gathered, &fetched, &mut filling, &shadows);
    let entries = filling.finish();
    fetched.errors.extend(faults);
    drop(fetched.complete(entries)?);
    let needles = Needles::from_bytes(&sought.told());
    // A text without any secret masked would look as one without secrets.
    let needles = needles.filter(|needles| needles.longest() > 0);
    needles.ok_or_else(|| Error::Found {
        place: "redact".to_owned(),
        what: "no value to look for is in force, and nothing was printed: name its scope, as by \
               --project, or a file with references"
            .to_owned(),
    })
}

fn is_standard(input: &Named) -> bool {
    input.as_os_str() == "-"
}

/// Passes one input on. False if nobody reads the output any more.
fn pass(redaction: &mut Redaction, input: &Named) -> Result<bool, Error> {
    if is_standard(input) {
        return told(redaction.pass(libc::STDIN_FILENO), input);
    }
    let file = files::open(input).map_err(|why| Error::file("read", input.clone(), why))?;
    told(redaction.pass(file.as_raw_fd()), input)
}

/// Words the end of an input. A reader that has gone away is no fault of a filter's.
fn told(passed: Result<(), Halt>, input: &Named) -> Result<bool, Error> {
    match passed {
        Ok(()) => Ok(true),
        Err(Halt::Unread) => Ok(false),
        Err(Halt::Output(why)) => Err(unprintable(why)),
        Err(Halt::Input(why)) if is_standard(input) => {
            Err(Error::file("read", "standard input", why))
        }
        Err(Halt::Input(why)) => Err(Error::file("read", input.clone(), why)),
    }
}
