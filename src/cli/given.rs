//! What a look at arguments and environment shows before they are parsed.

use std::collections::BTreeSet;
use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::{ArgAction, Command};

use super::command_line::{LEAVES, Leaf};
use super::flags;
use crate::core::environment::{lookup, value_in};
use crate::core::option::{Opt, Takes};
use crate::core::suggest::Hints;
use crate::engine::supervise::Asked;
use crate::model::error::Error;
use crate::model::escape::Shown;
use crate::model::log;
use crate::stores;

/// The arguments that may be options, and the variables that stand for some.
pub struct Given<'a> {
    arguments: &'a [OsString],
    variables: Vec<&'static CStr>,
}

impl<'a> Given<'a> {
    /// Looks at the arguments after the subcommand, up to a `--`.
    pub fn new(arguments: &'a [OsString], environment: &[&'static CStr]) -> Self {
        let end = arguments.iter().position(|argument| argument == "--");
        let ours = |entry: &&'static CStr| entry.to_bytes().starts_with(PREFIX);
        Given {
            arguments: &arguments[..end.unwrap_or(arguments.len())],
            variables: environment.iter().copied().filter(ours).collect(),
        }
    }

    /// Whether an option could be given. What only looks like it (a value, an argument of the
    /// workload) counts too; none that is given is missed.
    pub fn may_have(&self, option: &Opt) -> bool {
        let is_it = |argument: &OsString| {
            let argument = argument.as_bytes();
            match argument.strip_prefix(b"--") {
                Some(long) => {
                    let name = long.split(|&byte| byte == b'=').next();
                    name.is_some_and(|name| option.is_called(name))
                }
                // Short ones can stand together: -qp.
                None => option.short.is_some_and(|short| {
                    argument.first() == Some(&b'-') && argument.contains(&(short as u8))
                }),
            }
        };
        self.arguments.iter().any(is_it)
            || self
                .variables
                .iter()
                .any(|entry| stands_for(entry.to_bytes(), option.id))
    }

    /// Warns of variables that look like doorkey's, stand for nothing, and aren't passed on.
    pub fn warn_of_unknown(&self, kept: &[&OsStr]) {
        let kept: BTreeSet<_> = kept.iter().map(|name| name.as_bytes()).collect();
        let hints = Hints::default();
        for name in self.unknown().filter(|name| !kept.contains(name)) {
            // What all begin with makes none like another.
            let own = Shown(&name[PREFIX.len()..]).to_string();
            let options = LEAVES.iter().flat_map(Leaf::options);
            let mut known: Vec<_> = options.map(|option| variable(option.id)).collect();
            known.extend(stores::ours().map(str::to_owned));
            let meant = hints.nearest(&own, &known, |known| &known[PREFIX.len()..]);
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
            log::warning!(Ignored, variable = &Shown(name); "DOORKEY_{own} stands for no option{meant}");
        }
    }

    /// Refuses a flag's variable that says neither yes nor no: what was meant may be the safer one.
    ///
    /// # Errors
    /// The first of them.
    pub fn judge_flags(&self, leaf: &Leaf) -> Result<(), Error> {
        let mut flags = leaf.options().filter(|option| option.takes == Takes::Flag);
        let odd = flags.find(|option| {
            let value = lookup(&self.variables, variable(option.id).as_bytes());
            let fits = |value: &[u8]| value.is_empty() || is_yes(value) || is_no(value);
            value.is_some_and(|value| !fits(value)) && self.argument(option, leaf).is_none()
        });
        odd.map_or(Ok(()), |option| {
            let name = variable(option.id);
            Err(Error::Usage(format!(
                "{name} must be 1 or 0, or true or false"
            )))
        })
    }

    /// The names of those variables that stand for no option of any subcommand.
    fn unknown(&self) -> impl Iterator<Item = &[u8]> {
        let variables = self.variables.iter().map(|entry| entry.to_bytes());
        let unknown = variables.filter(|entry| {
            let options = LEAVES.iter().flat_map(Leaf::options);
            let mut known = options.map(|option| option.id).chain(OTHERS);
            let mut of_stores = stores::ours();
            entry.contains(&b'=')
                && !known.any(|id| stands_for(entry, id))
                && !of_stores.any(|name| value_in(entry, name.as_bytes()).is_some())
        });
        unknown.filter_map(|entry| entry.split(|&byte| byte == b'=').next())
    }

    /// Whether a supervisor is wanted, and what for: what parsing the arguments would say, without
    /// doing so, since the process is forked before anything else. Only arguments that can't be
    /// parsed may be read otherwise here.
    pub fn asks_for_supervisor(&self, leaf: &Leaf) -> Option<Asked> {
        let is_given = |option: &Opt| self.value(option, leaf).is_some();
        let asked = Asked {
            masks: is_given(&flags::MASK),
            watches: is_given(&flags::WATCH),
            lends: false,
        };
        let wanted = asked != Asked::default() || is_given(&flags::INIT);
        wanted.then_some(asked)
    }

    /// An option's value as parsing would have it, which a flag that is given may have as well.
    pub fn value(&self, option: &Opt, leaf: &Leaf) -> Option<&[u8]> {
        let variable = lookup(&self.variables, variable(option.id).as_bytes());
        let means_no = |value: &[u8]| option.takes == Takes::Flag && is_no(value);
        let counts = |value: &&[u8]| !value.is_empty() && !means_no(value);
        self.argument(option, leaf).or(variable.filter(counts))
    }

    /// What an option has on the command line; of a flag nothing.
    fn argument(&self, option: &Opt, leaf: &Leaf) -> Option<&[u8]> {
        let mut arguments = self.arguments.iter().map(|argument| argument.as_bytes());
        while let Some(argument) = arguments.next() {
            let takes_next = match argument {
                [b'-', b'-', long @ ..] => {
                    let name = long.split(|&byte| byte == b'=').next().unwrap_or_default();
                    if option.is_called(name) && (option.has_value() || name == long) {
                        let value = long.get(name.len() + 1..);
                        let next = || arguments.next().filter(|_| option.has_value());
                        return Some(value.or_else(next).unwrap_or_default());
                    }
                    let other = leaf.options().find(|other| other.is_called(long));
                    other.is_some_and(Opt::has_value)
                }
                [b'-', shorts @ ..] if !shorts.is_empty() => short_takes_next(leaf, shorts),
                // The command, and all that follows is its own.
                _ => return None,
            };
            if takes_next {
                arguments.next();
            }
        }
        None
    }

    /// Takes the variables of a command's options as their defaults, so that the command line
    /// wins. An empty variable counts as none: that is what compose makes of an unset one.
    pub fn with_variables(&self, command: Command) -> Command {
        if self.variables.is_empty() {
            return command;
        }
        command.mut_args(|arg| {
            let Some(id) = arg.get_long() else { return arg };
            let value = lookup(&self.variables, variable(id).as_bytes());
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                return arg;
            };
            match arg.get_action() {
                ArgAction::SetTrue if is_no(value) => arg,
                ArgAction::SetTrue => arg.default_value("true"),
                _ => arg
                    .default_value(OsStr::from_bytes(value))
                    .hide_default_value(true),
            }
        })
    }
}

