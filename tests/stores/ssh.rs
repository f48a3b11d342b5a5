//! Keys of SSH in an embedded store: who has one is a member as anybody else, and every age program
//! agrees.

use std::fs;
use std::process::Command;

use serde_json::json;
use support::Place;

/// age's program of a later version than Debian's.
pub const LATER_AGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/age/age");

/// Makes a key of SSH in `NAME.key`, and gives its public half with the comment `NAME@laptop`.
pub fn ssh_key(place: &Place, name: &str, how: &[&str]) -> String {
    let file = place.path(&format!("{name}.key"));
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-C", &format!("{name}@laptop"), "-f"]);
    keygen.arg(&file).args(how);
    if !how.contains(&"-N") {
        keygen.args(["-N", ""]);
    }
    let made = keygen.output().expect("ssh-keygen starts");
    assert!(made.status.success(), "{made:?}");
    let public = fs::read_to_string(place.path(&format!("{name}.key.pub"))).unwrap();
    public.trim().to_owned()
}

/// The public half without its comment.
pub fn bare(public: &str) -> String {
    let words: Vec<_> = public.split(' ').take(2).collect();
    words.join(" ")
}

/// A store of three members with a key of each kind, and their public halves.
fn store() -> (Place, [String; 3]) {
    let (place, own) = Place::with_own_key();
    let ed = ssh_key(&place, "ed", &["-t", "ed25519"]);
    let rsa = ssh_key(&place, "rsa", &["-t", "rsa", "-b", "2048"]);
    place.set("team", "a", "value");
    let add = |key: &str| {
        let run = place.with("own", "store recipient add -q");
        run.arg(key)
    };
    add(&ed).ok();
    add(&format!("{rsa}\n")).arg("--name").arg("rita").ok();
    (place, [own, bare(&ed), bare(&rsa)])
}

#[test]
fn members_of_each_kind() {
    let (place, [own, ed, rsa]) = store();
    let rows = format!(
        "{own}\t-\tX25519\tall\n{ed}\ted@laptop\tssh-ed25519\tall\n{rsa}\trita\tssh-rsa\tall\n"
    );
    place.on("store recipient list").gives(0, &rows, "");
    let list = fs::read_to_string(place.path("secrets/recipients.txt")).unwrap();
    assert!(
        list.ends_with(&format!("# ed@laptop\n{ed}\n# rita\n{rsa}\n")),
        "{list}"
    );
    for key in ["own", "ed", "rsa"] {
        let get = place.with(key, "secret get a --team --reveal");
        get.gives(0, "value", "");
        place.with(key, "store check").ok();
    }
    let noted = place.with("own", "secret get a --team -j").ok().json();
    let noted = noted["recipients"].to_string();
    for key in [&own, &ed, &rsa] {
        assert!(noted.contains(key.as_str()), "{noted}");
    }
    for (name, key, kind) in [
        ("own", &own, "X25519"),
        ("ed", &ed, "ssh-ed25519"),
        ("rsa", &rsa, "ssh-rsa"),
    ] {
        let shown = place.with(name, "key show -j").ok().json();
        let file = place.path(&format!("{name}.key")).display().to_string();
        assert_eq!(
            shown,
            json!({"key": file, "recipients": [key], "kinds": [kind]})
        );
    }
    // A key in the variable, and several keys in one file, of which one fits.
    let text = fs::read_to_string(place.path("ed.key")).unwrap();
    let get = || place.on("secret get a --team --reveal");
    get().env("DOORKEY_KEY", &text).gives(0, "value", "");
    place.key("other");
    let other = fs::read_to_string(place.path("other.key")).unwrap();
    let several = format!("{other}\nAGE-PLUGIN-YUBIKEY-1QQ\nAGE-SECRET-KEY-PQ-1QQ\n{text}");
    get().env("DOORKEY_KEY", several).gives(0, "value", "");

    // Removed, by name and by key; what is left of the key stays in the list and in the file.
    place.with("own", "store recipient remove ed@laptop").ok();
    let denied = place.with("ed", "secret get a --team --reveal").end();
    let end = &ed[ed.len() - 16..];
    assert!(
        denied
            .err()
            .contains(&format!("the key ssh-ed25519...{end} (")),
        "{}",
        denied.err()
    );
    let add = format!("have rita run doorkey store recipient add '{ed}'\n");
    assert!(denied.err().ends_with(&add), "{}", denied.err());
    place.with("own", "store recipient remove").arg(&rsa).ok();
    let list = fs::read_to_string(place.path("secrets/recipients.txt")).unwrap();
    assert!(
        list.contains(&format!("# removed: ssh-ed25519...{end} ed@laptop\n")),
        "{list}"
    );
    assert!(!list.contains("\nssh-"), "{list}");
    let check = place.with("own", "store check -j").ok().json();
    assert_eq!(check["rotate"][0]["who"], json!(["ed@laptop", "rita"]));
    assert_eq!(place.age("team", "a", "ed"), None);
}

