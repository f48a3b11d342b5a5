//! What doorkey does: put the environment together, resolve it, launch, supervise.

pub mod answers;
pub mod assemble;
pub mod check;
pub mod fill;
pub mod init;
pub mod launch;
pub mod resolve;
pub mod show;
