//! The words that everything else is said in: names and scopes, references, secrets, errors.

pub mod error;
pub mod grammar;
pub mod kind;
pub mod location;
pub mod log;
pub mod name;
pub mod named;
pub mod reference;
pub mod secret;
pub mod shown;
pub mod trouble;
pub mod unjoinable;
