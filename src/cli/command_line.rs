//! The subcommands with their options and arguments; and clap's tree of them, for help, completions
//! and the manual page.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, value_parser};

use super::flags::{self, Group};
use super::{help, own_flags as own};
use crate::core::option::{Arity, Opt, Takes};
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
    groups: &'static [Group],
    /// The subcommand's own options, listed before the shared ones.
    own: &'static [Opt],
    usage: Option<&'static str>,
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

const RECIPIENT_CHANGE: Leaf = Leaf {
    arguments: &[own::RECIPIENTS.0],
    groups: flags::SCOPED,
    own: &[own::JSON.0],
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
        about: "Show what each reference resolves to",
        groups: flags::CHECKING,
        own: &[own::NAMES.0, own::UNUSED.0, own::STRICT.0, own::JSON.0],
        after_help: Some(help::CHECK),
        ..NOTHING
    },
    Leaf {
        words: &["doctor"],
        about: "Show what is found here, and what is not ok",
        groups: flags::WHOLE,
        own: &[own::JSON.0],
        after_help: Some(help::DOCTOR),
        ..NOTHING
    },
    Leaf {
        words: &["env"],
        about: "Print the environment, its secrets masked",
        groups: flags::SOURCES,
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
        about: "Fill in a file's references",
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
        about: "Store a new secret",
        after_help: Some(help::CREATE),
        ..WRITING
    },
    Leaf {
        words: &["secret", "set"],
        about: "Store a secret, new or not",
        after_help: Some(help::SET),
        ..WRITING
    },
    Leaf {
        words: &["secret", "update"],
        about: "Change an existing secret",
        after_help: Some(help::UPDATE),
        ..WRITING
    },
    Leaf {
        words: &["secret", "get"],
        about: "Show what is known of a secret",
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
        about: "Store all that a dotenv file assigns",
        arguments: &[own::IMPORTED.0],
        groups: flags::SCOPED,
        own: &[own::DRY_RUN.0, own::YES.0, own::JSON.0],
        after_help: Some(help::IMPORT),
        ..NOTHING
    },
    Leaf {
        words: &["store", "init"],
        about: "Make an embedded store, and a key",
        arguments: &[own::DIR.0],
        own: &[stores::KEY_FILE, own::JSON.0],
        after_help: Some(help::STORE_INIT),
        ..NOTHING
    },
    Leaf {
        words: &["store", "check"],
        about: "Verify a whole store",
        groups: flags::WHOLE,
        own: &[own::FIX.0, own::JSON.0],
        after_help: Some(help::STORE_CHECK),
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
        about: "Let others read a scope",
        after_help: Some(help::RECIPIENT_ADD),
        ..RECIPIENT_CHANGE
    },
    Leaf {
        words: &["store", "recipient", "remove"],
        about: "Let some read a scope no more",
        own: &[own::EVERYWHERE.0, own::JSON.0],
        after_help: Some(help::RECIPIENT_REMOVE),
        ..RECIPIENT_CHANGE
    },
    Leaf {
        words: &["install"],
        about: "Copy this program somewhere",
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

const GROUPS: [(&str, &str); 3] = [
    ("secret", "Manage secrets"),
    ("store", "Manage a store"),
    ("recipient", "Manage who can read a store"),
];

impl Leaf {
    /// Finds the subcommand that these arguments begin with.
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

    /// Lists all options of the subcommand.
    pub fn options(&self) -> impl Iterator<Item = &'static Opt> {
        let shared = self.groups.iter().flat_map(Group::headed);
        let shared = shared.map(|(_, option)| option);
        shared.chain(self.own)
    }

    /// Lists all options with their headings, the subcommand's own first.
    pub fn headed(&self) -> impl Iterator<Item = (&'static str, &'static Opt)> {
        let own = self.own.iter().map(|option| (flags::OWN, option));
        own.chain(self.groups.iter().flat_map(Group::headed))
    }

    /// Makes clap's form of the subcommand for the short help: with its own options, and those that
    /// are used most. No option is hidden where there are few.
    pub fn in_short(&self) -> Command {
        const FEW: usize = 12;
        if self.options().count() <= FEW {
            return self.command();
        }
        let is_shown = |id: &str| {
            let mut own = self.own.iter().chain(self.arguments);
            flags::USED_MOST.contains(&id) || own.any(|option| option.id == id)
        };
        let command = self.command().mut_args(|arg| {
            let hides = arg.is_hide_set() || !is_shown(arg.get_id().as_str());
            arg.hide(hides)
        });
        let words = self.words.join(" ");
        command.before_help(format!("doorkey {words} --help has all options."))
    }

    /// Makes clap's form of the subcommand.
    pub fn command(&self) -> Command {
        let name = self.words[self.words.len() - 1];
        let mut command = Command::new(name)
            .about(self.about)
            .bin_name(format!("doorkey {}", self.words.join(" ")))
            .disable_help_flag(true);
        if let Some(text) = self.after_help {
            command = command.after_help(help::shown(text));
        }
        if let Some(usage) = self.usage {
            command = command.override_usage(usage);
        }
        for argument in self.arguments {
            command = command.arg(argument.arg());
        }
        let own = self.own.iter().map(|option| (option, flags::OWN, true));
        let options: Vec<_> = self
            .groups
            .iter()
            .flat_map(Group::headed)
            .map(|(heading, option)| (option, heading, false))
            .chain(own)
            .collect();
        for (option, heading, first) in &options {
            let mut arg = option.arg().help_heading(*heading);
            if *first {
                arg = arg.display_order(0);
            }
            for conflict in option.conflicts {
                if options.iter().any(|(other, _, _)| other.id == *conflict) {
                    arg = arg.conflicts_with(*conflict);
                }
            }
            command = command.arg(arg);
        }
        command
    }
}

