//! The second part of the table: arguments, and the options of single subcommands.

use super::flags::{CLUSTER, PROJECT, SPEC, TEAM};
use crate::core::option::{
    Arity, Flag, Many, One, Opt, argument, arguments, many, one, switch, value,
};

/// The command that doorkey becomes.
pub const COMMAND: Many = arguments(
    "command",
    "COMMAND",
    Arity::Rest,
    "The command and its arguments",
);
/// The name of a secret.
pub const NAME: One = argument("name", "NAME", Arity::One, "The secret's name");
/// A value as an argument, which is refused: other users can see arguments.
pub const VALUE: One = argument("value", "VALUE", Arity::Hidden, "");
/// Public keys.
pub const KEYS: Many = arguments("recipient", "KEY", Arity::Some, "Public keys: age1…, ssh-…");
/// Public keys, or the names of their owners.
pub const RECIPIENTS: Many = arguments(
    "recipient",
    "RECIPIENT",
    Arity::Some,
    "Public keys, or the names of their owners",
);
/// `--name`, of a key's owner.
pub const OWNER_NAME: One = one("name", "NAME", "The owner's name, one word");
/// `--ours`.
pub const OURS: Many = many(
    "ours",
    "NAME",
    "Take our side of a secret that both branches set",
);
/// `--theirs`.
pub const THEIRS: Many = many(
    "theirs",
    "NAME",
    "Take their side of a secret that both branches set",
);
/// The texts that are masked.
pub const INPUTS: Many = arguments(
    "inputs",
    "FILE",
    Arity::Any,
    "Files, in order; - is standard input [default: -]",
);
/// `--count`.
pub const COUNT: Flag = switch("count", "Report on stderr how often each value was found");
/// `--fail`.
pub const FAIL: Flag = switch("fail", "Exit with 3 if any value was found");
/// The file that is filled in.
pub const TEMPLATE: One = argument(
    "template",
    "TEMPLATE",
    Arity::One,
    "The template; - is standard input",
);
/// The file that is written.
pub const OUT: One = argument(
    "out",
    "OUT",
    Arity::Optional,
    "The file to write [default: -, standard output]",
);
/// The file whose assignments are stored.
pub const IMPORTED: One = argument(
    "file",
    "FILE",
    Arity::One,
    "A dotenv file; - is standard input",
);
/// The folder of a new store.
pub const DIR: One = argument(
    "dir",
    "DIR",
    Arity::Optional,
    "The store's folder [default: secrets]",
);
/// The path that the program is copied to.
pub const DEST: One = argument(
    "dest",
    "DEST",
    Arity::One,
    "The path of the copy, or an existing folder for it",
);
/// The shell that completions are for.
pub const SHELL: One = argument("shell", "SHELL", Arity::One, "bash, fish or zsh");
/// The words of a page's name.
pub const PAGE: Many = arguments(
    "page",
    "PAGE",
    Arity::Any,
    "The page, such as run or secret set [default: doorkey]",
);
/// `--dir`.
pub const PAGES_DIR: One = one(
    "dir",
    "DIR",
    "Write all pages into this folder, in man1 and man5",
);
/// The words of a command line of which the last is completed.
pub const WORDS: Many = arguments("words", "WORD", Arity::HiddenRest, "");

/// `--spec` of a template, of which only the references count.
pub const SPEC_REFERENCES: Opt = value(
    SPEC.0.id,
    "FILE",
    "Resolve the references of this spec, too",
);
/// `--strict`.
pub const STRICT: Flag = switch("strict", "Fail without any reference, or with a bad file");
/// `--unused`.
pub const UNUSED: Flag = switch("unused", "Also list names that no reference uses");
/// `--owner`.
pub const OWNER: One = one("owner", "USER[:GROUP]", "The owner of OUT");
/// `--mode`.
pub const MODE: One = one("mode", "MODE", "The mode of OUT [default: 600]");
/// `--pid`.
pub const PID: One = one(
    "pid",
    "N",
    "The workload or its parent [default: below PID 1]",
);
/// `--json`.
pub const JSON: Flag = switch("json", "Print JSON").short('j');
/// `--null`.
pub const NUL: Flag = switch("null", "End each variable with a NUL, not a line")
    .short('0')
    .conflicts(&[JSON.0.id]);
