//! `doorkey check`: shows the result of each reference, and every fault.

use std::process::ExitCode;

use super::deadline::{self, NOTHING_EXECUTED};
use super::options::Options;
use super::output::print;
use super::table::{NOTHING, aligned};
use super::{own_flags, pipeline};
use crate::engine::check::{self, Row};
use crate::model::error::Error;
use crate::model::escape::Shown;
use crate::model::name::Scope;
use crate::stores::Depth;

/// Prints a table, or JSON.
///
/// # Errors
/// The reasons that would keep `run` from launching.
pub fn check(options: &mut Options) -> Result<ExitCode, Error> {
    let _deadline = deadline::start(options.timeout()?, 1, NOTHING_EXECUTED)?;
    let depth = match options.flag(&own_flags::NAMES) {
        true => Depth::Names,
        false => Depth::Look,
    };
    let sourced = pipeline::assemble(options, None)?;
    let located = pipeline::locate(options, sourced, depth)?;
    let fetched = pipeline::fetch(located);
    let shadows = fetched.answers.shadows();
    let filling = pipeline::fill(&fetched);
    let rows = check::check(&fetched, &filling, &shadows);
    print(&match options.flag(&own_flags::JSON) {
        true => json(&rows),
        false => table(&rows, options.is_colourful()),
    })?;
    let entries = filling.finish();
    let ready = fetched.complete(entries)?;
    if depth == Depth::Look {
        pipeline::seal(ready.environment, &[])?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[Row], bold: bool) -> Vec<u8> {
    let nothing = || NOTHING.to_owned();
    let cells = |row: &Row| {
        vec![
            Shown(&row.variable).to_string(),
            row.reference.clone().unwrap_or_else(nothing),
            row.scope.as_ref().map_or_else(nothing, Scope::to_string),
            Some(row.line().shadows.join(","))
                .filter(|text| !text.is_empty())
                .unwrap_or_else(nothing),
            row.size.map_or_else(nothing, |size| size.to_string()),
            row.status.to_owned(),
        ]
    };
    let head = [
        "VARIABLE",
        "REFERENCE",
        "SCOPE",
        "SHADOWS",
        "SIZE",
        "STATUS",
    ];
    aligned(&head, &rows.iter().map(cells).collect::<Vec<_>>(), bold)
}

fn json(rows: &[Row]) -> Vec<u8> {
    let lines: Vec<_> = rows.iter().map(Row::line).collect();
    let mut out = serde_json::to_vec_pretty(&lines).unwrap_or_default();
    out.push(b'\n');
    out
}
