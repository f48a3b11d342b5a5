//! What is left in memory. `doorkey run` is stopped as it enters its `execve`, and all that it
//! can read is searched for what it has read: a value is in that call's environment block, where
//! it belongs, and nowhere else; the key is nowhere. Not whole values are looked for but every
//! stretch of eight bytes of one, so that a piece left in a buffer or a register's slot
//! counts too.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::prelude::{BASE64_STANDARD, Engine};
use nix::unistd::{Uid, setuid};
use support::canaries::{Canaries, Random, SEED, held};
use support::trace::{Begin, Tracee};
use support::{DOORKEY, Place, executable};

/// A store full of values, variables that refer to them, and what is to become of each.
struct Scene {
    place: Place,
    canaries: Canaries,
}

impl Scene {
    /// So many variables, each with a reference.
    fn new(references: usize) -> Self {
        let mut scene = Scene {
            place: Place::with_store(),
            canaries: Canaries::default(),
        };
        let mut random = Random(SEED);
        for number in 0..references {
            scene.add(number, &mut random);
        }
        scene
    }

    fn needle(&mut self, label: &str, bytes: &[u8], variables: &[&str]) {
        self.canaries.needle(label, bytes, variables);
    }

    fn variable(&mut self, name: &str, reference: String, value: Vec<u8>) {
        self.canaries.variable(name, reference, value);
    }

    /// One variable of the kind that the number says, so that every kind is in the larger scenes.
    fn add(&mut self, number: usize, random: &mut Random) {
        let name = format!("n{number}");
        let variable = format!("V{number}");
        let whole = format!("secret:{name}");
        let value = random.text([16, 24, 33, 64, 200, 1000, 5000][number % 7]);
        match number % 10 {
            // Of three scopes the project's is delivered, the others are not even read.
            0 => {
                for scope in ["cluster/c", "team"] {
                    let shadowed = random.text(40);
                    self.place.set(scope, &name, &shadowed);
                    self.needle(&format!("{scope}/{name}"), &shadowed, &[]);
                }
                self.place.set("project/p", &name, &value);
                self.needle(&name, &value, &[&variable]);
                self.variable(&variable, whole, value);
            }
            1 => {
                let (other, last) = (random.text(120), random.text(20));
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let json = format!(
                    r#"{{"a":"{}","b":{{"c":"{}"}},"d":["{}"]}}"#,
                    text(&other),
                    text(&value),
                    text(&last)
                );
                self.place.set("team", &name, json);
                self.needle(&format!("{name}#b.c"), &value, &[&variable]);
                self.needle(&format!("{name}#a"), &other, &[]);
                self.needle(&format!("{name}#d"), &last, &[]);
                self.variable(&variable, format!("{whole}#b.c"), value);
            }
            2 => {
                let encoded = BASE64_STANDARD.encode(&value).into_bytes();
                self.place.set("cluster/c", &name, &value);
                self.needle(&name, &value, &[]);
                self.needle(&format!("{name}|base64"), &encoded, &[&variable]);
                self.variable(&variable, format!("{whole}|base64"), encoded);
            }
            3 => {
                let encoded = BASE64_STANDARD.encode(&value).into_bytes();
                self.place.set("team", &name, &encoded);
                self.needle(&name, &encoded, &[]);
                self.needle(&format!("{name}|base64decode"), &value, &[&variable]);
                self.variable(&variable, format!("{whole}|base64decode"), value);
            }
            4 => {
                // Every third byte needs encoding.
                let mut raw = random.text(42);
                for byte in raw.iter_mut().step_by(3) {
                    *byte = random.bytes(1, b"/+=@: &%?#")[0];
                }
                let encode = |&byte: &u8| match byte.is_ascii_alphanumeric() {
                    true => char::from(byte).to_string(),
                    false => format!("%{byte:02X}"),
                };
                let encoded: String = raw.iter().map(encode).collect();
                let filled = format!("postgres://app:{encoded}@db/app").into_bytes();
                self.place.set("project/p", &name, &raw);
                self.needle(&name, &raw, &[]);
                self.needle(
                    &format!("{name}|urlencode"),
                    encoded.as_bytes(),
                    &[&variable],
                );
                let reference = format!("postgres://app:${{{whole}|urlencode}}@db/app");
                self.variable(&variable, reference, filled);
            }
            // 60 KB: larger than any block that the allocator keeps for itself.
            5 if number < 10 => {
                let value = random.text(60_000);
                self.place.set("team", &name, &value);
                self.needle(&name, &value, &[&variable]);
                self.variable(&variable, whole, value);
            }
            6 => {
                self.place
                    .set("team", &name, [b"  ", &*value, b" \n"].concat());
                self.needle(&name, &value, &[&variable]);
                self.variable(&variable, format!("{whole}|trim"), value);
            }
            // Two secrets in one variable, and one of them in another too.
            7 => {
                let second = random.text(30);
                let name2 = format!("{name}.second");
                self.place.set("team", &name, &value);
                self.place.set("project/p", &name2, &second);
                let both = [b"a=", &*value, b";b=", &*second].concat();
                self.needle(&name, &value, &[&variable]);
                let again = format!("{variable}_AGAIN");
                self.needle(&name2, &second, &[&variable, &again]);
                self.variable(
                    &variable,
                    format!("a=${{{whole}}};b=${{{whole}.second}}"),
                    both,
                );
                self.variable(&again, format!("{whole}.second"), second);
            }
            8 => {
                self.place.set("team", &name, &value);
                self.needle(&name, &value, &[&variable]);
                self.variable(&variable, format!("secret:team/{name}?fallback"), value);
            }
            _ => {
                // Any bytes but NUL.
                let alphabet: Vec<u8> = (1..=255).collect();
                let value = random.bytes(300, &alphabet);
                self.place.set("team", &name, &value);
                self.needle(&name, &value, &[&variable]);
                self.variable(&variable, whole, value);
            }
        }
    }

