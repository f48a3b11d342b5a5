//! `doorkey check`: shows the result of each reference, and every fault.

use std::process::ExitCode;

use serde::Serialize;

use super::deadline::{self, NOTHING_EXECUTED};
use super::options::Options;
use super::output::print;
use super::table::{NOTHING, coloured};
use super::{own_flags, pipeline};
use crate::engine::check::{self, Row};
use crate::engine::manifests::Gathered;
use crate::model::error::Error;
use crate::model::escape::Shown;
use crate::model::log;
use crate::model::name::Scope;
use crate::stores::Depth;

/// Prints a table, or JSON.
///
/// # Errors
/// The reasons that would keep `run` from launching, and those of each manifest.
pub fn check(options: &mut Options) -> Result<ExitCode, Error> {
    let _deadline = deadline::start(options.timeout()?, 1, NOTHING_EXECUTED)?;
    let depth = match options.flag(&own_flags::NAMES) {
        true => Depth::Names,
        false => Depth::Look,
    };
    let (sourced, gathered) = pipeline::assemble_manifests(options)?;
    let located = pipeline::locate(options, sourced, depth)?;
    let mut fetched = pipeline::fetch(located);
    let shadows = fetched.answers.shadows();
    let mut filling = pipeline::fill(&fetched);
    let (of_manifests, mut errors) =
        check::check_manifests(&gathered, &fetched, &mut filling, &shadows);
    let mut rows = check::check(&fetched, &filling, &shadows);
    rows.extend(of_manifests);
    let has_reference = rows.iter().any(Row::is_of_reference);
    if options.flag(&own_flags::UNUSED) {
        match check::unused(&fetched) {
            Ok(unused) => rows.extend(unused),
            Err(error) => errors.push(error),
        }
    }
    print(&match options.flag(&own_flags::JSON) {
        true => json(&rows),
        false => table(&rows, options.is_colourful()),
    })?;
    // What can't be read is said already.
    let has_error = !errors.is_empty() || !fetched.errors.is_empty();
    if !has_reference && !has_error {
        let nothing = nothing(&gathered);
        match options.flag(&own_flags::STRICT) {
            true => errors.push(Error::Found {
                place: "--strict".to_owned(),
                what: nothing,
            }),
            false => log::warning!(Ignored; "{nothing}"),
        }
    }
    let entries = filling.finish();
    fetched.errors.append(&mut errors);
    let ready = fetched.complete(entries)?;
    if depth == Depth::Look {
        pipeline::seal(ready.environment, &[])?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Explains that nothing was checked.
fn nothing(gathered: &Gathered) -> String {
    let count = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    match gathered.files {
        0 => "nothing was checked: no variable has a reference; --spec checks manifests".to_owned(),
        files => format!(
            "nothing was checked: there is no reference in {} with {}",
            count(files, "file"),
            count(gathered.variables, "variable")
        ),
    }
}

fn shadows(row: &Row) -> Vec<String> {
    row.shadows.iter().map(Scope::to_string).collect()
}

fn table(rows: &[Row], is_colourful: bool) -> Vec<u8> {
    let nothing = || NOTHING.to_owned();
    let is_placed = rows.iter().any(|row| row.place.is_some());
    let cells = |row: &Row| {
        let place = row.place.as_ref();
        let variable = match row.variable.as_slice() {
            check::NO_VARIABLE => nothing(),
            name => Shown(name).to_string(),
        };
        let mut cells = vec![
            place.map_or_else(nothing, |at| format!("{}:{}", at.file, at.line)),
            place.map_or_else(nothing, |at| Shown(at.container.as_bytes()).to_string()),
            variable,
            row.reference.clone().unwrap_or_else(nothing),
            row.scope.as_ref().map_or_else(nothing, Scope::to_string),
            Some(shadows(row).join(","))
                .filter(|text| !text.is_empty())
                .unwrap_or_else(nothing),
            row.size.map_or_else(nothing, |size| size.to_string()),
            row.status.to_owned(),
        ];
        cells.drain(..if is_placed { 0 } else { 2 });
        cells
    };
    let head = [
        "FILE",
        "CONTAINER",
        "VARIABLE",
        "REFERENCE",
        "SCOPE",
        "SHADOWS",
        "SIZE",
        "STATUS",
    ];
    let head = if is_placed { &head[..] } else { &head[2..] };
    let cells = rows.iter().map(cells).collect::<Vec<_>>();
    let is_marked = |row: usize| is_colourful && !rows[row].is_fine();
    coloured(head, &cells, is_colourful, &is_marked)
}

fn json(rows: &[Row]) -> Vec<u8> {
    let lines: Vec<_> = rows.iter().map(Line::of).collect();
    let mut out = serde_json::to_vec_pretty(&lines).unwrap_or_default();
    out.push(b'\n');
    out
}

#[derive(Serialize)]
struct Line<'r> {
    file: Option<&'r str>,
    line: Option<usize>,
    container: Option<&'r str>,
    variable: Option<String>,
    reference: Option<&'r str>,
    scope: Option<String>,
    shadows: Vec<String>,
    size: Option<usize>,
    status: &'static str,
    cause: Option<&'r str>,
    searched: Vec<String>,
    nearest: Option<Nearest>,
}

#[derive(Serialize)]
struct Nearest {
    name: String,
    scope: String,
}

impl<'r> Line<'r> {
    fn of(row: &'r Row) -> Self {
        let place = row.place.as_ref();
        let nearest = row.nearest.as_ref().map(|(name, scope)| Nearest {
            name: name.to_string(),
            scope: scope.to_string(),
        });
        let is_named = row.variable != check::NO_VARIABLE;
        Line {
            file: place.map(|place| place.file.as_str()),
            line: place.map(|place| place.line),
            container: place.map(|place| place.container.as_str()),
            variable: is_named.then(|| Shown(&row.variable).to_string()),
            reference: row.reference.as_deref(),
            scope: row.scope.as_ref().map(Scope::to_string),
            shadows: shadows(row),
            size: row.size,
            status: row.status,
            cause: row.cause.as_deref(),
            searched: row.searched.iter().map(Scope::to_string).collect(),
            nearest,
        }
    }
}
