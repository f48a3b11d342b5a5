//! The text below the options in a subcommand's help. EXAMPLE_STORE in it stands for a store.

use crate::stores;

/// Puts a store into a text.
pub fn shown(text: &str) -> String {
    text.replace("EXAMPLE_STORE", stores::EXAMPLE)
}

pub const EXAMPLES: &str = "\
Examples:
  doorkey store init secrets
  doorkey secret set db_password --store EXAMPLE_STORE --team < password.txt
  DB_PASSWORD=secret:db_password doorkey run --store EXAMPLE_STORE -- ./server";

pub const RUN_EXAMPLES: &str = "\
--env-file, --env, --keep-env, --literal, --signal-map and --rlimit can be
repeated. Every option can be a variable: --env-file is DOORKEY_ENV_FILE.
Exit codes: 125 doorkey's own, 126 not executable, 127 not found, 128+N ended by
signal N before the start; else the command's own.

Examples:
  doorkey run --store EXAMPLE_STORE --project web -- ./server --port 80
  doorkey run -e 'DB=postgres://app:${secret:db|urlencode}@db/app' -- ./server";

pub const RENDER_EXAMPLE: &str = "\
What is filled in is ${secret:NAME} and its like; OUT is replaced in one step,
or not at all, and only its owner can read it.

Example:
  doorkey render --store EXAMPLE_STORE app.conf.in /run/app/app.conf";

pub const JOIN_EXAMPLE: &str = "\
The command gets the workload's environment, user and groups, and its own TERM.
What may be seen of the workload is for the kernel's ptrace check to say.
Exit codes are those of run.

Example:
  docker exec -it web doorkey join -- sh";

pub const FROM_INPUT: &str = "\
The value is read from standard input, or asked for on a terminal. One newline
at the end of piped input is dropped, unless --raw.

Example:
  openssl rand -hex 32 | doorkey secret set session_key --project web";

pub const IN_FRONT: &str = "\
What is there is replaced in one step, even where it runs. No folder is made.

Example, for an init container that puts doorkey in front of another image:
  doorkey install /shared";

#[cfg(feature = "console")]
pub const CONSOLE: &str = "\
The link works once, within two minutes, for the user who has started the
console. No value is ever shown. Ctrl-C ends it.

Example:
  doorkey console --store EXAMPLE_STORE --open";
