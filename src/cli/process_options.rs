//! What `run` is told about the workload's process, and about supervising it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::options::Options;
use super::{logger, masking};
use crate::core::passwd::{self, Account};
use crate::core::rlimit;
use crate::core::signal::{self, Map, Signal};
use crate::engine::supervise::{OnChange, Settings, Supervised, Watching};
use crate::model::error::Error;
use crate::model::log::{self, Level};
use crate::sys::environ::{self, Started};
use crate::sys::process_attributes::Attributes;
use crate::sys::{duration, files, process};

/// The shortest time between two fetches.
const SHORTEST: Duration = Duration::from_millis(10);

/// `/etc/passwd` and `/etc/group` are not larger than this, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Everything about the workload's process that is known before anything is fetched. The
/// supervisor, where there is one, is told its part.
///
/// # Errors
/// Usage, or what this process may not do.
pub fn prepare(
    options: &Options,
    supervised: Option<&mut Supervised>,
    started: &mut Started,
) -> Result<Attributes, Error> {
    let settings = settings(options)?;
    masking::window(options)?;
    let mut attributes = attributes(options, supervised.as_deref())?;
    if let Some((account, _)) = &attributes.account
        && let Some(home) = &account.home
    {
        started.assign("HOME", home);
    }
    if let Some(supervised) = supervised {
        supervised.settle(&settings);
        // The rest of it counts from the exec on.
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
    } else if process::own() == 1 && options.values("command").first().is_some_and(is_shell) {
        log::debug!(
            "doorkey is PID 1 and becomes a shell, which forwards no signals; --init does, and reaps orphans"
        );
    }
    if logger::shows(Level::DEBUG) {
        let in_force = |id: &&str| options.flag(id) || options.value(id).is_some();
        let in_force: Vec<&str> = OPTIONS.iter().copied().filter(in_force).collect();
        if !in_force.is_empty() {
            log::debug!("in force for the command: {}", in_force.join(", "));
        }
    }
    Ok(attributes)
}

const OPTIONS: [&str; 18] = [
    "init",
    "mask",
    "mask-min",
    "watch",
    "on-change",
    "on-loss",
    "refresh-signal",
    "signal-map",
    "signal-group",
    "grace",
    "user",
    "no-new-privs",
    "umask",
    "chdir",
    "argv0",
    "nice",
    "rlimit",
    "parent-death-signal",
];

fn is_shell(command: &&OsStr) -> bool {
    let shells = ["sh", "ash", "bash", "dash", "ksh", "mksh", "zsh", "fish"];
    let name = Path::new(command).file_name();
    name.is_some_and(|name| shells.iter().any(|shell| name == *shell))
}

