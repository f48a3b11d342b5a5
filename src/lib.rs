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
//! | [`engine`] | assemble, fetch, fill, deliver, launch, supervise, join: what doorkey does |
//! | [`cli`] | the command line: the only printing |
//!
//! # The journey of one value
//! `DB_PASSWORD=secret:db_password` is in the environment of `doorkey run -- server`.
//! [`sys::startup`] has kept, from before `main`, what Rust's start-up changes of the process; from
//! there on a signal ends the launch ([`sys::signals`]). `cli/mod.rs` conceals the process
//! ([`sys::memory`]) and takes arguments and environment ([`sys::environ`]). Then each step of
//! `cli/pipeline.rs` takes what the one before has made:
//!
//! 1. *parse*: `cli/parse.rs` reads the words by the table in `cli/flags.rs`, and the variables that
//!    stand for options. Nothing is read from a file, nothing printed.
//! 2. *configure*: `cli/options.rs` judges what has to be right before anything is done.
//! 3. *split*: with `--init`, `--mask` or `--watch`, [`engine::supervise`] forks. What follows
//!    happens in the child; its parent holds no secret, and stays.
//! 4. *assemble*: `cli/configuration.rs` says which store and scopes are in force, and
//!    `cli/sources.rs` where the environment comes from. [`engine::assemble`] puts it together
//!    ([`core::environment`]) and reads each value by the grammar of [`model::reference`].
//! 5. *locate*: `cli/store_access.rs` takes the store's credentials out of the environment,
//!    overwriting them where they stood, and [`engine::open_stores`] opens the store that
//!    `stores/registry.rs` has a row for.
//! 6. *fetch*: [`engine::fetch`] collects what is asked, [`engine::lookup`] where `db_password`
//!    would be in each scope, the narrowest first ([`core::scope`]); the store answers for all names
//!    at once. The file `project/ID/db_password.age` is opened in `stores/age/file.rs`, or a member
//!    is taken from the document that `stores/vault/fetch.rs` has over [`sys::http`]. Its bytes
//!    become a [`model::secret::Secret`].
//! 7. *fill*: [`engine::fill`] has [`engine::substitute`] copy them once more, into the `NAME=value`
//!    that the kernel will read, for every variable or for none; the secret, the key and every
//!    buffer on the way are wiped as they are dropped. `cli/told.rs` has keyed digests of it for the
//!    supervisor.
//! 8. *seal*: [`engine::launch`] makes the block of it, if the kernel takes it.
//! 9. *deliver*: a value that is to be in a file, its path in the variable, is written by
//!    [`engine::secret_files`].
//! 10. *exec*: [`sys::exec`] puts back what was kept, and `execve` takes the block with it. Nothing
//!     else of doorkey is left.
//!
//! `check`, `env`, `render`, `join` and the refresh of `--watch` go by the same steps, to other ends.

pub mod cli;
pub mod core;
pub mod engine;
pub mod model;
pub mod stores;
pub mod sys;

#[global_allocator]
static ALLOCATOR: sys::memory::Wiping = sys::memory::Wiping;
