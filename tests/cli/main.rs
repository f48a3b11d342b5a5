//! The command line, held against the library's own tables: every subcommand, option and kind of
//! store. As in `tests/house` the library is linked in: nothing here is about signals.

mod completions;
mod concealed;
mod doctor;
mod log;
mod manual;
mod messages;
mod options;
mod reference_pages;
mod shown_paths;
mod usage;
