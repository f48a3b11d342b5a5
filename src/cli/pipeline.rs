//! A launch, step by step. Each step takes the result of the one before:
//!
//! parse → configure → split → assemble → locate → (wait) → fetch → fill → seal → deliver → exec
//!
//! `run` takes all steps. `check`, `env` and `render` end after the filling, the refresh of
//! `--watch` after the delivery. `join` takes a workload's environment, and goes on with the exec.

use std::collections::BTreeSet;
use std::ffi::{CString, OsString};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::command_line::Leaf;
use super::configuration::StorePlace;
use super::deadline::not_removed;
use super::options::{Logging, Options};
use super::parse::Refusal;
use super::patience::patience;
use super::process_options::{self, Launching};
use super::store_access::unread;
use super::{flags, logger, own_flags};
use crate::core::environment::{Block, Environment, lookup};
use crate::engine::assemble::{self, Assembled};
use crate::engine::delivered::Removal;
use crate::engine::fetch::{self, Fetched, Located};
use crate::engine::fill::{self, Filling};
use crate::engine::launch;
use crate::engine::manifests::{Gathered, Manifests};
use crate::engine::open_stores::Stores;
use crate::engine::render::Template;
use crate::engine::secret_files::Deliveries;
use crate::engine::specs::Outside;
use crate::engine::supervise::{self, Supervised, Wanted};
use crate::model::error::Error;
use crate::model::log::{self, Phase};
use crate::stores::{self, Depth};
use crate::sys::environ::Inherited;
use crate::sys::memory::Concealed;
use crate::sys::process_attributes::Attributes;
use crate::sys::signals::Deadline;
use crate::sys::{duration, random, self_exe, startup};

/// Reads the arguments, and the variables that stand for options.
///
/// # Errors
/// A request for help, or a usage error.
pub fn parse(
    leaf: &'static Leaf,
    arguments: impl IntoIterator<Item = OsString>,
    inherited: Inherited,
) -> Result<Options, Refusal> {
    Options::parse(leaf, arguments, inherited)
}

/// The settings that are known before the process is forked.
pub struct Configured {
    options: Options,
    logging: Logging,
    /// The settings of a launch, if it is one.
    launching: Option<Launching>,
}

