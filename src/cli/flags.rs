//! The options as data: a launch has clap build only those that it could have been given, since
//! building all of them would take longer than everything else that it does.

use crate::core::option::{Opt, Takes, flag, value, values};
use crate::stores;

/// Options that stand together in the help.
#[derive(Clone, Copy)]
pub struct Group {
    /// What stands above them; nothing above those of the stores, which have headings of their own.
    pub heading: &'static str,
    /// The options.
    pub options: &'static [Opt],
}

impl Group {
    /// Each option, after what stands above it.
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
pub const STORE: Opt = value("store", "STORE", "");

/// A store, and the scopes that are in force.
const IN_FORCE: Group = Group {
    heading: "Store",
    options: &[
        STORE,
        value("project", "ID", "Put a project's scope in force").short('p'),
        value("cluster", "ID", "Put a cluster's scope in force"),
    ],
};

/// A store, and one scope of it.
const ONE_SCOPE: Group = Group {
    heading: "Store",
    options: &[
        STORE,
        value("project", "ID", "A project's scope")
            .short('p')
            .conflicts(&["cluster"]),
        value("cluster", "ID", "A cluster's scope"),
    ],
};

/// What each kind of store has for itself, below a heading of its own.
const STORES: Group = Group {
    heading: "",
    options: &[],
};

/// Where the configuration is.
const CONFIGURATION: Group = Group {
    heading: "Store",
    options: &[
        value(
            "config",
            "FILE",
            "Read this file, not the nearest doorkey.toml",
        ),
        value("cwd", "DIR", "Look for doorkey.toml from here upwards"),
    ],
};

const TEAM: Group = Group {
    heading: "Store",
    options: &[flag("team", "The whole team's scope")
        .short('g')
        .alias("global")
        .conflicts(&["project", "cluster"])],
};

const ENVIRONMENT: Group = Group {
    heading: "Environment",
    options: &[
        values("env-file", "FILE", "Add variables from a dotenv file"),
        value(
            "spec",
            "FILE",
            "Add variables from a deployment spec, YAML or JSON",
        ),
        SPEC_PATH,
        values("env", "NAME=VALUE", "Add one variable").short('e'),
        flag("all", "Add every secret in force under its own name"),
        flag("clear-env", "Inherit only PATH, HOME, TERM, TZ and LANG"),
        values(
            "keep-env",
            "NAME",
            "Pass on a variable that would be removed",
        ),
        values("literal", "NAME", "Take a variable's value as it is"),
        value(
            "references",
            "LIST",
            "Take bare ARNs, file:PATH for references",
        ),
        value("files", "DIR", "Deliver |file in this folder, on tmpfs"),
        flag("allow-disk", "Let that folder be on a disk"),
        value(
            "files-owner",
            "USER",
            "Whose |file is, USER[:GROUP] [default: --user's]",
        ),
    ],
};

/// What is kept for a store that can't be reached.
const CACHE: Group = Group {
    heading: "OpenBao and Vault",
    options: &[
        value("cache", "FILE", "Keep the last values for when it is down"),
        value("cache-recipient", "KEY", "Seal them for this key, age1…"),
        value(
            "cache-max-age",
            "DURATION",
            "Use none that are older [default: 24h]",
        ),
    ],
};

const TIME: Group = Group {
    heading: OWN,
    options: &[value(
        "timeout",
        "DURATION",
        "Give up after this long [default: 30s]",
    )],
};

const SUPERVISION: Group = Group {
    heading: "Supervision",
    options: &[
        INIT,
        values(
            "signal-map",
            "FROM:TO",
            "Forward a signal as another; TO may be none",
        ),
        flag("signal-group", "Forward signals to the command's group"),
        value(
            "grace",
            "DURATION",
            "Kill what outlives the command by so much",
        ),
        MASK,
        value(
            "mask-min",
            "N",
            "Mask what has this many bytes or more [default: 8]",
        ),
        WATCH,
        value(
            "on-change",
            "WHAT",
            "restart, signal:NAME, exit:CODE [default: restart]",
        ),
        value(
            "on-loss",
            "WHAT",
            "warn or stop when a secret is gone [default: warn]",
        ),
        value(
            "refresh-signal",
            "SIG",
            "Fetch them at once; or none [default: USR2]",
        ),
    ],
};

const WORKLOAD: Group = Group {
    heading: "Workload",
    options: &[
        value(
            "user",
            "USER[:GROUP]",
            "Run it as this user, no more as root",
        ),
        flag("no-new-privs", "Let it and its children gain no privileges"),
        value("umask", "MODE", "Permissions that its files don't get"),
        CHDIR,
        value("argv0", "NAME", "What it finds as its own name"),
        Opt::new("nice", Takes::Number("N"), "Raise its niceness by N"),
        values(
            "rlimit",
            "NAME=SOFT:HARD",
            "Limit what it may use, as nofile=1024:4096",
        ),
        value(
            "parent-death-signal",
            "SIG",
            "Send it this when doorkey's parent has ended",
        ),
    ],
};

const CHDIR: Opt = value("chdir", "DIR", "Its working directory");

const FOLDER: Group = Group {
    heading: OWN,
    options: &[CHDIR],
};

const LOGGING: Group = Group {
    heading: OWN,
    options: &[
        value(
            "log-level",
            "LEVEL",
            "trace, debug, info, warn or error [default: info]",
        ),
        value("log-format", "FORMAT", "text or json [default: text]"),
        flag("quiet", "Log errors only").short('q'),
        Opt::new("help", Takes::Help, "Print help").short('h'),
    ],
};

/// What stands above a subcommand's own options.
pub const OWN: &str = "Options";

/// Of every subcommand that has to do with no store.
pub const ALL: &[Group] = &[LOGGING];
/// Of those that put an environment together.
pub const SOURCES: &[Group] = &[
    IN_FORCE,
    STORES,
    CONFIGURATION,
    CACHE,
    ENVIRONMENT,
    TIME,
    LOGGING,
];
/// Of the one that launches.
pub const LAUNCH: &[Group] = &[
    IN_FORCE,
    STORES,
    CONFIGURATION,
    CACHE,
    ENVIRONMENT,
    SUPERVISION,
    WORKLOAD,
    TIME,
    LOGGING,
];
/// Of the one that fills a file in.
pub const RENDERING: &[Group] = &[IN_FORCE, STORES, CONFIGURATION, CACHE, TIME, LOGGING];
/// Of the one that joins a workload.
pub const JOINING: &[Group] = &[FOLDER, TIME, LOGGING];
/// Of those that work on one scope of a store.
pub const SCOPED: &[Group] = &[ONE_SCOPE, STORES, CONFIGURATION, TEAM, TIME, LOGGING];
/// Of those that work on a whole store.
pub const WHOLE: &[Group] = &[IN_FORCE, STORES, CONFIGURATION, TIME, LOGGING];

/// `--init`, which is looked for before anything is parsed.
pub const INIT: Opt = flag("init", "Stay as its parent: forward signals, reap orphans");
/// `--mask`, which asks for a supervisor, too.
pub const MASK: Opt = flag("mask", "Mask secrets in the command's output");
/// `--watch`, likewise.
pub const WATCH: Opt = value("watch", "DURATION", "Fetch secrets again and again");
/// `--spec-path`.
pub const SPEC_PATH: Opt = value(
    "spec-path",
    "PATH",
    "Where the list is in the spec [default: env]",
);
/// `--spec`, of which only the references count.
pub const SPEC: Opt = value(
    "spec",
    "FILE",
    "Resolve this deployment spec's references, too",
);
/// `--owner`.
pub const OWNER: Opt = value("owner", "USER[:GROUP]", "Whose OUT is to be");
/// `--mode`.
pub const MODE: Opt = value("mode", "MODE", "What others may do with OUT [default: 600]");
/// `--pid`.
pub const PID: Opt = value(
    "pid",
    "N",
    "The workload or its supervisor [default: PID 1's]",
);
/// `--json`.
pub const JSON: Opt = flag("json", "Print JSON").short('j');
/// `--yes`.
pub const YES: Opt = flag("yes", "Don't ask").short('y');
/// `--names`.
pub const NAMES: Opt = flag("names", "Check only that the names exist: needs no key");
/// `--value-file`.
pub const VALUE_FILE: Opt = value("value-file", "FILE", "Read the value from a file");
/// `--raw`.
pub const RAW: Opt = flag("raw", "Keep a newline at the end of piped input");
/// `--reveal`.
pub const REVEAL: Opt = flag("reveal", "Print the value itself");
/// `--dry-run`.
pub const DRY_RUN: Opt = flag("dry-run", "Only say what would change");
/// `--fix`.
pub const FIX: Opt = flag("fix", "Bind each file that is bound to no name to its own");
/// `--everywhere`.
pub const EVERYWHERE: Opt = flag("everywhere", "From every list that names them")
    .conflicts(&["project", "cluster", "team"]);
/// What `secret list` has for itself.
pub const LISTING: &[Opt] = &[
    flag("all", "List every scope of the store"),
    value("limit", "N", "List at most so many").short('l'),
    value("after", "NAME", "Go on after this one (nextPage)"),
    value(
        "order-by",
        "FIELD",
        "name, created or modified [default: name]",
    ),
    flag("asc", "The first or oldest first (the default)").conflicts(&["desc"]),
    flag("desc", "The last or newest first"),
    value(
        "fields",
        "LIST",
        "Of name,scope,size,created,modified,recipients",
    )
    .short('F'),
    JSON,
];
