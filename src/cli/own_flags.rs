//! The table, further: arguments, and the options that single subcommands have for themselves.

use super::flags::{CLUSTER, PROJECT, SPEC, TEAM};
use crate::core::option::{Arity, Flag, Many, One, Opt, argument, flag, value};

/// The command that becomes of doorkey.
pub const COMMAND: Many = Many::new(argument(
    "command",
    "COMMAND",
    Arity::Rest,
    "The command and its arguments",
));
/// The name of a secret.
pub const NAME: One = One::new(argument("name", "NAME", Arity::One, "The secret's name"));
/// A value, which is no argument: arguments are for all to see.
pub const VALUE: One = One::new(argument("value", "VALUE", Arity::Hidden, ""));
/// Public keys.
pub const RECIPIENTS: Many = Many::new(argument(
    "recipient",
    "RECIPIENT",
    Arity::Some,
    "Public keys: age1…",
));
/// The file that is filled in.
pub const TEMPLATE: One = One::new(argument(
    "template",
    "TEMPLATE",
    Arity::One,
    "The file; - is standard input",
));
/// The file that is written.
pub const OUT: One = One::new(argument(
    "out",
    "OUT",
    Arity::Optional,
    "Where to [default: -, standard output]",
));
/// The file whose assignments are stored.
pub const IMPORTED: One = One::new(argument(
    "file",
    "FILE",
    Arity::One,
    "A dotenv file; - is standard input",
));
/// The folder of a new store.
pub const DIR: One = One::new(argument(
    "dir",
    "DIR",
    Arity::Optional,
    "The store's folder [default: secrets]",
));
/// Where the program is copied to.
pub const DEST: One = One::new(argument(
    "dest",
    "DEST",
    Arity::One,
    "A path, or an existing folder to put it in as doorkey",
));
/// Whom completions are for.
pub const SHELL: One = One::new(argument(
    "shell",
    "SHELL",
    Arity::One,
    "bash, elvish, fish, powershell or zsh",
));

/// `--spec` of a template, of which only the references count.
pub const SPEC_REFERENCES: Opt = value(
    SPEC.0.id,
    "FILE",
    "Resolve this deployment spec's references, too",
);
/// `--owner`.
pub const OWNER: One = One::new(value("owner", "USER[:GROUP]", "Whose OUT is to be"));
/// `--mode`.
pub const MODE: One = One::new(value(
    "mode",
    "MODE",
    "What others may do with OUT [default: 600]",
));
/// `--pid`.
pub const PID: One = One::new(value(
    "pid",
    "N",
    "The workload or its supervisor [default: PID 1's]",
));
/// `--json`.
pub const JSON: Flag = Flag::new(flag("json", "Print JSON").short('j'));
/// `--yes`.
pub const YES: Flag = Flag::new(flag("yes", "Don't ask").short('y'));
/// `--names`.
pub const NAMES: Flag = Flag::new(flag(
    "names",
    "Check only that the names exist: needs no key",
));
/// `--value-file`.
pub const VALUE_FILE: One = One::new(value("value-file", "FILE", "Read the value from a file"));
/// `--raw`.
pub const RAW: Flag = Flag::new(flag("raw", "Keep a newline at the end of piped input"));
/// `--reveal`.
pub const REVEAL: Flag = Flag::new(flag("reveal", "Print the value itself"));
/// `--dry-run`.
pub const DRY_RUN: Flag = Flag::new(flag("dry-run", "Only say what would change"));
/// `--fix`.
pub const FIX: Flag = Flag::new(flag(
    "fix",
    "Bind each file that is bound to no name to its own",
));
/// `--everywhere`.
pub const EVERYWHERE: Flag = Flag::new(
    flag("everywhere", "From every list that names them").conflicts(&[
        PROJECT.0.id,
        CLUSTER.0.id,
        TEAM.0.id,
    ]),
);

/// `--all`, of a list.
pub const ALL_SCOPES: Flag = Flag::new(flag("all", "List every scope of the store"));
/// `--limit`.
pub const LIMIT: One = One::new(value("limit", "N", "List at most so many").short('l'));
/// `--after`.
pub const AFTER: One = One::new(value("after", "NAME", "Go on after this one (nextPage)"));
/// `--order-by`.
pub const ORDER_BY: One = One::new(value(
    "order-by",
    "FIELD",
    "name, created or modified [default: name]",
));
/// `--asc`.
pub const ASC: Flag =
    Flag::new(flag("asc", "The first or oldest first (the default)").conflicts(&[DESC.0.id]));
/// `--desc`.
pub const DESC: Flag = Flag::new(flag("desc", "The last or newest first"));
/// `--fields`.
pub const FIELDS: One = One::new(
    value(
        "fields",
        "LIST",
        "Of name,scope,size,created,modified,recipients",
    )
    .short('F'),
);