impl Opt {
    fn is_called(&self, long: &[u8]) -> bool {
        long == self.id.as_bytes() || self.alias.is_some_and(|alias| long == alias.as_bytes())
    }

    fn has_value(&self) -> bool {
        !matches!(self.takes, Takes::Flag | Takes::Help)
    }
}

/// Whether the last of the short options that stand together, as in `-qp`, takes the next
/// argument as its value. What follows one that has a value is its value.
fn short_takes_next(leaf: &Leaf, shorts: &[u8]) -> bool {
    let called = |short: u8| {
        let mut options = leaf.options();
        options.find(move |option| option.short == Some(char::from(short)))
    };
    let first = shorts
        .iter()
        .position(|&short| called(short).is_none_or(Opt::has_value));
    first.is_some_and(|at| at + 1 == shorts.len() && called(shorts[at]).is_some())
}

const PREFIX: &[u8] = b"DOORKEY_";

/// What stands for no option: what this project's own tests are built and run with.
const OTHERS: [&str; 1] = ["UNDER_TEST"];

/// The variable that stands for an option.
pub fn variable(id: &str) -> String {
    format!("DOORKEY_{}", id.to_uppercase().replace('-', "_"))
}

/// Whether an entry of the environment is the variable of an option: [`variable`] without the
/// memory that it takes.
fn stands_for(entry: &[u8], id: &str) -> bool {
    let of_variable = |byte: u8| match byte {
        b'-' => b'_',
        byte => byte.to_ascii_uppercase(),
    };
    let entry = &entry[PREFIX.len()..];
    entry.get(id.len()) == Some(&b'=')
        && id
            .bytes()
            .zip(entry)
            .all(|(byte, &there)| of_variable(byte) == there)
}

