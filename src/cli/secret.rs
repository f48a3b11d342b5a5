//! `doorkey secret`: stores secrets in a store, and removes them.

use std::process::ExitCode;

use serde_json::json;

use super::options::Options;
use super::output::{print, print_json};
use super::own_flags;
use super::precedence::{Before, say};
use super::store_and_scope::{ScopeTarget, confirm, name, unreadable};
use crate::engine::imported::{self, Imported};
use crate::engine::managed::{Done, LARGEST, TOO_LARGE, judge_value};
use crate::model::error::{Error, Os, StoreError};
use crate::model::name::{Name, Scope};
use crate::model::named::Named;
use crate::model::secret::Secret;
use crate::stores::How;
use crate::sys::{files, terminal};

const OTHERWISE: &str = "pipe the value, or use --value-file";

/// The largest file of many secrets, in bytes.
const LARGEST_IMPORT: usize = 64 * 1024 * 1024;

/// Stores one value.
///
/// # Errors
/// A usage error, or the reason why the value is not stored.
pub fn write(options: &mut Options, how: How) -> Result<ExitCode, Error> {
    if options.value(&own_flags::VALUE).is_some() {
        return Err(Error::Usage(
            "a value is no argument, as every process can read those; pipe it: \
             printf %s \"$VALUE\" | doorkey secret set NAME"
                .to_owned(),
        ));
    }
    let name = name(options)?;
    let target = ScopeTarget::open(options, false)?;
    let scope = target.scope(options)?;
    target.judge_name(&scope, &name, how)?;
    let value = read_value(options, &name)?;
    store(options, &target, &scope, (name, value), how, how.done())
}

/// Stores a value, and reports that it is `done`.
///
/// # Errors
/// The reason why the value is not stored.
pub fn store(
    options: &Options,
    target: &ScopeTarget,
    scope: &Scope,
    value: (Name, Secret),
    how: How,
    done: &'static str,
) -> Result<ExitCode, Error> {
    let (name, value) = value;
    let before = Before::of(target, scope, [&name]);
    target.write(scope, &name, value, how)?;
    let reported = report(options, target.done(scope, &name, done));
    before.say(target);
    reported
}

/// Removes a secret.
///
/// # Errors
/// A usage error, or the reason why the secret is not removed.
pub fn delete(options: &mut Options) -> Result<ExitCode, Error> {
    let name = name(options)?;
    let target = ScopeTarget::open(options, false)?;
    let scope = target.scope(options)?;
    let fail = |trouble| target.secret_error(&scope, &name, trouble);
    if !target.has(&scope, &name).map_err(fail)? {
        return Err(fail(StoreError::no_secret()));
    }
    let label = target.store.label();
    confirm(options, &format!("remove {name} in {scope} of {label}"))?;
    let reported = report(options, target.delete(&scope, &name)?);
    say::uncovered(&target, &scope, &name);
    reported
}

/// Stores all assignments of a dotenv file, or none.
///
/// # Errors
/// A usage error, every fault in the file, or the reason why nothing is stored.
pub fn import(options: &mut Options) -> Result<ExitCode, Error> {
    // Opening the store first removes unneeded credentials before a pipe is waited for.
    let target = ScopeTarget::open(options, false)?;
    let file = options.path(&own_flags::IMPORTED).unwrap_or_default();
    let (values, empty) = read_import(file)?;
    let scope = target.scope(options)?;
    let existing = target.existing(&scope, &values)?;
    let mut before = None;
    imported::warn_of_empty(&empty);
    if !options.flag(&own_flags::DRY_RUN) {
        if !existing.is_empty() {
            let names: Vec<_> = existing.iter().map(Name::as_str).collect();
            confirm(
                options,
                &format!("overwrite {} in {scope}", names.join(", ")),
            )?;
        }
        before = Some(Before::of(
            &target,
            &scope,
            values.iter().map(|(name, _)| name),
        ));
        target.import(&scope, &values)?;
    }
    if let Some(before) = before {
        before.say(&target);
    }
    let change = |name: &Name| {
        if existing.contains(name) {
            "overwrite"
        } else {
            "create"
        }
    };
    if options.flag(&own_flags::JSON) {
        let items: Vec<_> = values
            .iter()
            .map(|(name, _)| (name, change(name)))
            .chain(
                empty
                    .iter()
                    .filter(|name| imported::is_shown(name.as_str().as_bytes()))
                    .map(|name| (name, "skip")),
            )
            .map(|(name, change)| json!({"name": name.as_str(), "change": change}))
            .collect();
        return print_json(&json!({
            "store": target.store.label(), "scope": scope.to_string(),
            "dryRun": options.flag(&own_flags::DRY_RUN), "items": items,
        }));
    }
    if options.flag(&own_flags::DRY_RUN) {
        let lines = values
            .iter()
            .map(|(name, _)| format!("{}\t{name}\n", change(name)));
        return print(lines.collect::<String>().as_bytes());
    }
    target.log_import(&scope, values.len(), existing.len());
    Ok(ExitCode::SUCCESS)
}