/// Wraps a list into lines that fit beside the options, of at most `WIDTH` bytes.
fn wrapped(list: &str) -> String {
    const WIDTH: usize = 50;
    let (mut lines, mut line) = (String::new(), 0);
    for word in list.split(' ') {
        if line > 0 {
            let fits = line + 1 + word.len() <= WIDTH;
            lines.push(if fits { ' ' } else { '\n' });
            line = if fits { line + 1 } else { 0 };
        }
        lines += word;
        line += word.len();
    }
    lines
}

impl Opt {
    /// The help text; that of `--store` is made from the table of stores.
    pub fn help(&self) -> String {
        match self.id == flags::STORE.id {
            true => wrapped(&stores::forms()),
            false => self.help.to_owned(),
        }
    }

    fn arg(&self) -> Arg {
        let mut arg = Arg::new(self.id).help(self.help());
        if !matches!(self.takes, Takes::Argument(..)) {
            arg = arg.long(self.id);
        }
        if let Some(short) = self.short {
            arg = arg.short(short);
        }
        if let Some(alias) = self.alias {
            arg = arg.visible_alias(alias);
        }
        let with_value =
            |arg: Arg, name| arg.value_name(name).value_parser(value_parser!(OsString));
        match self.takes {
            Takes::Flag => arg.action(ArgAction::SetTrue),
            Takes::Value(name) => with_value(arg, name),
            Takes::Values(name) => with_value(arg, name).action(ArgAction::Append),
            Takes::Number(name) => with_value(arg, name).allow_negative_numbers(true),
            Takes::Help => arg.action(ArgAction::Help),
            Takes::Argument(name, arity) => {
                let arg = with_value(arg, name).required(arity.is_required());
                match arity {
                    Arity::One | Arity::Optional => arg,
                    Arity::Hidden => arg.hide(true),
                    Arity::Some | Arity::Any => arg.num_args(1..),
                    Arity::Rest => arg.num_args(1..).trailing_var_arg(true),
                    Arity::HiddenRest => arg.hide(true).num_args(1..).trailing_var_arg(true),
                }
            }
        }
    }
}

/// The whole tree, for help, completions and the manual page.
pub fn tree() -> Command {
    let root = Command::new("doorkey")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Hands a workload its secrets, then becomes it")
        .after_help(help::shown(help::EXAMPLES));
    grown(root, &[])
}

/// Adds to a command all subcommands that begin with these words.
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
