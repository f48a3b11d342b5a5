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
    leaf(&["run"], "Run a command with its secrets", run),
    leaf(&["check"], "Show what each reference resolves to", check),
    leaf(
        &["env"],
        "Print the environment, its secrets masked",
        sources,
    ),
    leaf(&["secret", "create"], "Store a new secret", secret_create),
    leaf(&["secret", "set"], "Store a secret, new or not", secret_set),
    leaf(
        &["secret", "update"],
        "Change an existing secret",
        secret_update,
    ),
    leaf(
        &["secret", "get"],
        "Show what is known of a secret",
        secret_get,
    ),
    leaf(
        &["secret", "list"],
        "List secrets, without values",
        secret_list,
    ),
    leaf(&["secret", "delete"], "Remove a secret", secret_delete),
    leaf(
        &["secret", "import"],
        "Store all that a dotenv file assigns",
        secret_import,
    ),
    leaf(
        &["store", "init"],
        "Make an embedded store, and a key",
        store_init,
    ),
    leaf(&["store", "check"], "Verify a whole store", store_check),
    leaf(
        &["store", "recipient", "list"],
        "Show who can read a scope",
        recipient_list,
    ),
    leaf(
        &["store", "recipient", "add"],
        "Let others read a scope",
        recipient_change,
    ),
    leaf(
        &["store", "recipient", "remove"],
        "Let some read a scope no more",
        recipient_change,
    ),
    leaf(
        &["completions"],
        "Print completions for a shell",
        completions,
    ),
    leaf(&["man"], "Print the manual page", logging),
];

const GROUPS: [(&str, &str); 3] = [
    ("secret", "Manage secrets"),
    ("store", "Manage a store"),
    ("recipient", "Manage who can read a store"),
];

const fn leaf(
    words: &'static [&'static str],
    about: &'static str,
    define: fn(Command) -> Command,
) -> Leaf {
    Leaf {
        words,
        about,
        define,
    }
}

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
    let root = Command::new("doorkey")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Hands a workload its secrets, then becomes it")
        .after_help(EXAMPLES);
    grown(root, &[])
}

/// A command with all that begins with these words below it.
fn grown(command: Command, words: &[&str]) -> Command {
    let mut command = command
        .subcommand_required(true)
        .disable_help_subcommand(true);
    let mut last = "";
    for leaf in LEAVES.iter().filter(|leaf| leaf.words.starts_with(words)) {
        let next = leaf.words[words.len()];
        if leaf.words.len() == words.len() + 1 {
            command = command.subcommand(leaf.command());
        } else if next != last {
            let about = GROUPS
                .iter()
                .find(|(group, _)| *group == next)
                .map_or("", |(_, about)| about);
            let path = &leaf.words[..=words.len()];
            let group = Command::new(next)
                .about(about)
                .bin_name(format!("doorkey {}", path.join(" ")));
            let group = grown(group, path);
            command = command.subcommand(group);
        }
        last = next;
    }
    command
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
        .arg(own(flag(
            "names",
            "Check only that the names exist: needs no key",
        )))
        .arg(json())
}

const FROM_INPUT: &str = "\
The value is read from standard input, or asked for on a terminal. One newline
at the end of piped input is dropped, unless --raw.

Example:
  openssl rand -hex 32 | doorkey secret set session_key --project web";

fn secret_create(command: Command) -> Command {
    writing(command)
}

fn secret_set(command: Command) -> Command {
    writing(command)
}

fn secret_update(command: Command) -> Command {
    writing(command)
}

fn writing(command: Command) -> Command {
    one_secret(command)
        // Taken so that it can be refused with a reason: arguments are for all to see.
        .arg(positional("value", "VALUE", "").hide(true))
        .arg(own(value(
            "value-file",
            "FILE",
            "Read the value from a file",
        )))
        .arg(own(flag("raw", "Keep a newline at the end of piped input")))
        .after_help(FROM_INPUT)
}

fn secret_get(command: Command) -> Command {
    one_secret(command).arg(own(flag("reveal", "Print the value itself")))
}

fn secret_list(command: Command) -> Command {
    let ascending = flag("asc", "The first or oldest first (the default)");
    let fields = "Of name,scope,size,created,modified,recipients";
    scoped(command)
        .arg(own(flag("all", "List every scope of the store")))
        .arg(own(value("limit", "N", "List at most so many").short('l')))
        .arg(own(value(
            "after",
            "NAME",
            "Go on after this one (nextPage)",
        )))
        .arg(own(value(
            "order-by",
            "FIELD",
            "name, created or modified [default: name]",
        )))
        .arg(own(ascending.conflicts_with("desc")))
        .arg(own(flag("desc", "The last or newest first")))
        .arg(own(value("fields", "LIST", fields).short('F')))
}

fn secret_delete(command: Command) -> Command {
    one_secret(command).arg(yes())
}

fn secret_import(command: Command) -> Command {
    scoped(command)
        .arg(positional("file", "FILE", "A dotenv file; - is standard input").required(true))
        .arg(own(flag("dry-run", "Only say what would change")))
        .arg(yes())
}

fn one_secret(command: Command) -> Command {
    scoped(command).arg(positional("name", "NAME", "The secret's name").required(true))
}

/// A store, and one scope of it.
fn scoped(command: Command) -> Command {
    let command = logging(one_store(command))
        .mut_arg("project", |arg| {
            arg.help("A project's scope").conflicts_with("cluster")
        })
        .mut_arg("cluster", |arg| arg.help("A cluster's scope"));
    let team = flag("team", "The whole team's scope")
        .short('g')
        .visible_alias("global");
    let team = team.conflicts_with_all(["project", "cluster"]);
    command.arg(team.help_heading("Store")).arg(json())
}

/// An option of one subcommand, listed before those that all have.
fn own(arg: Arg) -> Arg {
    arg.help_heading("Options").display_order(0)
}

fn yes() -> Arg {
    own(flag("yes", "Don't ask").short('y'))
}

fn json() -> Arg {
    own(flag("json", "Print JSON").short('j'))
}

fn store_check(command: Command) -> Command {
    logging(one_store(command)).arg(json())
}

fn recipient_list(command: Command) -> Command {
    scoped(command)
}

fn recipient_change(command: Command) -> Command {
    let recipients = positional("recipient", "RECIPIENT", "Public keys: age1…");
    scoped(command).arg(recipients.num_args(1..).required(true))
}

fn store_init(command: Command) -> Command {
    logging(command)
        .arg(positional(
            "dir",
            "DIR",
            "The store's folder [default: secrets]",
        ))
        .arg(own(key_file()))
        .arg(json())
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
