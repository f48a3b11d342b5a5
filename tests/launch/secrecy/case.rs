//! The canaries, and how a way to fail is described.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use support::Place;

/// In the store, as a whole value.
pub const STORED: &str = "st0re/7@xV2kQ9pLm3z";
/// In the store, as a member of a JSON value.
pub const MEMBER: &str = "mEmb3/r@Wq81nZt5Yc";
/// In what looks like a reference and is none, and in the member that a reference asks for.
pub const REFERENCE: &str = "r3f/1@Kd82mQxW4zNp";
/// After the question mark of a reference.
pub const TEXT: &str = "t3xt/5@Jf07Lc3VbE2";
/// Around references inside a value.
pub const AROUND: &str = "ar0und/2@Tz94Xk6Mw";
/// In a variable that has no reference.
pub const PLAIN: &str = "pl4in/9@Cg18Bo7Kt0";
/// In an argument.
pub const ARGUMENT: &str = "4rg/6@Pn35Ru8Ys1Qv";
/// In a file that is read: env file, spec, configuration, list of recipients, what lies outside.
pub const FILE: &str = "f1le/4@Ow71Di0Ax9Z";
/// On standard input.
pub const STDIN: &str = "std1n/3@Ee26Ua5Hj8";
/// In what is given as a key and is none.
pub const KEY: &str = "k3y/0@Sv53Nl2FqMi4";

/// All of them.
pub const CANARIES: [&str; 10] = [
    STORED, MEMBER, REFERENCE, TEXT, AROUND, PLAIN, ARGUMENT, FILE, STDIN, KEY,
];

/// What is done in the folder before.
pub type Prepare = Box<dyn Fn(&Place) + Sync>;

/// A way to fail.
pub struct Case {
    pub name: &'static str,
    /// The words of the subcommand, or nothing for all that resolve an environment.
    pub subcommand: &'static [&'static str],
    pub arguments: Vec<OsString>,
    /// What follows the options of `run`.
    pub command: &'static [&'static str],
    pub variables: Vec<(&'static str, OsString)>,
    pub stdin: Vec<u8>,
    pub prepare: Vec<Prepare>,
    /// Run as a user whom permissions hold back.
    pub unprivileged: bool,
}

impl Case {
    pub fn new(name: &'static str) -> Self {
        Case {
            name,
            subcommand: &[],
            arguments: vec![],
            command: &["/usr/bin/env"],
            variables: vec![],
            stdin: vec![],
            prepare: vec![],
            unprivileged: false,
        }
    }

    /// Given in a variable.
    pub fn var(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.variables
            .push((name, OsString::from_vec(value.as_ref().to_vec())));
        self
    }

    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(OsString::from));
        self
    }

    pub fn of(mut self, subcommand: &'static [&'static str]) -> Self {
        self.subcommand = subcommand;
        self
    }

    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    pub fn file(self, path: &'static str, contents: impl AsRef<[u8]>) -> Self {
        let contents = contents.as_ref().to_vec();
        self.does(move |place| drop(place.write(path, &contents)))
    }

    pub fn does(mut self, prepare: impl Fn(&Place) + Sync + 'static) -> Self {
        self.prepare.push(Box::new(prepare));
        self
    }
}
