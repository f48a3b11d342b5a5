//! Prints each value as Rust does. The values' names are the arguments.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

fn main() {
    let mut out = io::stdout().lock();
    for name in env::args().skip(1) {
        let value: OsString = env::var_os(&name).unwrap();
        let bytes = value.as_bytes();
        let mut is = |printer: &str, text: &[u8]| {
            write!(out, "\n=-=-=Rust: {printer} {name}=-=-=\n").unwrap();
            out.write_all(text).unwrap();
        };
        is("write_all", bytes);
        is("{:?} of an OsStr", format!("{value:?}").as_bytes());
        is("escape_ascii", bytes.escape_ascii().to_string().as_bytes());
        is("{:?} of bytes", format!("{bytes:?}").as_bytes());
        let Some(text) = value.to_str() else { continue };
        is("{:?}", format!("{:?}", Some(text)).as_bytes());
        is("{:?} of {:?}", format!("{:?}", format!("{text:?}")).as_bytes());
        is("escape_default", text.escape_default().to_string().as_bytes());
        is("escape_debug", text.escape_debug().to_string().as_bytes());
        is("escape_unicode", text.escape_unicode().to_string().as_bytes());
    }
}
