//! The command line, the only layer that prints.

mod account;
mod again;
mod check;
pub mod command_line;
mod complete;
mod configuration;
#[cfg(feature = "console")]
mod console;
mod copy;
mod deadline;
mod doctor;
mod env;
mod flags;
mod generate;
mod help;
mod install;
mod join;
mod key;
mod leaves;
mod list;
mod logger;
mod manual;
mod mv;
mod options;
mod output;
mod own_flags;
mod pages;
mod parse;
mod passphrase;
mod patience;
mod pipeline;
mod precedence;
mod process_options;
mod recipient;
mod redact;
mod refresh;
mod render;
mod run;
mod secret;
mod sources;
mod store;
mod store_access;
mod store_and_scope;
mod table;
mod told;
mod upkeep;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use self::command_line::Leaf;
use self::parse::Refusal;
use self::pipeline::Split;
use crate::model::error::Error;
use crate::model::log::{self, Event, Level};
use crate::stores::How;
use crate::sys::environ::{self, Inherited};
use crate::sys::memory::Concealed;
use crate::sys::{exec, memory, self_exe, startup, stdio};

/// The line where the runtime gets no thread to resolve a name in.
const NO_THREAD: &[u8] =
    b"doorkey: error: the system gives no thread to resolve a host's name in; \
    raise the limit of processes (ulimit -u, pids.max), or give the server's address as a number\n";

/// Runs the program. Arguments and environment are read here, once.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload().downcast_ref::<String>();
        if payload.is_some_and(|text| text.contains("can't spawn worker thread")) {
            stdio::say(NO_THREAD);
            exec::quit(125);
        }
        // The panic's own message may quote anything.
        let place = panic
            .location()
            .map(|at| format!(" at {}:{}", at.file(), at.line()));
        let place = place.unwrap_or_default();
        stdio::say(format!("doorkey: error: internal error{place}\n").as_bytes());
        exec::quit(125);
    }));
    let concealed = memory::conceal();
    let inherited = environ::read();
    let arguments: Vec<OsString> = environ::arguments().collect();
    let leaf = Leaf::of(&arguments);
    let launching =
        leaf.is_some_and(|leaf| [["run"], ["join"]].iter().any(|one| leaf.words == one));
    let result = concealed.and_then(|concealed| match (self_exe::refusal(), leaf) {
        (Some(refusal), _) => Err(refusal),
        (None, Some(leaf)) => start(leaf, arguments, inherited, concealed),
        (None, None) => {
            startup::unblock();
            manual::tree(&arguments)
        }
    });
    match result {
        Ok(code) => code,
        Err(error) => {
            logger::start(Level::INFO, logger::Format::Text);
            log::say_faults(Level::ERROR, Event::Fault, "", &error);
            ExitCode::from(error.exit_code(launching))
        }
    }
}

/// Reads a subcommand's arguments and runs it; in a second process if a supervisor is asked for.
fn start(
    leaf: &'static Leaf,
    arguments: Vec<OsString>,
    inherited: Inherited,
    concealed: Concealed,
) -> Result<ExitCode, Error> {
    let words = arguments.into_iter().skip(leaf.words.len());
    match pipeline::parse(leaf, words, inherited) {
        Ok(options) => {
            let configured = pipeline::configure(options)?;
            dispatch(pipeline::split(configured)?, concealed)
        }
        Err(refusal) => {
            startup::unblock();
            refuse(leaf, refusal)
        }
    }
}

/// Prints help on request, or the reason why a command line can't be understood.
fn refuse(leaf: &Leaf, refusal: Refusal) -> Result<ExitCode, Error> {
    let arguments: Vec<_> = environ::arguments().collect();
    let format = logger::likely_format(&arguments, &environ::read().0);
    logger::start(Level::INFO, format);
    match refusal {
        Refusal::Help { all } => manual::help(leaf, all),
        Refusal::Usage(what) if what.contains("; ") => Err(Error::Usage(what)),
        Refusal::Usage(what) => {
            let words = leaf.words.join(" ");
            Err(Error::Usage(format!("{what}; see doorkey {words} --help")))
        }
    }
}

/// Calls the function of a subcommand.
fn dispatch(split: Split, concealed: Concealed) -> Result<ExitCode, Error> {
    let mut options = split.options;
    let subcommand = options.leaf.words;
    if let Some(launching) = split.launching {
        return match split.supervised {
            Some(by) if by.known.is_some() => refresh::refresh(&mut options, launching, by),
            by => run::run(options, launching, by, concealed),
        };
    }
    let options = &mut options;
    match subcommand {
        ["join"] => join::join(options, concealed),
        ["check"] => check::check(options),
        ["env"] => env::env(options),
        ["doctor"] => doctor::doctor(options),
        ["redact"] => redact::redact(options),
        ["render"] => render::render(options),
        ["secret", "create"] => secret::write(options, How::Create),
        ["secret", "set"] => secret::write(options, How::Set),
        ["secret", "update"] => secret::write(options, How::Update),
        ["secret", "generate"] => generate::generate(options),
        ["secret", "edit"] => generate::edit(options),
        ["secret", "mv"] => mv::mv(options),
        ["secret", "get"] => list::get(options),
        ["secret", "list"] => list::list(options),
        ["secret", "delete"] => secret::delete(options),
        ["secret", "import"] => secret::import(options),
        ["key", "new"] => key::new(options),
        ["key", "show"] => key::public(options),
        ["store", "init"] => store::init(options),
        ["store", "check"] => store::check(options),
        ["store", "copy"] => copy::copy(options),
        ["store", "recipient", "list"] => recipient::list(options),
        ["store", "recipient", "add"] => recipient::add(options),
        ["store", "recipient", "remove"] => recipient::remove(options),
        #[cfg(feature = "console")]
        ["console"] => console::console(options),
        ["install"] => install::install(options),
        ["completions"] => complete::completions(options),
        _ => pages::manual(options),
    }
}
