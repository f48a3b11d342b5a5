//! Options of `run` about the workload's process, and about its supervision.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use super::account::{account, mode};
use super::options::Options;
use super::{flags, logger, own_flags};
use crate::core::environment::lookup;
use crate::core::option::Opt;
use crate::core::rlimit;
use crate::core::signal::{self, Map, Signal};
use crate::engine::supervise::{OnChange, Supervised, Supervision, Watching};
use crate::model::error::Error;
use crate::model::log::{self, Level};
use crate::sys::environ::Inherited;
use crate::sys::process_attributes::Attributes;
use crate::sys::{duration, environ, process};

/// The shortest interval between two fetches.
const SHORTEST: Duration = Duration::from_millis(10);

/// The longest time that a launch can be told to wait.
const LONGEST_SPLAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The options of a launch, read before the process is forked.
#[derive(Clone, Copy)]
pub struct Launching {
    /// The timeout.
    pub timeout: Duration,
    /// Longest pause before a server is asked; a launch waits a random part of it.
    pub splay: Option<Duration>,
    /// The settings of the supervision.
    pub settings: Supervision,
    /// The action on a change.
    pub on_change: OnChange,
    /// True if a loss stops the command.
    pub stop_on_loss: bool,
    /// The length in bytes from which a value is masked.
    pub window: usize,
}

/// Reads the options of a launch.
///
/// # Errors
/// A usage error.
pub fn launching(options: &Options) -> Result<Launching, Error> {
    let timeout = options.timeout()?;
    let settings = settings(options)?;
    let (on_change, stop_on_loss) = changes(options)?;
    Ok(Launching {
        timeout,
        splay: splay(options.text(&flags::SPLAY)?)
            .map_err(|what| options.usage(&flags::SPLAY, what))?,
        settings,
        on_change,
        stop_on_loss,
        window: window(options)?,
    })
}

/// Prepares the attributes of the workload's process that are known before anything is fetched. The
/// supervisor, if there is one, is told its part.
///
/// # Errors
/// A usage error, or an action that this process is not permitted.
pub fn prepare(
    options: &mut Options,
    settings: &Supervision,
    supervised: Option<&mut Supervised>,
) -> Result<Attributes, Error> {
    let mut attributes = attributes(options, settings, supervised.as_deref())?;
    if let Some((account, _)) = &attributes.account {
        if let Some(home) = &account.home {
            options.inherited.assign("HOME", home);
        }
        for name in ["USER", "LOGNAME"] {
            if lookup(&options.inherited.0, name.as_bytes()).is_some() {
                options.inherited.assign(name, &account.name);
            }
        }
    }
    if let Some(supervised) = supervised {
        hand_on_pid(&mut options.inherited, supervised.supervisor);
        supervised.settle(settings);
        // The other settings apply from the exec on.
        if settings.parent_death != 0 || settings.watching.is_some() {
            supervised.tell()?;
        }
        attributes.streams = supervised
            .inner
            .take()
            .map_or_else(Vec::new, |inner| inner.places);
        if !supervised.reaps {
            log::warning!("the system does not let doorkey take in orphans of the command");
        }
    } else if process::own() == 1
        && options
            .values(&own_flags::COMMAND)
            .first()
            .is_some_and(is_shell)
    {
        log::debug!(
            "doorkey is PID 1 and becomes a shell, which forwards no signals; --init does, and reaps orphans"
        );
    }
    if logger::shows(Level::DEBUG) {
        let in_force = OPTIONS.iter().filter(|option| options.has(option));
        let in_force: Vec<&str> = in_force.map(|option| option.id).collect();
        if !in_force.is_empty() {
            log::debug!("in force for the command: {}", in_force.join(", "));
        }
    }
    Ok(attributes)
}

/// Variables of systemd's protocols by which a process knows that it is the one that is meant.
const PIDS: [&str; 3] = ["LISTEN_PID", "WATCHDOG_PID", "SYSTEMD_EXEC_PID"];

/// The variable with the inode of that process's file descriptor, beside `LISTEN_PID`.
const PIDFD: &str = "LISTEN_PIDFDID";