/// A comment of the key's own, a name above it, Windows' line ends: as people paste it.
#[test]
fn lines_that_people_write() {
    let (place, own) = Place::with_own_key();
    let ed = ssh_key(&place, "ed", &["-t", "ed25519"]);
    place.write(
        "secrets/recipients.txt",
        format!("{own}\r\n# eddie\r\n{ed}\r\n"),
    );
    place.set("team", "a", "value");
    let rows = format!(
        "{own}\t-\tX25519\tall\n{}\teddie\tssh-ed25519\tall\n",
        bare(&ed)
    );
    place.on("store recipient list").gives(0, &rows, "");
    place
        .with("ed", "secret get a --team --reveal")
        .gives(0, "value", "");
    place.with("own", "store check").ok();
}

/// Debian's age and a later one read what doorkey writes for members of each kind, and the other
/// way round.
#[test]
fn other_age_programs() {
    let (place, _) = store();
    let list = place.path("secrets/recipients.txt");
    for program in ["age", LATER_AGE] {
        for key in ["own", "ed", "rsa"] {
            let mut age = Command::new(program);
            age.arg("-d")
                .arg("-i")
                .arg(place.path(&format!("{key}.key")));
            let opened = age.arg(place.path("secrets/team/a.age")).output().unwrap();
            let said = String::from_utf8_lossy(&opened.stderr).into_owned();
            assert_eq!(opened.stdout, b"value", "{program} {key}: {said}");
        }
        place.write("plain", program);
        for armor in [&[][..], &["-a"]] {
            let mut age = Command::new(program);
            age.args(["-e", "-R"]).arg(&list).args(armor);
            age.arg("-o").arg(place.path("secrets/team/b.age"));
            let made = age.arg(place.path("plain")).output().unwrap();
            assert!(made.status.success(), "{made:?}");
            for key in ["own", "ed", "rsa"] {
                let get = place.with(key, "secret get b --team --reveal");
                get.gives(0, program, "");
            }
        }
        fs::remove_file(place.path("secrets/team/b.age")).unwrap();
    }
}

