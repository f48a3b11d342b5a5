//! The subcommands as the parser and the help ask for them.

use std::ffi::OsString;

use super::flags::{self, Group};
pub use super::leaves::{LEAVES, Leaf};
use crate::core::option::Opt;
use crate::stores;

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

    /// Lists the options below their headings; the subcommand's own options stand first below theirs.
    pub fn sections(&self) -> Vec<(&'static str, Vec<&'static Opt>)> {
        let mut sections: Vec<(&str, Vec<&Opt>)> = Vec::new();
        let shared = self.groups.iter().flat_map(Group::headed);
        let own = self.own.iter().map(|option| (flags::OWN, option));
        for (heading, option) in shared.chain(own) {
            match sections.iter_mut().find(|(there, _)| *there == heading) {
                Some((_, options)) => options.push(option),
                None => sections.push((heading, vec![option])),
            }
        }
        for (_, options) in &mut sections {
            options.sort_by_key(|option| !self.is_own(option));
        }
        sections
    }

    /// True for an option that is the subcommand's own.
    pub fn is_own(&self, option: &Opt) -> bool {
        self.own.iter().any(|own| own.id == option.id)
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
}
