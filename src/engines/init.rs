//! `run --init`: two processes. One becomes the workload, as without `--init`; the other forwards
//! signals to it, takes in orphans, and ends when it ends. That one is forked from before any
//! secret is read, and has none: what it was started with is overwritten.

use std::io;
use std::time::{Duration, Instant};

use crate::pure::signal::{LAST, Map, Signal};
use crate::words::error::Error;
use crate::world::environ::Started;
use crate::world::job::Job;
use crate::world::link::{self, Ears, Heard, Listener, Speaker};
use crate::world::process::{self, Change, Forked, Taken};
use crate::world::{descendants, exec, files, memory, origin, pages, signals};

/// How to supervise: known only when the other process has read its options.
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
}

const MAP: usize = LAST as usize + 1;

impl Settings {
    fn bytes(&self) -> Vec<u8> {
        let grace = self.grace.map_or(u64::MAX, |grace| {
            u64::try_from(grace.as_millis()).unwrap_or(u64::MAX - 1)
        });
        let flags = [u8::from(self.group), self.parent_death];
        [self.map.bytes(), &flags, &grace.to_le_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (map, rest) = bytes.split_at_checked(MAP)?;
        let (&[group, parent_death], grace) = rest.split_first_chunk()?;
        let grace = u64::from_le_bytes(grace.try_into().ok()?);
        Some(Settings {
            map: Map::from_bytes(map)?,
            group: group != 0,
            grace: (grace != u64::MAX).then(|| Duration::from_millis(grace)),
            parent_death,
        })
    }
}

/// What the process that becomes the workload has of its supervisor.
pub struct Supervised {
    speaker: Speaker,
    /// The supervisor's number.
    pub supervisor: i32,
    /// Whether orphans come to the supervisor.
    pub reaps: bool,
}

impl Supervised {
    /// Tells the supervisor how to supervise.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub fn settle(&mut self, settings: &Settings) -> Result<(), Error> {
        let said = self.speaker.say(&settings.bytes());
        said.map_err(|why| Error::file("write", "the supervisor's settings", why))
    }
}

/// Makes two of this process. The one that comes back is to become the workload.
///
/// # Errors
/// What the system says.
pub fn split(started: Started) -> Result<(Started, Supervised), Error> {
    let failed = |why: io::Error| Error::file("start", "a second process", why);
    let supervisor = process::own();
    let above = process::parent();
    let reaps = supervisor == 1 || process::become_subreaper();
    let job = Job::survey();
    let (speaker, listener) = link::pipe().map_err(failed)?;
    origin::take_children();
    match process::fork().map_err(failed)? {
        Forked::Child => {
            job.separate();
            // Nobody would end the launch in the supervisor's place.
            process::signal_at_end_of(supervisor, KILL);
            origin::unblock();
            drop(listener);
            let supervised = Supervised {
                speaker,
                supervisor,
                reaps,
            };
            Ok((started, supervised))
        }
        Forked::Parent(workload) => {
            let supervisor = Supervisor {
                workload,
                job: job.of(workload),
                settings: Settings::default(),
                above,
                first: supervisor == 1,
            };
            drop(speaker);
            supervisor.begin(started, listener)
        }
    }
}

const INT: i32 = 2;
const QUIT: i32 = 3;
const KILL: i32 = 9;
const TERM: i32 = 15;
const CHLD: i32 = 17;
const CONT: i32 = 18;
const TSTP: i32 = 20;
const TTIN: i32 = 21;
const TTOU: i32 = 22;
const WINCH: i32 = 28;

/// Whoever a process may send signals to, but itself and PID 1.
const EVERYBODY: i32 = -1;

/// What a terminal sends to all of a group.
const OF_TERMINAL: [i32; 6] = [INT, QUIT, TSTP, TTIN, TTOU, WINCH];

struct Supervisor {
    workload: i32,
    job: Job,
    settings: Settings,
    /// The process that has started us.
    above: i32,
    /// Whether we are PID 1, whose end the kernel makes everybody's.
    first: bool,
}

