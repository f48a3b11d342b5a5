//! What needs nothing but its arguments: precedence, configuration, environments, filters.

pub mod config;
pub mod dotenv;
pub mod environment;
pub mod filter;
pub mod json;
pub mod mask;
pub mod nearest;
pub mod scope;
pub mod spec;
mod tree;
