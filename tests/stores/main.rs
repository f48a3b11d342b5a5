//! Stores and the commands that manage them: the embedded one, folders of files, AWS,
//! Kubernetes, programs.

mod aws_chain;
mod aws_metadata;
mod aws_sm;
mod aws_ssm;
mod aws_write;
mod bound;
mod check;
mod crafted;
mod dir;
mod edit;
mod embedded;
mod exec;
mod exec_examples;
mod git;
mod import;
mod interrupted;
mod k8s;
mod key;
mod killed;
mod lasting;
mod leaver;
mod list;
mod managing_secrecy;
mod merge;
mod prompt;
mod recipients;
mod secret;
mod secret_input;
mod settings;
mod team;
mod unseen;
mod writes;
