//! Texts that clap makes from the table: help, completions, the manual page.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::command_line::{self, Leaf};
use super::options::Options;
use super::output::{print, unprintable};
use super::parse::option_in;
use super::{logger, own_flags};
use crate::model::error::Error;
use crate::model::log::Level;

/// Handles arguments that begin with no subcommand: help, the version, or a usage error.
pub fn tree(arguments: &[OsString]) -> Result<ExitCode, Error> {
    logger::start(Level::INFO, logger::Format::Text);
    let program = OsString::from("doorkey");
    match command_line::tree().try_get_matches_from(std::iter::once(&program).chain(arguments)) {
        Ok(_) => Err(Error::Usage(
            "this does nothing; see doorkey --help".to_owned(),
        )),
        Err(error) => help_or_usage(&error),
    }
}

/// Prints help on request. A usage error becomes one line that holds no text of the arguments, as
/// that may be a value.
fn help_or_usage(error: &clap::Error) -> Result<ExitCode, Error> {
    let what = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return print_help(error),
        ErrorKind::UnknownArgument => match invalid(error).and_then(option_in) {
            Some(option) => format!("there is no option {option}"),
            None => "there is an argument too many".to_owned(),
        },
        ErrorKind::InvalidSubcommand => "there is no such subcommand".to_owned(),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "a subcommand is missing".to_owned()
        }
        _ => match invalid(error).and_then(option_in) {
            Some(option) => format!("{option} is given without a value, or with one too many"),
            None => "this can't be understood".to_owned(),
        },
    };
    Err(Error::Usage(format!("{what}; see doorkey --help")))
}

/// Returns the argument that clap refuses.
fn invalid(error: &clap::Error) -> Option<&str> {
    match error.get(ContextKind::InvalidArg)? {
        ContextValue::String(text) => Some(text),
        _ => None,
    }
}

fn print_help(help: &clap::Error) -> Result<ExitCode, Error> {
    let text = help.render().to_string();
    print(format!("{}\n", text.trim_end()).as_bytes())
}

/// Prints a subcommand's help.
///
/// # Errors
/// A failure to write.
pub fn help(leaf: &Leaf) -> Result<ExitCode, Error> {
    let help = leaf.command().no_binary_name(true);
    match help.try_get_matches_from(["--help"]) {
        Err(help) => print_help(&help),
        Ok(_) => Ok(ExitCode::SUCCESS),
    }
}

/// Prints the completions for a shell.
///
/// # Errors
/// A usage error.
pub fn completions(options: &Options) -> Result<ExitCode, Error> {
    use clap_complete::{Shell, generate};
    let shell = options.text(&own_flags::SHELL)?.unwrap_or_default();
    let shell: Shell = shell.parse().map_err(|_| {
        Error::Usage("the shell must be bash, elvish, fish, powershell or zsh".to_owned())
    })?;
    let mut script = Vec::new();
    generate(shell, &mut command_line::tree(), "doorkey", &mut script);
    print(&script)
}

/// Prints the manual page: the program, then each subcommand with its options.
///
/// # Errors
/// A failure to write.
pub fn manual() -> Result<ExitCode, Error> {
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
    print(&page)
}