    /// The key's text.
    fn key(&self) -> String {
        let file = fs::read_to_string(self.place.path("home/.config/doorkey/key.txt")).unwrap();
        let key = file
            .lines()
            .find(|line| line.starts_with("AGE-SECRET-KEY-1"));
        key.unwrap().to_owned()
    }

    /// `doorkey run` of this scene, stopped at its first instruction.
    fn start(&self) -> Begin {
        let store = format!("--store=age:{}", self.place.path("secrets").display());
        let mut begin = Begin::new([
            DOORKEY,
            "run",
            &store,
            "--project",
            "p",
            "--cluster",
            "c",
            "-q",
            "--",
            "/bin/true",
        ]);
        for (name, reference, _) in &self.canaries.variables {
            begin = begin.env(name, reference);
        }
        begin
    }
}

/// Decodes a bech32 string to the bytes that it stands for.
fn bech32(text: &str) -> Vec<u8> {
    const LETTERS: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let text = text.to_ascii_lowercase();
    let data = text.rsplit_once('1').unwrap().1;
    let (mut bytes, mut kept, mut bits) = (Vec::new(), 0u32, 0);
    // The last six letters are the checksum.
    for letter in data[..data.len() - 6].chars() {
        kept = kept << 5 | LETTERS.find(letter).unwrap() as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((kept >> bits) as u8);
            kept &= (1 << bits) - 1;
        }
    }
    bytes
}

/// Stops the scene at its execve and searches it.
fn search(scene: &mut Scene, mut tracee: Tracee, key: &str) {
    let raw = bech32(key);
    assert_eq!(raw.len(), 32);
    let clamped = [&[raw[0] & 248], &raw[1..31], &[raw[31] & 127 | 64]].concat();
    // What each key begins with is in the program itself.
    let own = key.strip_prefix("AGE-SECRET-KEY-1").unwrap();
    scene.needle("the key", own.as_bytes(), &[]);
    scene.needle(
        "the key in lower case",
        own.to_ascii_lowercase().as_bytes(),
        &[],
    );
    scene.needle("the key's bytes", &raw, &[]);
    scene.needle("the key's bytes, clamped", &clamped, &[]);

    let before = held(&tracee);
    let [_, _, envp] = tracee.reach_execve();
    // A supervisor's pipe has been closed at one end.
    let mut after = held(&tracee);
    after.retain(|what, how| before.get(what) != Some(how));
    assert_eq!(after, Default::default());
    scene.canaries.search(tracee, envp, &before);
}

