//! `doorkey secret`: stores secrets in a store, and removes them.

use std::collections::BTreeSet;
use std::process::ExitCode;

use serde_json::json;

use super::options::Options;
use super::output::{print, print_json};
use super::own_flags;
use super::precedence::{Before, say};
use super::store_and_scope::{ScopeTarget, confirm, name, unreadable};
use crate::core::dotenv;
use crate::core::environment::refusal;
use crate::engine::env_files::warn_of_braced;
use crate::model::error::{Error, Fault, Os, StoreError};
use crate::model::escape::Shown;
use crate::model::log::{self, Label};
use crate::model::name::{Name, Scope};
use crate::model::named::{self, Named};
use crate::model::reference::{self, Value};
use crate::model::secret::Secret;
use crate::stores::{self, How};
use crate::sys::{files, terminal};

/// The largest value, in bytes. AWS Secrets Manager has this limit, and so stores stay
/// exchangeable.
pub const LARGEST: usize = 65_536;
const TOO_LARGE: &str = "a value is at most 65536 bytes";

/// The longest name that is created, in bytes. A new name begins with a letter and has only
/// letters, digits and `_`, so that every store and every shell can use it.
const LONGEST_NAME: usize = 128;
/// The rule for a new name.
pub const RULE: &str = "a new name is letters, digits and '_', the first a letter, at most 128";

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
    // An existing secret may have any name: another program may have made it. Only for such a name
    // is the store asked first, so that nobody must log in before typing the value.
    if !is_creatable(name.as_str()) {
        let is_new = match how {
            How::Create => true,
            How::Set => target.has(&scope, &name) != Ok(true),
            How::Update => false,
        };
        if is_new {
            return Err(Error::Usage(RULE.to_owned()));
        }
    }
    let value = read_value(options, &name)?;
    let done = match how {
        How::Create => "created",
        How::Set => "set",
        How::Update => "updated",
    };
    store(options, &target, &scope, (name, value), how, done)
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
    done: &str,
) -> Result<ExitCode, Error> {
    let values = [value];
    let name = &values[0].0;
    let before = Before::of(target, scope, [name]);
    let written = target.writer().and_then(|to| to.write(scope, &values, how));
    written.map_err(|trouble| target.secret_error(scope, name, trouble))?;
    let reported = report(options, target, scope, name, done);
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
    let removed = target.writer().and_then(|from| from.delete(&scope, &name));
    removed.map_err(fail)?;
    let reported = report(options, &target, &scope, &name, "removed");
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
    let (mut existing, mut before) = (Vec::new(), None);
    for (name, _) in &values {
        let has = target.has(&scope, name);
        if has.map_err(|trouble| target.secret_error(&scope, name, trouble))? {
            existing.push(name.clone());
        }
    }
    if !empty.is_empty() {
        let shown = |name: &&Name| is_shown(name.as_str().as_bytes());
        let names: Vec<_> = empty.iter().filter(shown).map(Name::as_str).collect();
        let hidden = empty.len() - names.len();
        let hidden = (hidden > 0).then(|| format!("{hidden} whose names are not shown"));
        let names = names.into_iter().map(str::to_owned).chain(hidden);
        let names = names.collect::<Vec<_>>().join(", ");
        log::warning!(Ignored, reference = &Label(&names); "skipped, as they are empty: {names}");
    }
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
        let writer = target.writer();
        let written = writer.and_then(|to| to.write(&scope, &values, How::Set));
        written.map_err(|trouble| target.error(Some(scope.to_string()), trouble))?;
    }
    if let Some(before) = before {
        before.say(&target);
    }
    let is_there: BTreeSet<&Name> = existing.iter().collect();
    let change = |name: &Name| {
        if is_there.contains(name) {
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
                    .filter(|name| is_shown(name.as_str().as_bytes()))
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
    let (count, over) = (values.len(), existing.len());
    log::info!(
        Done, scope = &scope, store = &Label(target.store.label());
        "{count} stored in {scope} of {}, {over} of them in place of others",
        target.store.label()
    );
    Ok(ExitCode::SUCCESS)
}

/// Reports the change: one line on stderr, or JSON.
///
/// # Errors
/// A failure to write.
pub fn report(
    options: &Options,
    target: &ScopeTarget,
    scope: &Scope,
    name: &Name,
    done: &str,
) -> Result<ExitCode, Error> {
    let store = target.store.label();
    if options.flag(&own_flags::JSON) {
        let (name, scope) = (name.as_str(), scope.to_string());
        return print_json(&json!({"name": name, "scope": scope, "store": store, "done": done}));
    }
    let preposition = if done == "removed" { "from" } else { "in" };
    log::info!(
        Done, reference = name, scope = scope, store = &Label(store);
        "{name} is {done} {preposition} {scope} of {store}"
    );
    Ok(ExitCode::SUCCESS)
}

/// True if doorkey creates a secret of this name.
pub fn is_creatable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= LONGEST_NAME
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
    match wrong_size(&value) {
        Some(why) => Err(Error::Usage(why.to_owned())),
        None => Ok(value),
    }
}

