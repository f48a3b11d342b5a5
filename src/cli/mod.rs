//! The command line: the only place that prints.

mod check;
pub mod command_line;
mod configuration;
mod env;
mod flags;
mod given;
mod help;
mod install;
mod join;
mod list;
mod logger;
mod masking;
mod options;
mod patience;
mod process_options;
mod refresh;
mod render;
mod run;
mod secret;
mod store;
mod store_and_scope;
mod table;
mod upkeep;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use self::command_line::Leaf;
use self::given::Given;
use self::options::Options;
use crate::core::environment::lookup;
use crate::engine::supervise::{self, Asked};
use crate::model::error::Error;
use crate::model::log::{self, Event, Level};
use crate::stores::{self, How};
use crate::sys::environ::{self, Started};
use crate::sys::memory::Concealed;
use crate::sys::{exec, memory, self_exe, startup, stdio};

/// The program. Arguments and environment are read here, once.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        // The panic's own message may quote anything.
        let place = panic
            .location()
            .map(|at| format!(" at {}:{}", at.file(), at.line()));
        stdio::say(
            format!(
                "doorkey: error: internal error{}\n",
                place.unwrap_or_default()
            )
            .as_bytes(),
        );
        exec::quit(125);
    }));
    let concealed = memory::conceal();
    let mut started = environ::read();
    let arguments = started.arguments.split_off(1.min(started.arguments.len()));
    let leaf = Leaf::of(&arguments);
    let launching =
        leaf.is_some_and(|leaf| [["run"], ["join"]].iter().any(|one| leaf.words == one));
    let result = concealed.and_then(|concealed| match (self_exe::refusal(), leaf) {
        (Some(refusal), _) => Err(refusal),
        (None, Some(leaf)) => start(leaf, &arguments, started, concealed),
        (None, None) => {
            startup::unblock();
            tree(&arguments)
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

/// Parses a subcommand's arguments and does what they say; where `--init` asks for it, in a second
/// process that is forked before.
fn start(
    leaf: &Leaf,
    arguments: &[OsString],
    mut started: Started,
    concealed: Concealed,
) -> Result<ExitCode, Error> {
    let given = Given::new(&arguments[leaf.words.len()..], &started.environment);
    let mut supervised = None;
    // In a workload's container the variables can be there for any subcommand.
    let runs = leaf.words == ["run"];
    let asked = given.asks_for_supervisor(leaf).filter(|_| runs);
    if let Some(asked) = asked {
        let value = |name: &str| lookup(&started.environment, name.as_bytes());
        let lends = stores::may_be_lent(value);
        let asked = Asked { lends, ..asked };
        let patience = patience::patience(&given, leaf);
        let (same, by) = supervise::split(started, asked, patience)?;
        (started, supervised) = (same, Some(by));
    } else {
        startup::unblock();
    }
    let mut options = Options::parse(leaf, arguments, &started.environment)?;
    options.comes_again = supervised.as_ref().is_some_and(|by| by.known.is_some());
    if self_exe::is_distrustful() {
        log::debug!("the kernel has started doorkey in secure mode (AT_SECURE)");
    }
    match (leaf.words, supervised) {
        (["run"], Some(by)) if by.known.is_some() => refresh::refresh(&options, started, by),
        (["run"], by) => run::run(options, started, by, concealed),
        (["join"], _) => join::join(&options, &started, concealed),
        _ => dispatch(leaf, options, started),
    }
}

/// Where each other subcommand is.
fn dispatch(leaf: &Leaf, options: Options, started: Started) -> Result<ExitCode, Error> {
    match leaf.words {
        ["check"] => check::check(&options, started),
        ["env"] => env::env(&options, started),
        ["render"] => render::render(&options, started),
        ["secret", "create"] => secret::write(&options, started, How::Create),
        ["secret", "set"] => secret::write(&options, started, How::Set),
        ["secret", "update"] => secret::write(&options, started, How::Update),
        ["secret", "get"] => list::get(&options, started),
        ["secret", "list"] => list::list(&options, started),
        ["secret", "delete"] => secret::delete(&options, started),
        ["secret", "import"] => secret::import(&options, started),
        ["store", "init"] => store::init(&options, started),
        ["store", "check"] => store::check(&options, started),
        ["store", "recipient", "list"] => store::list_recipients(&options, started),
        ["store", "recipient", "add"] => store::add_recipients(&options, started),
        ["store", "recipient", "remove"] => store::remove_recipients(&options, started),
        ["install"] => install::install(&options),
        ["completions"] => completions(&options),
        _ => print(&manual()?),
    }
}

/// What is no subcommand that does something: help, the version, or a usage error.
fn tree(arguments: &[OsString]) -> Result<ExitCode, Error> {
    logger::start(Level::INFO, logger::Format::Text);
    let program = OsString::from("doorkey");
    match command_line::tree().try_get_matches_from(std::iter::once(&program).chain(arguments)) {
        Ok(_) => Err(Error::Usage(
            "this does nothing; see doorkey --help".to_owned(),
        )),
        Err(error) => help_or_usage(&error, "doorkey"),
    }
}

/// Prints help that was asked for; puts a usage error into one line without any of the text that
/// was given, which may be a value: only names of options are said.
fn help_or_usage(error: &clap::Error, program: &str) -> Result<ExitCode, Error> {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        let text = error.render().to_string();
        return print(format!("{}\n", text.trim_end()).as_bytes());
    }
    let option = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => text.split(['=', ' ']).next().unwrap_or_default(),
        Some(ContextValue::Strings(texts)) => texts.first().map_or("", String::as_str),
        _ => "",
    };
    let is_option = option.starts_with('-')
        && option
            .trim_start_matches('-')
            .chars()
            .all(|c| c.is_ascii_lowercase() || c == '-');
    let what = match error.kind() {
        ErrorKind::UnknownArgument if is_option => format!("there is no option {option}"),
        ErrorKind::UnknownArgument => "there is an argument too many".to_owned(),
        ErrorKind::InvalidSubcommand => "there is no such subcommand".to_owned(),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "a subcommand is missing".to_owned()
        }
        ErrorKind::MissingRequiredArgument => format!("{option} is missing"),
        ErrorKind::ArgumentConflict if is_repeated(error) => format!("{option} is given twice"),
        ErrorKind::ArgumentConflict => {
            format!("{option} can't be used with another option that is given")
        }
        _ if is_option => format!("{option} is given without a value, or with one too many"),
        _ => "this can't be understood".to_owned(),
    };
    Err(Error::Usage(format!("{what}; see {program} --help")))
}

