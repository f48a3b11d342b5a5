//! Faults in texts: places and reasons.

use thiserror::Error;

/// A fault in a text: its place and the reason. The text itself is never in it, since it may be a
/// secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{line}:{column}: {reason}")]
pub struct Malformed {
    /// The line, from 1.
    pub line: usize,
    /// The column, in bytes from 1.
    pub column: usize,
    /// The reason, in lower case.
    pub reason: &'static str,
}

impl Malformed {
    /// Makes the fault at an offset of a text, in bytes from 0.
    pub fn at(text: &[u8], offset: usize, reason: &'static str) -> Self {
        let before = &text[..offset.min(text.len())];
        let newlines = before.iter().filter(|&&byte| byte == b'\n').count();
        let line_start = before
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        Malformed {
            line: newlines + 1,
            column: before.len() - line_start + 1,
            reason,
        }
    }
}

/// The offsets at which a text's lines begin, for finding many faults in it.
pub struct Lines(Vec<usize>);

impl Lines {
    /// Finds the lines of a text.
    pub fn of(text: &[u8]) -> Self {
        let ends = text.iter().enumerate().filter(|&(_, &byte)| byte == b'\n');
        Lines([0].into_iter().chain(ends.map(|(at, _)| at + 1)).collect())
    }

    /// Makes the fault at an offset, as [`Malformed::at`] does.
    pub fn fault(&self, offset: usize, reason: &'static str) -> Malformed {
        let line = self.0.partition_point(|&start| start <= offset);
        Malformed {
            line,
            column: offset - self.0[line - 1] + 1,
            reason,
        }
    }
}
