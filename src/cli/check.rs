//! `doorkey check`: what each reference resolves to, and every fault.

use std::process::ExitCode;

use serde::Serialize;

use super::options::Options;
use super::table::{NOTHING, aligned};
use crate::engine::check::{self, Row};
use crate::engine::launch;
use crate::model::error::Error;
use crate::model::escape::Shown;
use crate::model::name::Scope;
use crate::stores::Depth;
use crate::sys::environ::Started;

/// Prints a table, or JSON.
///
/// # Errors
/// Everything that would keep `run` from launching.
pub fn check(options: &Options, mut started: Started) -> Result<ExitCode, Error> {
    let _deadline = super::run::start_deadline(options, 1, super::run::NOTHING_EXECUTED)?;
    let depth = if options.flag("names") {
        Depth::Names
    } else {
        Depth::Values
    };
    super::run::resolved(options, &mut started, depth, |mut resolved, _| {
        let rows = check::check(&mut resolved);
        super::print(&if options.flag("json") {
            json(&rows)
        } else {
            table(&rows, options.is_colourful())
        })?;
        if !resolved.errors.is_empty() {
            return Err(Error::all(resolved.errors));
        }
        if depth == Depth::Values {
            let (environment, ..) = resolved.fill(|_, _| ())?;
            launch::seal(environment, &[])?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn shadows(row: &Row) -> Vec<String> {
    row.shadows.iter().map(Scope::to_string).collect()
}

fn table(rows: &[Row], bold: bool) -> Vec<u8> {
    let nothing = || NOTHING.to_owned();
    let cells = |row: &Row| {
        vec![
            Shown(&row.variable).to_string(),
            row.reference.clone().unwrap_or_else(nothing),
            row.scope.as_ref().map_or_else(nothing, Scope::to_string),
            Some(shadows(row).join(","))
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
    #[derive(Serialize)]
    struct Line {
        variable: String,
        reference: Option<String>,
        scope: Option<String>,
        shadows: Vec<String>,
        size: Option<usize>,
        status: &'static str,
    }
    let lines: Vec<_> = rows
        .iter()
        .map(|row| Line {
            variable: Shown(&row.variable).to_string(),
            reference: row.reference.clone(),
            scope: row.scope.as_ref().map(Scope::to_string),
            shadows: shadows(row),
            size: row.size,
            status: row.status,
        })
        .collect();
    let mut out = serde_json::to_vec_pretty(&lines).unwrap_or_default();
    out.push(b'\n');
    out
}
