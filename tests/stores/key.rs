//! `doorkey key`: a key of one's own on a new machine, and its public half.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use support::Place;

const OWN: &str = "home/.config/doorkey/key.txt";

fn mode(place: &Place, inside: &str) -> u32 {
    let found = fs::metadata(place.path(inside)).unwrap();
    found.permissions().mode() & 0o7777
}

#[test]
fn a_new_key_on_a_new_machine() {
    let place = Place::new();
    let file = place.path(OWN).display().to_string();
    let made = place.on("key new").ok();
    let public = made.out();
    let said =
        format!("doorkey: the key is {file}: keep a copy, without it no value can be read again\n");
    assert_eq!(made.err(), said);
    assert!(public.starts_with("age1") && public.ends_with('\n'));
    assert_eq!(mode(&place, OWN), 0o600);
    assert_eq!(mode(&place, "home/.config/doorkey"), 0o700);
    let text = fs::read_to_string(place.path(OWN)).unwrap();
    let secret = text.lines().last().unwrap();
    assert!(secret.starts_with("AGE-SECRET-KEY-1"));
    assert!(!public.contains(secret) && !said.contains(secret));

    // Debian's age agrees about the public half, and so does doorkey.
    let keygen = std::process::Command::new("age-keygen")
        .arg("-y")
        .arg(&file)
        .output();
    assert_eq!(String::from_utf8(keygen.unwrap().stdout).unwrap(), public);
    let from = format!("doorkey: the key is the one of {file}\n");
    place.on("key show").gives(0, &public, &from);
    let shown = place.on("key show -j -q").ok().json();
    assert_eq!(
        shown,
        json!({"key": file, "recipients": [public.trim()], "kinds": ["X25519"]})
    );

    // Nothing is overwritten.
    let there = format!(
        "doorkey: error: the key: {file} is there already, and stays as it is; doorkey key show prints the public half of a key\n"
    );
    place.on("key new").fails(1, &there);
    assert_eq!(fs::read_to_string(place.path(OWN)).unwrap(), text);
    let init = place.on("store init secrets").ok();
    assert!(init.err().contains(public.trim()), "{}", init.err());
}

#[test]
fn a_key_in_another_place() {
    let place = Place::new();
    let made = place.on("key new --key-file keys/ci.txt -q").ok();
    assert_eq!(mode(&place, "keys"), 0o700);
    let shown = place.on("key show").env("DOORKEY_KEY_FILE", "keys/ci.txt");
    shown.gives(
        0,
        &made.out(),
        "doorkey: the key is the one of keys/ci.txt\n",
    );
    assert!(!place.path(OWN).exists());

    // The variable counts first, and is never shown.
    let text = fs::read_to_string(place.path("keys/ci.txt")).unwrap();
    let show = place.on("key show").env("DOORKEY_KEY", &text);
    show.gives(
        0,
        &made.out(),
        "doorkey: the key is the one of DOORKEY_KEY\n",
    );
    let new = place.on("key new").env("DOORKEY_KEY", &text).ok();
    let warned = "doorkey: warning: DOORKEY_KEY is set, and counts before the new key\n";
    assert!(new.err().ends_with(warned), "{}", new.err());
}

#[test]
fn what_is_refused() {
    let place = Place::new();
    place.write("file", "");
    let folder = place.on("key new --key-file file/key.txt");
    folder.fails(
        1,
        "doorkey: error: the key: --key-file: can't write file/key.txt: file exists\n",
    );
    let none = place.on("key show").end();
    assert_eq!((none.code(), none.out()), (1, String::new()));
    assert!(
        none.err()
            .starts_with("doorkey: error: the key: no key: none is named, and ")
    );
}
