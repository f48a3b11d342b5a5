//! doorkey gives a workload its secrets, and then becomes it.
//!
//! # The layers
//! Each layer imports only those above it; `tests/house/layers.rs` checks that.
//!
//! | layer | content |
//! |---|---|
//! | [`model`] | types that all others use: names and scopes, references, secrets, errors |
//! | [`core`] | precedence, configuration, environments, filters, masking: no system calls |
//! | [`sys`] | the system: the only `unsafe`, the only system calls, the only HTTP client |
//! | [`stores`] | stores of secrets: one short file each, listed in one table |
//! | [`engine`] | the work of doorkey: assemble, fetch, fill, deliver, launch, supervise, join |
//! | `console` | the page in the browser, and the answers to it |
//! | [`cli`] | the command line: the only printing |
//!
//! # The journey of one value
//! The environment of `doorkey run -- server` has `DB_PASSWORD=secret:db_password` in it. Before
//! `main`, [`sys::startup`] saves the process state that Rust's start-up changes. A signal ends the
//! launch after that ([`sys::signals`]). `cli/mod.rs` conceals the process ([`sys::memory`]), and
//! takes arguments and environment ([`sys::environ`]). Each step of `cli/pipeline.rs` then takes
//! the result of the one before:
//!
//! 1. *parse*: `cli/parse.rs` reads the words by the table in `cli/flags.rs`, and the variables
//!    that stand for options. No file is read, and nothing is printed.
//! 2. *configure*: `cli/options.rs` checks the options that must be right before any action.
//! 3. *split*: with `--init`, `--mask` or `--watch`, [`engine::supervise`] forks. The next steps
//!    run in the child process; its parent holds no secret, and stays.
//! 4. *assemble*: `cli/configuration.rs` finds the store and the scopes in force, `cli/sources.rs`
//!    the sources of the environment. [`engine::sources`] puts the environment together
//!    ([`core::environment`]). [`engine::assemble`] reads each value by the grammar of
//!    [`model::reference`].
//! 5. *locate*: `cli/store_access.rs` takes the store's credentials out of the environment, and
//!    overwrites them there. [`engine::open_stores`] opens the store by its row in
//!    `stores/registry.rs`.
//! 6. *fetch*: [`engine::fetch`] collects the references. [`engine::lookup`] lists the places of
//!    `db_password` in each scope, the narrowest first ([`core::scope`]). The store answers for all
//!    names at once: `stores/age/file.rs` opens the file `project/ID/db_password.age`, or
//!    `stores/vault/fetch.rs` gets a document over [`sys::http`] and takes a member from it. The
//!    bytes become a [`model::secret::Secret`].
//! 7. *fill*: [`engine::fill`] has [`engine::substitute`] copy them once more, into the
//!    `NAME=value` for the kernel. All variables are filled, or none. The secret, the key and every
//!    buffer on the way are wiped when dropped. `cli/told.rs` makes keyed digests of the value for
//!    the supervisor.
//! 8. *seal*: [`engine::launch`] makes the environment's block, if the kernel takes it.
//! 9. *deliver*: [`engine::secret_files`] writes the values that go into files; their variables
//!    hold the paths.
//! 10. *exec*: [`sys::exec`] restores the saved state, and `execve` takes the block. Nothing else
//!     of doorkey is left.
//!
//! `check`, `env`, `render`, `join` and the refresh of `--watch` take the same steps to other ends.

pub mod cli;
#[cfg(feature = "console")]
pub mod console;
pub mod core;
pub mod engine;
pub mod model;
pub mod stores;
pub mod sys;

#[global_allocator]
static ALLOCATOR: sys::memory::Wiping = sys::memory::Wiping;
