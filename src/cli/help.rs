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

pub const STORE_CHECK: &str = "\
Example:
  doorkey store check --store EXAMPLE_STORE";

pub const RECIPIENTS: &str = "\
Example:
  doorkey store recipient list --store EXAMPLE_STORE --project web";

pub const RECIPIENT_ADD: &str = "\
Example:
  doorkey store recipient add age1… --store EXAMPLE_STORE --project web";

pub const RECIPIENT_REMOVE: &str = "\
Example:
  doorkey store recipient remove age1… --store EXAMPLE_STORE --everywhere";

pub const INSTALL: &str = "\
What is there is replaced in one step, even where it runs. No folder is made.

Example, for an init container that puts doorkey in front of another image:
  doorkey install /shared";

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
