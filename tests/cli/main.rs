//! The command line: options, usage, what is printed and what must not be, a person at a terminal.

mod install;
mod log;
mod managing_secrecy;
mod options;
mod prompt;
mod secrecy;
mod shown_paths;
mod usage;
