//! The system: the only `unsafe`, the only system calls.

pub mod attributes;
pub mod descendants;
pub mod duration;
pub mod environ;
pub mod exec;
pub mod files;
pub mod folder;
pub mod http;
pub mod job;
pub mod link;
pub mod memory;
pub mod origin;
pub mod pages;
pub mod proc;
pub mod process;
pub mod processors;
pub mod program;
pub mod random;
pub mod signals;
pub mod stdio;
pub mod terminal;