fn with_key_file(references: usize) {
    let mut scene = Scene::new(references);
    let begin = scene.start().env("HOME", scene.place.path("home"));
    let key = scene.key();
    search(&mut scene, begin.start(|| Ok(())), &key);
}

fn with_key_in_variable(references: usize) {
    let mut scene = Scene::new(references);
    let key = scene.key();
    let begin = scene.start().env("DOORKEY_KEY", &key);
    search(&mut scene, begin.start(|| Ok(())), &key);
}

/// The process that a supervisor has forked.
fn under_a_supervisor(references: usize) {
    let mut scene = Scene::new(references);
    let key = scene.key();
    let begin = scene
        .start()
        .env("DOORKEY_KEY", &key)
        .env("DOORKEY_INIT", "1");
    let (tracee, supervisor) = begin.start(|| Ok(())).follow_fork();
    search(&mut scene, tracee, &key);
    let end = nix::sys::wait::waitpid(supervisor, None).unwrap();
    assert_eq!(end, nix::sys::wait::WaitStatus::Exited(supervisor, 0));
}

#[test]
fn one_reference_under_a_supervisor() {
    under_a_supervisor(1);
}

#[test]
fn a_hundred_references_under_a_supervisor() {
    under_a_supervisor(100);
}

#[test]
fn one_reference_with_the_key_from_a_file() {
    with_key_file(1);
}

#[test]
fn five_references_with_the_key_from_a_file() {
    with_key_file(5);
}

#[test]
fn forty_references_with_the_key_from_a_file() {
    with_key_file(40);
}

#[test]
fn one_reference_with_the_key_in_a_variable() {
    with_key_in_variable(1);
}

#[test]
fn five_references_with_the_key_in_a_variable() {
    with_key_in_variable(5);
}

#[test]
fn forty_references_with_the_key_in_a_variable() {
    with_key_in_variable(40);
}

#[test]
fn plain_files_and_options_that_read_all_of_them() {
    let mut scene = Scene::new(0);
    let mut random = Random(SEED + 1);
    let spare = random.text(50);
    scene.place.write("plain/team/spare", &spare);
    scene.needle("spare", &spare, &["spare"]);
    for (scope, name) in [
        ("team", "both"),
        ("project/p", "both"),
        ("cluster/c", "large"),
    ] {
        let value = random.text(if name == "large" { 100_000 } else { 60 });
        let delivered = format!("{scope}/{name}") != "team/both";
        let file = format!("plain/{scope}/{name}");
        scene.place.write(&file, [&value[..], b"\n"].concat());
        let variables: &[&str] = if delivered { &[name] } else { &[] };
        scene.needle(&file, &value, variables);
        if delivered {
            scene.variable(name, String::new(), value);
        }
    }
    scene.variable("spare", String::new(), spare);
    let key = scene.key();
    let store = format!("--store=dir:{}", scene.place.path("plain").display());
    let begin = Begin::new([
        DOORKEY,
        "run",
        &store,
        "-p",
        "p",
        "--cluster=c",
        "--all",
        "--trim-newline",
        "-q",
        "/bin/true",
    ]);
    search(&mut scene, begin.start(|| Ok(())), &key);
}

#[test]
fn the_process_is_not_dumpable_while_it_holds_values_and_the_workload_is() {
    let scene = Scene::new(5);
    let program = executable(
        &scene.place.path("doorkey"),
        &fs::read(DOORKEY).unwrap(),
        0o755,
    );
    let key = scene.place.write("key", scene.key());
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    let nobody = Uid::from_raw(65534);
    nix::unistd::chown(&key, Some(nobody), None).unwrap();

    let store = format!("--store=age:{}", scene.place.path("secrets").display());
    let key = format!("--key-file={}", key.display());
    let mut tracee = Begin::new([&program, "run", &store, &key, "-q", "/bin/true"])
        .env("V", "secret:n1#b.c")
        .start(|| setuid(nobody));
    assert_eq!(
        tracee.proc_owner(),
        65534,
        "it begins as any process of this user"
    );
    tracee.reach_execve();
    assert_eq!(
        tracee.proc_owner(),
        0,
        "it is not dumpable: its files belong to root"
    );
    tracee.reach_program();
    assert_eq!(
        tracee.proc_owner(),
        65534,
        "the workload is as it would be without"
    );
    assert_eq!(tracee.finish(), 0);
}
