//! The command line's definitions. Help, completions and the man page come from these alone.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, value_parser};

/// A subcommand that does something.
pub struct Leaf {
    /// Its words: `secret set`.
    pub words: &'static [&'static str],
    about: &'static str,
    define: fn(Command) -> Command,
}

/// Every subcommand that does something.
pub const LEAVES: &[Leaf] = &[
    Leaf {
        words: &["run"],
        about: "Run a command with its secrets",
        define: run,
    },
    Leaf {
        words: &["check"],
        about: "Show what each reference resolves to",
        define: check,
    },
    Leaf {
        words: &["env"],
        about: "Print the environment, its secrets masked",
        define: sources,
    },
    Leaf {
        words: &["secret", "set"],
        about: "Store a value, read from standard input",
        define: secret_set,
    },
    Leaf {
        words: &["store", "init"],
        about: "Make an embedded store, and a key",
        define: store_init,
    },
    Leaf {
        words: &["completions"],
        about: "Print completions for a shell",
        define: completions,
    },
    Leaf {
        words: &["man"],
        about: "Print the manual page",
        define: logging,
    },
];

impl Leaf {
    /// The subcommand that these arguments begin with. Only its own options are built then: the
    /// whole tree would cost more than the launch.
    pub fn of(arguments: &[OsString]) -> Option<&'static Leaf> {
        LEAVES.iter().find(|leaf| {
            arguments.len() >= leaf.words.len()
                && leaf
                    .words
                    .iter()
                    .zip(arguments)
                    .all(|(word, given)| given == word)
        })
    }

    /// The subcommand by itself.
    pub fn command(&self) -> Command {
        let name = self.words[self.words.len() - 1];
        let full = format!("doorkey {}", self.words.join(" "));
        (self.define)(Command::new(name).about(self.about)).bin_name(full)
    }
}

/// The whole tree, for help, completions and the manual page.
pub fn tree() -> Command {
    let mut root = Command::new("doorkey")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Hands a workload its secrets, then becomes it")
        .after_help(EXAMPLES)
        .subcommand_required(true)
        .disable_help_subcommand(true);
    for (group, about) in [("secret", "Manage secrets"), ("store", "Manage a store")] {
        let leaves = LEAVES
            .iter()
            .filter(|leaf| leaf.words[0] == group && leaf.words.len() > 1);
        let command = Command::new(group)
            .about(about)
            .subcommand_required(true)
            .disable_help_subcommand(true);
        root = root.subcommand(command.subcommands(leaves.map(Leaf::command)));
    }
    root.subcommands(
        LEAVES
            .iter()
            .filter(|leaf| leaf.words.len() == 1)
            .map(Leaf::command),
    )
}

const EXAMPLES: &str = "\
Examples:
  doorkey store init secrets
  doorkey secret set db_password --store age:secrets --team < password.txt
  DB_PASSWORD=secret:db_password doorkey run --store age:secrets -- ./server";

const RUN_EXAMPLES: &str = "\
--env-file, --env, --keep-env and --literal can be repeated. Every option can be
given as a variable: --env-file is DOORKEY_ENV_FILE.
Exit codes: 125 doorkey's own, 126 not executable, 127 not found, 128+N ended by
signal N before the start; else the command's own.

Examples:
  doorkey run --store age:secrets --project web -- ./server --port 80
  doorkey run -e 'DB=postgres://app:${secret:db|urlencode}@db/app' -- ./server";

fn run(command: Command) -> Command {
    sources(command)
        .override_usage("doorkey run [OPTIONS] [--] COMMAND [ARGS]...")
        .after_help(RUN_EXAMPLES)
        .arg(
            Arg::new("command")
                .value_name("COMMAND")
                .help("The command and its arguments")
                .value_parser(value_parser!(OsString))
                .num_args(1..)
                .required(true)
                .trailing_var_arg(true),
        )
}

fn check(command: Command) -> Command {
    sources(command)
        .next_help_heading("Options")
        .arg(flag("names", "Check only that the names exist: needs no key").display_order(0))
        .arg(flag("json", "Print JSON").display_order(0))
}