/// `--yes`.
pub const YES: Flag = switch("yes", "Don't ask").short('y');
/// `--names`.
pub const NAMES: Flag = switch("names", "Check only that the names exist: needs no key");
/// `--value-file`.
pub const VALUE_FILE: One = one("value-file", "FILE", "Read the value from a file");
/// `--raw`.
pub const RAW: Flag = switch("raw", "Keep a newline at the end of the value");
/// `--reveal`.
pub const REVEAL: Flag = switch("reveal", "Print the value itself");
/// `--dry-run`.
pub const DRY_RUN: Flag = switch("dry-run", "Show what would change, and change nothing");
/// `--fix`.
pub const FIX: Flag = switch("fix", "Settle git's conflicts, and repair files");
/// `--everywhere`.
pub const EVERYWHERE: Flag = switch("everywhere", "Remove them from every list").conflicts(&[
    PROJECT.0.id,
    CLUSTER.0.id,
    TEAM.0.id,
]);

/// `--all`, of a list.
pub const ALL_SCOPES: Flag = switch("all", "List every scope of the store");
/// `--limit`.
pub const LIMIT: One = one("limit", "N", "List at most N names").short('l');
/// `--after`.
pub const AFTER: One = one("after", "NAME", "Begin after this name (nextPage)");
/// `--order-by`.
pub const ORDER_BY: One = one(
    "order-by",
    "FIELD",
    "name, created or modified [default: name]",
);
/// `--asc`.
pub const ASC: Flag = switch("asc", "Ascending order (the default)").conflicts(&[DESC.0.id]);
/// `--desc`.
pub const DESC: Flag = switch("desc", "Descending order");
/// `--fields`.
pub const FIELDS: One = one(
    "fields",
    "LIST",
    "Of name,scope,size,created,modified,recipients",
)
.short('F');

/// `--length`.
pub const LENGTH: One = one("length", "N", "Number of characters or bytes [default: 32]");
/// `--hex`.
pub const HEX: Flag = switch("hex", "Generate N bytes, in hexadecimal").conflicts(&[BASE64.0.id]);
/// `--base64`.
pub const BASE64: Flag = switch("base64", "Generate N bytes, in base64");
/// The secret that is moved.
pub const MOVE_FROM: One = argument("from", "FROM", Arity::One, "The secret: NAME or SCOPE/NAME");
/// The secret's new place.
pub const MOVE_TO: One = argument("to", "TO", Arity::One, "Its new place: NAME or SCOPE/NAME");
/// The store that is copied.
pub const FROM: One = argument("from", "FROM", Arity::One, "The store to read");
/// The store that is written.
pub const TO: One = argument("to", "TO", Arity::One, "The store to write");
/// `--listen`.
#[cfg(feature = "console")]
pub const LISTEN: One = one("listen", "ADDRESS", "127.0.0.1 or ::1 [default: 127.0.0.1]");
/// `--port`.
#[cfg(feature = "console")]
pub const PORT: One = one("port", "PORT", "The port [default: any free port]");
/// `--open`.
#[cfg(feature = "console")]
pub const OPEN: Flag = switch("open", "Open the link in the browser");
/// `--idle`.
#[cfg(feature = "console")]
pub const IDLE: One = one(
    "idle",
    "DURATION",
    "End after this long without requests [default: 15m]",
);
/// `--link-file`.
#[cfg(feature = "console")]
pub const LINK_FILE: One = one(
    "link-file",
    "FILE",
    "Write the link to this file instead of printing it",
);
