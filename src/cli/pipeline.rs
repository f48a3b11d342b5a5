//! A launch, step by step, each of what the one before has made:
//!
//! parse → configure → split → assemble → locate → (wait) → fetch → fill → seal → deliver → exec
//!
//! `run` goes all the way. `check`, `env` and `render` end at what is filled in, the refresh of
//! `--watch` at what is delivered; `join` takes a workload's environment, and goes on with the exec.

use std::collections::BTreeSet;
use std::ffi::{CString, OsString};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::command_line::Leaf;
use super::configuration::Place;
use super::deadline::not_removed;
use super::options::{Logging, Options};
use super::parse::Refusal;
use super::patience::patience;
use super::process_options::{self, Launching};
use super::store_access::unread;
use super::{flags, logger};
use crate::core::environment::{Block, Environment, lookup};
use crate::engine::assemble::{self, Assembled};
use crate::engine::delivered::Removal;
use crate::engine::fetch::{self, Fetched, Located};
use crate::engine::fill::{self, Filling};
use crate::engine::launch;
use crate::engine::open_stores::Stores;
use crate::engine::render::Template;
use crate::engine::secret_files::Deliveries;
use crate::engine::supervise::{self, Asked, Supervised};
use crate::model::error::Error;
use crate::model::log::{self, Phase};
use crate::stores::{self, Depth};
use crate::sys::environ::Inherited;
use crate::sys::memory::Concealed;
use crate::sys::process_attributes::Attributes;
use crate::sys::signals::Deadline;
use crate::sys::{duration, random, self_exe, startup};

/// Reads what the user said.
///
/// # Errors
/// Help is asked for, or it can't be understood.
pub fn parse(
    leaf: &'static Leaf,
    arguments: impl IntoIterator<Item = OsString>,
    inherited: Inherited,
) -> Result<Options, Refusal> {
    Options::parse(leaf, arguments, inherited)
}

/// What is known before the process is forked.
pub struct Configured {
    options: Options,
    logging: Logging,
    /// What is said of a launch, if it is one.
    launching: Option<Launching>,
}

/// Judges what can be judged before the process is forked. No file is read.
///
/// # Errors
/// Usage.
pub fn configure(options: Options) -> Result<Configured, Error> {
    let logging = options.logging().inspect_err(|_| startup::unblock())?;
    options.judge_flags().inspect_err(|_| {
        startup::unblock();
        logger::start(logging.level, logging.format);
    })?;
    let launches = options.leaf.words == ["run"];
    let launching = launches.then(|| process_options::launching(&options));
    let launching = launching.transpose().inspect_err(|_| {
        startup::unblock();
        begin(&options, logging);
    })?;
    Ok(Configured {
        options,
        logging,
        launching,
    })
}

/// Starts the log, and says what is to be said first.
fn begin(options: &Options, logging: Logging) {
    logger::start(logging.level, logging.format);
    options.warn_of_unknown();
    if self_exe::is_distrustful() {
        log::debug!("the kernel has started doorkey in secure mode (AT_SECURE)");
    }
}

/// What each process that comes back from the fork has.
pub struct Split {
    /// What the user said.
    pub options: Options,
    /// What of a launch, if it is one.
    pub launching: Option<Launching>,
    /// The line to the supervisor, if there is one.
    pub supervised: Option<Supervised>,
}

/// Makes two processes where a supervisor is wanted. Each that comes back is to become the workload
/// or, where something is known of that, to fetch its secrets again. Lines can be logged from here
/// on.
///
/// # Errors
/// There is no second process to be had.
pub fn split(configured: Configured) -> Result<Split, Error> {
    let Configured {
        mut options,
        logging,
        launching,
    } = configured;
    let value = |name: &str| lookup(&options.inherited.0, name.as_bytes());
    let asked = Asked {
        masks: options.flag(&flags::MASK),
        watches: options.has(&flags::WATCH),
        lends: stores::may_be_lent(value),
    };
    let is_wanted = asked.masks || asked.watches || options.flag(&flags::INIT);
    let supervised = match launching.filter(|_| is_wanted) {
        None => {
            startup::unblock();
            None
        }
        Some(launching) => {
            let inherited = std::mem::take(&mut options.inherited);
            let waits = patience(launching.timeout, logging);
            let (inherited, supervised) = supervise::split(inherited, asked, waits)?;
            options.inherited = inherited;
            options.comes_again = supervised.known.is_some();
            Some(supervised)
        }
    };
    options.began = Instant::now();
    begin(&options, logging);
    Ok(Split {
        options,
        launching,
        supervised,
    })
}

