//! How to supervise, as it passes from the process that has read its options to its supervisor.

use std::time::Duration;

use crate::core::signal::{LAST, Map, Signal};

/// How to supervise.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Settings {
    /// What each signal becomes.
    pub map: Map,
    /// Whether signals go to the workload's whole group.
    pub group: bool,
    /// How long the rest may take to end when the workload has ended.
    pub grace: Option<Duration>,
    /// The signal to forward when doorkey's own parent has ended; 0 for none.
    pub parent_death: Signal,
    /// Whether and how secrets are fetched again.
    pub watching: Option<Watching>,
}

/// How secrets are fetched again, and what a change does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watching {
    /// The time between.
    pub every: Duration,
    /// What a change does.
    pub on_change: OnChange,
    /// Whether the workload is stopped when a secret is deleted or denied.
    pub stop_on_loss: bool,
    /// The signal that has them fetched at once; 0 for none.
    pub refresh: Signal,
}

/// What a change does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnChange {
    /// The workload is ended, and launched anew.
    Restart,
    /// The workload gets this signal.
    Signal(Signal),
    /// The workload is ended, and doorkey with this code.
    Exit(u8),
}

const MAP: usize = LAST as usize + 1;
const FOR_EVER: u64 = u64::MAX;

impl Settings {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let grace = self.grace.map_or(FOR_EVER, milliseconds);
        let flags = [u8::from(self.group), self.parent_death];
        let watching = self.watching.map_or([0; 4], |watching| {
            let (kind, number) = match watching.on_change {
                OnChange::Restart => (1, 0),
                OnChange::Signal(signal) => (2, signal),
                OnChange::Exit(code) => (3, code),
            };
            let stops = u8::from(watching.stop_on_loss);
            [kind, number, stops, watching.refresh]
        });
        let every = self.watching.map_or(0, |it| milliseconds(it.every));
        let times = [grace.to_le_bytes(), every.to_le_bytes()].concat();
        [self.map.bytes(), &flags, &watching, &times].concat()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (map, rest) = bytes.split_at_checked(MAP)?;
        let (&[group, parent_death], rest) = rest.split_first_chunk()?;
        let (&[kind, number, stops, refresh], rest) = rest.split_first_chunk()?;
        let (grace, every) = rest.split_first_chunk()?;
        let grace = u64::from_le_bytes(*grace);
        let every = Duration::from_millis(u64::from_le_bytes(every.try_into().ok()?));
        let on_change = match kind {
            1 => Some(OnChange::Restart),
            2 => Some(OnChange::Signal(number)),
            3 => Some(OnChange::Exit(number)),
            _ => None,
        };
        Some(Settings {
            map: Map::from_bytes(map)?,
            group: group != 0,
            grace: (grace != FOR_EVER).then(|| Duration::from_millis(grace)),
            parent_death,
            watching: on_change.map(|on_change| Watching {
                every,
                on_change,
                stop_on_loss: stops != 0,
                refresh,
            }),
        })
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(FOR_EVER - 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{OnChange, Settings, Watching};
    use crate::core::signal::Map;

    #[test]
    fn settings_pass_as_bytes() {
        let mut map = Map::default();
        map.add("TERM:INT").unwrap();
        let watching = |on_change| Settings {
            watching: Some(Watching {
                every: Duration::from_secs(60),
                on_change,
                stop_on_loss: on_change == OnChange::Restart,
                refresh: 12,
            }),
            ..Settings::default()
        };
        for settings in [
            Settings::default(),
            Settings {
                map,
                group: true,
                grace: Some(Duration::from_millis(1500)),
                parent_death: 9,
                watching: None,
            },
            Settings {
                grace: Some(Duration::ZERO),
                ..Settings::default()
            },
            watching(OnChange::Restart),
            watching(OnChange::Signal(1)),
            watching(OnChange::Exit(75)),
        ] {
            assert_eq!(Settings::from_bytes(&settings.bytes()), Some(settings));
        }
        assert_eq!(Settings::from_bytes(&[0; 70]), None);
    }
}
