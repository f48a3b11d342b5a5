//! Shows the environment that the workload would get, without any secret in it.

use super::fetch::Fetched;
use super::fill::Filling;
use super::substitute::Piece;
use crate::core::mask::{Hidden, placeholder};

/// Shows each entry, `NAME=value`. Each secret is shown as `[secret:NAME]` where a reference stands,
/// and wherever else its value appears. No value of the variables in `credentials` is shown.
pub fn show(fetched: &Fetched<'_>, filling: &Filling<'_>, credentials: &[&str]) -> Vec<Vec<u8>> {
    let values: Vec<(String, &[u8])> = fetched
        .answers
        .values()
        .map(|(label, _, value)| (label, value.expose()))
        .collect();
    let hidden = Hidden::new(&values);

    let mut lines: Vec<Option<Vec<u8>>> = fetched
        .environment
        .entries()
        .map(|entry| Some(hidden.masked(entry)))
        .collect();
    for (place, name, _) in fetched.environment.variables() {
        let credential = credentials.iter().any(|own| own.as_bytes() == name);
        if credential {
            let label = String::from_utf8_lossy(name);
            lines[place] = Some([name, b"=", &placeholder(&label)].concat());
        }
    }
    for variable in &filling.variables {
        let filled = &variable.filled;
        lines[variable.place] = (!filled.is_removed()).then(|| {
            let pieces = filled.pieces();
            let shown: Vec<u8> = pieces
                .flat_map(|piece| show_piece(piece, &hidden))
                .collect();
            [variable.name, b"=".as_slice(), &shown].concat()
        });
    }
    lines.into_iter().flatten().collect()
}

fn show_piece(piece: &Piece<'_>, hidden: &Hidden<'_>) -> Vec<u8> {
    match piece {
        Piece::Text(text) => hidden.masked(text),
        Piece::Secret(label, _) | Piece::Lent(label) => placeholder(label),
        Piece::File(path, ..) => path.clone(),
    }
}