/// What is put together, and where the secrets in it are looked for.
pub struct Sourced {
    place: Place,
    assembled: Assembled<'static>,
    /// The words that references to single places begin with.
    words: BTreeSet<&'static str>,
}

impl Sourced {
    /// The variables that hold credentials.
    pub fn credentials(&self) -> Vec<&'static str> {
        stores::credentials(self.place.store.as_deref(), &self.words)
    }
}

/// Puts the environment together from its sources; of a template, which no environment is for, its
/// references and those of the sources.
///
/// # Errors
/// Usage, or the configuration can't be read. What else is wrong is said with the rest.
pub fn assemble(options: &Options, template: Option<&Template>) -> Result<Sourced, Error> {
    let _phase = log::begin(Phase::Assemble);
    let place = options.place()?;
    let sources = options.sources(&place)?;
    let mut assembled = match template {
        Some(template) => template.assemble(&sources),
        None => assemble::assemble(&options.inherited.0, &sources),
    };
    Ok(Sourced {
        place,
        words: std::mem::take(&mut assembled.words),
        assembled,
    })
}

/// Draws how long a launch waits before it asks a server; that is nothing where it asks none, or is
/// not the first of its supervisor. Its time counts from then on.
///
/// # Errors
/// The configuration says no duration.
pub fn splay(
    options: &mut Options,
    sourced: &Sourced,
    said: Option<Duration>,
    supervised: Option<&Supervised>,
) -> Result<Duration, Error> {
    let configured = || sourced.place.config.get(flags::SPLAY.id);
    let splay = match said {
        None => process_options::splay(configured())
            .map_err(|what| Error::Usage(format!("splay in doorkey.toml {what}")))?,
        said => said,
    };
    let scoped = options.flag(&flags::ALL) || sourced.assembled.has_scoped();
    let location = sourced.place.store.as_deref().filter(|_| scoped);
    let is_first = supervised.is_none_or(|by| by.first);
    let splay = splay.filter(|_| is_first && stores::are_remote(location, &sourced.words));
    let pause = splay.map_or(Duration::ZERO, random::up_to);
    options.began += pause;
    Ok(pause)
}

/// Waits, and has the launch's time and the supervisor wait as well.
///
/// # Errors
/// The supervisor is gone, or the timer.
pub fn wait(
    pause: Duration,
    deadline: &Deadline,
    supervised: Option<&mut Supervised>,
) -> Result<(), Error> {
    if pause.is_zero() {
        return Ok(());
    }
    deadline
        .extend(pause)
        .map_err(|why| Error::file("set", "the timer", why))?;
    if let Some(supervised) = supervised {
        supervised.pause(pause)?;
    }
    log::debug!("a server is asked in {} (--splay)", duration::shown(pause));
    thread::sleep(pause);
    Ok(())
}

/// Opens the stores that are needed, with credentials that are taken out of the environment.
///
/// # Errors
/// Usage. What can't be opened is said with the rest.
pub fn locate(
    options: &mut Options,
    sourced: Sourced,
    depth: Depth,
) -> Result<Located<'static>, Error> {
    let Sourced {
        place,
        mut assembled,
        words,
    } = sourced;
    let location = place.store.as_deref();
    let all = options.flag(&flags::ALL);
    let scoped = all || assembled.has_scoped();
    let reads = depth != Depth::Names;
    let mut access = options.access(&place, &words, &assembled.kept, reads);
    access.scopes = place.scopes.in_force();
    let access = Arc::new(access);
    options.unread = unread(options, stores::spent(location, &words, &access), &access);
    if let Some(why) = options.unread.as_ref().filter(|_| access.again) {
        return Err(Error::Usage(format!("--watch needs {why}")));
    }
    let stores = Stores::open(location, scoped, &words, &access, &mut assembled.errors);
    let cache = options.cache(&place, &access)?;
    Ok(Located {
        assembled,
        stores,
        scopes: place.scopes,
        all,
        depth,
        cache,
    })
}

