//! Users and permissions that options name.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::options::Options;
use crate::core::option::One;
use crate::core::passwd::{self, Account, Unknown};
use crate::model::error::Error;
use crate::sys::files;

/// `/etc/passwd` and `/etc/group` are not larger than this, in bytes.
const LARGEST: usize = 1024 * 1024;

/// The permissions that an option gives.
///
/// # Errors
/// Usage.
pub fn mode(options: &Options, one: &One) -> Result<Option<u32>, Error> {
    let mode = options.text(one)?.map(|text| {
        let octal = u32::from_str_radix(text, 8);
        let octal = octal.ok().filter(|&mode| mode <= 0o777);
        octal.ok_or_else(|| options.usage(one, "must be octal, from 0 to 777"))
    });
    mode.transpose()
}

/// The user that an option names, such as the one that the command runs as, and what it was called.
///
/// # Errors
/// Usage, or the lists of users can't be read.
pub fn account(options: &Options, one: &One) -> Result<Option<(Account, String)>, Error> {
    let Some(wanted) = options.value(one) else {
        return Ok(None);
    };
    let read = |path: &str| match files::read(Path::new(path), LARGEST) {
        Ok(text) => Ok(text),
        // An image without names: numbers will do.
        Err(why) if files::is_absent(&why) => Ok(Vec::new()),
        Err(why) => Err(Error::file("read", path, why)),
    };
    let (passwd, group) = (read("/etc/passwd")?, read("/etc/group")?);
    let account = passwd::find(wanted.as_bytes(), &passwd, &group).map_err(|unknown| {
        options.usage(
            one,
            match unknown {
                Unknown::User => "names a user that is not in /etc/passwd; a number needs no entry",
                Unknown::Group => {
                    "names a group that is not in /etc/group; a number needs no entry"
                }
            },
        )
    })?;
    Ok(Some((account, wanted.to_string_lossy().into_owned())))
}
