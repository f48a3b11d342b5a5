//! The system: the only `unsafe`, the only system calls.

pub mod attributes;
pub mod descendants;
pub mod descriptors;
pub mod duration;
pub mod ears;
pub mod environ;
pub mod exec;
pub mod files;
pub mod flow;
pub mod folder;
pub mod http;
pub mod job;
pub mod link;
pub mod memory;
pub mod origin;
pub mod pages;
pub mod process;
pub mod processors;
pub mod program;
pub mod pty;
pub mod random;
pub mod screen;
pub mod signals;
pub mod stdio;
pub mod streams;
pub mod terminal;
