//! Stores and the commands that manage them: the embedded one, folders of files, AWS,
//! Kubernetes, programs.

mod aws_sm;
mod bound;
mod check;
mod crafted;
mod dir;
mod embedded;
mod exec;
mod exec_examples;
mod git;
mod import;
mod interrupted;
mod k8s;
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
