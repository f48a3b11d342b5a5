//! `doorkey check`: what each reference resolves to, and every fault.

use std::process::ExitCode;

use serde::Serialize;

use super::options::Options;
use crate::engines::check::{self, Row};
use crate::engines::launch;
use crate::engines::resolve::Depth;
use crate::words::error::Error;
use crate::words::name::Scope;
use crate::words::shown::Shown;
use crate::world::environ::Started;
use crate::world::memory;

/// Prints a table, or JSON.
///
/// # Errors
/// Everything that would keep `run` from launching.
pub fn check(options: &Options, mut started: Started) -> Result<ExitCode, Error> {
    let _concealed = memory::conceal();
    let _deadline = super::run::start_deadline(options, 1)?;
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
            table(&rows)
        })?;
        if !resolved.errors.is_empty() {
            return Err(Error::all(resolved.errors));
        }
        if depth == Depth::Values {
            let (environment, _) = resolved.fill()?;
            launch::fits(&[], &launch::seal(environment)?)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn shadows(row: &Row) -> Vec<String> {
    row.shadows.iter().map(Scope::to_string).collect()
}

/// Rows with columns as wide as they need; what there is none of is `-`.
fn table(rows: &[Row]) -> Vec<u8> {
    let head = [
        "VARIABLE",
        "REFERENCE",
        "SCOPE",
        "SHADOWS",
        "SIZE",
        "STATUS",
    ]
    .map(str::to_owned);
    let dash = || "-".to_owned();
    let cells = rows.iter().map(|row| {
        [
            Shown(&row.variable).to_string(),
            row.reference.clone().unwrap_or_else(dash),
            row.scope.as_ref().map_or_else(dash, Scope::to_string),
            Some(shadows(row).join(","))
                .filter(|text| !text.is_empty())
                .unwrap_or_else(dash),
            row.size.map_or_else(dash, |size| size.to_string()),
            row.status.to_owned(),
        ]
    });
    let lines: Vec<[String; 6]> = std::iter::once(head).chain(cells).collect();
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut out = String::new();
    for line in &lines {
        let padded: Vec<_> = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        out.push_str(padded.join("  ").trim_end());
        out.push('\n');
    }
    out.into_bytes()
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
