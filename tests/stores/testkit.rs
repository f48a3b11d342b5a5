//! The age testkit (<https://c2sp.org/CCTV/age>): files that every age program has to open, or to
//! refuse for a reason. `sh .ci/testkit` puts them in place.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use support::Place;
use support::pty::Terminal;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/testkit/testdata");

/// Vectors with another end than the testkit's, and the reason.
const DIFFERENT: &[(&str, &str, &str)] = &[
    (
        "hybrid_not_canonical_body",
        "damaged",
        "the header is read before the key is looked for",
    ),
    (
        "scrypt_uppercase",
        "damaged",
        "a key's file that no passphrase opens is none",
    ),
    (
        "stanza_missing_body",
        "success",
        "the crate reads what older versions of rage wrote",
    ),
    (
        "stanza_missing_final_line",
        "success",
        "the crate reads what older versions of rage wrote",
    ),
    (
        "stream_257_chunks",
        "too large",
        "no secret is larger than a mebibyte",
    ),
    (
        "stream_257_chunks_full",
        "too large",
        "no secret is larger than a mebibyte",
    ),
    (
        "stream_258_chunks",
        "too large",
        "no secret is larger than a mebibyte",
    ),
];

/// A file of the testkit.
struct Vector {
    name: String,
    header: Vec<(String, String)>,
    file: Vec<u8>,
}

impl Vector {
    fn read(name: &str) -> Self {
        let whole = fs::read(format!("{VECTORS}/{name}")).unwrap();
        let end = whole.windows(2).position(|two| two == b"\n\n").unwrap();
        let header = String::from_utf8(whole[..end].to_vec()).unwrap();
        let header = header.lines().map(|line| {
            let (key, value) = line.split_once(": ").unwrap();
            (key.to_owned(), value.to_owned())
        });
        let mut vector = Vector {
            name: name.to_owned(),
            header: header.collect(),
            file: whole[end + 2..].to_vec(),
        };
        if let Some(&"zlib") = vector.all("compressed").first() {
            vector.file = inflated(&vector.file);
        }
        vector
    }

    fn all(&self, key: &str) -> Vec<&str> {
        let all = self.header.iter().filter(|(known, _)| known == key);
        all.map(|(_, value)| value.as_str()).collect()
    }

    /// The end that is expected, and the one that comes.
    fn ends(&self, place: &Place) -> (String, String) {
        let differs = DIFFERENT.iter().find(|(name, ..)| *name == self.name);
        let expected = differs.map_or(self.all("expect")[0], |(_, end, _)| end);
        // doorkey has no such keys.
        let keys = self.all("identity");
        let is_other = |key: &&str| key.starts_with("AGE-SECRET-KEY-PQ-");
        let expected = match differs.is_none() && !keys.is_empty() && keys.iter().all(is_other) {
            true => "post-quantum",
            false => expected,
        };
        let expected = match expected {
            // doorkey makes no difference between these.
            "header failure" | "armor failure" | "HMAC failure" | "payload failure" => "damaged",
            other => other,
        };
        let found = match self.all("passphrase").first() {
            Some(passphrase) => self.as_key(place, passphrase),
            None => self.as_secret(place),
        };
        (expected.to_owned(), found)
    }

    /// The file as that of a secret.
    fn as_secret(&self, place: &Place) -> String {
        place.write("secrets/team/a.age", &self.file);
        let keys = self.all("identity").join("\n");
        let get = place
            .on("secret get a --team --reveal")
            .env("DOORKEY_KEY", keys);
        let ended = get.end();
        if ended.code() == 0 && self.all("expect") == ["success"] {
            let payload = Sha256::digest(&ended.output.stdout);
            let payload: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(self.all("payload"), [payload], "{}", self.name);
        }
        end(ended.code(), &ended.err())
    }

    /// The file as that of a key, as doorkey takes no passphrase for a secret.
    fn as_key(&self, place: &Place, passphrase: &str) -> String {
        let file = place.write("locked.key", &self.file);
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        let mut terminal = Terminal::start(place.with("locked", "key show"));
        terminal
            .wait_for("passphrase of ")
            .types(format!("{passphrase}\n"));
        let (code, screen, _) = terminal.end();
        end(code, &screen)
    }
}

/// The kind of an end, in the testkit's words or our own.
fn end(code: i32, said: &str) -> String {
    let ends = [
        ("not one of its recipients", "no match"),
        ("the passphrase is wrong", "no match"),
        // The vectors' payload is no key.
        ("it is no age identity", "success"),
        ("there is no age identity", "success"),
        ("damaged age file", "damaged"),
        ("no age file", "damaged"),
        ("an age file without a passphrase", "damaged"),
        ("later version of age", "damaged"),
        ("changed its line ends", "damaged"),
        ("too much work", "damaged"),
        ("larger than", "too large"),
        ("post-quantum", "post-quantum"),
        ("with a passphrase, so that no key", "damaged"),
    ];
    let end = ends.iter().find(|(text, _)| said.contains(text));
    match (code, end) {
        (0, _) => "success".to_owned(),
        (1, Some((_, end))) => (*end).to_owned(),
        _ => said.to_owned(),
    }
}

fn inflated(bytes: &[u8]) -> Vec<u8> {
    let script =
        "import sys, zlib; sys.stdout.buffer.write(zlib.decompress(sys.stdin.buffer.read()))";
    let mut python = Command::new("python3");
    python
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = python.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
fn every_vector_ends_as_it_has_to() {
    let place = Place::with_store();
    let folder = fs::read_dir(VECTORS).expect("sh .ci/testkit brings the vectors");
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert!(names.len() > 100);
    let mut ends = BTreeMap::new();
    let mut wrong = Vec::new();
    for name in &names {
        let (expected, found) = Vector::read(name).ends(&place);
        if expected != found {
            wrong.push(format!("{name}: expected {expected}, found {found}"));
        }
        *ends.entry(found).or_insert(0) += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (name, _, why) in DIFFERENT {
        assert!(names.iter().any(|one| one == name), "{name}: {why}");
    }
    assert!(ends["success"] >= 20 && ends["damaged"] > 80, "{ends:?}");
}
