//! The table of options. Clap makes help, completions and the manual from it, and `parse` reads the
//! command line by it. Code asks for an option by its constant here.

use crate::core::option::{Flag, Many, One, Opt, Takes, many, number, one, switch, value};
use crate::stores;

/// Options that stand together in the help.
#[derive(Clone, Copy)]
pub struct Group {
    /// The heading above them; empty for the stores' options, which have their own headings.
    pub heading: &'static str,
    /// The options.
    pub options: &'static [Opt],
}

impl Group {
    /// Lists each option with its heading.
    pub fn headed(&self) -> impl Iterator<Item = (&'static str, &'static Opt)> {
        let own = self.options.iter().map(|option| (self.heading, option));
        let kinds = stores::kinds().iter().filter(|_| self.heading.is_empty());
        let of_stores = kinds.flat_map(|kind| {
            let options = kind.options.iter().filter(|option| option.flag);
            options.map(|option| (kind.heading, &option.option))
        });
        own.chain(of_stores)
    }
}

/// `--store`. Its help is made from the table of stores.
pub const STORE: One = one("store", "STORE", "");
/// `--project`, in force.
pub const PROJECT: One = one("project", "ID", "Use the scope of this project").short('p');
/// `--cluster`, in force.
pub const CLUSTER: One = one("cluster", "ID", "Use the scope of this cluster");

/// A store, and the scopes that are in force.
const IN_FORCE: Group = Group {
    heading: "Store",
    options: &[STORE.0, PROJECT.0, CLUSTER.0],
};

/// A store, and one scope of it.
const ONE_SCOPE: Group = Group {
    heading: "Store",
    options: &[
        STORE.0,
        value(PROJECT.0.id, "ID", "The scope of this project")
            .short('p')
            .conflicts(&[CLUSTER.0.id]),
        value(CLUSTER.0.id, "ID", "The scope of this cluster"),
    ],
};

/// One scope of whatever store.
const SCOPE_ALONE: Group = Group {
    heading: "Store",
    options: &[ONE_SCOPE.options[1], ONE_SCOPE.options[2]],
};

/// The options of each kind of store, below a heading of its own.
const STORES: Group = Group {
    heading: "",
    options: &[],
};

/// `--config`.
pub const CONFIG: One = one(
    "config",
    "FILE",
    "Read this file instead of the nearest doorkey.toml",
);
/// `--cwd`.
pub const CWD: One = one(
    "cwd",
    "DIR",
    "Look for doorkey.toml in this folder and above",
);

/// The place of the configuration.
const CONFIGURATION: Group = Group {
    heading: "Store",
    options: &[CONFIG.0, CWD.0],
};

/// `--team`.
pub const TEAM: Flag = switch("team", "The scope of the team")
    .short('g')
    .alias("global")
    .conflicts(&[PROJECT.0.id, CLUSTER.0.id]);

const WHOLE_TEAM: Group = Group {
    heading: "Store",
    options: &[TEAM.0],
};

/// `--env-file`.
pub const ENV_FILE: Many = many(
    "env-file",
    "FILE",
    "Add the variables of a dotenv file; - is stdin",
);
/// `--interpolate`.
pub const INTERPOLATE: Flag = switch(
    "interpolate",
    "Fill in ${NAME} in these files, as Compose does",
);
/// `--spec`.
pub const SPEC: One = one(
    "spec",
    "FILE",
    "Add the variables of a manifest or Compose file",
);
/// `--spec` of a subcommand that takes all containers.
pub const SPECS: Many = many(
    "spec",
    "PATH",
    "Read manifests, Compose files, or folders of them",
);
/// `--spec-path`.
pub const SPEC_PATH: One = one(
    "spec-path",
    "PATH",
    "Choose a container, such as deploy/web/server",
);
/// `--env`.
pub const ENV: Many = many("env", "NAME=VALUE", "Add one variable").short('e');
/// `--all`.
pub const ALL: Flag = switch("all", "Add every secret under its own name");
/// `--clear-env`.
pub const CLEAR_ENV: Flag = switch("clear-env", "Inherit only PATH, HOME, TERM, TZ and LANG");
/// `--keep-env`.
pub const KEEP_ENV: Many = many(
    "keep-env",
    "NAME",
    "Pass on a variable that would be removed",
);
/// `--literal`.
pub const LITERAL: Many = many("literal", "NAME", "Take a variable's value as it is");
/// `--references`.
pub const REFERENCES: One = one(
    "references",
    "LIST",
    "Resolve more kinds of values: arn, file",
);
/// `--files`.
pub const FILES: One = one(
    "files",
    "DIR",
    "Write |file values into this folder, on tmpfs",
);
/// `--allow-disk`.
pub const ALLOW_DISK: Flag = switch("allow-disk", "Allow that folder to be on a disk");
/// `--files-owner`.
pub const FILES_OWNER: One = one(
    "files-owner",
    "USER",
    "Owner of the files: USER[:GROUP] [default: --user]",
);