/// Puts the workload's number into variables that name the supervisor.
fn hand_on_pid(inherited: &mut Inherited, supervisor: i32) {
    let names = supervisor.to_string();
    let own = process::own().to_string();
    for name in PIDS {
        if lookup(&inherited.0, name.as_bytes()) != Some(names.as_bytes()) {
            continue;
        }
        inherited.assign(name, own.as_bytes());
        if name == PIDS[0] && lookup(&inherited.0, PIDFD.as_bytes()).is_some() {
            // Where the kernel does not tell it, no number is the workload's.
            let id = process::own_pidfd_id().map_or_else(String::new, |id| id.to_string());
            inherited.assign(PIDFD, id.as_bytes());
        }
    }
}

/// The options about the command's process, and its supervision.
const OPTIONS: [Opt; 18] = [
    flags::INIT.0,
    flags::MASK.0,
    flags::MASK_MIN.0,
    flags::WATCH.0,
    flags::ON_CHANGE.0,
    flags::ON_LOSS.0,
    flags::REFRESH_SIGNAL.0,
    flags::SIGNAL_MAP.0,
    flags::SIGNAL_GROUP.0,
    flags::GRACE.0,
    flags::USER.0,
    flags::NO_NEW_PRIVS.0,
    flags::UMASK.0,
    flags::CHDIR.0,
    flags::ARGV0.0,
    flags::NICE.0,
    flags::RLIMIT.0,
    flags::PARENT_DEATH_SIGNAL.0,
];

fn is_shell(command: &&OsStr) -> bool {
    let shells = ["sh", "ash", "bash", "dash", "ksh", "mksh", "zsh", "fish"];
    let name = Path::new(command).file_name();
    name.is_some_and(|name| shells.iter().any(|shell| name == *shell))
}

fn attributes(
    options: &Options,
    settings: &Supervision,
    supervised: Option<&Supervised>,
) -> Result<Attributes, Error> {
    let nice = options.text(&flags::NICE)?.map(|text| {
        let number = text
            .parse::<i32>()
            .ok()
            .filter(|by| (-40..=40).contains(by));
        number.ok_or_else(|| options.usage(&flags::NICE, "must be a number from -40 to 40"))
    });
    let limit = |text: &OsStr| {
        rlimit::parse(&text.to_string_lossy()).map_err(|why| options.usage(&flags::RLIMIT, why))
    };
    let signal = settings.parent_death;
    // Without a signal for the workload, that of the launch itself must not stay.
    let parent = supervised.map_or_else(process::parent, |supervised| supervised.parent);
    let parent_death = (signal != 0 || supervised.is_some()).then_some((signal.into(), parent));
    let attributes = Attributes {
        account: account(options, &flags::USER)?,
        no_new_privs: options.flag(&flags::NO_NEW_PRIVS),
        umask: mode(options, &flags::UMASK)?,
        folder: options.path(&flags::CHDIR),
        argv0: options
            .value(&flags::ARGV0)
            .map(|name| environ::c_string(name.to_owned())),
        nice: nice.transpose()?,
        limits: options
            .values(&flags::RLIMIT)
            .into_iter()
            .map(limit)
            .collect::<Result<_, _>>()?,
        parent_death,
        streams: Vec::new(),
        files: vec![],
        files_are_others: false,
    };
    let faults = attributes.faults();
    if faults.is_empty() {
        Ok(attributes)
    } else {
        Err(Error::all(faults))
    }
}

fn settings(options: &Options) -> Result<Supervision, Error> {
    let mut map = Map::default();
    for rule in options.values(&flags::SIGNAL_MAP) {
        map.add(&rule.to_string_lossy())
            .map_err(|why| options.usage(&flags::SIGNAL_MAP, why))?;
    }
    let settings = Supervision {
        map,
        group: options.flag(&flags::SIGNAL_GROUP),
        grace: grace(options)?,
        parent_death: parent_death(options)?,
        watching: watching(options)?,
    };
    let needs = |by: &[Opt], alone: &[Opt], what| {
        let is_there = by.iter().any(|option| options.has(option));
        let alone = alone.iter().find(|option| options.has(option));
        let alone = alone.filter(|_| !is_there);
        alone.map_or(Ok(()), |option| Err(options.usage(option, what)))
    };
    let (init, mask, watch) = (flags::INIT.0, flags::MASK.0, flags::WATCH.0);
    let supervision = [flags::SIGNAL_MAP.0, flags::SIGNAL_GROUP.0, flags::GRACE.0];
    needs(&[init, mask, watch], &supervision, "needs --init")?;
    let more = [flags::MASK_MIN.0, flags::MASK_ALSO.0];
    needs(&[mask], &more, "needs --mask")?;
    let changes = [flags::ON_CHANGE.0, flags::ON_LOSS.0];
    needs(&[init, mask, watch], &changes, "needs --init or --watch")?;
    needs(&[watch], &[flags::REFRESH_SIGNAL.0], "needs --watch")?;
    Ok(settings)
}

