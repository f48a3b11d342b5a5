//! Settings of one store alone: behind its place, as `?KEY=VALUE&KEY=VALUE`, and in `[store]` of
//! the configuration file.

use percent_encoding::percent_decode_str;

use super::context::{Access, Origin, Setting};
use super::kind::{Kind, StoreOption};
use crate::core::option::{InFile, Takes, named_only};
use crate::core::suggest::nearest;
use crate::model::error::{Error, StoreError};

/// Splits the text after a store's colon into its place, and the settings behind that.
///
/// # Errors
/// A setting that the kind does not have, that can't be understood, or that the file which names
/// the store may not set.
pub fn behind<'p>(
    kind: &Kind,
    text: &'p str,
    access: &Access,
) -> Result<(&'p str, Vec<Setting>), StoreError> {
    let split = text.split_once('?').filter(|_| kind.splits);
    let Some((place, query)) = split else {
        return Ok((text, vec![]));
    };
    let origin = access.of_main.origin;
    let fault = |why| StoreError::setting(format_args!("after '?': {why}"));
    let mut settings = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode_str(value).decode_utf8();
        let value = value.map_err(|_| fault("a value is not UTF-8".to_owned()))?;
        let option = option(kind, key, origin).map_err(fault)?;
        if origin == Origin::Configured {
            may_say(option, access.of_main.named).map_err(fault)?;
        }
        settings.extend(setting(option, &value, origin).map_err(fault)?);
    }
    Ok((place, settings))
}

/// The settings that the configuration file has in `[store]`.
///
/// # Errors
/// The errors of [`behind`], with the position of the setting.
pub fn in_table(kind: &Kind, access: &Access) -> Result<Vec<Setting>, Error> {
    let mut settings = Vec::new();
    for (place, key, value) in &access.of_main.table {
        let found = option(kind, key, Origin::Configured).and_then(|option| {
            may_say(option, access.of_main.named)?;
            setting(option, value, Origin::Configured)
        });
        let found = found.map_err(|what| {
            let place = place.clone();
            Error::Found { place, what }
        })?;
        settings.extend(found);
    }
    Ok(settings)
}

/// Finds the kind's option of a name; the error lists those that the source of the setting can use.
fn option<'k>(kind: &'k Kind, key: &str, origin: Origin) -> Result<&'k StoreOption, String> {
    let known = |option: &&StoreOption| option.option.id == key;
    kind.options.iter().find(known).ok_or_else(|| {
        let mut all: Vec<_> = kind.options.iter().collect();
        all.retain(|option| origin == Origin::Said || option.file != InFile::Never);
        let all: Vec<_> = all.iter().map(|option| option.option.id).collect();
        let none = "the store has no such setting";
        match nearest(key, &all, |id| id) {
            Some(meant) => format!("{none}; did you mean {meant}?"),
            None if all.is_empty() => none.to_owned(),
            None => format!("{none}; it has {}", all.join(", ")),
        }
    })
}

/// Refuses an option that a file may not set.
fn may_say(option: &StoreOption, named: bool) -> Result<(), String> {
    let id = option.option.id;
    match option.file {
        InFile::Named if !named => Err(named_only(id)),
        InFile::Never => Err(format!("{id} can't be set in a file; give --{id}")),
        _ => Ok(()),
    }
}

/// Reads a setting; `None` for a flag that says no.
fn setting(option: &StoreOption, value: &str, origin: Origin) -> Result<Option<Setting>, String> {
    let id = option.option.id;
    let value = match (option.option.takes, value) {
        (Takes::Flag, "" | "1" | "true") => "true",
        (Takes::Flag, "0" | "false") => return Ok(None),
        (Takes::Flag, _) => return Err(format!("{id} must be true or false")),
        (_, "") => return Err(format!("{id} needs a value")),
        (_, value) => value,
    };
    let (name, value) = (id.to_owned(), value.into());
    Ok(Some(Setting {
        id,
        name,
        value,
        origin,
    }))
}
