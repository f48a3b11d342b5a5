//! Compares `parse` with clap, which is built from the same table: both must read a command line
//! alike.

use std::ffi::{CStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Command, value_parser};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Refusal, is_no, of_option, option_in, parse};
use crate::cli::command_line::{LEAVES, Leaf};
use crate::core::option::{Arity, Opt, Takes};

/// The options and arguments by id: true if by an argument, and the values.
type Parsed = Vec<(&'static str, bool, Vec<OsString>)>;

fn ours(
    leaf: &'static Leaf,
    words: &[OsString],
    variables: &[&'static CStr],
) -> Result<Parsed, Refusal> {
    let said = parse(leaf, words.to_vec(), variables).map_err(without_advice)?;
    let mut heard: Parsed = Vec::new();
    for one in said {
        let value = one.value.into_owned();
        match heard.iter_mut().find(|(id, ..)| *id == one.option.id) {
            Some((_, _, values)) => values.push(value),
            None => heard.push((one.option.id, one.by_argument, vec![value])),
        }
    }
    heard.sort();
    Ok(heard)
}

/// Leaves out what clap does not say: the next step, the other of two options, and whether all
/// help is wanted.
fn without_advice(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Help { .. } => Refusal::Help { all: true },
        Refusal::Usage(what) => {
            let what = what.split("; ").next().unwrap();
            let clash = " can't be used with ";
            let end = what.find(clash).map_or(what.len(), |at| at + clash.len());
            Refusal::Usage(what[..end].to_owned())
        }
    }
}

/// Makes clap's form of a subcommand.
fn clap_form(leaf: &'static Leaf) -> Command {
    let mut command = Command::new("doorkey").disable_help_flag(true);
    command = command.args(leaf.arguments.iter().map(clap_arg));
    let options: Vec<_> = leaf.options().collect();
    for option in &options {
        let mut conflicts = option.conflicts.iter();
        let is_there = |other: &&&str| options.iter().any(|option| option.id == **other);
        let conflicts: Vec<_> = conflicts.by_ref().filter(is_there).collect();
        command = command.arg(clap_arg(option).conflicts_with_all(conflicts));
    }
    command
}

fn clap_arg(option: &'static Opt) -> Arg {
    let mut arg = Arg::new(option.id);
    if !matches!(option.takes, Takes::Argument(..)) {
        arg = arg.long(option.id);
    }
    if let Some(short) = option.short {
        arg = arg.short(short);
    }
    if let Some(alias) = option.alias {
        arg = arg.visible_alias(alias);
    }
    let with_value = |arg: Arg, name| arg.value_name(name).value_parser(value_parser!(OsString));
    match option.takes {
        Takes::Flag => arg.action(ArgAction::SetTrue),
        Takes::Value(name) => with_value(arg, name),
        Takes::Values(name) => with_value(arg, name).action(ArgAction::Append),
        Takes::Number(name) => with_value(arg, name).allow_negative_numbers(true),
        Takes::Help => arg.action(ArgAction::Help),
        Takes::Argument(name, arity) => {
            let arg = with_value(arg, name).required(arity.is_required());
            match arity {
                Arity::One | Arity::Optional | Arity::Hidden => arg,
                Arity::Some => arg.num_args(1..),
                Arity::Any => arg.num_args(0..),
                Arity::Rest | Arity::HiddenRest => arg.num_args(1..).trailing_var_arg(true),
            }
        }
    }
}

/// Sets the variables as defaults, so that the command line wins.
fn with_variables(leaf: &'static Leaf, variables: &[&'static CStr]) -> Command {
    clap_form(leaf).mut_args(|arg| {
        let mut options = leaf.options();
        let option = options.find(|option| option.id == arg.get_id().as_str());
        let value = option.and_then(|option| of_option(variables, option));
        match (arg.get_action(), value.filter(|value| !value.is_empty())) {
            (_, None) => arg,
            (ArgAction::SetTrue, Some(value)) if is_no(value) => arg,
            (ArgAction::SetTrue, _) => arg.default_value("true"),
            (_, Some(value)) => arg.default_value(str::from_utf8(value).unwrap()),
        }
    })
}

fn claps(
    leaf: &'static Leaf,
    words: &[OsString],
    variables: &[&'static CStr],
) -> Result<Parsed, Refusal> {
    let command = with_variables(leaf, variables).no_binary_name(true);
    let matches = command.try_get_matches_from(words).map_err(refusal)?;
    let mut heard: Parsed = Vec::new();
    for option in leaf.options().chain(leaf.arguments) {
        let source = matches.value_source(option.id);
        let by_argument = source == Some(ValueSource::CommandLine);
        let values = match option.takes {
            Takes::Help => vec![],
            Takes::Flag if matches.get_flag(option.id) => vec![match by_argument {
                true => OsString::new(),
                false => {
                    let value = of_option(variables, option).unwrap();
                    str::from_utf8(value).unwrap().into()
                }
            }],
            Takes::Flag => vec![],
            _ => {
                let values = matches.get_many::<OsString>(option.id);
                values.into_iter().flatten().cloned().collect()
            }
        };
        if !values.is_empty() {
            heard.push((option.id, by_argument, values));
        }
    }
    heard.sort();
    Ok(heard)
}

fn refusal(error: clap::Error) -> Refusal {
    let option = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts[0].clone(),
        _ => String::new(),
    };
    let option = option.split(['=', ' ']).next().unwrap_or_default();
    let prior = error.get(ContextKind::PriorArg);
    let is_repeated = prior.is_none() || prior == error.get(ContextKind::InvalidArg);
    Refusal::Usage(match error.kind() {
        ErrorKind::DisplayHelp => return Refusal::Help { all: true },
        ErrorKind::UnknownArgument if option_in(option).is_some() => {
            format!("there is no option {option}")
        }
        ErrorKind::UnknownArgument => "there is an argument too many".to_owned(),
        ErrorKind::MissingRequiredArgument => format!("{option} is missing"),
        ErrorKind::ArgumentConflict if is_repeated => format!("{option} is given twice"),
        ErrorKind::ArgumentConflict => {
            format!("{option} can't be used with ")
        }
        _ if option_in(option).is_some() => {
            format!("{option} is given without a value, or with one too many")
        }
        _ => "this can't be understood".to_owned(),
    })
}

