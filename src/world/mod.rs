//! The system: the only `unsafe`, the only system calls.

pub mod attributes;
pub mod descendants;
pub mod descriptors;
pub mod duration;
pub mod ears;
pub mod environ;
pub mod exec;
pub mod files;
pub mod folder;
pub mod http;
pub mod job;
pub mod link;
pub mod memory;
pub mod memory_file;
pub mod origin;
pub mod pages;
pub mod proc;
pub mod process;
pub mod processors;
pub mod program;
pub mod random;
pub mod signals;
pub mod stdio;
pub mod swap;
pub mod terminal;
