//! Types that all other layers use: names and scopes, references, secrets, errors.

pub mod error;
pub mod escape;
pub mod grammar;
pub mod join_error;
pub mod kind;
pub mod location;
pub mod log;
pub mod meant;
pub mod name;
pub mod named;
pub mod reference;
pub mod secret;
pub mod store_error;