/// Reads the interval and the actions of `--watch`; `None` without it.
fn watching(options: &Options) -> Result<Option<Watching>, Error> {
    let Some(every) = options.text(&flags::WATCH)? else {
        return Ok(None);
    };
    let every = duration::parse(every).filter(|every| *every >= SHORTEST);
    let every = every.ok_or_else(|| {
        options.usage(
            &flags::WATCH,
            "must be a duration of 10ms or more, such as 60s",
        )
    })?;
    let (on_change, stop_on_loss) = changes(options)?;
    let refresh = match options.text(&flags::REFRESH_SIGNAL)?.unwrap_or("USR2") {
        "none" => Some(0),
        name => signal::parse(name).filter(|&signal| signal::is_forwarded(signal)),
    };
    let refresh = refresh.ok_or_else(|| {
        options.usage(
            &flags::REFRESH_SIGNAL,
            "must be a signal that can be caught, or none",
        )
    })?;
    Ok(Some(Watching {
        every,
        on_change,
        stop_on_loss,
        refresh,
    }))
}

/// Reads the action on a change, and the one on a loss: true if it stops the command.
///
/// # Errors
/// A usage error.
fn changes(options: &Options) -> Result<(OnChange, bool), Error> {
    let on_change = options.text(&flags::ON_CHANGE)?.unwrap_or("restart");
    let on_change = match on_change.split_once(':') {
        None if on_change == "restart" => Some(OnChange::Restart),
        None if on_change == "none" => Some(OnChange::Signal(0)),
        Some(("signal", name)) => signal::parse(name).map(OnChange::Signal),
        Some(("exit", code)) => code.parse().map(OnChange::Exit).ok(),
        _ => None,
    };
    let on_change = on_change.ok_or_else(|| {
        options.usage(
            &flags::ON_CHANGE,
            "must be restart, none, signal:NAME or exit:CODE, such as signal:HUP",
        )
    })?;
    let stop_on_loss = match options.text(&flags::ON_LOSS)?.unwrap_or("warn") {
        "warn" => false,
        "stop" => true,
        _ => return Err(options.usage(&flags::ON_LOSS, "must be warn or stop")),
    };
    Ok((on_change, stop_on_loss))
}

/// Reads the time of which a launch waits a random part.
///
/// # Errors
/// The reason why it is refused.
pub fn splay(text: Option<&str>) -> Result<Option<Duration>, &'static str> {
    let parse = |text| duration::parse(text).filter(|time| *time <= LONGEST_SPLAY);
    let splay =
        text.map(|text| parse(text).ok_or("must be a duration, such as 10s, of a day at most"));
    splay.transpose()
}

fn grace(options: &Options) -> Result<Option<Duration>, Error> {
    let Some(text) = options.text(&flags::GRACE)? else {
        return Ok(None);
    };
    let grace = duration::parse(text);
    let grace = grace.ok_or_else(|| options.usage(&flags::GRACE, "must be a duration, such as 5s"));
    grace.map(Some)
}

fn parent_death(options: &Options) -> Result<Signal, Error> {
    let Some(text) = options.text(&flags::PARENT_DEATH_SIGNAL)? else {
        return Ok(0);
    };
    let signal = signal::parse(text);
    signal.ok_or_else(|| {
        options.usage(
            &flags::PARENT_DEATH_SIGNAL,
            "must be a signal, such as TERM",
        )
    })
}

/// The default of `--mask-min`, in bytes.
const USUAL: usize = 8;

/// Reads the window: the length in bytes from which a value is masked.
///
/// # Errors
/// A usage error.
pub fn window(options: &Options) -> Result<usize, Error> {
    let Some(text) = options.text(&flags::MASK_MIN)? else {
        return Ok(USUAL);
    };
    let window = text.parse().ok().filter(|bytes| (4..=32).contains(bytes));
    window.ok_or_else(|| options.usage(&flags::MASK_MIN, "must be a number from 4 to 32"))
}
