//! doorkey hands a workload its secrets and becomes it.
//!
//! # The layers
//! Each imports only those above it; `tests/house/layers.rs` holds that.
//!
//! | layer | what is in it |
//! |---|---|
//! | [`model`] | names and scopes, references, secrets, errors: what everything else is said in |
//! | [`core`] | precedence, configuration, environments, filters, masking: no system |
//! | [`sys`] | the system: the only `unsafe`, the only system calls, the only HTTP client |
//! | [`stores`] | where secrets are kept: one short file each, listed in one table |
//! | [`engine`] | assemble, resolve, fill, launch, supervise, join: what doorkey does |
//! | [`cli`] | the command line: the only printing |
//!
//! # The journey of one value
//! `DB_PASSWORD=secret:db_password` is in the environment of `doorkey run -- server`.
//!
//! 1. [`sys::startup`] has kept, from before `main`, what Rust's start-up changes of the process;
//!    from there on a signal ends the launch ([`sys::signals`]).
//! 2. [`cli`] conceals the process ([`sys::memory`]), then reads arguments and environment
//!    once ([`sys::environ`]), overwriting the store's credentials where they stood.
//! 3. [`engine::assemble`] puts the environment together from its sources and reads each value
//!    by the grammar of [`model::reference`].
//! 4. [`engine::lookup`] asks the store where `db_password` would be in each scope, the narrowest
//!    first ([`core::scope`]), and then for all names at once ([`stores::Store`]): the file
//!    `project/ID/db_password.age` is opened in `stores::age`, or a member is taken from the
//!    document that `stores::vault` has fetched over [`sys::http`]. Its bytes become a
//!    [`model::secret::Secret`].
//! 5. [`engine::resolve`] has [`engine::substitute`] copy them once more, into the `NAME=value` that
//!    the kernel will read, for every variable or for none;
//!    the secret, the key and every buffer on the way are wiped as they are dropped.
//!    With `--init` all of this happens in a process that [`engine::supervise`] has forked before;
//!    its parent holds nothing and stays.
//!    A value that is to be in a file comes to [`engine::secret_files`] instead, its path here.
//! 6. [`engine::launch`] wipes the stack, puts back what was kept in step 1, and `execve` takes
//!    the block with it. Nothing else of doorkey is left.

pub mod cli;
pub mod core;
pub mod engine;
pub mod model;
pub mod stores;
pub mod sys;

#[global_allocator]
static ALLOCATOR: sys::memory::Wiping = sys::memory::Wiping;