/// The one spec of an environment.
const ONE_SPEC: Group = Group {
    heading: "Environment",
    options: &[SPEC.0],
};

/// Any number of specs.
const ALL_SPECS: Group = Group {
    heading: "Environment",
    options: &[SPECS.0],
};

/// `--render`.
pub const RENDER: Many = many(
    "render",
    "IN:OUT",
    "Fill in the template IN, write OUT on tmpfs",
);

/// Files that a launch writes beside the environment.
const RENDERED: Group = Group {
    heading: "Environment",
    options: &[RENDER.0],
};

const ENVIRONMENT: Group = Group {
    heading: "Environment",
    options: &[
        ENV_FILE.0,
        INTERPOLATE.0,
        SPEC_PATH.0,
        ENV.0,
        ALL.0,
        CLEAR_ENV.0,
        KEEP_ENV.0,
        LITERAL.0,
        REFERENCES.0,
        FILES.0,
        ALLOW_DISK.0,
        FILES_OWNER.0,
    ],
};

/// `--cache`.
pub const CACHE: One = one("cache", "FILE", "Keep the last values for an outage");
/// `--cache-recipient`.
pub const CACHE_RECIPIENT: One = one(
    "cache-recipient",
    "KEY",
    "Encrypt the cache for this key, age1…",
);
/// `--cache-max-age`.
pub const CACHE_MAX_AGE: One = one(
    "cache-max-age",
    "DURATION",
    "Ignore an older cache [default: 24h]",
);

/// The cache for a store that can't be reached.
const CACHED: Group = Group {
    heading: "OpenBao and Vault",
    options: &[CACHE.0, CACHE_RECIPIENT.0, CACHE_MAX_AGE.0],
};

/// `--timeout`.
pub const TIMEOUT: One = one(
    "timeout",
    "DURATION",
    "Give up after this long [default: 30s]",
);

/// `--splay`.
pub const SPLAY: One = one(
    "splay",
    "DURATION",
    "Wait a random time up to this before the fetch",
);

/// Options about the beginning of a launch.
const BEGINNING: Group = Group {
    heading: OWN,
    options: &[SPLAY.0],
};

const TIME: Group = Group {
    heading: OWN,
    options: &[TIMEOUT.0],
};

/// `--init`.
pub const INIT: Flag = switch("init", "Stay as the parent: forward signals, reap orphans");
/// `--signal-map`.
pub const SIGNAL_MAP: Many = many(
    "signal-map",
    "FROM:TO",
    "Forward a signal as another; TO may be none",
);
/// `--signal-group`.
pub const SIGNAL_GROUP: Flag = switch("signal-group", "Forward signals to the whole process group");
/// `--grace`.
pub const GRACE: One = one(
    "grace",
    "DURATION",
    "Kill remaining processes after this long",
);
/// `--mask`.
pub const MASK: Flag = switch("mask", "Mask secrets in the command's output");
/// `--mask-min`.
pub const MASK_MIN: One = one(
    "mask-min",
    "N",
    "Mask values of N bytes or more [default: 8]",
);
/// `--mask-also`.
pub const MASK_ALSO: Many = many("mask-also", "NAME", "Mask this variable's value as well");
/// `--watch`.
pub const WATCH: One = one(
    "watch",
    "DURATION",
    "Fetch the secrets again at this interval",
);
/// `--on-change`.
pub const ON_CHANGE: One = one(
    "on-change",
    "WHAT",
    "restart, none, signal:X, exit:N [default: restart]",
);
/// `--on-loss`.
pub const ON_LOSS: One = one(
    "on-loss",
    "WHAT",
    "warn or stop when a secret is gone [default: warn]",
);
/// `--refresh-signal`.
pub const REFRESH_SIGNAL: One = one(
    "refresh-signal",
    "SIG",
    "Fetch on this signal, or on none [default: USR2]",
);

const SUPERVISION: Group = Group {
    heading: "Supervision",
    options: &[
        INIT.0,
        SIGNAL_MAP.0,
        SIGNAL_GROUP.0,
        GRACE.0,
        MASK.0,
        MASK_MIN.0,
        MASK_ALSO.0,
        WATCH.0,
        ON_CHANGE.0,
        ON_LOSS.0,
        REFRESH_SIGNAL.0,
    ],
};

