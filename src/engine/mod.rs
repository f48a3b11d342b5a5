//! The work of doorkey: put the environment together, resolve it, launch, supervise, join.

pub mod added;
pub mod assemble;
pub mod cache;
pub mod check;
pub mod delivered;
pub mod fetch;
pub mod fill;
mod hold;
pub mod join;
pub mod launch;
pub mod leases;
pub mod lookup;
pub mod manifests;
pub mod missing;
pub mod open_stores;
pub mod redact;
pub mod render;
pub mod secret_files;
pub mod show;
pub mod specs;
pub mod substitute;
pub mod supervise;
