//! The programs of `examples/exec`: `pass` for real, the others on what answers as theirs do.

use std::process::Command;

use support::{Place, Run, executable};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/exec");

/// A launch by one of them, with what is in `bin` before the system's programs.
fn launch(place: &Place, program: &str) -> Run {
    let path = format!("{}:/usr/bin:/bin", place.path("bin").display());
    place
        .doorkey([
            "run",
            "-q",
            "-p",
            "web",
            "--cluster",
            "eu",
            "--",
            "printenv",
            "A",
            "B",
            "C",
        ])
        .env("DOORKEY_STORE", format!("exec:{EXAMPLES}/{program}"))
        .env("PATH", path)
        .env("A", "secret:a")
        .env("B", "secret:b?none")
        .env("C", "secret:c?none")
}

#[test]
fn they_are_short() {
    for program in ["pass", "sops", "op"] {
        let text = std::fs::read_to_string(format!("{EXAMPLES}/{program}")).unwrap();
        assert!(text.lines().count() <= 12, "{program}");
    }
}

/// A shell with pass and a key of its own, in the folder.
fn shell(place: &Place, script: &str) {
    let done = Command::new("sh")
        .args(["-euc", script])
        .current_dir(place.path(""))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", place.path("home"))
        .env("GNUPGHOME", place.path("gpg"))
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn pass_itself() {
    let place = Place::new();
    let made = "mkdir -m 700 gpg
        gpg --batch --quiet --passphrase '' --quick-generate-key test default default never
        pass init test
        printf 'p@ss \"quoted\"\\n\\nlast é' | pass insert -m team/a
        echo of-the-cluster | pass insert -m cluster/eu/b
        echo of-the-team | pass insert -m team/b
        echo of-another | pass insert -m project/other/c";
    shell(&place, made);
    let launch = || launch(&place, "pass").env("GNUPGHOME", place.path("gpg"));
    launch().gives(0, "p@ss \"quoted\"\n\nlast é\nof-the-cluster\nnone\n", "");
    // What can't be decrypted is a fault; the team's must not come in its place.
    place.write("home/.password-store/project/web/a.gpg", "x");
    let ended = launch().env("DOORKEY_LOG_LEVEL", "debug").end();
    assert_eq!(ended.code(), 125);
    let said = ended.err();
    assert!(said.contains("it says that we have no right"), "{said}");
    assert!(
        !said.contains("p@ss") && !said.contains("of-the-"),
        "{said}"
    );
    shell(&place, "gpgconf --kill all");
}

#[test]
fn sops_and_onepassword() {
    let place = Place::new();
    let sops = "#!/bin/sh\n[ \"$1\" = decrypt ] && grep -v broken \"$2\"\n";
    executable(&place.path("bin/sops"), sops.as_bytes(), 0o755);
    let op = r#"#!/bin/sh
case $1/$2/$3 in
item/list/--vault) [ "$4" = own ] && printf '%s' '[{"id":"i1","title":"team"},{"id":"i2","title":"cluster-eu"},{"id":"i3","title":"x"}]' ;;
item/get/i1) printf '%s' '{"fields":[{"label":"a","value":"p\"\n"},{"label":"b","value":"t"},{"label":"empty"}]}' ;;
item/get/i2) printf '%s' '{"fields":[{"label":"b","value":"of-the-cluster"}]}' ;;
*) exit 1 ;;
esac
"#;
    executable(&place.path("bin/op"), op.as_bytes(), 0o755);
    place.write("secrets/team.json", r#"{"a": "p\"\n", "b": "t"}"#);
    place.write(
        "secrets/cluster-eu.json",
        r#"{"b": "of-the-cluster", "c": 1}"#,
    );
    launch(&place, "sops").gives(0, "p\"\n\nof-the-cluster\n1\n", "");
    launch(&place, "op")
        .env("OP_VAULT", "own")
        .gives(0, "p\"\n\nof-the-cluster\nnone\n", "");
    // Nothing answers in the place of what fails.
    place.write("secrets/project-web.json", "broken");
    assert_eq!(launch(&place, "sops").end().code(), 125);
    assert_eq!(
        launch(&place, "op").env("OP_VAULT", "other").end().code(),
        125
    );
}
