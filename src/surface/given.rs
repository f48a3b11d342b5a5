//! What a look at arguments and environment shows before they are parsed.

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::{ArgAction, Command};

use super::flags::Opt;
use crate::pure::environment::lookup;

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
                    name == Some(option.id.as_bytes()) || name == option.alias.map(str::as_bytes)
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

const PREFIX: &[u8] = b"DOORKEY_";

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
    ["0", "false", "no", "off", "n", "f"]
        .iter()
        .any(|no| value.eq_ignore_ascii_case(no.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::ffi::{CStr, CString, OsString};

    use super::{Given, variable};
    use crate::surface::cli::LEAVES;
    use crate::surface::flags::{Kind, Opt};

    fn has(option: &Opt, arguments: &[String], environment: &[&'static CStr]) -> bool {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Given::new(&arguments, environment).may_have(option)
    }

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
            if option.kind != Kind::Help {
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
