//! Reads users and permissions from options.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::options::Options;
use crate::core::option::One;
use crate::core::passwd::{self, Account, Unknown};
use crate::model::error::Error;
use crate::model::named::ShownPath;
use crate::sys::files;

/// The largest size of `/etc/passwd` and `/etc/group`, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Reads the permissions that an option gives.
///
/// # Errors
/// A usage error.
pub fn mode(options: &Options, one: &One) -> Result<Option<u32>, Error> {
    let mode = options.text(one)?.map(|text| {
        let octal = u32::from_str_radix(text, 8);
        let octal = octal.ok().filter(|&mode| mode <= 0o777);
        octal.ok_or_else(|| options.usage(one, "must be octal, from 0 to 777"))
    });
    mode.transpose()
}

/// Reads the user that an option names, such as the one for the command. Returns also the text that
/// the option was given.
///
/// # Errors
/// A usage error, or a list of users that can't be read.
pub fn account(options: &Options, one: &One) -> Result<Option<(Account, String)>, Error> {
    let Some(wanted) = options.value(one) else {
        return Ok(None);
    };
    let read = |path: &str| match files::read(Path::new(path), LARGEST) {
        Ok(text) => Ok(text),
        // Images may lack these files; numbers need none.
        Err(why) if files::is_absent(&why) => Ok(Vec::new()),
        Err(why) => Err(Error::file("read", path, why)),
    };
    let (passwd, group) = (read("/etc/passwd")?, read("/etc/group")?);
    let account = passwd::find(wanted.as_bytes(), &passwd, &group).map_err(|unknown| {
        let text = wanted.to_string_lossy();
        let (user, group) = text.split_once(':').unwrap_or((&text, ""));
        let (what, name, list) = match unknown {
            Unknown::User => ("user", user, "/etc/passwd"),
            Unknown::Group => ("group", group, "/etc/group"),
        };
        let name = ShownPath(name);
        let what = format!("names the {what} {name}, not found in {list}; a number needs no entry");
        options.usage(one, &what)
    })?;
    Ok(Some((account, wanted.to_string_lossy().into_owned())))
}
