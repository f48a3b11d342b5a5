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
  DB_PASSWORD=secret:db_password doorkey run --store EXAMPLE_STORE -- ./server

doorkey help COMMAND says more of one; doorkey doctor looks at what is here.";

pub const RUN: &str = "\
--env-file, --env, --keep-env, --literal, --signal-map and --rlimit can be
repeated. Every option can be a variable: --env-file is DOORKEY_ENV_FILE.
Exit codes: 125 doorkey's own, 126 not executable, 127 not found, 128+N ended by
signal N before the start; else the command's own.

Examples:
  doorkey run --store EXAMPLE_STORE --project web -- ./server --port 80
  doorkey run --spec deploy.yaml --spec-path deploy/web/server -- ./server
  doorkey run -e 'DB=postgres://app:${secret:db|urlencode}@db/app' -- ./server";

pub const REDACT: &str = "\
Each value becomes [secret:NAME], as with run --mask: every secret of the
scopes in force; or, with --env-file, --spec or --env, those that these
and the environment refer to. Nothing is printed where one can't be read.
The values are in the memory of this process, and are disclosed nowhere
else. With --fail the exit code is 3 where anything was found.

Example:
  kubectl logs -f web | doorkey redact --store EXAMPLE_STORE --project web";

pub const RENDER: &str = "\
What is filled in is ${secret:NAME} and its like; OUT is replaced in one step,
or not at all, and only its owner can read it.

Example:
  doorkey render --store EXAMPLE_STORE app.conf.in /run/app/app.conf";

pub const JOIN: &str = "\
The command gets the workload's environment, user and groups, and its own TERM.
What may be seen of the workload is for the kernel's ptrace check to say.
Exit codes are those of run.

Example:
  docker exec -it web doorkey join -- sh";

pub const CHECK: &str = "\
All containers of a manifest and all services of a Compose file are checked.

Examples:
  doorkey check --store EXAMPLE_STORE --project web --env-file .env
  doorkey check --store EXAMPLE_STORE -p web --spec deploy.yaml --names
  doorkey check --store EXAMPLE_STORE --spec k8s --spec compose.yaml --strict";

pub const ENV: &str = "\
Example:
  doorkey env --store EXAMPLE_STORE --project web --env-file .env";

pub const DOCTOR: &str = "\
No value is read. The exit code is 1 where anything is not ok.

Example:
  doorkey doctor --store EXAMPLE_STORE --project web";

pub const KEY_EXAMPLE: &str = "\
Its folder is made as well; a file that is there stays. Others get what is
printed, the public half, and nothing else.

Example:
  doorkey key new
  doorkey store recipient add age1… --name alice    # by who can read the store";

pub const KEY_SHOW: &str = "\
Example:
  doorkey key show --key-file ~/keys/web.txt";

pub const ADD_EXAMPLE: &str = "\
Every secret of the scope is encrypted anew. Without a scope that is the whole
store, but for the scopes that have a list of their own.

Example:
  doorkey store recipient add age1… --name alice";

pub const REMOVE_EXAMPLE: &str = "\
Each secret notes that its value is to be replaced. The next value takes that
off, and doorkey store check says what is left.

Example:
  doorkey store recipient remove alice --everywhere";

pub const CHECK_EXAMPLE: &str = "\
With --fix, in a tree that git has left in conflict: lists get what both have
added, less what either has removed; secrets get the value that one has set.
Git's index is left alone.

Example:
  git merge other || doorkey store check --fix --theirs db_password";

pub const GENERATE_EXAMPLE: &str = "\
The value is N letters and digits. With --hex or --base64 it is N bytes,
encoded. It is never printed.

Example:
  doorkey secret generate db_password --team --length 40";

pub const EDIT_EXAMPLE: &str = "\
The editor, of VISUAL or EDITOR, gets a file in memory, on tmpfs, which is wiped
at its end. If the editor fails, or nothing is changed, nothing is stored.

Example:
  EDITOR=vi doorkey secret edit tls_config --project web";

pub const MOVE_EXAMPLE: &str = "\
TO must be new. A NAME alone is in the scope that the options name.

Example:
  doorkey secret mv team/db_password project/web/db_password";

pub const COPY_EXAMPLE: &str = "\
Names and counts are printed first. Values go to the other store as they are.

Example:
  doorkey store copy EXAMPLE_STORE EXAMPLE_STORE.new --dry-run";

/// The rule about a value that is read, and the example of a subcommand that stores one.
macro_rules! from_input {
    ($example:literal) => {
        concat!(
            "The value is read from standard input, or asked for on a terminal. One newline\n\
             at the end of piped input is dropped, unless --raw.\n\nExample:\n  ",
            $example
        )
    };
}

pub const CREATE: &str =
    from_input!("openssl rand -hex 32 | doorkey secret create session_key --project web");

pub const SET: &str =
    from_input!("openssl rand -hex 32 | doorkey secret set session_key --project web");

pub const UPDATE: &str =
    from_input!("doorkey secret update session_key --project web --value-file key.txt");

pub const GET: &str = "\
Example:
  doorkey secret get session_key --project web --reveal";

pub const LIST: &str = "\
Example:
  doorkey secret list --all --fields scope,name,modified";

pub const DELETE: &str = "\
Example:
  doorkey secret delete session_key --project web";

pub const IMPORT: &str = "\
Example:
  doorkey secret import .env --project web --dry-run";

pub const STORE_INIT: &str = "\
Example:
  doorkey store init secrets --key-file ~/keys/web.txt";

pub const RECIPIENTS: &str = "\
Example:
  doorkey store recipient list --store EXAMPLE_STORE --project web";

pub const INSTALL: &str = "\
What is there is replaced in one step, even where it runs. No folder is made.

Example, for an init container that puts doorkey in front of another image:
  doorkey install /shared";

#[cfg(feature = "console")]
pub const CONSOLE: &str = "\
The link works once, within two minutes, for the user who has started the
console. No value is ever shown. Ctrl-C ends it.

Example:
  doorkey console --store EXAMPLE_STORE --open";

pub const COMPLETIONS: &str = "\
They complete projects, clusters and names of a local store, too. They log in
nowhere, and show no value.

Example:
  doorkey completions bash > /etc/bash_completion.d/doorkey";

pub const MAN: &str = "\
A page is named by its subcommand, or is references or doorkey.toml.

Examples:
  doorkey man run | man -l -
  doorkey man --dir /usr/local/share/man";
