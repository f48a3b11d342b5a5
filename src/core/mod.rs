//! Logic that needs nothing but its arguments: precedence, configuration, environments, filters,
//! masking, signals, limits, accounts, texts of /proc.

mod compose;
pub mod config;
pub mod container;
mod containers;
pub mod document;
pub mod dotenv;
pub mod env_list;
pub mod environment;
pub mod executing;
pub mod expansion;
pub mod filter;
pub mod interpolate;
pub mod json;
pub mod keyed_hash;
pub mod manifest;
pub mod mask;
pub mod option;
pub mod passwd;
pub mod proc;
pub mod rlimit;
pub mod scope;
pub mod signal;
pub mod suggest;