impl Supervisor {
    /// Supervises, first while the other process reads its secrets, then the workload.
    fn begin(mut self, started: Started, listener: Listener) -> ! {
        started.erase();
        let _ = memory::conceal();
        process::set_name(&format!("doorkey:{}", self.workload));
        files::leave_folder();
        let ending = signals::ending();
        let early = [CHLD, CONT, TSTP, TTIN, TTOU];
        let early = early
            .iter()
            .fold(ending, |set, &one| set | process::bit(one));
        // What else comes is kept until the workload is there.
        if let Ok(ears) = listener.alone(early) {
            self.wait_for_workload(ears, ending);
        }
        let clean = pages::clean();
        loop {
            if let Some(taken) = process::take_idle(process::ALL, &clean) {
                self.on(&taken);
            }
        }
    }

    fn wait_for_workload(&mut self, mut ears: Ears, ending: origin::Mask) {
        let mut message = [0; 256];
        loop {
            match ears.hear(&mut message) {
                Heard::Silence => return,
                Heard::Said(bytes) => self.settle(&message[..bytes]),
                Heard::Signal(taken) if ending & process::bit(taken.signal()) != 0 => {
                    process::send(self.workload, KILL);
                    self.wait_for_end();
                    self.end(128 + taken.signal() as u8);
                }
                Heard::Signal(taken) => self.on(&taken),
            }
        }
    }

    fn settle(&mut self, message: &[u8]) {
        let Some(settings) = Settings::from_bytes(message) else {
            return;
        };
        self.settings = settings;
        if settings.parent_death != 0 {
            process::signal_at_end_of(self.above, settings.parent_death.into());
        }
    }

    fn wait_for_end(&self) {
        while !matches!(process::reap(self.workload), Some(Change::Ended(_))) {
            process::take(process::bit(CHLD), None);
        }
    }

    fn on(&mut self, taken: &Taken) {
        match taken.signal() {
            CHLD => {
                match process::reap(self.workload) {
                    Some(Change::Ended(code)) => self.end(code),
                    Some(Change::Stopped(signal)) => self.job.stopped(signal),
                    None => {}
                }
                // One that a process has sent is the workload's.
                if taken.is_sent() {
                    self.forward(taken);
                }
            }
            CONT => {
                self.job.continued();
                self.forward(taken);
            }
            _ => self.forward(taken),
        }
    }

    /// Forwards a signal: to the workload's group where a terminal, or a shell, would.
    fn forward(&self, taken: &Taken) {
        let signal = taken.signal();
        let Some(to) = Signal::try_from(signal)
            .ok()
            .and_then(|one| self.settings.map.of(one))
        else {
            return;
        };
        let by_shell = self.job.has_terminal() && [CONT, TSTP, TTIN, TTOU].contains(&signal);
        let by_terminal = !taken.is_sent() && OF_TERMINAL.contains(&signal);
        let all = self.settings.group || by_shell || by_terminal;
        let target = if all { -self.workload } else { self.workload };
        process::forward(taken, target, to.into());
    }

    /// The workload has ended. What is left of its processes is asked to end, and given the grace
    /// where there is one; as PID 1 without a grace the kernel ends them at once.
    fn end(&self, code: u8) -> ! {
        self.job.over();
        let grace = self.settings.grace;
        let left = !(self.first && grace.unwrap_or_default().is_zero()) && process::has_children();
        if left {
            match self.first {
                true => process::send(EVERYBODY, TERM),
                false => descendants::terminate(),
            }
            if let Some(grace) = grace {
                let began = Instant::now();
                while process::has_children()
                    && let Some(time) = grace.checked_sub(began.elapsed())
                {
                    process::take(process::bit(CHLD), Some(time));
                }
                if !self.first {
                    descendants::kill();
                }
            }
        }
        exec::quit(code)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Settings;
    use crate::pure::signal::Map;

    #[test]
    fn settings_pass_as_bytes() {
        let mut map = Map::default();
        map.add("TERM:INT").unwrap();
        for settings in [
            Settings::default(),
            Settings {
                map,
                group: true,
                grace: Some(Duration::from_millis(1500)),
                parent_death: 9,
            },
            Settings {
                grace: Some(Duration::ZERO),
                ..Settings::default()
            },
        ] {
            assert_eq!(Settings::from_bytes(&settings.bytes()), Some(settings));
        }
        assert_eq!(Settings::from_bytes(&[0; 70]), None);
    }
}
