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

doorkey COMMAND --help explains a command. doorkey doctor checks the setup.";

pub const RUN: &str = "\
doorkey starts nothing while a reference is unresolved. --env-file, --env,
--keep-env, --literal, --render, --mask-also, --signal-map and --rlimit can be
repeated. Every option can be a variable: --env-file is DOORKEY_ENV_FILE.
Exit codes: 125 doorkey's own, 126 not executable, 127 not found, 128+N after
signal N; else the command's own.

Examples:
  doorkey run --store EXAMPLE_STORE --project web -- ./server --port 80
  doorkey run --spec deploy.yaml --spec-path deploy/web/server -- ./server
  doorkey run -e 'DB=postgres://app:${secret:db|urlencode}@db/app' -- ./server";

pub const REDACT: &str = "\
Each value becomes [secret:NAME], as with run --mask. doorkey masks every
secret of the scopes in force. With --env-file, --spec or --env it masks
the secrets that these and the environment refer to.

If a secret can't be read, doorkey prints nothing of the text.

Example:
  kubectl logs -f web | doorkey redact --store EXAMPLE_STORE --project web";

pub const RENDER: &str = "\
doorkey replaces each ${secret:NAME} in the template by its value. It writes OUT
in one step, or not at all. Only the owner can read OUT, unless --mode says
otherwise.

Example:
  doorkey render --store EXAMPLE_STORE app.conf.in /run/app/app.conf";

pub const JOIN: &str = "\
The command gets the workload's environment, user and groups. Only TERM is its
own. The kernel decides who may do this, by its ptrace check. Exit codes are
those of doorkey run.

Example:
  docker exec -it web doorkey join -- sh";

pub const CHECK: &str = "\
doorkey shows the scope and the size of each value, and lists all faults. It
never shows a value. It checks all containers of a manifest, and all services of
a Compose file.

Examples:
  doorkey check --store EXAMPLE_STORE --project web --env-file .env
  doorkey check --store EXAMPLE_STORE -p web --spec deploy.yaml --names
  doorkey check --store EXAMPLE_STORE --spec k8s --spec compose.yaml --strict";

pub const ENV: &str = "\
doorkey prints the environment that doorkey run would give to the command. Each
secret is shown as [secret:NAME].

Example:
  doorkey env --store EXAMPLE_STORE --project web --env-file .env";

pub const DOCTOR: &str = "\
doorkey shows its configuration, store, key and kernel features, each as ok or
not ok. It reads no value. The exit code is 1 if anything is not ok.

Example:
  doorkey doctor --store EXAMPLE_STORE --project web";

pub const KEY_EXAMPLE: &str = "\
doorkey makes the folder of the key file as well. It never replaces a key file.
Give others the printed public half. Keep the key file to yourself.

Example, the second command by somebody who can read the store:
  doorkey key new
  doorkey store recipient add age1… --name alice";

pub const KEY_SHOW: &str = "\
Example:
  doorkey key show --key-file ~/keys/web.txt";

pub const ADD_EXAMPLE: &str = "\
doorkey encrypts every secret of the scope anew. Without a scope it changes the
store's own list. Scopes that have a list of their own then stay as they are.

Example:
  doorkey store recipient add age1… --name alice";

pub const REMOVE_EXAMPLE: &str = "\
The people who are removed may know the values. So each secret gets a note that
its value is to be replaced. doorkey store check lists these secrets. A new
value removes the note.

Example:
  doorkey store recipient remove alice --everywhere";

pub const CHECK_EXAMPLE: &str = "\
doorkey opens every file with your key, and compares its recipients with those
of its scope.

With --fix it also settles conflicts of a git merge. A list gets the keys that
both branches added, without those that either removed. A secret gets the value
that only one branch has set. doorkey does not change git's index.

Example:
  git merge other || doorkey store check --fix --theirs db_password";

pub const GENERATE_EXAMPLE: &str = "\
The value has N letters and digits. With --hex or --base64 it has N random
bytes, encoded. doorkey never prints it.

Example:
  doorkey secret generate db_password --team --length 40";

pub const EDIT_EXAMPLE: &str = "\
doorkey starts the editor that VISUAL or EDITOR names, with a file on tmpfs. It
wipes the file afterwards. If the editor fails, or the value stays the same,
doorkey stores nothing.

Example:
  EDITOR=vi doorkey secret edit tls_config --project web";

pub const MOVE_EXAMPLE: &str = "\
TO must not exist yet. A NAME without a scope is in the scope of the options.

Example:
  doorkey secret mv team/db_password project/web/db_password";

pub const COPY_EXAMPLE: &str = "\
doorkey lists the secrets that it creates and replaces, and asks. With --yes
it does not ask. Values go to the other store as they are.

Example:
  doorkey store copy EXAMPLE_STORE EXAMPLE_STORE.new --dry-run";

/// The rule about a value that is read, and the example of a subcommand that stores one.
macro_rules! from_input {
    ($example:literal) => {
        concat!(
            "doorkey reads the value from standard input, or asks for it on a terminal. It\n\
             drops one newline at the end of piped input, unless --raw is given.\n\nExample:\n  ",
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
doorkey shows the scope, size and times of a secret. With --reveal it prints
the value alone.

Example:
  doorkey secret get session_key --project web --reveal";

pub const LIST: &str = "\
Without a scope doorkey lists the project of doorkey.toml. --all lists all
scopes.

Example:
  doorkey secret list --all --fields scope,name,modified";

pub const DELETE: &str = "\
doorkey asks first. Without a terminal it needs --yes.

Example:
  doorkey secret delete session_key --project web";

pub const IMPORT: &str = "\
doorkey lists the names that it creates and replaces, and asks. With one fault
it stores nothing. It skips empty values, and names them.

Example:
  doorkey secret import .env --project web --dry-run";

pub const STORE_INIT: &str = "\
doorkey makes the folder and its list of recipients. If there is no key file, it
makes a key as well. Keep a copy of the key: without it nobody can read the
secrets.

Example:
  doorkey store init secrets --key-file ~/keys/web.txt";

pub const RECIPIENTS: &str = "\
Example:
  doorkey store recipient list --store EXAMPLE_STORE --project web";

pub const INSTALL: &str = "\
doorkey replaces an existing file in one step, even a running program. It makes
no folder.

Example, for an init container that puts doorkey in front of another image:
  doorkey install /shared";

#[cfg(feature = "console")]
pub const CONSOLE: &str = "\
doorkey prints a link for your browser. It works once, within two minutes, for
your user alone. The page never shows a value. Ctrl-C ends the console.

Example:
  doorkey console --store EXAMPLE_STORE --open";

pub const COMPLETIONS: &str = "\
The completions also know the projects, clusters and names of a local store.
They ask no server, and show no value.

Example:
  doorkey completions bash > /etc/bash_completion.d/doorkey";

pub const MAN: &str = "\
The name of a page is a subcommand, such as run or secret set, or one of
references and doorkey.toml. Without a name it is the page doorkey(1).

Examples:
  doorkey man run | man -l -
  doorkey man --dir /usr/local/share/man";
