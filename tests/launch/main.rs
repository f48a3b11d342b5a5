//! A launch: what the workload gets, where its values come from, and what keeps it from starting.

mod check;
mod concealed;
mod env;
mod exec;
mod faults;
mod files;
mod files_folder;
mod files_owner;
mod join;
mod join_refused;
mod lacks;
mod memory;
mod names;
mod privileged;
mod process;
mod reference;
mod reference_properties;
mod render;
mod run;
mod sources;
mod trust;
mod values;
mod whole_files;
mod workload;
