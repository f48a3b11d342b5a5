//! `doorkey secret generate` and `edit`: values that nobody sees, and changes in an editor.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use super::options::Options;
use super::own_flags;
use super::secret::{self, check_size, too_large_or};
use super::store_and_scope::{ScopeTarget, confirm, name};
use crate::core::environment::lookup;
use crate::engine::generate::{self, Form};
use crate::engine::managed::{LARGEST, RULE, is_creatable};
use crate::engine::relocate;
use crate::model::error::{Error, StoreError};
use crate::model::log;
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::stores::How;
use crate::sys::scratch::Scratch;
use crate::sys::terminal;

/// The length of a generated value, and its limits: in characters, or in bytes before they are
/// encoded.
const USUAL_LENGTH: usize = 32;
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=4096;

/// Makes a value, and stores it in the place of another or of none.
///
/// # Errors
/// A usage error, or the reason why the value is not stored.
pub fn generate(options: &mut Options) -> Result<ExitCode, Error> {
    let name = name(options)?;
    let length = match options.text(&own_flags::LENGTH)? {
        None => USUAL_LENGTH,
        Some(text) => {
            let length = text.parse().ok().filter(|length| LENGTHS.contains(length));
            let rule = "must be a number from 8 to 4096";
            length.ok_or_else(|| options.usage(&own_flags::LENGTH, rule))?
        }
    };
    let form = match (
        options.flag(&own_flags::HEX),
        options.flag(&own_flags::BASE64),
    ) {
        (true, _) => Form::Hex,
        (false, true) => Form::Base64,
        (false, false) => Form::Letters,
    };
    let target = ScopeTarget::open(options, false)?;
    let scope = target.scope(options)?;
    let has = target.has(&scope, &name);
    let has = has.map_err(|trouble| target.secret_error(&scope, &name, trouble))?;
    if !has && !is_creatable(name.as_str()) {
        return Err(Error::Usage(RULE.to_owned()));
    }
    if has {
        let label = target.store.label();
        confirm(options, &format!("replace {name} in {scope} of {label}"))?;
    }
    let value = generate::value(form, length)
        .map_err(|error| Error::file("read", "the system's randomness", error))?;
    secret::store(
        options,
        &target,
        &scope,
        (name, value),
        How::Set,
        "generated",
    )
}

/// Has a person change a value in an editor.
///
/// # Errors
/// A usage error, an editor that fails, or the reason why the value is not stored.
pub fn edit(options: &mut Options) -> Result<ExitCode, Error> {
    let name = name(options)?;
    let editor = editor(options);
    let own = lookup(&options.inherited.0, b"XDG_RUNTIME_DIR");
    let own = own.map(|path| Path::new(OsStr::from_bytes(path)).to_owned());
    // A person takes their time, after which the second one is asked anew.
    let [target, after] = ScopeTarget::open_twice(options)?;
    if !(terminal::is_interactive() && terminal::is_shown()) {
        let what = "an editor needs a terminal; pipe the value to doorkey secret set";
        return Err(Error::Usage(what.to_owned()));
    }
    let editor = editor?;
    let scope = target.scope(options)?;
    let fail = |trouble| target.secret_error(&scope, &name, trouble);
    let read = |target: &ScopeTarget| relocate::value(&*target.store, (&scope, &name));
    let before = read(&target).map_err(fail)?;
    let before = before.ok_or_else(|| fail(StoreError::no_secret()))?;
    if str::from_utf8(before.expose()).is_err() || before.expose().contains(&0) {
        return Err(fail(StoreError::refused(
            "its value is no text, which an editor may damage",
        )));
    }
    let memory = |error| Error::file("write", "a file on tmpfs for the editor", error);
    let scratch = Scratch::new(own.as_deref(), name.as_str(), before.expose()).map_err(memory)?;
    let ended = scratch.edit(&editor);
    let ended = ended.map_err(|error| Error::file("start", "the editor", error))?;
    if !ended.success() {
        let place = ShownPath(&editor[0].to_string_lossy()).to_string();
        let what = format!("the editor has failed ({ended}); nothing is changed");
        return Err(Error::Found { place, what });
    }
    let edited = scratch.read(LARGEST + 2);
    let edited = edited.map_err(|error| too_large_or(error.into(), "the editor's file".into()))?;
    drop(scratch);
    let edited = check_size(without_newline(edited, &before, options))?;
    if edited.expose() == before.expose() {
        log::info!(Done, reference = &name, scope = &scope; "{name} in {scope} is unchanged");
        return Ok(ExitCode::SUCCESS);
    }
    let now = read(&after).map_err(fail)?;
    if now.is_none_or(|now| now.expose() != before.expose()) {
        let what = "it was changed by others meanwhile, and stays so";
        return Err(fail(StoreError::refused(what).hint("edit it again")));
    }
    secret::store(
        options,
        &after,
        &scope,
        (name, edited),
        How::Update,
        "updated",
    )
}

/// Returns the editor's program and its arguments.
fn editor(options: &Options) -> Result<Vec<OsString>, Error> {
    for variable in ["VISUAL", "EDITOR"] {
        let said = lookup(&options.inherited.0, variable.as_bytes()).unwrap_or_default();
        let words = said.split(u8::is_ascii_whitespace);
        let words = words.filter(|word| !word.is_empty());
        let words: Vec<_> = words
            .map(|word| OsStr::from_bytes(word).to_owned())
            .collect();
        if !words.is_empty() {
            return Ok(words);
        }
    }
    Err(Error::Usage(
        "which editor? set VISUAL or EDITOR, such as EDITOR=vi".to_owned(),
    ))
}

/// Drops the newline that editors put at a file's end, unless the value had one before.
fn without_newline(edited: Secret, before: &Secret, options: &Options) -> Secret {
    let adds = edited.expose().ends_with(b"\n") && !before.expose().ends_with(b"\n");
    match adds && !options.flag(&own_flags::RAW) {
        true => Secret::new(edited.expose()[..edited.len() - 1].to_vec()),
        false => edited,
    }
}