fn attributes(options: &Options, supervised: Option<&Supervised>) -> Result<Attributes, Error> {
    let nice = options.text("nice")?.map(|text| {
        let number = text
            .parse::<i32>()
            .ok()
            .filter(|by| (-40..=40).contains(by));
        number.ok_or_else(|| options.usage("nice", "must be a number from -40 to 40"))
    });
    let limit = |text: &OsStr| {
        rlimit::parse(&text.to_string_lossy()).map_err(|why| options.usage("rlimit", why))
    };
    let signal = parent_death(options)?;
    // Without one, that of the launch itself must not stay.
    let parent = supervised.map_or_else(process::parent, |supervised| supervised.parent);
    let parent_death = (signal != 0 || supervised.is_some()).then_some((signal.into(), parent));
    let attributes = Attributes {
        account: account(options, "user")?,
        no_new_privs: options.flag("no-new-privs"),
        umask: mode(options, "umask")?,
        folder: options.path("chdir"),
        argv0: options
            .value("argv0")
            .map(|name| environ::c_string(name.to_owned())),
        nice: nice.transpose()?,
        limits: options
            .values("rlimit")
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

/// The permissions that an option gives.
///
/// # Errors
/// Usage.
pub fn mode(options: &Options, id: &str) -> Result<Option<u32>, Error> {
    let mode = options.text(id)?.map(|text| {
        let octal = u32::from_str_radix(text, 8);
        let octal = octal.ok().filter(|&mode| mode <= 0o777);
        octal.ok_or_else(|| options.usage(id, "must be octal, from 0 to 777"))
    });
    mode.transpose()
}

fn settings(options: &Options) -> Result<Settings, Error> {
    let mut map = Map::default();
    for rule in options.values("signal-map") {
        map.add(&rule.to_string_lossy())
            .map_err(|why| options.usage("signal-map", why))?;
    }
    let settings = Settings {
        map,
        group: options.flag("signal-group"),
        grace: grace(options)?,
        parent_death: parent_death(options)?,
        watching: watching(options)?,
    };
    let given = |id: &&str| options.flag(id) || options.value(id).is_some();
    let needs = |by: &[&str], ids: &[&str], what| {
        let is_there = by.iter().any(given);
        let alone = ids.iter().find(|id| given(id)).filter(|_| !is_there);
        alone.map_or(Ok(()), |id| Err(options.usage(id, what)))
    };
    let supervision = ["signal-map", "signal-group", "grace"];
    needs(&["init", "mask", "watch"], &supervision, "needs --init")?;
    needs(&["mask"], &["mask-min"], "needs --mask")?;
    let changes = ["on-change", "on-loss", "refresh-signal"];
    needs(&["watch"], &changes, "needs --watch")?;
    Ok(settings)
}

/// Whether and how secrets are fetched again.
///
/// # Errors
/// Usage.
pub fn watching(options: &Options) -> Result<Option<Watching>, Error> {
    let Some(every) = options.text("watch")? else {
        return Ok(None);
    };
    let every = duration::parse(every).filter(|every| *every >= SHORTEST);
    let every = every
        .ok_or_else(|| options.usage("watch", "must be a duration of 10ms or more, such as 60s"))?;
    let on_change = options.text("on-change")?.unwrap_or("restart");
    let on_change = match on_change.split_once(':') {
        None if on_change == "restart" => Some(OnChange::Restart),
        Some(("signal", name)) => signal::parse(name).map(OnChange::Signal),
        Some(("exit", code)) => code.parse().map(OnChange::Exit).ok(),
        _ => None,
    };
    let on_change = on_change.ok_or_else(|| {
        options.usage(
            "on-change",
            "must be restart, signal:NAME or exit:CODE, such as signal:HUP",
        )
    })?;
    let stop_on_loss = match options.text("on-loss")?.unwrap_or("warn") {
        "warn" => false,
        "stop" => true,
        _ => return Err(options.usage("on-loss", "must be warn or stop")),
    };
    let refresh = match options.text("refresh-signal")?.unwrap_or("USR2") {
        "none" => Some(0),
        name => signal::parse(name).filter(|&signal| signal::is_forwarded(signal)),
    };
    let refresh = refresh.ok_or_else(|| {
        options.usage(
            "refresh-signal",
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

fn grace(options: &Options) -> Result<Option<Duration>, Error> {
    let Some(text) = options.text("grace")? else {
        return Ok(None);
    };
    let grace = duration::parse(text);
    let grace = grace.ok_or_else(|| options.usage("grace", "must be a duration, such as 5s"));
    grace.map(Some)
}

fn parent_death(options: &Options) -> Result<Signal, Error> {
    let Some(text) = options.text("parent-death-signal")? else {
        return Ok(0);
    };
    let signal = signal::parse(text);
    signal.ok_or_else(|| options.usage("parent-death-signal", "must be a signal, such as TERM"))
}

/// The user that an option names, such as the one that the command runs as, and what it was called.
///
/// # Errors
/// Usage, or the lists of users can't be read.
pub fn account(options: &Options, id: &str) -> Result<Option<(Account, String)>, Error> {
    let Some(wanted) = options.value(id) else {
        return Ok(None);
    };
    let read = |path: &str| match files::read(Path::new(path), LARGEST) {
        Ok(text) => Ok(text),
        // An image without names: numbers will do.
        Err(why) if files::is_absent(&why) => Ok(Vec::new()),
        Err(why) => Err(Error::file("read", path, why)),
    };
    let (passwd, group) = (read("/etc/passwd")?, read("/etc/group")?);
    let account = passwd::find(wanted.as_bytes(), &passwd, &group);
    let account = account.map_err(|unknown| options.usage(id, &unknown.to_string()))?;
    Ok(Some((account, wanted.to_string_lossy().into_owned())))
}
