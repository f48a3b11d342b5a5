//! The command line's definitions. Help, completions and the man page come from these alone.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, value_parser};

use super::flags::{self, Group};
use super::help;
use crate::core::option::{Opt, Takes};
use crate::stores;

/// A subcommand that does something.
pub struct Leaf {
    /// Its words: `secret set`.
    pub words: &'static [&'static str],
    about: &'static str,
    positionals: &'static [Positional],
    /// What it shares with others.
    groups: &'static [Group],
    /// What it has for itself, listed before those that all have.
    own: &'static [Opt],
    usage: Option<&'static str>,
    after_help: Option<&'static str>,
}

const NOTHING: Leaf = Leaf {
    words: &[],
    about: "",
    positionals: &[],
    groups: flags::ALL,
    own: &[],
    usage: None,
    after_help: None,
};

/// An argument that is no option.
#[derive(Clone, Copy)]
struct Positional {
    id: &'static str,
    name: &'static str,
    help: &'static str,
    required: bool,
    how_many: Many,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Many {
    One,
    /// One, which is refused: taken only so that this can be said with a reason.
    Hidden,
    Any,
    /// All that follow, whatever they look like.
    Rest,
}

const fn one(id: &'static str, name: &'static str, help: &'static str) -> Positional {
    Positional {
        id,
        name,
        help,
        required: true,
        how_many: Many::One,
    }
}

const NAME: Positional = one("name", "NAME", "The secret's name");
const COMMAND: Positional = Positional {
    how_many: Many::Rest,
    ..one("command", "COMMAND", "The command and its arguments")
};
const RECIPIENTS: Positional = Positional {
    how_many: Many::Any,
    ..one("recipient", "RECIPIENT", "Public keys: age1…")
};

const WRITING: Leaf = Leaf {
    positionals: &[
        NAME,
        // Arguments are for all to see.
        Positional {
            required: false,
            how_many: Many::Hidden,
            ..one("value", "VALUE", "")
        },
    ],
    groups: flags::SCOPED,
    own: &[flags::VALUE_FILE, flags::RAW, flags::JSON],
    after_help: Some(help::FROM_INPUT),
    ..NOTHING
};

const RECIPIENT_CHANGE: Leaf = Leaf {
    positionals: &[RECIPIENTS],
    groups: flags::SCOPED,
    own: &[flags::JSON],
    ..NOTHING
};

/// Every subcommand that does something.
pub const LEAVES: &[Leaf] = &[
    Leaf {
        words: &["run"],
        about: "Run a command with its secrets",
        positionals: &[COMMAND],
        groups: flags::LAUNCH,
        usage: Some("doorkey run [OPTIONS] [--] COMMAND [ARGS]..."),
        after_help: Some(help::RUN_EXAMPLES),
        ..NOTHING
    },
    Leaf {
        words: &["join"],
        about: "Run a command beside a running workload",
        positionals: &[COMMAND],
        groups: flags::JOINING,
        own: &[flags::PID],
        usage: Some("doorkey join [OPTIONS] [--] COMMAND [ARGS]..."),
        after_help: Some(help::JOIN_EXAMPLE),
    },
    Leaf {
        words: &["check"],
        about: "Show what each reference resolves to",
        groups: flags::SOURCES,
        own: &[flags::NAMES, flags::JSON],
        ..NOTHING
    },
    Leaf {
        words: &["env"],
        about: "Print the environment, its secrets masked",
        groups: flags::SOURCES,
        ..NOTHING
    },
    Leaf {
        words: &["render"],
        about: "Fill in a file's references",
        positionals: &[
            one("template", "TEMPLATE", "The file; - is standard input"),
            Positional {
                required: false,
                ..one("out", "OUT", "Where to [default: -, standard output]")
            },
        ],
        groups: flags::RENDERING,
        own: &[flags::SPEC, flags::SPEC_PATH, flags::OWNER, flags::MODE],
        after_help: Some(help::RENDER_EXAMPLE),
        ..NOTHING
    },
    Leaf {
        words: &["secret", "create"],
        about: "Store a new secret",
        ..WRITING
    },
    Leaf {
        words: &["secret", "set"],
        about: "Store a secret, new or not",
        ..WRITING
    },
    Leaf {
        words: &["secret", "update"],
        about: "Change an existing secret",
        ..WRITING
    },
    Leaf {
        words: &["secret", "get"],
        about: "Show what is known of a secret",
        positionals: &[NAME],
        groups: flags::SCOPED,
        own: &[flags::REVEAL, flags::JSON],
        ..NOTHING
    },
    Leaf {
        words: &["secret", "list"],
        about: "List secrets, without values",
        groups: flags::SCOPED,
        own: flags::LISTING,
        ..NOTHING
    },
    Leaf {
        words: &["secret", "delete"],
        about: "Remove a secret",
        positionals: &[NAME],
        groups: flags::SCOPED,
        own: &[flags::YES, flags::JSON],
        ..NOTHING
    },
    Leaf {
        words: &["secret", "import"],
        about: "Store all that a dotenv file assigns",
        positionals: &[one("file", "FILE", "A dotenv file; - is standard input")],
        groups: flags::SCOPED,
        own: &[flags::DRY_RUN, flags::YES, flags::JSON],
        ..NOTHING
    },
    Leaf {
        words: &["store", "init"],
        about: "Make an embedded store, and a key",
        positionals: &[Positional {
            required: false,
            ..one("dir", "DIR", "The store's folder [default: secrets]")
        }],
        own: &[stores::KEY_FILE, flags::JSON],
        ..NOTHING
    },
    Leaf {
        words: &["store", "check"],
        about: "Verify a whole store",
        groups: flags::WHOLE,
        own: &[flags::FIX, flags::JSON],
        ..NOTHING
    },
    Leaf {
        words: &["store", "recipient", "list"],
        about: "Show who can read a scope",
        groups: flags::SCOPED,
        own: &[flags::JSON],
        ..NOTHING
    },
    Leaf {
        words: &["store", "recipient", "add"],
        about: "Let others read a scope",
        ..RECIPIENT_CHANGE
    },
    Leaf {
        words: &["store", "recipient", "remove"],
        about: "Let some read a scope no more",
        own: &[flags::EVERYWHERE, flags::JSON],
        ..RECIPIENT_CHANGE
    },
    Leaf {
        words: &["install"],
        about: "Copy this program somewhere",
        positionals: &[one(
            "dest",
            "DEST",
            "A path, or an existing folder to put it in as doorkey",
        )],
        after_help: Some(help::IN_FRONT),
        ..NOTHING
    },
    Leaf {
        words: &["completions"],
        about: "Print completions for a shell",
        positionals: &[one(
            "shell",
            "SHELL",
            "bash, elvish, fish, powershell or zsh",
        )],
        ..NOTHING
    },
    Leaf {
        words: &["man"],
        about: "Print the manual page",
        ..NOTHING
    },
];

/// What an argument that is no option is called in the help; `None` where none has this id.
pub fn argument(id: &str) -> Option<&'static str> {
    let mut all = LEAVES.iter().flat_map(|leaf| leaf.positionals);
    all.find(|one| one.id == id).map(|one| one.name)
}

