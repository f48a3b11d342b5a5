//! A launch: what the workload gets, where its values come from, and what keeps it from starting.

mod arm64;
mod check;
mod env;
mod exec;
mod faults;
mod files;
mod files_folder;
mod files_owner;
mod install;
mod join;
mod join_refused;
mod lacks;
mod memory;
mod names;
mod privileged;
mod process;
mod redact;
mod references;
mod render;
mod run;
mod secrecy;
mod sources;
mod trust;
mod values;
mod whole_files;
mod workload;