/// Whether an option stands in conflict with itself.
fn is_repeated(error: &clap::Error) -> bool {
    match error.get(ContextKind::PriorArg) {
        None => true,
        prior => prior == error.get(ContextKind::InvalidArg),
    }
}

fn completions(options: &Options) -> Result<ExitCode, Error> {
    use clap_complete::{Shell, generate};
    let shell = options.text("shell")?.unwrap_or_default();
    let shell: Shell = shell.parse().map_err(|_| {
        Error::Usage("the shell must be bash, elvish, fish, powershell or zsh".to_owned())
    })?;
    let mut script = Vec::new();
    generate(shell, &mut command_line::tree(), "doorkey", &mut script);
    print(&script)
}

/// The manual page: the program, then each subcommand with its options.
fn manual() -> Result<Vec<u8>, Error> {
    let mut page = Vec::new();
    let mut write = || {
        let program = clap_mangen::Man::new(command_line::tree());
        program.render_title(&mut page)?;
        program.render_name_section(&mut page)?;
        program.render_synopsis_section(&mut page)?;
        program.render_description_section(&mut page)?;
        program.render_options_section(&mut page)?;
        for leaf in command_line::LEAVES {
            let mut section = Vec::new();
            let subcommand = clap_mangen::Man::new(leaf.command());
            subcommand.render_synopsis_section(&mut section)?;
            subcommand.render_description_section(&mut section)?;
            subcommand.render_options_section(&mut section)?;
            let section = String::from_utf8_lossy(&section).replace(".SH ", ".SS ");
            let heading = leaf.words.join(" ").to_uppercase();
            page.extend_from_slice(format!(".SH DOORKEY {heading}\n{section}").as_bytes());
        }
        program.render_extra_section(&mut page)?;
        program.render_version_section(&mut page)
    };
    write().map_err(unprintable)?;
    Ok(page)
}

/// Prints JSON.
fn print_json(value: &serde_json::Value) -> Result<ExitCode, Error> {
    print(format!("{value:#}\n").as_bytes())
}

/// Prints what the user asked for.
fn print(text: &[u8]) -> Result<ExitCode, Error> {
    stdio::print(text).map_err(unprintable)?;
    Ok(ExitCode::SUCCESS)
}

fn unprintable(error: std::io::Error) -> Error {
    Error::file("write", "standard output", error)
}