/// Words that are not in the table, and words that stand beside options.
const OTHERS: &[&str] = &[
    "-",
    "--",
    "---",
    "-5",
    "-1.5e3",
    "-1e",
    "-=",
    "--=x",
    "A=1",
    "=",
    "",
    "command",
    "-x",
    "-qx",
    "-qe",
    "-qp",
    "-ep",
    "-p=",
    "-pq",
    "-eA=--init",
    "-q=1",
    "-h=",
    "--none",
    "--None",
    "--none=1",
    "--wat",
    "--help=1",
    "age1x",
    "name",
    "--env-file=a,b",
    "-qqq",
    "-ph",
    "--init=",
    "extra",
];

/// Lists every form of an option, and words that fit none.
fn forms() -> Vec<OsString> {
    let mut forms: Vec<OsString> = OTHERS.iter().map(OsString::from).collect();
    for option in LEAVES.iter().flat_map(Leaf::options) {
        let long = format!("--{}", option.id);
        forms.extend([format!("{long}=x"), format!("{long}="), long].map(OsString::from));
        forms.extend(option.alias.map(|alias| format!("--{alias}").into()));
        if let Some(short) = option.short {
            let short = format!("-{short}");
            forms.extend([format!("{short}x"), format!("{short}=x"), short].map(OsString::from));
        }
    }
    forms.push(std::os::unix::ffi::OsStringExt::from_vec(
        b"--\xff=1".to_vec(),
    ));
    forms.push(std::os::unix::ffi::OsStringExt::from_vec(
        b"-q\xff".to_vec(),
    ));
    forms.push(std::os::unix::ffi::OsStringExt::from_vec(b"v\xff".to_vec()));
    forms
}

/// Lists the forms of one subcommand's own options, which random choice among all would rarely
/// meet.
fn own_forms(leaf: &'static Leaf) -> Vec<OsString> {
    let mut forms: Vec<OsString> = OTHERS.iter().map(OsString::from).collect();
    for option in leaf.options() {
        let long = format!("--{}", option.id);
        forms.extend(option.short.map(|short| format!("-{short}").into()));
        forms.extend([format!("{long}=x"), long].map(OsString::from));
    }
    forms
}

const VARIABLES: &[&CStr] = &[
    c"DOORKEY_INIT=1",
    c"DOORKEY_INIT=no",
    c"DOORKEY_MASK=off",
    c"DOORKEY_MASK=odd",
    c"DOORKEY_WATCH=60s",
    c"DOORKEY_WATCH=",
    c"DOORKEY_ENV=A=1",
    c"DOORKEY_PROJECT=web",
    c"DOORKEY_TEAM=1",
    c"DOORKEY_QUIET=T",
    c"DOORKEY_COMMAND=x",
    c"DOORKEY_",
    c"DOORKEY_X=1",
];

fn cases() -> impl Strategy<Value = (usize, Vec<OsString>)> {
    (0..LEAVES.len()).prop_flat_map(|at| {
        let leaf = &LEAVES[at];
        let words = prop_oneof![select(own_forms(leaf)), select(forms())];
        (Just(at), vec(words, 0..7))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn clap_says_the_same(
        (at, words) in cases(),
        variables in vec(select(VARIABLES), 0..3),
    ) {
        let leaf = &LEAVES[at];
        prop_assert_eq!(
            ours(leaf, &words, &variables),
            claps(leaf, &words, &variables),
            "{:?} {:?} {:?}", leaf.words, words, variables
        );
    }
}

#[test]
fn each_form_alone() {
    for leaf in LEAVES {
        for form in own_forms(leaf) {
            for words in [vec![form.clone()], vec![form.clone(), "x".into()]] {
                assert_eq!(
                    ours(leaf, &words, &[]),
                    claps(leaf, &words, &[]),
                    "{words:?}"
                );
            }
        }
    }
}

#[test]
fn help_can_be_a_variable() {
    let heard = |variable| ours(&LEAVES[0], &["x".into()], &[variable]);
    assert_eq!(heard(c"DOORKEY_HELP=1"), Err(Refusal::Help { all: true }));
    assert!(heard(c"DOORKEY_HELP=0").is_ok());
}

#[test]
fn each_variable_stands_for_its_option() {
    for leaf in LEAVES {
        for option in leaf.options().filter(|option| option.takes != Takes::Help) {
            let entry = |option: &Opt| super::variable(option) + "=1";
            let entry = std::ffi::CString::new(entry(option))
                .unwrap()
                .into_boxed_c_str();
            let variables: &[&CStr] = &[Box::leak(entry)];
            let words: Vec<OsString> = vec!["x".into(); leaf.arguments.len()];
            let heard = ours(leaf, &words, variables).unwrap();
            assert!(heard.iter().any(|(id, by, _)| *id == option.id && !by));
        }
    }
}
