//! The system: the only `unsafe`, the only system calls.

pub mod environ;
pub mod exec;
pub mod files;
pub mod folder;
pub mod http;
pub mod memory;
pub mod origin;
pub mod processors;
pub mod random;
pub mod signals;
pub mod stdio;
pub mod terminal;
