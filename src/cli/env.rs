//! `doorkey env`: the environment that the workload would get, secrets masked.

use std::process::ExitCode;

use serde_json::Value;

use super::deadline::{self, NOTHING_EXECUTED};
use super::options::Options;
use super::output::print;
use super::{own_flags, pipeline};
use crate::engine::show::show;
use crate::model::error::Error;
use crate::stores::Depth;

/// Prints one `NAME=value` a line, or with a NUL after each; or JSON.
///
/// # Errors
/// Same as for `run`.
pub fn env(options: &mut Options) -> Result<ExitCode, Error> {
    let _deadline = deadline::start(options.timeout()?, 1, NOTHING_EXECUTED)?;
    let sourced = pipeline::assemble(options, None)?;
    let credentials = sourced.credentials();
    let located = pipeline::locate(options, sourced, Depth::Look)?;
    let fetched = pipeline::fetch(located);
    let filling = pipeline::fill(&fetched);
    let shown = show(&fetched, &filling, &credentials);
    let entries = filling.finish();
    let ready = fetched.complete(entries)?;
    pipeline::seal(ready.environment, &[])?;
    if options.flag(&own_flags::JSON) {
        return print(&json(&shown));
    }
    let end = match options.flag(&own_flags::NUL) {
        true => b'\0',
        false => b'\n',
    };
    let ended = shown
        .into_iter()
        .flat_map(|entry| [entry, vec![end]].concat());
    print(&ended.collect::<Vec<u8>>())
}

/// Makes one object of the variables, in their order. Bytes that are not UTF-8 are replaced.
fn json(entries: &[Vec<u8>]) -> Vec<u8> {
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes)).to_string();
    let members = entries.iter().filter_map(|entry| {
        let equals = entry
            .iter()
            .position(|&byte| byte == b'=')
            .filter(|&at| at > 0)?;
        Some(format!(
            "  {}: {}",
            text(&entry[..equals]),
            text(&entry[equals + 1..])
        ))
    });
    let members: Vec<String> = members.collect();
    format!("{{\n{}\n}}\n", members.join(",\n")).into_bytes()
}