/// Reports the change: one line on stderr, or JSON.
fn report(options: &Options, done: Done) -> Result<ExitCode, Error> {
    if options.flag(&own_flags::JSON) {
        let (name, scope) = (done.name.as_str(), done.scope.to_string());
        return print_json(
            &json!({"name": name, "scope": scope, "store": done.store, "done": done.done}),
        );
    }
    done.log();
    Ok(ExitCode::SUCCESS)
}

/// Reads the value: from `--value-file`, from a person who types it twice, or from standard input.
fn read_value(options: &Options, name: &Name) -> Result<Secret, Error> {
    // Room for one byte too many, and for a newline that is dropped.
    let limit = LARGEST + 2;
    if let Some(path) = options.path(&own_flags::VALUE_FILE) {
        let bytes = files::read(&path, limit).map_err(|error| too_large_or(error.into(), path))?;
        return check_size(Secret::new(bytes));
    }
    if terminal::is_interactive() {
        let question = format!("value of {name}: ");
        let mut typed = [const { None }; 2];
        for (line, question) in typed.iter_mut().zip([question.as_str(), "once more: "]) {
            let answer = terminal::ask_hidden(question, limit).map_err(unreadable)?;
            *line = Some(answer.ok_or(Error::Declined)?);
        }
        if typed
            .iter()
            .flatten()
            .any(|line| line.len() >= terminal::LONGEST_LINE)
        {
            return Err(Error::Usage(format!(
                "a terminal passes on at most {} bytes of a line whole; {OTHERWISE}",
                terminal::LONGEST_LINE - 1
            )));
        }
        return match typed {
            [Some(first), Some(second)] if first.expose() == second.expose() => check_size(first),
            _ => Err(Error::Usage(
                "the two values differ; nothing is stored".to_owned(),
            )),
        };
    }
    if terminal::is_typed() {
        return Err(Error::Usage(format!(
            "the question for the value would not be seen, as standard error is no terminal; {OTHERWISE}"
        )));
    }
    let mut bytes = files::read_stdin(limit)
        .map_err(|error| too_large_or(error.into(), "standard input".into()))?;
    if !options.flag(&own_flags::RAW) && bytes.ends_with(b"\n") {
        bytes.pop();
    }
    check_size(Secret::new(bytes))
}

/// Makes the error for a value that could not be read.
pub fn too_large_or(why: Os, path: Named) -> Error {
    if why == Os(libc::EFBIG) {
        Error::Usage(TOO_LARGE.to_owned())
    } else {
        Error::file("read", path, why)
    }
}

/// Refuses a value of a wrong size.
///
/// # Errors
/// A usage error.
pub fn check_size(value: Secret) -> Result<Secret, Error> {
    judge_value(&value)?;
    Ok(value)
}

/// Reads the secrets of a file to import.
fn read_import(file: Named) -> Result<Imported, Error> {
    let (text, file) = match file.to_str() {
        Some("-") => (files::read_stdin(LARGEST_IMPORT), "standard input".into()),
        _ => (files::read(&file, LARGEST_IMPORT), file),
    };
    let text = text.map_err(|error| Error::file("read", file.clone(), error))?;
    imported::assignments(&text, &file)
}
