//! The table of subcommands, with their options and arguments.

use super::flags::{self, Group};
use super::{help, own_flags as own};
use crate::core::option::Opt;
use crate::stores;

/// A subcommand that has an action of its own.
pub struct Leaf {
    /// The subcommand's words: `secret set`.
    pub words: &'static [&'static str],
    /// A line that says its purpose.
    pub about: &'static str,
    /// The arguments, in their order.
    pub arguments: &'static [Opt],
    /// The options that it shares with others.
    pub(super) groups: &'static [Group],
    /// The subcommand's own options, listed before the shared ones.
    pub(super) own: &'static [Opt],
    /// The command line, where it is not made from the arguments.
    pub(super) usage: Option<&'static str>,
    /// The text below the options: paragraphs, and then examples.
    pub after_help: Option<&'static str>,
}

const NOTHING: Leaf = Leaf {
    words: &[],
    about: "",
    arguments: &[],
    groups: flags::ANY,
    own: &[],
    usage: None,
    after_help: None,
};

const WRITING: Leaf = Leaf {
    arguments: &[own::NAME.0, own::VALUE.0],
    groups: flags::SCOPED,
    own: &[own::VALUE_FILE.0, own::RAW.0, own::JSON.0],
    ..NOTHING
};

/// The subcommands that have an action of their own.
pub const LEAVES: &[Leaf] = &[
    Leaf {
        words: &["run"],
        about: "Run a command with its secrets",
        arguments: &[own::COMMAND.0],
        groups: flags::LAUNCH,
        usage: Some("doorkey run [OPTIONS] [--] COMMAND [ARGS]..."),
        after_help: Some(help::RUN),
        ..NOTHING
    },
    Leaf {
        words: &["join"],
        about: "Run a command beside a running workload",
        arguments: &[own::COMMAND.0],
        groups: flags::JOINING,
        own: &[own::PID.0],
        usage: Some("doorkey join [OPTIONS] [--] COMMAND [ARGS]..."),
        after_help: Some(help::JOIN),
    },
    Leaf {
        words: &["check"],
        about: "Check all references, and start nothing",
        groups: flags::CHECKING,
        own: &[own::NAMES.0, own::UNUSED.0, own::STRICT.0, own::JSON.0],
        after_help: Some(help::CHECK),
        ..NOTHING
    },
    Leaf {
        words: &["doctor"],
        about: "Check doorkey's own setup",
        groups: flags::WHOLE,
        own: &[own::JSON.0],
        after_help: Some(help::DOCTOR),
        ..NOTHING
    },
    Leaf {
        words: &["env"],
        about: "Print the environment, with secrets masked",
        groups: flags::SOURCES,
        own: &[own::JSON.0, own::NUL.0],
        after_help: Some(help::ENV),
        ..NOTHING
    },
    Leaf {
        words: &["redact"],
        about: "Mask secrets in any text",
        arguments: &[own::INPUTS.0],
        groups: flags::CHECKING,
        own: &[
            own::COUNT.0,
            own::FAIL.0,
            flags::MASK_MIN.0,
            flags::MASK_ALSO.0,
        ],
        after_help: Some(help::REDACT),
        ..NOTHING
    },
    Leaf {
        words: &["render"],
        about: "Fill in the references of a template",
        arguments: &[own::TEMPLATE.0, own::OUT.0],
        groups: flags::RENDERING,
        own: &[
            own::SPEC_REFERENCES,
            flags::SPEC_PATH.0,
            own::OWNER.0,
            own::MODE.0,
        ],
        after_help: Some(help::RENDER),
        ..NOTHING
    },
    Leaf {
        words: &["secret", "create"],
        about: "Create a secret",
        after_help: Some(help::CREATE),
        ..WRITING
    },
    Leaf {
        words: &["secret", "set"],
        about: "Create or replace a secret",
        after_help: Some(help::SET),
        ..WRITING
    },
    Leaf {
        words: &["secret", "update"],
        about: "Replace an existing secret",
        after_help: Some(help::UPDATE),
        ..WRITING
    },
    Leaf {
        words: &["secret", "generate"],
        about: "Store a random value that nobody sees",
        arguments: &[own::NAME.0],
        groups: flags::SCOPED,
        own: &[
            own::LENGTH.0,
            own::HEX.0,
            own::BASE64.0,
            own::YES.0,
            own::JSON.0,
        ],
        after_help: Some(help::GENERATE_EXAMPLE),
        ..NOTHING
    },
    Leaf {
        words: &["secret", "edit"],
        about: "Change a secret in an editor",
        arguments: &[own::NAME.0],
        groups: flags::SCOPED,
        own: &[own::RAW.0, own::JSON.0],
        after_help: Some(help::EDIT_EXAMPLE),
        ..NOTHING
    },
    Leaf {
        words: &["secret", "mv"],
        about: "Give a secret another name or scope",
        arguments: &[own::MOVE_FROM.0, own::MOVE_TO.0],
        groups: flags::SCOPED,
        own: &[own::JSON.0],
        after_help: Some(help::MOVE_EXAMPLE),
        ..NOTHING
    },
    Leaf {
        words: &["secret", "get"],
        about: "Show facts about a secret, or its value",
        arguments: &[own::NAME.0],
        groups: flags::SCOPED,
        own: &[own::REVEAL.0, own::JSON.0],
        after_help: Some(help::GET),
        ..NOTHING
    },
    Leaf {
        words: &["secret", "list"],
        about: "List secrets, without values",
        groups: flags::SCOPED,
        own: &[
            own::ALL_SCOPES.0,
            own::LIMIT.0,
            own::AFTER.0,
            own::ORDER_BY.0,
            own::ASC.0,
            own::DESC.0,
            own::FIELDS.0,
            own::JSON.0,
        ],
        after_help: Some(help::LIST),
        ..NOTHING
    },
    Leaf {
        words: &["secret", "delete"],
        about: "Remove a secret",
        arguments: &[own::NAME.0],
        groups: flags::SCOPED,
        own: &[own::YES.0, own::JSON.0],
        after_help: Some(help::DELETE),
        ..NOTHING
    },
    Leaf {
        words: &["secret", "import"],
        about: "Store all variables of a dotenv file",
        arguments: &[own::IMPORTED.0],
        groups: flags::SCOPED,
        own: &[own::DRY_RUN.0, own::YES.0, own::JSON.0],
        after_help: Some(help::IMPORT),
        ..NOTHING
    },
    Leaf {
        words: &["key", "new"],
        about: "Make a key, and print its public half",
        own: &[stores::KEY_FILE, own::JSON.0],
        after_help: Some(help::KEY_EXAMPLE),
        ..NOTHING
    },
    Leaf {
        words: &["key", "show"],
        about: "Print the public half of the key in use",
        own: &[stores::KEY_FILE, own::JSON.0],
        after_help: Some(help::KEY_SHOW),
        ..NOTHING
    },
    Leaf {
        words: &["store", "init"],
        about: "Make an embedded store and a key",
        arguments: &[own::DIR.0],
        own: &[own::OWNER_NAME.0, stores::KEY_FILE, own::JSON.0],
        after_help: Some(help::STORE_INIT),
        ..NOTHING
    },
    Leaf {
        words: &["store", "check"],
        about: "Verify a whole store",
        groups: flags::WHOLE,
        own: &[own::FIX.0, own::OURS.0, own::THEIRS.0, own::JSON.0],
        after_help: Some(help::CHECK_EXAMPLE),
        ..NOTHING
    },
    Leaf {
        words: &["store", "copy"],
        about: "Copy secrets from one store to another",
        arguments: &[own::FROM.0, own::TO.0],
        groups: flags::COPYING,
        own: &[own::DRY_RUN.0, own::YES.0, own::JSON.0],
        after_help: Some(help::COPY_EXAMPLE),
        ..NOTHING
    },
    Leaf {
        words: &["store", "recipient", "list"],
        about: "Show who can read a scope",
        groups: flags::SCOPED,
        own: &[own::JSON.0],
        after_help: Some(help::RECIPIENTS),
        ..NOTHING
    },
    Leaf {
        words: &["store", "recipient", "add"],
        about: "Add people who can read a scope",
        arguments: &[own::KEYS.0],
        groups: flags::SCOPED,
        own: &[own::OWNER_NAME.0, own::JSON.0],
        after_help: Some(help::ADD_EXAMPLE),
        ..NOTHING
    },
    Leaf {
        words: &["store", "recipient", "remove"],
        about: "Remove people who can read a scope",
        arguments: &[own::RECIPIENTS.0],
        groups: flags::SCOPED,
        own: &[own::EVERYWHERE.0, own::JSON.0],
        after_help: Some(help::REMOVE_EXAMPLE),
        ..NOTHING
    },
    #[cfg(feature = "console")]
    Leaf {
        words: &["console"],
        about: "Manage secrets in the browser",
        groups: flags::WHOLE,
        own: &[
            own::OPEN.0,
            own::LISTEN.0,
            own::PORT.0,
            own::IDLE.0,
            own::LINK_FILE.0,
        ],
        after_help: Some(help::CONSOLE),
        ..NOTHING
    },
    Leaf {
        words: &["install"],
        about: "Copy doorkey itself to a path",
        arguments: &[own::DEST.0],
        after_help: Some(help::INSTALL),
        ..NOTHING
    },
    Leaf {
        words: &["completions"],
        about: "Print completions for a shell",
        arguments: &[own::SHELL.0, own::WORDS.0],
        after_help: Some(help::COMPLETIONS),
        ..NOTHING
    },
    Leaf {
        words: &["man"],
        about: "Print a page of the manual",
        arguments: &[own::PAGE.0],
        own: &[own::PAGES_DIR.0],
        after_help: Some(help::MAN),
        ..NOTHING
    },
];