#[test]
fn recipients_that_are_refused() {
    let (place, _) = Place::with_own_key();
    let weak = ssh_key(&place, "weak", &["-t", "rsa", "-b", "1024"]);
    let ecdsa = ssh_key(&place, "ecdsa", &["-t", "ecdsa"]);
    let ed = ssh_key(&place, "ed", &["-t", "ed25519"]);
    let other = "an SSH key of another kind than ssh-ed25519 and ssh-rsa, which age does not have";
    let damaged = "an SSH key with a letter missing or wrong: copy it again";
    let whole = "not a whole SSH key: quote its kind and the key as one argument";
    let hardware = "an SSH key that is in hardware, which doorkey does not use";
    for (key, what) in [
        (
            weak.as_str(),
            "an RSA key of fewer than 2048 bits, which age refuses",
        ),
        (&ecdsa, other),
        ("ssh-dss AAAAB3NzaC1kc3MAAACB", other),
        ("sk-ssh-ed25519@openssh.com AAAA", hardware),
        ("ssh-ed25519", whole),
        (
            &format!("{ed}\n{ed}"),
            "more than one line: give each key as an argument of its own",
        ),
        (&ed[..60], damaged),
        (&format!("{}AAAA me", bare(&ed)), damaged),
        (
            "age1pq1qqqq",
            "a post-quantum recipient, which doorkey does not use",
        ),
        (
            "age1yubikey1qqqq",
            "the recipient of an age plugin, which doorkey does not run",
        ),
    ] {
        let add = place.with("own", "store recipient add").arg(key);
        let said = format!("doorkey: error: age:secrets: argument 1 is {what}\n");
        add.fails(1, &said);
    }
    let list = fs::read_to_string(place.path("secrets/recipients.txt")).unwrap();
    place.write("secrets/recipients.txt", format!("{list}{weak}\n"));
    let said = place.on("store recipient list").end().err();
    assert!(
        said.contains(":3:1: this is an RSA key of fewer than 2048 bits"),
        "{said}"
    );
}

#[test]
fn keys_that_are_refused() {
    let place = Place::with_store();
    place.set("team", "a", "value");
    ssh_key(&place, "weak", &["-t", "rsa", "-b", "1024"]);
    ssh_key(&place, "ecdsa", &["-t", "ecdsa"]);
    ssh_key(
        &place,
        "pem",
        &["-t", "rsa", "-m", "PEM", "-N", "kanarienvogel"],
    );
    ssh_key(&place, "pkcs8", &["-t", "rsa", "-m", "PKCS8"]);
    ssh_key(&place, "ed", &["-t", "ed25519"]);
    let ed = fs::read_to_string(place.path("ed.key")).unwrap();
    let cut: Vec<_> = ed
        .lines()
        .filter(|line| !line.starts_with("QAAA"))
        .collect();
    let cut = [&cut[..2], &cut[3..]].concat().join("\n");
    let write = |name: &str, text: &str| {
        let file = place.write(&format!("{name}.key"), text);
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(file, private).unwrap();
    };
    write("cut", &cut);
    write("plugin", "AGE-PLUGIN-YUBIKEY-1QQ\n");
    write("quantum", "AGE-SECRET-KEY-PQ-1QQ\n");
    for (name, what) in [
        ("weak", "it is an RSA key of fewer than 2048 bits"),
        (
            "ecdsa",
            "it is an SSH key of another kind than ssh-ed25519 and ssh-rsa",
        ),
        (
            "pem",
            "it is an SSH key in an old encrypted form: ssh-keygen -p -f FILE",
        ),
        ("pkcs8", "it is a PEM file, and no age key"),
        ("ed.key.pub", "it is the public half of an SSH key"),
        ("cut", "it is a damaged SSH key: copy it again"),
        (
            "plugin",
            "it is the key of an age plugin, which doorkey does not run",
        ),
        (
            "quantum",
            "it is a post-quantum key, which doorkey does not use",
        ),
    ] {
        if name.ends_with(".pub") {
            fs::copy(place.path("ed.key.pub"), place.path("ed.key.pub.key")).unwrap();
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(place.path("ed.key.pub.key"), private).unwrap();
        }
        let ended = place.with(name, "secret get a --team --reveal").end();
        assert_eq!(ended.code(), 1);
        assert!(
            ended.err().contains(&format!("can't be used: {what}")),
            "{name}: {}",
            ended.err()
        );
        for line in cut
            .lines()
            .filter(|line| line.len() > 20 && !line.starts_with('-'))
        {
            assert!(!ended.err().contains(line), "{}", ended.err());
        }
    }
    // RSA without a passphrase is read in the old form as well.
    ssh_key(&place, "old", &["-t", "rsa", "-b", "2048", "-m", "PEM"]);
    let shown = place.with("old", "key show -q").ok().out();
    let public = fs::read_to_string(place.path("old.key.pub")).unwrap();
    assert_eq!(shown.trim(), bare(public.trim()));
}