fn is_no(value: &[u8]) -> bool {
    is_one_of(&["0", "false", "no", "off", "n", "f"], value)
}

fn is_yes(value: &[u8]) -> bool {
    is_one_of(&["1", "true", "yes", "on", "y", "t"], value)
}

fn is_one_of(words: &[&str], value: &[u8]) -> bool {
    let mut words = words.iter();
    words.any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::ffi::{CStr, CString, OsString};

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::{Given, variable};
    use crate::cli::command_line::LEAVES;
    use crate::core::option::{Opt, Takes};
    use crate::engine::supervise::Asked;

    fn has(option: &Opt, arguments: &[String], environment: &[&'static CStr]) -> bool {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Given::new(&arguments, environment).may_have(option)
    }

    proptest! {
        /// Whatever can be parsed: the look before says of a supervisor what the parsing says.
        #[test]
        fn the_look_before_sees_what_is_parsed(
            words in vec(select(WORDS), 0..7),
            variable in select(VARIABLES),
        ) {
            let arguments: Vec<OsString> = words.iter().map(OsString::from).collect();
            let environment = [variable];
            let leaf = &LEAVES[0];
            let given = Given::new(&arguments, &environment);
            let command = given.with_variables(leaf.command()).no_binary_name(true);
            if let Ok(matches) = command.try_get_matches_from(&arguments) {
                let asked = Asked {
                    masks: matches.get_flag("mask"),
                    watches: matches.contains_id("watch"),
                    lends: false,
                };
                let wanted = asked != Asked::default() || matches.get_flag("init");
                prop_assert_eq!(given.asks_for_supervisor(leaf), wanted.then_some(asked));
            }
        }
    }

    const VARIABLES: &[&CStr] = &[
        c"A=1",
        c"DOORKEY_INIT=1",
        c"DOORKEY_INIT=no",
        c"DOORKEY_MASK=1",
        c"DOORKEY_MASK=off",
        c"DOORKEY_WATCH=60s",
        c"DOORKEY_WATCH=0",
        c"DOORKEY_WATCH=",
    ];

    const WORDS: &[&str] = &[
        "--mask",
        "--mask=1",
        "--mask-min",
        "--watch",
        "--watch=1s",
        "--on-change",
        "--init",
        "--init",
        "--init=1",
        "-q",
        "-e",
        "-eA=--init",
        "-qe",
        "-qp",
        "-ep",
        "A=1",
        "-",
        "--",
        "--env",
        "--env=--init",
        "--nice",
        "-5",
        "--nice=-5",
        "--user",
        "--quiet",
        "-p",
        "command",
        "--signal-map",
        "TERM:INT",
        "--argv0",
        "--argv0=",
        "-x",
        "--none",
        "--clear-env",
    ];

    #[test]
    fn no_option_is_missed() {
        for option in LEAVES.iter().flat_map(|leaf| leaf.options()) {
            let mut forms = vec![format!("--{}", option.id), format!("--{}=x", option.id)];
            forms.extend(option.alias.map(|alias| format!("--{alias}")));
            if let Some(short) = option.short {
                forms.extend([
                    format!("-{short}"),
                    format!("-{short}x"),
                    format!("-x{short}"),
                ]);
            }
            for form in forms {
                let after = ["-e".to_owned(), form.clone()];
                assert!(has(option, &after, &[]), "{form}");
                let hidden = ["--".to_owned(), form];
                assert!(!has(option, &hidden, &[]), "{}", option.id);
            }
            if option.takes != Takes::Help {
                let entry = CString::new(variable(option.id) + "=").unwrap();
                assert!(has(option, &[], &[Box::leak(entry.into_boxed_c_str())]));
            }
            assert!(!has(
                option,
                &["-".to_owned()],
                &[c"DOORKEY_X=", c"DOORKEY_"]
            ));
        }
    }
}