fn wrong_size(value: &Secret) -> Option<&'static str> {
    match value.len() {
        0 => Some("the value is empty"),
        1..=LARGEST => None,
        _ => Some(TOO_LARGE),
    }
}

/// True if a text in the place of a name is likely to be one. It may be a piece of an unquoted value,
/// which is not shown: such pieces mostly have digits and small letters, or many of them.
fn is_shown(name: &[u8]) -> bool {
    let has = |is_it: fn(&u8) -> bool| name.iter().any(is_it);
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase);
    let is_long = has(u8::is_ascii_digit) && name.len() > 12 && !has(|byte| b"_.-".contains(byte));
    name.is_ascii() && name.len() <= 64 && !is_mixed && !is_long && named::is_path(name)
}

/// Secrets to store, and the names without a value.
type Imported = (Vec<(Name, Secret)>, Vec<Name>);

/// Reads the assignments of a file, the last of each name; or returns all faults in them. Warns of
/// values that a launch would not have had as they are.
fn read_import(file: Named) -> Result<Imported, Error> {
    let (text, file) = match file.to_str() {
        Some("-") => (files::read_stdin(LARGEST_IMPORT), "standard input".into()),
        _ => (files::read(&file, LARGEST_IMPORT), file),
    };
    let text = text.map_err(|error| Error::file("read", file.clone(), error))?;
    let wrong = |at| Error::Text {
        path: file.clone(),
        at,
    };
    let assignments = dotenv::parse(&text, false).map_err(|faults| {
        let faults = faults.into_iter().map(wrong);
        Error::all(faults.collect())
    })?;
    let lines = dotenv::lines(&text);
    let schemes = stores::schemes(&[]);
    let mut values: Vec<(Name, Secret)> = Vec::new();
    let (mut errors, mut braced, mut references) = (Vec::new(), BTreeSet::new(), Vec::new());
    for mut assignment in assignments {
        let has_value = assignment.value.is_some();
        let value = Secret::new(assignment.value.take().unwrap_or_default());
        let name = Name::new(&assignment.name).filter(|name| is_creatable(name.as_str()));
        if name.is_none() {
            let at = assignment.fault(&lines, RULE);
            errors.push(match is_shown(&assignment.name) {
                true => Error::Found {
                    place: format!("{file}:{}:{}", at.line, at.column),
                    what: format!("{}: {RULE}", Shown(&assignment.name)),
                },
                false => wrong(at),
            });
        }
        let unfit = match value.len() {
            _ if !has_value => Some("the value is empty"),
            0..=LARGEST => None,
            _ => Some(TOO_LARGE),
        };
        errors.extend(unfit.map(|reason| wrong(assignment.fault(&lines, reason))));
        let Some(name) = name else {
            continue;
        };
        braced.extend(assignment.braced);
        if !matches!(reference::parse(value.expose(), &schemes), Ok(Value::Plain)) {
            references.push(name.to_string());
        }
        if let Some(cause) = refusal(&assignment.name, value.expose()) {
            let fault = Fault::of(&assignment.name, None, cause);
            log::warning!(Advice, reference = &name; "{fault}");
        }
        values.push((name, value));
    }
    if !errors.is_empty() {
        return Err(Error::all(errors));
    }
    warn_of_braced(&file, &braced);
    if !references.is_empty() {
        let names = references.join(", ");
        log::warning!(
            Advice, reference = &Label(&names);
            "stored as text, and never read as references: {names}"
        );
    }
    let mut later = BTreeSet::new();
    values.reverse();
    values.retain(|(name, _)| later.insert(name.clone()));
    values.reverse();
    let (values, empty): (Vec<_>, Vec<_>) =
        values.into_iter().partition(|(_, value)| !value.is_empty());
    Ok((values, empty.into_iter().map(|(name, _)| name).collect()))
}
