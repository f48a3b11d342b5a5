//! What doorkey does: put the environment together, resolve it, launch, supervise,
//! join.

pub mod added;
pub mod answers;
pub mod assemble;
pub mod cache;
pub mod check;
pub mod deliver;
pub mod delivered;
pub mod fill;
pub mod init;
pub mod join;
pub mod launch;
pub mod opened;
pub mod render;
pub mod resolve;
pub mod show;
