//! The last steps: the block that the kernel takes, and the exec.

use std::borrow::Cow;
use std::ffi::{CStr, CString};

use crate::core::environment::{Block, Environment, value_in};
use crate::model::error::Error;
use crate::sys::exec;
use crate::sys::memory::{self, Concealed};
use crate::sys::process_attributes::Attributes;
use crate::sys::signals::Deadline;

/// The number of bytes of a script that the kernel reads to find its interpreter.
const SCRIPT_LINE: usize = 256;

/// Makes the environment's block for the exec, if the kernel takes it together with these
/// arguments.
///
/// # Errors
/// [`Error::TooLargeTogether`].
pub fn seal<'e>(environment: Environment<'e>, arguments: &[CString]) -> Result<Block<'e>, Error> {
    let environment = environment.seal();
    let size = |string: &CStr| string.count_bytes() + 1 + size_of::<*const u8>();
    // The kernel copies the file's name as well, and a script's once more, with the line that
    // names its interpreter.
    let name = arguments.first().map_or(0, |command| {
        exec::longest_candidate(command, path(&environment))
    });
    let total: usize = 2 * name
        + SCRIPT_LINE
        + arguments
            .iter()
            .map(|argument| size(argument))
            .sum::<usize>()
        + environment.iter().map(|entry| size(entry)).sum::<usize>();
    let limit = exec::room();
    if total <= limit {
        return Ok(environment);
    }
    let longest = environment.iter().max_by_key(|entry| entry.count_bytes());
    let longest = longest.map(|entry| {
        entry
            .to_bytes()
            .split(|&byte| byte == b'=')
            .next()
            .unwrap_or_default()
    });
    Err(Error::TooLargeTogether {
        total,
        limit,
        longest: longest.unwrap_or_default().to_vec(),
    })
}

/// Becomes the workload. Returns only with the reason why that failed.
pub fn launch(
    arguments: &[CString],
    environment: &[Cow<'_, CStr>],
    attributes: &Attributes,
    concealed: Concealed,
    deadline: Deadline,
) -> Error {
    memory::wipe_stack();
    exec::replace(
        arguments,
        path(environment),
        environment,
        attributes,
        concealed,
        deadline,
    )
}

/// Returns the PATH that the workload gets.
fn path<'a>(environment: &'a [Cow<'_, CStr>]) -> Option<&'a [u8]> {
    environment
        .iter()
        .find_map(|entry| value_in(entry.to_bytes(), b"PATH"))
}
