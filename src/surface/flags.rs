//! The options as data: a launch has clap build only those that it could have been given, since
//! building all of them would take longer than everything else that it does.

/// How an option is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By itself.
    Flag,
    /// Once, with a value; what the value is called.
    Value(&'static str),
    /// Any number of times, each with a value; what the value is called.
    Values(&'static str),
    /// Once, with a number, which may be negative; what it is called.
    Number(&'static str),
    /// By itself, and help is printed.
    Help,
}

/// An option.
#[derive(Clone, Copy)]
pub struct Opt {
    /// Its name after the two dashes.
    pub id: &'static str,
    /// How it is given.
    pub kind: Kind,
    /// What it does.
    pub help: &'static str,
    /// Its name after one dash.
    pub short: Option<char>,
    /// Another name after two dashes.
    pub alias: Option<&'static str>,
    /// The options that it can't be given with.
    pub conflicts: &'static [&'static str],
}

impl Opt {
    const fn new(id: &'static str, kind: Kind, help: &'static str) -> Self {
        Opt {
            id,
            kind,
            help,
            short: None,
            alias: None,
            conflicts: &[],
        }
    }

    const fn short(self, short: char) -> Self {
        Opt {
            short: Some(short),
            ..self
        }
    }

    const fn alias(self, alias: &'static str) -> Self {
        Opt {
            alias: Some(alias),
            ..self
        }
    }

    const fn conflicts(self, conflicts: &'static [&'static str]) -> Self {
        Opt { conflicts, ..self }
    }
}

const fn flag(id: &'static str, help: &'static str) -> Opt {
    Opt::new(id, Kind::Flag, help)
}

const fn value(id: &'static str, name: &'static str, help: &'static str) -> Opt {
    Opt::new(id, Kind::Value(name), help)
}

const fn values(id: &'static str, name: &'static str, help: &'static str) -> Opt {
    Opt::new(id, Kind::Values(name), help)
}

/// Options that stand together in the help.
#[derive(Clone, Copy)]
pub struct Group {
    /// What stands above them.
    pub heading: &'static str,
    /// The options.
    pub options: &'static [Opt],
}

const STORE: Opt = value("store", "STORE", "age:DIR, dir:DIR or vault:MOUNT/PREFIX");

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

/// How the store is reached.
const ACCESS: Group = Group {
    heading: "Store",
    options: &[
        KEY_FILE,
        value(
            "unbound",
            "WHAT",
            "take or refuse unbound age: files [default: take]",
        ),
        flag(
            "trim-newline",
            "Drop one newline at the end of a dir: secret",
        ),
        value(
            "config",
            "FILE",
            "Read this file, not the nearest doorkey.toml",
        ),
        value("cwd", "DIR", "Look for doorkey.toml from here upwards"),
    ],
};

/// Of a store that is a server.
const SERVER: Group = Group {
    heading: "OpenBao and Vault",
    options: &[
        value("address", "URL", "The server's address"),
        value("namespace", "NAME", "The namespace"),
        value(
            "auth",
            "METHOD",
            "How to log in: approle, kubernetes, jwt, ...",
        ),
        value("auth-path", "MOUNT", "Where the method is mounted"),
        value("role", "NAME", "The role to log in with"),
        value("token-file", "FILE", "The token's file"),
        flag("token-once", "Remove the token's file after reading it"),
        flag("unwrap", "The token or secret id is response-wrapped"),
        flag("no-revoke", "Leave the token alive that logging in gave"),
        flag("require-tls", "Refuse http:// and unverified servers"),
        value("team-path", "PATH", "The document of the team's scope"),
        value(
            "cluster-path",
            "PATH",
            "The document of the cluster's scope",
        ),
        value(
            "project-path",
            "PATH",
            "The document of the project's scope",
        ),
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
        Opt::new("nice", Kind::Number("N"), "Raise its niceness by N"),
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
        Opt::new("help", Kind::Help, "Print help").short('h'),
    ],
};

/// What stands above a subcommand's own options.
pub const OWN: &str = "Options";

/// Of every subcommand that has to do with no store.
pub const ALL: &[Group] = &[LOGGING];
/// Of those that put an environment together.
pub const SOURCES: &[Group] = &[IN_FORCE, ACCESS, SERVER, CACHE, ENVIRONMENT, TIME, LOGGING];
/// Of the one that launches.
pub const LAUNCH: &[Group] = &[
    IN_FORCE,
    ACCESS,
    SERVER,
    CACHE,
    ENVIRONMENT,
    SUPERVISION,
    WORKLOAD,
    TIME,
    LOGGING,
];
/// Of the one that fills a file in.
pub const RENDERING: &[Group] = &[IN_FORCE, ACCESS, SERVER, CACHE, TIME, LOGGING];
/// Of the one that joins a workload.
pub const JOINING: &[Group] = &[FOLDER, TIME, LOGGING];
/// Of those that work on one scope of a store.
pub const SCOPED: &[Group] = &[ONE_SCOPE, ACCESS, TEAM, SERVER, TIME, LOGGING];
/// Of those that work on a whole store.
pub const WHOLE: &[Group] = &[IN_FORCE, ACCESS, SERVER, TIME, LOGGING];

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
/// `--key-file`.
pub const KEY_FILE: Opt = value("key-file", "FILE", "The key of an age: store");
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
