//! Where `doorkey secret create | set | update` take a value from, off a terminal: standard input and
//! files, never an argument; how large it may be, and the newline at its end.

use support::Place;

#[test]
fn sizes_of_values() {
    let place = Place::with_store();
    let largest = "x".repeat(65_536);
    let empty = "doorkey: error: the value is empty\n";
    let large = "doorkey: error: a value is at most 65536 bytes\n";
    let mut cases = vec![
        ("v".to_owned(), "", None),
        (largest.clone(), "", None),
        (largest.clone() + "\n", "", None),
        (largest.clone() + "\r\n", "", Some(large)),
        ("x".repeat(65_535) + "\n", "--raw", None),
        (String::new(), "", Some(empty)),
        ("\n".to_owned(), "", Some(empty)),
        (largest.clone() + "\n", "--raw", Some(large)),
        (largest.clone() + "x", "", Some(large)),
        (largest.clone() + "x\n", "", Some(large)),
        (largest.clone() + "x\r\n", "", Some(large)),
        (largest.repeat(20), "", Some(large)),
    ];
    for (value, options, refused) in cases.drain(..) {
        let run = place.on(&format!("secret set --team a {options}"));
        match refused {
            None => drop(run.stdin(value).ok()),
            Some(why) => drop(run.stdin(value).fails(2, why)),
        }
    }
    for (size, refused) in [
        (0, Some(empty)),
        (1, None),
        (65_536, None),
        (65_537, Some(large)),
    ] {
        let file = place.write("value", "x".repeat(size));
        let run = place.on("secret set --team a --value-file").arg(file);
        match refused {
            None => {
                run.ok();
                assert_eq!(place.reveal("team", "a").unwrap().len(), size);
            }
            Some(why) => drop(run.fails(2, why)),
        }
    }
}

#[test]
fn the_newline_at_the_end() {
    let place = Place::with_store();
    let cases: [(&[u8], &[u8]); 8] = [
        (b"v", b"v"),
        (b"v\n", b"v"),
        (b"v\r\n", b"v\r"),
        (b"v\n\n", b"v\n"),
        (b"v\r", b"v\r"),
        (b" v \n", b" v "),
        (b"\nv\n", b"\nv"),
        (b"\xff\0\x80\n", b"\xff\0\x80"),
    ];
    for (piped, stored) in cases {
        place.on("secret set a --team").stdin(piped).ok();
        assert_eq!(place.reveal("team", "a").as_deref(), Some(stored));
        place.on("secret set a --team --raw").stdin(piped).ok();
        assert_eq!(place.reveal("team", "a").as_deref(), Some(piped));
        // A file is the value, whatever is in it.
        place.write("value", piped);
        place
            .on("secret set a --team --value-file value")
            .stdin("other")
            .ok();
        assert_eq!(place.reveal("team", "a").as_deref(), Some(piped));
    }
    let help = place.on("secret set --help").ok().out();
    assert!(help.contains("drops one newline at the end of piped input, unless --raw is given."));
}

#[test]
fn a_value_is_no_argument() {
    let place = Place::with_store();
    let refused = "doorkey: error: a value is no argument, as every process can read those; pipe it: \
         printf %s \"$VALUE\" | doorkey secret set NAME\n";
    for command in ["create", "set", "update"] {
        let run = place.on(&format!("secret {command} db_password hunter2 --team"));
        run.stdin("v").fails(2, refused);
        let run = place
            .on(&format!("secret {command} --team db_password"))
            .arg("");
        run.fails(2, refused);
    }
    let too_many = "doorkey: error: there is an argument too many; see doorkey secret";
    for words in [
        "secret set --team db_password hunter2 hunter2",
        "secret get --team db_password hunter2",
        "secret delete --team db_password hunter2",
        "secret list --team hunter2",
    ] {
        let command = words.split(' ').nth(1).unwrap();
        place
            .on(words)
            .fails(2, &format!("{too_many} {command} --help\n"));
    }
    assert!(!place.path("secrets/team").exists());
}

#[test]
fn what_can_not_be_read() {
    let place = Place::with_store();
    place.write("folder/x", "");
    for (words, why) in [
        (
            "--value-file nowhere",
            "can't read [--value-file]: no such file or directory; it does not look like a path, and \
             is not shown",
        ),
        (
            "--value-file nowhere.txt",
            "--value-file: can't read nowhere.txt: no such file or directory",
        ),
        (
            "--value-file ./folder",
            "--value-file: can't read ./folder: is a directory",
        ),
    ] {
        let run = place.on(&format!("secret set a --team {words}"));
        run.fails(1, &format!("doorkey: error: {why}\n"));
    }
}
