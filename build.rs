//! Leaves the tables for unwinding out of the released binary: a panic ends the process, so nobody
//! reads them, and they are an eighth of it.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|there| there == value);
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_ENV", "musl") {
        return;
    }
    let folder = env::var_os("OUT_DIR").expect("cargo sets it");
    let script = Path::new(&folder).join("no-unwinding.ld");
    // What starts and ends a C program refers to its own.
    let text = "SECTIONS { /DISCARD/ : { *(EXCLUDE_FILE(*crtbegin*.o *crtend*.o) .eh_frame) \
                *(.gcc_except_table .gcc_except_table.*) } } INSERT AFTER .text;\n";
    fs::write(&script, text).expect("OUT_DIR can be written");
    // The linker is a C compiler, or itself as .ci/release has it.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let (before, between) = match flags.contains("ld.lld") {
        true => {
            println!("cargo:rerun-if-changed=.ci/order");
            println!("cargo:rerun-if-changed=.ci/ordered");
            ("", "\n")
        }
        false => ("-Wl,", ","),
    };
    let arguments = format!("--no-eh-frame-hdr{between}-T{}", script.display());
    for argument in arguments.split('\n') {
        println!("cargo:rustc-link-arg-bins={before}{argument}");
    }
}
