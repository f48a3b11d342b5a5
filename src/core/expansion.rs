//! `$(NAME)` in a variable's value, as Kubernetes expands it (its third_party/forked/golang/expansion):
//! `$$` is `$` everywhere; an unknown name and a `$(` that is never closed stay as they are; what is
//! put in is not read again.

use super::interpolate::Lookup;

/// A part of a value.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Text that stays.
    Text(&'t [u8]),
    /// A variable's name, as it stands in `$(NAME)`.
    Name(&'t [u8]),
}

/// Splits a value into its parts.
pub fn pieces(mut rest: &[u8]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let dollar = rest.iter().position(|&byte| byte == b'$');
        let (text, after) = rest.split_at(dollar.unwrap_or(rest.len()));
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        rest = match after {
            [] => after,
            [b'$', b'$', ..] => {
                pieces.push(Piece::Text(&after[..1]));
                &after[2..]
            }
            [b'$', b'(', inside @ ..] => match inside.iter().position(|&byte| byte == b')') {
                Some(end) => {
                    pieces.push(Piece::Name(&inside[..end]));
                    &inside[end + 1..]
                }
                None => {
                    pieces.push(Piece::Text(&after[..2]));
                    inside
                }
            },
            _ => {
                pieces.push(Piece::Text(&after[..1]));
                &after[1..]
            }
        };
    }
    pieces
}

/// The length at which a value is cut, in bytes: more than a kernel takes. Names that stand for
/// names could make it any length.
const LONGEST: usize = 1 << 20;

/// Puts a value together. `known` gives the value of a name.
pub fn expanded(pieces: &[Piece<'_>], known: Lookup<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        if out.len() > LONGEST {
            break;
        }
        match piece {
            Piece::Text(text) => out.extend_from_slice(text),
            Piece::Name(name) => match known(name) {
                Some(value) => out.extend_from_slice(&value),
                None => out.extend_from_slice(&[b"$(", *name, b")"].concat()),
            },
        }
    }
    out
}

/// True for a name that Kubernetes gives to a variable of a service (`DB_SERVICE_HOST`,
/// `DB_PORT_5432_TCP_ADDR`), which every container of the namespace has.
pub fn is_of_service(name: &[u8]) -> bool {
    let Ok(name) = str::from_utf8(name) else {
        return false;
    };
    let after = |found: &str| name.find(found).map(|at| &name[at + found.len()..]);
    name.ends_with("_SERVICE_HOST")
        || after("_SERVICE_PORT").is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        || after("_PORT").is_some_and(|rest| {
            rest.is_empty()
                || rest.contains("_TCP")
                || rest.contains("_UDP")
                || rest.contains("_SCTP")
        })
}
