//! Tables for people and for programs.

use crate::sys::terminal;

/// The text of an empty cell.
pub const NOTHING: &str = "-";

/// Formats rows under a head; the columns are as wide as they need.
pub fn aligned(head: &[&str], rows: &[Vec<String>], bold: bool) -> Vec<u8> {
    coloured(head, rows, bold, &|_| false)
}

/// Formats rows as [`aligned`] does, with those in red that are marked, by their index.
pub fn coloured(
    head: &[&str],
    rows: &[Vec<String>],
    bold: bool,
    is_marked: &dyn Fn(usize) -> bool,
) -> Vec<u8> {
    let head = head.iter().map(|cell| (*cell).to_owned()).collect();
    let lines: Vec<&Vec<String>> = std::iter::once(&head).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).filter_map(width).collect();
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        let cells = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let (start, end) = match index.checked_sub(1) {
            None if bold => ("\x1b[1m", "\x1b[0m"),
            Some(row) if is_marked(row) => ("\x1b[31m", "\x1b[0m"),
            _ => ("", ""),
        };
        out.push_str(&format!("{start}{}{end}\n", line.trim_end()));
    }
    out.into_bytes()
}

/// Formats a table on a terminal; elsewhere one line a row, with tabs between the cells and no
/// head.
pub fn table(head: &[&str], rows: &[Vec<String>], bold: bool) -> Vec<u8> {
    if terminal::is_shown() {
        return aligned(head, rows, bold);
    }
    rows.iter()
        .flat_map(|row| (row.join("\t") + "\n").into_bytes())
        .collect()
}