const GROUPS: [(&str, &str); 3] = [
    ("secret", "Manage secrets"),
    ("store", "Manage a store"),
    ("recipient", "Manage who can read a store"),
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

    /// Every option that it has.
    pub fn options(&self) -> impl Iterator<Item = &'static Opt> {
        let shared = self.groups.iter().flat_map(Group::headed);
        let shared = shared.map(|(_, option)| option);
        shared.chain(self.own)
    }

    /// The subcommand by itself.
    pub fn command(&self) -> Command {
        self.command_with(|_| true)
    }

    /// The subcommand with those of its options that are wanted.
    pub fn command_with(&self, wanted: impl Fn(&Opt) -> bool) -> Command {
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
        for positional in self.positionals {
            command = command.arg(positional.arg());
        }
        let own = self.own.iter().map(|option| (option, flags::OWN, true));
        let options: Vec<_> = self
            .groups
            .iter()
            .flat_map(Group::headed)
            .map(|(heading, option)| (option, heading, false))
            .chain(own)
            .filter(|(option, _, _)| wanted(option))
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

impl Positional {
    fn arg(&self) -> Arg {
        let arg = Arg::new(self.id)
            .value_name(self.name)
            .help(self.help)
            .value_parser(value_parser!(OsString))
            .required(self.required);
        match self.how_many {
            Many::One => arg,
            Many::Hidden => arg.hide(true),
            Many::Any => arg.num_args(1..),
            Many::Rest => arg.num_args(1..).trailing_var_arg(true),
        }
    }
}

/// A list in lines that fit beside the options, of at most so many bytes.
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
    fn arg(&self) -> Arg {
        let mut arg = Arg::new(self.id).long(self.id);
        arg = match self.id == flags::STORE.id {
            true => arg.help(wrapped(&stores::forms())),
            false => arg.help(self.help),
        };
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
