//! The pictures of the documentation are what their script draws, of the figures that stand there.

use std::process::Command;

#[test]
fn each_is_what_the_script_draws() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/pictures/draw");
    let drawn = Command::new("python3").args([script, "--check"]).output();
    let drawn = drawn.unwrap();
    let said = String::from_utf8_lossy(&drawn.stderr).into_owned();
    assert!(drawn.status.success(), "{said}");
}
