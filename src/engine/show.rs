//! Shows the environment that the workload would get, without any secret in it.

use super::launch::seal;
use super::resolve::Resolved;
use super::secret_files::Deliveries;
use super::substitute::{self, Piece};
use crate::core::mask::{Hidden, placeholder};
use crate::model::error::Error;

/// One `NAME=value` a line. Each secret is shown as `[secret:NAME]` where a reference stands,
/// and wherever else its value appears; of the variables in `credentials` no value is shown.
///
/// # Errors
/// Everything that would keep a launch from its exec.
pub fn show(resolved: Resolved<'_, '_>, credentials: &[&str]) -> Result<Vec<u8>, Error> {
    let answers = &resolved.answers;
    let values: Vec<(String, &[u8])> = answers
        .values()
        .map(|(label, _, value)| (label, value.expose()))
        .collect();
    let hidden = Hidden::new(&values);

    let mut lines: Vec<Option<Vec<u8>>> = resolved
        .environment
        .entries()
        .map(|entry| Some(hidden.masked(entry)))
        .collect();
    for (place, name, _) in resolved.environment.variables() {
        let credential = credentials.iter().any(|own| own.as_bytes() == name);
        if credential {
            let label = String::from_utf8_lossy(name);
            lines[place] = Some([name, b"=", &placeholder(&label)].concat());
        }
    }
    let mut deliveries = Deliveries::new(resolved.files.clone());
    for (place, name, value) in &resolved.values {
        // What can't be filled in is said below.
        if let Ok(filled) = substitute::fill(name, value, answers, &mut deliveries) {
            lines[*place] = filled.map(|pieces| {
                let shown: Vec<u8> = pieces
                    .iter()
                    .flat_map(|piece| show_piece(piece, &hidden))
                    .collect();
                [name, b"=".as_slice(), &shown].concat()
            });
        }
    }
    let (environment, ..) = resolved.fill(|_, _| ())?;
    seal(environment, &[])?;
    Ok(lines
        .into_iter()
        .flatten()
        .flat_map(|line| [line, b"\n".to_vec()].concat())
        .collect())
}

fn show_piece(piece: &Piece<'_>, hidden: &Hidden<'_>) -> Vec<u8> {
    match piece {
        Piece::Text(text) => hidden.masked(text),
        Piece::Secret(label, _) => placeholder(label),
        Piece::File(path, ..) => path.clone(),
    }
}
