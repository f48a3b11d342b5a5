//! Stores and the commands that manage them: the embedded one, folders of files, AWS.

mod aws_sm;
mod bound;
mod check;
mod crafted;
mod dir;
mod embedded;
mod git;
mod import;
mod interrupted;
mod lasting;
mod leaver;
mod list;
mod managing_secrecy;
mod prompt;
mod recipients;
mod secret;
mod secret_input;
mod settings;
mod writes;
