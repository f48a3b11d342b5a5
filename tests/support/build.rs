//! Says which program is tested: the one that is shipped, where `.ci/test` names it, or the one that
//! cargo builds beside the tests.

use std::env;
use std::path::PathBuf;

fn main() {
    const GIVEN: &str = "DOORKEY_UNDER_TEST";
    let program = env::var_os(GIVEN).map_or_else(beside_the_tests, PathBuf::from);
    println!("cargo::rerun-if-env-changed={GIVEN}");
    println!("cargo::rustc-env={GIVEN}={}", program.display());
}

/// The program in the profile's folder (`target/TARGET/debug`), which this script's own is below.
fn beside_the_tests() -> PathBuf {
    let variable = |name| PathBuf::from(env::var_os(name).expect("cargo sets it"));
    let (below, profile) = (variable("OUT_DIR"), variable("PROFILE"));
    let folder = below.ancestors().find(|folder| folder.ends_with(&profile));
    folder.expect("it is there").join("doorkey")
}
