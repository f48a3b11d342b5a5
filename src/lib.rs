//! doorkey hands a workload its secrets and becomes it.
//!
//! # The layers
//! Each imports only those above it; `tests/house/layers.rs` holds that.
//!
//! | layer | what is in it |
//! |---|---|
//! | [`words`] | names and scopes, references, secrets, errors: what everything else is said in |
//! | [`pure`] | precedence, configuration, environments, filters, masking: no system |
//! | [`world`] | the system: the only `unsafe`, the only system calls, the only HTTP client |
//! | [`stores`] | where secrets are kept: one short file each, listed in one table |
//! | [`engines`] | assemble, resolve, fill, launch, supervise, join: what doorkey does |
//! | [`surface`] | the command line: the only printing |
//!
//! # The journey of one value
//! `DB_PASSWORD=secret:db_password` is in the environment of `doorkey run -- server`.
//!
//! 1. [`world::origin`] has kept, from before `main`, what Rust's start-up changes of the process;
//!    from there on a signal ends the launch ([`world::signals`]).
//! 2. [`surface`] conceals the process ([`world::memory`]), then reads arguments and environment
//!    once ([`world::environ`]), overwriting the store's credentials where they stood.
//! 3. [`engines::assemble`] puts the environment together from its sources and reads each value
//!    by the grammar of [`words::reference`].
//! 4. [`engines::answers`] asks the store where `db_password` would be in each scope, the narrowest
//!    first ([`pure::scope`]), and then for all names at once ([`stores::Store`]): the file
//!    `project/ID/db_password.age` is opened in `stores::age`, or a member is taken from the
//!    document that `stores::vault` has fetched over [`world::http`]. Its bytes become a
//!    [`words::secret::Secret`].
//! 5. [`engines::resolve`] has [`engines::fill`] copy them once more, into the `NAME=value` that
//!    the kernel will read, for every variable or for none;
//!    the secret, the key and every buffer on the way are wiped as they are dropped.
//!    With `--init` all of this happens in a process that [`engines::init`] has forked before;
//!    its parent holds nothing and stays.
//!    A value that is to be in a file comes to [`engines::deliver`] instead, its path here.
//! 6. [`engines::launch`] wipes the stack, puts back what was kept in step 1, and `execve` takes
//!    the block with it. Nothing else of doorkey is left.

pub mod engines;
pub mod pure;
pub mod stores;
pub mod surface;
pub mod words;
pub mod world;

#[global_allocator]
static ALLOCATOR: world::memory::Wiping = world::memory::Wiping;
