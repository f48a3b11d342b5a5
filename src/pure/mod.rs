//! What needs nothing but its arguments: precedence, configuration, environments, filters,
//! signals, limits, accounts, what /proc says.

pub mod account;
pub mod config;
pub mod digest;
pub mod dotenv;
pub mod environment;
pub mod executing;
pub mod filter;
pub mod json;
pub mod limit;
pub mod mask;
pub mod nearest;
pub mod option;
pub mod proc;
pub mod scope;
pub mod signal;
pub mod spec;
mod tree;