/// Opens the stores of a launch for another errand than to fetch its values.
///
/// # Errors
/// Usage, or a store that can't be opened.
pub fn open(options: &mut Options) -> Result<Stores, Error> {
    let Sourced {
        place,
        mut assembled,
        words,
    } = assemble(options, None)?;
    let access = Arc::new(options.access(&place, &words, &assembled.kept, true));
    let location = place.store.as_deref();
    let stores = Stores::open(location, false, &words, &access, &mut assembled.errors);
    match assembled.errors.is_empty() {
        true => Ok(stores),
        false => Err(Error::all(assembled.errors)),
    }
}

/// Asks the stores for all of it.
pub fn fetch(located: Located<'static>) -> Fetched<'static> {
    fetch::fetch(located)
}

/// Fills every value in, once.
pub fn fill<'f>(fetched: &'f Fetched<'_>) -> Filling<'f> {
    fill::fill(fetched)
}

/// The environment's block for the exec, if the kernel takes it together with these arguments.
///
/// # Errors
/// It does not.
pub fn seal<'e>(environment: Environment<'e>, command: &[CString]) -> Result<Block<'e>, Error> {
    launch::seal(environment, command)
}

/// Writes what goes into files. The supervisor, where there is one, is told before, and removes
/// them; else what is given does if there is no exec.
///
/// # Errors
/// Why one of them is not there.
pub fn deliver(
    deliveries: Deliveries,
    mut supervised: Option<&mut Supervised>,
    is_others: bool,
) -> Result<Option<Removal>, Error> {
    let before = supervised.as_mut().and_then(|by| by.delivered.take());
    let delivered = deliveries.open(before)?;
    if let Some(supervised) = &mut supervised {
        if let Some(delivered) = &delivered {
            supervised.leave(delivered);
        }
        supervised.tell()?;
    }
    let written = deliveries.write(delivered.as_ref());
    let removal = delivered.filter(|_| supervised.is_none());
    let removal = removal.map(|delivered| delivered.stand_by(is_others));
    match written {
        Ok(()) => Ok(removal),
        Err(error) => {
            remove(removal);
            Err(error)
        }
    }
}

/// Puts new files in the place of a running workload's; those in memory can't be changed.
///
/// # Errors
/// The reason why one of them is not there.
pub fn swap(deliveries: Deliveries, supervised: &mut Supervised) -> Result<(), Error> {
    let Some(folder) = deliveries.open(supervised.delivered.take())? else {
        return Ok(());
    };
    supervised.leave(&folder);
    supervised.tell()?;
    deliveries.write(Some(&folder))
}

/// What becomes the workload.
pub struct Launch<'e> {
    /// The command, and its arguments.
    pub command: Vec<CString>,
    /// Its environment.
    pub environment: Block<'e>,
    /// What its process is given.
    pub attributes: Attributes,
    /// Removes its files if there is no exec.
    pub removal: Option<Removal>,
    /// The line to the supervisor, which has to last until the exec: by its end the supervisor
    /// knows that the workload has begun.
    pub supervised: Option<Supervised>,
}

/// Becomes the workload. Comes back only with the reason why that failed.
pub fn exec(launch: Launch<'_>, concealed: Concealed, deadline: Deadline) -> Error {
    let Launch {
        command,
        environment,
        attributes,
        removal,
        supervised,
    } = launch;
    let error = launch::launch(&command, &environment, &attributes, concealed, deadline);
    remove(removal);
    drop(supervised);
    error
}

fn remove(removal: Option<Removal>) {
    if let Some(Err(why)) = removal.map(Removal::remove) {
        log::error!(Fault; "{}", not_removed(why));
    }
}
