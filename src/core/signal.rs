//! Signals by name and number, and the map from received to forwarded signals.

use serde::{Deserialize, Serialize};

/// A signal's number, from 1 to [`LAST`].
pub type Signal = u8;

/// The terminal, or whoever has started us, is gone. This and the next: by the kernel's numbers on
/// x86 and ARM.
pub const HUP: Signal = 1;
/// A person's Ctrl-C.
pub const INT: Signal = 2;
/// A person's Ctrl-\.
pub const QUIT: Signal = 3;
/// The end at once.
pub const KILL: Signal = 9;
/// A signal for any use.
pub const USR1: Signal = 10;
/// A request to end.
pub const TERM: Signal = 15;
/// A child has ended, or was stopped or continued.
pub const CHLD: Signal = 17;
/// A stopped process goes on.
pub const CONT: Signal = 18;
/// A person's Ctrl-Z.
pub const TSTP: Signal = 20;
/// A process in the background wants to read from the terminal.
pub const TTIN: Signal = 21;
/// A process in the background wants to write to the terminal, or to set it.
pub const TTOU: Signal = 22;
/// The terminal has another size.
pub const WINCH: Signal = 28;

/// The last real-time signal.
pub const LAST: Signal = 64;

/// First real-time signal as `kill -l` counts: most C libraries keep 32 and 33.
const FIRST_REAL_TIME: Signal = 34;

/// Kernel's numbers on x86 and ARM (`asm-generic/signal.h`). Of two names the usual one is first.
const NAMES: [(&str, Signal); 34] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("IOT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("POLL", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// Signals that are never forwarded: KILL and STOP can't be caught, the others come from a
/// process's own faults or from its children.
const OWN: [Signal; 9] = [4, 5, 7, 8, 9, 11, 17, 19, 31];

/// True for a signal that is forwarded to the workload.
pub fn is_forwarded(signal: Signal) -> bool {
    !OWN.contains(&signal)
}

/// Reads a signal: its name with or without `SIG`, its number, or `RTMIN+N` and `RTMAX-N`.
pub fn parse(text: &str) -> Option<Signal> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(*number);
    }
    let offset = |rest: &str, sign| match rest {
        "" => Some(0),
        rest => digits(rest.strip_prefix(sign)?),
    };
    let number = if let Some(rest) = name.strip_prefix("RTMIN") {
        FIRST_REAL_TIME.checked_add(offset(rest, '+')?)?
    } else if let Some(rest) = name.strip_prefix("RTMAX") {
        let number = LAST.checked_sub(offset(rest, '-')?)?;
        return Some(number).filter(|&number| number >= FIRST_REAL_TIME);
    } else {
        digits(text)?
    };
    (1..=LAST).contains(&number).then_some(number)
}

/// Returns a signal's name: `SIGHUP`, or `SIGRTMIN+N` for a real-time signal.
pub fn name(signal: Signal) -> String {
    let known = NAMES.iter().find(|(_, number)| *number == signal);
    match known {
        Some((name, _)) => format!("SIG{name}"),
        None => format!("SIGRTMIN+{}", signal.saturating_sub(FIRST_REAL_TIME)),
    }
}

fn digits(text: &str) -> Option<u8> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

/// Map from each received signal to the forwarded one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(into = "Vec<Signal>", try_from = "Vec<Signal>")]
pub struct Map([Signal; LAST as usize + 1]);

impl Default for Map {
    fn default() -> Self {
        Map(std::array::from_fn(|signal| signal as Signal))
    }
}

impl Map {
    /// Adds `FROM:TO`; a TO of `0` or `none` drops the signal.
    ///
    /// # Errors
    /// The reason, in lower case.
    pub fn add(&mut self, rule: &str) -> Result<(), &'static str> {
        let (from, to) = rule.split_once(':').ok_or("must be FROM:TO")?;
        let from = parse(from).ok_or(NO_SIGNAL)?;
        if !is_forwarded(from) {
            return Err("can only map a signal that is forwarded");
        }
        self.0[usize::from(from)] = match to {
            "0" | "none" => 0,
            to => parse(to).ok_or(NO_SIGNAL)?,
        };
        Ok(())
    }

    /// Returns the signal to forward; `None` if it is dropped.
    pub fn of(&self, signal: Signal) -> Option<Signal> {
        let to = self.0.get(usize::from(signal)).copied();
        to.filter(|&to| to != 0)
    }
}

impl From<Map> for Vec<Signal> {
    fn from(map: Map) -> Self {
        map.0.to_vec()
    }
}

impl TryFrom<Vec<Signal>> for Map {
    type Error = &'static str;

    fn try_from(signals: Vec<Signal>) -> Result<Self, Self::Error> {
        let map = signals.try_into();
        map.map(Map).map_err(|_| "another number of signals")
    }
}

/// Message for a text that names no signal.
pub const NO_SIGNAL: &str = "must name signals: TERM, SIGTERM, 15 or RTMIN+1";

#[cfg(test)]
mod tests {
    use super::{Map, parse};

    #[test]
    fn names_and_numbers() {
        for (text, number) in [
            ("TERM", Some(15)),
            ("SIGTERM", Some(15)),
            ("sigterm", Some(15)),
            ("15", Some(15)),
            ("1", Some(1)),
            ("64", Some(64)),
            ("iot", Some(6)),
            ("RTMIN", Some(34)),
            ("SIGRTMIN+3", Some(37)),
            ("rtmin+30", Some(64)),
            ("RTMAX", Some(64)),
            ("RTMAX-30", Some(34)),
            ("RTMIN+31", None),
            ("RTMAX-31", None),
            ("RTMIN-1", None),
            ("RTMIN+", None),
            ("RTMIN+255", None),
            ("0", None),
            ("65", None),
            ("256", None),
            ("+1", None),
            ("", None),
            ("SIG", None),
            ("SIG15", None),
            ("TERMX", None),
        ] {
            assert_eq!(parse(text), number, "{text}");
        }
    }

    #[test]
    fn rules() {
        let mut map = Map::default();
        assert_eq!(
            (map.of(15), map.of(64), map.of(0)),
            (Some(15), Some(64), None)
        );
        map.add("TERM:INT").unwrap();
        map.add("SIGUSR1:0").unwrap();
        map.add("hup:KILL").unwrap();
        map.add("RTMIN:none").unwrap();
        let mapped = [15, 10, 1, 34, 2].map(|signal| map.of(signal));
        assert_eq!(mapped, [Some(2), None, Some(9), None, Some(2)]);
        assert_eq!(Map::try_from(Vec::from(map)), Ok(map));
        assert!(Map::try_from(vec![0; 3]).is_err());
        for (rule, why) in [
            ("TERM", "must be FROM:TO"),
            ("KILL:TERM", "can only map a signal that is forwarded"),
            ("CHLD:TERM", "can only map a signal that is forwarded"),
            ("TERM:", super::NO_SIGNAL),
            (":TERM", super::NO_SIGNAL),
            ("TERM:INT:HUP", super::NO_SIGNAL),
        ] {
            assert_eq!(map.add(rule), Err(why), "{rule}");
        }
    }
}