fn secret_set(command: Command) -> Command {
    logging(one_store(command))
        .arg(positional("name", "NAME", "The secret's name").required(true))
        .next_help_heading("Options")
        .arg(flag("team", "Store it for the whole team").conflicts_with_all(["project", "cluster"]).display_order(0))
        .arg(flag("raw", "Keep a newline at the end of the input").display_order(0))
        .after_help("One newline at the end of the input is dropped, unless --raw.\n\nExample:\n  openssl rand -hex 32 | doorkey secret set session_key --project web")
        .mut_arg("project", |arg| arg.conflicts_with("cluster"))
}

fn store_init(command: Command) -> Command {
    logging(command)
        .arg(positional("dir", "DIR", "The store's folder").default_value("secrets"))
        .next_help_heading("Options")
        .arg(key_file().display_order(0))
}

fn completions(command: Command) -> Command {
    logging(command)
        .arg(positional("shell", "SHELL", "bash, elvish, fish, powershell or zsh").required(true))
}

/// What `run`, `check` and `env` have in common.
fn sources(command: Command) -> Command {
    let command = one_store(command)
        .next_help_heading("Environment")
        .arg(values(
            "env-file",
            "FILE",
            "Add variables from a dotenv file",
        ))
        .arg(value(
            "spec",
            "FILE",
            "Add variables from a deployment spec, YAML or JSON",
        ))
        .arg(value(
            "spec-path",
            "PATH",
            "Where the list is in the spec [default: env]",
        ))
        .arg(values("env", "NAME=VALUE", "Add one variable").short('e'))
        .arg(flag("all", "Add every secret in force under its own name"))
        .arg(flag(
            "clear-env",
            "Inherit only PATH, HOME, TERM, TZ and LANG",
        ))
        .arg(values(
            "keep-env",
            "NAME",
            "Pass on a variable that would be removed",
        ))
        .arg(values(
            "literal",
            "NAME",
            "Take a variable's value as it is",
        ))
        .next_help_heading("Options")
        .arg(value(
            "timeout",
            "DURATION",
            "Give up after this long [default: 30s]",
        ));
    logging(command)
}

/// Which store, which scopes.
fn one_store(command: Command) -> Command {
    command
        .next_help_heading("Store")
        .arg(value("store", "STORE", "age:DIR or dir:DIR"))
        .arg(value("project", "ID", "Put a project's scope in force").short('p'))
        .arg(value("cluster", "ID", "Put a cluster's scope in force"))
        .arg(key_file())
        .arg(flag(
            "trim-newline",
            "Drop one newline at the end of a dir: secret",
        ))
        .arg(value(
            "config",
            "FILE",
            "Read this file, not the nearest doorkey.toml",
        ))
        .arg(value(
            "cwd",
            "DIR",
            "Look for doorkey.toml from here upwards",
        ))
}

fn key_file() -> Arg {
    value("key-file", "FILE", "The key of an age: store")
}

fn logging(command: Command) -> Command {
    command
        .disable_help_flag(true)
        .next_help_heading("Options")
        .arg(value(
            "log-level",
            "LEVEL",
            "trace, debug, info, warn or error [default: info]",
        ))
        .arg(value(
            "log-format",
            "FORMAT",
            "text or json [default: text]",
        ))
        .arg(flag("quiet", "Log errors only").short('q'))
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::Help)
                .help("Print help"),
        )
        .next_help_heading(None::<&str>)
}

fn positional(id: &'static str, name: &'static str, help: &'static str) -> Arg {
    Arg::new(id)
        .value_name(name)
        .help(help)
        .value_parser(value_parser!(OsString))
}

fn value(id: &'static str, name: &'static str, help: &'static str) -> Arg {
    positional(id, name, help).long(id)
}

fn values(id: &'static str, name: &'static str, help: &'static str) -> Arg {
    value(id, name, help).action(ArgAction::Append)
}

fn flag(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).action(ArgAction::SetTrue).help(help)
}

#[cfg(test)]
mod tests {
    use super::{LEAVES, tree};

    #[test]
    fn the_definitions_are_sound() {
        tree().debug_assert();
        for leaf in LEAVES {
            leaf.command().debug_assert();
        }
    }
}