/// Checks the settings that can be checked before the process is forked. No file is read.
///
/// # Errors
/// A usage error.
pub fn configure(options: Options) -> Result<Configured, Error> {
    let logging = options.logging().inspect_err(|_| startup::unblock())?;
    let judged = options.judge_flags().and_then(|()| options.timeout());
    judged.inspect_err(|_| {
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

/// Starts the log, and writes the first lines.
fn begin(options: &Options, logging: Logging) {
    logger::start(logging.level, logging.format);
    options.warn_of_unknown();
    if self_exe::is_distrustful() {
        log::debug!("the kernel has started doorkey in secure mode (AT_SECURE)");
    }
}

/// The state of each process that returns from the fork.
pub struct Split {
    /// The options.
    pub options: Options,
    /// The settings of a launch, if it is one.
    pub launching: Option<Launching>,
    /// The connection to the supervisor, if there is one.
    pub supervised: Option<Supervised>,
}

/// Forks a child process if a supervisor is wanted. Each process that returns becomes the workload;
/// or, if a workload is known already, fetches its secrets again. Lines can be logged after this.
///
/// # Errors
/// A failure to make a second process.
pub fn split(configured: Configured) -> Result<Split, Error> {
    let Configured {
        mut options,
        logging,
        launching,
    } = configured;
    let value = |name: &str| lookup(&options.inherited.0, name.as_bytes());
    let asked = Wanted {
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

/// The environment as assembled, and the place where its secrets are looked for.
pub struct Sourced {
    place: StorePlace,
    assembled: Assembled<'static>,
    /// The words with which references to single places begin.
    words: BTreeSet<&'static str>,
    /// True if the store is opened even if nothing refers to it.
    opens: bool,
}

impl Sourced {
    /// Returns the variables that hold credentials.
    pub fn credentials(&self) -> Vec<&'static str> {
        stores::credentials(self.place.store.as_deref(), &self.words)
    }
}

/// Assembles the environment from its sources. For a template, which needs no environment, it
/// collects the references of the template and the sources.
///
/// # Errors
/// A usage error, or a configuration that can't be read. Other faults are reported later, together.
pub fn assemble(options: &Options, template: Option<Template>) -> Result<Sourced, Error> {
    let _phase = log::begin(Phase::Assemble);
    let place = options.place()?;
    let mut sources = options.sources(&place)?;
    let mut assembled = match template {
        Some(template) => {
            // A file that is filled in has nothing of an environment but what is asked for.
            sources.configured = Default::default();
            sources.lacks_platform = true;
            let mut assembled = assemble::assemble(&[], &sources);
            assembled.add(template, &sources.references);
            assembled
        }
        None => assemble::assemble(&options.inherited.0, &sources),
    };
    Ok(Sourced {
        place,
        words: std::mem::take(&mut assembled.words),
        assembled,
        opens: false,
    })
}

/// Assembles the environment, and collects the references of all manifests beside it.
///
/// # Errors
/// A usage error, or a configuration that can't be read. Other faults are reported later, together.
pub fn assemble_manifests(options: &Options) -> Result<(Sourced, Gathered), Error> {
    let _phase = log::begin(Phase::Assemble);
    let place = options.place()?;
    let sources = options.sources(&place)?;
    let mut assembled = assemble::assemble(&options.inherited.0, &sources);
    let schemes = stores::schemes(&sources.references);
    let environment = std::mem::take(&mut assembled.environment);
    let known = |name: &[u8]| environment.value(name).map(<[u8]>::to_vec);
    let manifests = Manifests {
        specs: options.paths(&flags::SPECS),
        path: options.text(&flags::SPEC_PATH)?.map(str::to_owned),
        strict: options.flag(&own_flags::STRICT),
        literal: sources.literal.clone(),
        outside: Outside {
            known: &known,
            interpolate: sources.interpolates,
            schemes: &schemes,
            distrust: None,
        },
    };
    let gathered = manifests.gather(&mut assembled);
    assembled.environment = environment;
    // A store that does not exist is a fault, whether or not anything is looked up in it.
    let opens = place.store.is_some();
    Ok((
        Sourced {
            place,
            words: std::mem::take(&mut assembled.words),
            assembled,
            opens,
        },
        gathered,
    ))
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
    let scoped = options.takes_all() || sourced.assembled.has_scoped();
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

/// Opens the stores that are needed. Their credentials are taken out of the environment.
///
/// # Errors
/// A usage error. Faults of opening a store are reported later, together.
pub fn locate(
    options: &mut Options,
    sourced: Sourced,
    depth: Depth,
) -> Result<Located<'static>, Error> {
    let Sourced {
        place,
        mut assembled,
        words,
        opens,
    } = sourced;
    let location = place.store.as_deref();
    let all = options.takes_all();
    let scoped = all || opens || assembled.has_scoped();
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
    let is_asked = !scoped && assembled.meant.has_names();
    let local = location.filter(|location| is_asked && stores::is_local(location));
    let names = local.and_then(|location| stores::open(location, &access).ok());
    Ok(Located {
        names,
        assembled,
        stores,
        scopes: place.scopes,
        all,
        depth,
        cache,
    })
}

/// Opens the stores of a launch for a purpose other than fetching its values.
///
/// # Errors
/// A usage error, or a store that can't be opened.
pub fn open(options: &mut Options) -> Result<Stores, Error> {
    let Sourced {
        place,
        mut assembled,
        words,
        ..
    } = assemble(options, None)?;
    let access = Arc::new(options.access(&place, &words, &assembled.kept, true));
    let location = place.store.as_deref();
    let stores = Stores::open(location, false, &words, &access, &mut assembled.errors);
    match assembled.errors.is_empty() {
        true => Ok(stores),
        false => Err(Error::all(assembled.errors)),
    }
}

/// Fetches all values from the stores.
pub fn fetch(located: Located<'static>) -> Fetched<'static> {
    fetch::fetch(located)
}

/// Fills every value in, once.
pub fn fill<'f>(fetched: &'f Fetched<'_>) -> Filling<'f> {
    fill::fill(fetched)
}

/// Makes the environment's block for the exec, if the kernel takes it together with these
/// arguments.
///
/// # Errors
/// An environment that is too large for the kernel.
pub fn seal<'e>(environment: Environment<'e>, command: &[CString]) -> Result<Block<'e>, Error> {
    launch::seal(environment, command)
}

/// Writes the values that go into files. The supervisor, if there is one, is told before, and
/// removes them later. Otherwise the returned value removes them if the exec fails.
///
/// # Errors
/// The reason why a file is missing.
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

/// Replaces the files of a running workload; those in memory can't be changed.
///
/// # Errors
/// The reason why a file is missing.
pub fn swap(deliveries: Deliveries, supervised: &mut Supervised) -> Result<(), Error> {
    let Some(folder) = deliveries.open(supervised.delivered.take())? else {
        return Ok(());
    };
    supervised.leave(&folder);
    supervised.tell()?;
    deliveries.write(Some(&folder))
}

/// The parts that become the workload.
pub struct Launch<'e> {
    /// The command, and its arguments.
    pub command: Vec<CString>,
    /// The environment of the command.
    pub environment: Block<'e>,
    /// The attributes of its process.
    pub attributes: Attributes,
    /// Removes its files if there is no exec.
    pub removal: Option<Removal>,
    /// The connection to the supervisor, which must last until the exec. Its end tells the
    /// supervisor that the workload has begun.
    pub supervised: Option<Supervised>,
}

/// Becomes the workload. Returns only the reason why that failed.
pub fn exec(launch: Launch<'_>, concealed: Concealed, deadline: Deadline) -> Error {
    let Launch {
        command,
        environment,
        attributes,
        removal,
        mut supervised,
    } = launch;
    if let Some(supervised) = &mut supervised {
        supervised.wait();
    }
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