/// `--user`.
pub const USER: One = one("user", "USER[:GROUP]", "Run the command as this user");
/// `--no-new-privs`.
pub const NO_NEW_PRIVS: Flag = switch("no-new-privs", "Keep the command from gaining privileges");
/// `--umask`.
pub const UMASK: One = one("umask", "MODE", "The command's umask, such as 027");
/// `--chdir`.
pub const CHDIR: One = one("chdir", "DIR", "The command's working directory");
/// `--argv0`.
pub const ARGV0: One = one("argv0", "NAME", "The command's name for itself (argv[0])");
/// `--nice`.
pub const NICE: One = number("nice", "N", "Raise the command's niceness by N");
/// `--rlimit`.
pub const RLIMIT: Many = many(
    "rlimit",
    "NAME=SOFT:HARD",
    "Set a limit, such as nofile=1024:4096",
);
/// `--parent-death-signal`.
pub const PARENT_DEATH_SIGNAL: One = one(
    "parent-death-signal",
    "SIG",
    "Send this signal when doorkey's parent ends",
);

const WORKLOAD: Group = Group {
    heading: "Workload",
    options: &[
        USER.0,
        NO_NEW_PRIVS.0,
        UMASK.0,
        CHDIR.0,
        ARGV0.0,
        NICE.0,
        RLIMIT.0,
        PARENT_DEATH_SIGNAL.0,
    ],
};

const FOLDER: Group = Group {
    heading: OWN,
    options: &[CHDIR.0],
};

/// `--log-level`.
pub const LOG_LEVEL: One = one(
    "log-level",
    "LEVEL",
    "trace, debug, info, warn or error [default: info]",
);
/// `--log-format`.
pub const LOG_FORMAT: One = one("log-format", "FORMAT", "text or json [default: text]");
/// `--quiet`.
pub const QUIET: Flag = switch("quiet", "Log errors only").short('q');

/// `--help`, and `-h` for the options that are used most.
const HELP: Opt = Opt::new("help", Takes::Help, "Print help; -h prints a short one").short('h');

const LOGGING: Group = Group {
    heading: OWN,
    options: &[LOG_LEVEL.0, LOG_FORMAT.0, QUIET.0, HELP],
};

/// The heading of a subcommand's own options.
pub const OWN: &str = "Options";

/// Options of every subcommand that uses no store.
pub const ANY: &[Group] = &[LOGGING];
/// Options of the subcommands that assemble an environment.
pub const SOURCES: &[Group] = &[
    IN_FORCE,
    CONFIGURATION,
    ONE_SPEC,
    ENVIRONMENT,
    TIME,
    LOGGING,
    STORES,
    CACHED,
];
/// Options of `check` and `redact`.
pub const CHECKING: &[Group] = &[
    IN_FORCE,
    CONFIGURATION,
    ALL_SPECS,
    ENVIRONMENT,
    TIME,
    LOGGING,
    STORES,
    CACHED,
];
/// Options of `run`.
pub const LAUNCH: &[Group] = &[
    IN_FORCE,
    CONFIGURATION,
    ONE_SPEC,
    ENVIRONMENT,
    RENDERED,
    SUPERVISION,
    WORKLOAD,
    BEGINNING,
    TIME,
    LOGGING,
    STORES,
    CACHED,
];
/// Options of `render`.
pub const RENDERING: &[Group] = &[IN_FORCE, CONFIGURATION, TIME, LOGGING, STORES, CACHED];
/// Options of `join`.
pub const JOINING: &[Group] = &[FOLDER, TIME, LOGGING];
/// Options of the subcommands for one scope of a store.
pub const SCOPED: &[Group] = &[ONE_SCOPE, CONFIGURATION, WHOLE_TEAM, TIME, LOGGING, STORES];
/// Options of a subcommand that names two stores.
pub const COPYING: &[Group] = &[SCOPE_ALONE, WHOLE_TEAM, LOGGING, STORES];
/// Options of the subcommands for a whole store.
pub const WHOLE: &[Group] = &[IN_FORCE, CONFIGURATION, TIME, LOGGING, STORES];

/// The options that the short help shows, beside a subcommand's own.
pub const USED_MOST: [&str; 11] = [
    STORE.0.id,
    PROJECT.0.id,
    CLUSTER.0.id,
    TEAM.0.id,
    ENV_FILE.0.id,
    ENV.0.id,
    ALL.0.id,
    INIT.0.id,
    USER.0.id,
    TIMEOUT.0.id,
    HELP.id,
];
