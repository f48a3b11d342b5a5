//! What is left in memory of a fetch. As in `tests/launch/memory.rs`, `doorkey run` is stopped as it enters its
//! `execve`, and all that it can read is searched: for a hundred values and what came with them
//! from a real server over TLS and HTTP/2, and for everything that it logged in with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::{Map, Value, json};
use support::bao::{App, Bao, Pki, Signer};
use support::canaries::{Canaries, Held, Random, SEED, held};
use support::trace::{Begin, Tracee};
use support::{DOORKEY, Place};

const REFERENCES: usize = 100;

/// A server full of values, and variables that refer to them.
struct Scene {
    app: App,
    pki: Pki,
    place: Place,
    random: Random,
    canaries: Canaries,
    /// Where the server's audit log ended when all was ready.
    mark: usize,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

impl Scene {
    fn new() -> Self {
        let place = Place::new();
        let pki = Pki::new(place.path("pki"));
        let mut scene = Scene {
            app: App::on(Arc::new(Bao::with_tls(&pki)), 2),
            pki,
            place,
            random: Random(SEED),
            canaries: Canaries::default(),
            mark: 0,
        };
        let mut documents = BTreeMap::new();
        for number in 0..REFERENCES {
            scene.add(number, &mut documents);
        }
        for (document, members) in documents {
            scene.app.put(document, Value::from(members));
        }
        scene
    }

    /// One variable of the kind that the number says, and what it refers to in these documents.
    fn add(&mut self, number: usize, documents: &mut BTreeMap<&str, Map<String, Value>>) {
        let (name, variable) = (format!("n{number}"), format!("V{number}"));
        let whole = format!("secret:{name}");
        let length = [16, 24, 33, 64, 200, 1000, 5000][number % 7];
        let (canaries, random) = (&mut self.canaries, &mut self.random);
        let value = text(&random.text(length));
        let mut put = |document, name: &str, value: Value| {
            let members: &mut Map<String, Value> = documents.entry(document).or_default();
            members.insert(name.to_owned(), value);
        };
        match number % 10 {
            // Of three scopes the project's is delivered, the others come along.
            0 => {
                for document in ["cluster/eu", "team"] {
                    let shadowed = text(&random.text(40));
                    canaries.nowhere(&format!("{document}: {name}"), &shadowed);
                    put(document, &name, json!(shadowed));
                }
                canaries.needle(&name, &value, &[&variable]);
                canaries.variable(&variable, whole, value.clone());
                put("project/web", &name, json!(value));
            }
            1 => {
                let others = [120, 20].map(|length| text(&random.text(length)));
                let object = json!({"a": others[0], "b": {"c": value}, "d": [others[1]]});
                canaries.needle(&name, &value, &[&variable]);
                for other in &others {
                    canaries.nowhere(&format!("a neighbour of {name}"), other);
                }
                canaries.variable(&variable, whole + "#b.c", value);
                put("team", &name, object);
            }
            2 => {
                let encoded = BASE64_STANDARD.encode(&value);
                canaries.needle(&name, &value, &[]);
                canaries.needle(&format!("{name}|base64"), &encoded, &[&variable]);
                canaries.variable(&variable, whole + "|base64", encoded);
                put("cluster/eu", &name, json!(value));
            }
            3 => {
                let encoded = BASE64_STANDARD.encode(&value);
                canaries.needle(&name, &encoded, &[]);
                canaries.needle(&format!("{name}|base64decode"), &value, &[&variable]);
                canaries.variable(&variable, whole + "|base64decode", value);
                put("team", &name, json!(encoded));
            }
            // What JSON, and the server, write in another way.
            4 | 5 => {
                let mut value = value.into_bytes();
                for byte in value.iter_mut().step_by(5) {
                    *byte = random.bytes(1, b"\"\\\n\t/<&>\x01\x7f")[0];
                }
                let value = text(&value).replacen('\t', "\tä€", 1).replacen('/', "🗝", 1);
                let escaped = serde_json::to_string(&value).unwrap();
                let of_go = ["<", ">", "&"].iter().fold(escaped.clone(), |all, one| {
                    all.replace(one, &format!("\\u{:04x}", one.as_bytes()[0]))
                });
                for form in [&value, escaped.trim_matches('"'), of_go.trim_matches('"')] {
                    canaries.needle(&name, form, &[&variable]);
                }
                canaries.variable(&variable, whole, value.clone());
                put("project/web", &name, json!(value));
            }
            6 => {
                canaries.needle(&name, &value, &[&variable]);
                canaries.variable(&variable, whole + "|trim", value.clone());
                put("team", &name, json!(format!("  {value} \n")));
            }
            // Two secrets in one variable, and one of them in another too; and one that nobody
            // refers to.
            7 => {
                let (second, spare) = (text(&random.text(30)), text(&random.text(90)));
                let again = format!("{variable}_AGAIN");
                canaries.needle(&name, &value, &[&variable]);
                canaries.needle(&format!("{name}.second"), &second, &[&variable, &again]);
                canaries.nowhere("a value without a reference", &spare);
                let both = format!("a=${{{whole}}};b=${{{whole}.second}}");
                canaries.variable(&variable, both, format!("a={value};b={second}"));
                canaries.variable(&again, format!("{whole}.second"), second.clone());
                put("cluster/eu", &name, json!(value));
                put("project/web", &format!("{name}.second"), json!(second));
                put("project/web", &format!("{name}.spare"), json!(spare));
            }
            8 => {
                let path = self.app.document("direct");
                canaries.needle(&name, &value, &[&variable]);
                canaries.variable(&variable, format!("vault:{path}#{name}"), value.clone());
                put("direct", &name, json!(value));
            }
            // Larger than any block that the allocator keeps for itself.
            _ => {
                let value = match number {
                    9 | 19 => text(&random.text(100_000)),
                    _ => value,
                };
                let filled = format!("postgres://app:{value}@db/app");
                let path = self.app.document("direct");
                canaries.needle(&name, &value, &[&variable]);
                canaries.variable(
                    &variable,
                    format!("postgres://app:${{vault:{path}#{name}|urlencode}}@db/app"),
                    filled,
                );
                put("direct", &name, json!(value));
            }
        }
    }

    /// `doorkey run` of this scene without anything to log in with, stopped at its first
    /// instruction.
    fn start(&mut self, options: &[&str]) -> Begin {
        let command = [
            &[DOORKEY, "run", "--project=web", "--cluster=eu"],
            options,
            &["--", "/bin/true"],
        ];
        let mut begin = Begin::new(command.concat())
            .env("DOORKEY_STORE", self.app.store())
            .env("VAULT_ADDR", self.app.bao.secure())
            .env("VAULT_CACERT", self.pki.path("ca.pem"));
        for (name, reference, _) in &self.canaries.variables {
            begin = begin.env(name, reference);
        }
        self.mark = self.app.bao.mark();
        begin
    }

    /// Stops it at its `execve` and searches it, also for everything that it got to log in with.
    /// By then nothing is open that was not open before, and no other thread is left.
    #[track_caller]
    fn search(self, begin: Begin) {
        let mut tracee = begin.start(|| Ok(()));
        let before = held(&tracee);
        let [_, _, envp] = tracee.reach_execve();
        assert_eq!(held(&tracee), before);
        self.search_stopped(tracee, envp, &before);
    }

    #[track_caller]
    fn search_stopped(mut self, tracee: Tracee, envp: u64, before: &Held) {
        let mut found = BTreeSet::new();
        for entry in self.app.bao.entries(self.mark) {
            for (label, place) in [
                ("the token", "/request/client_token"),
                ("the token of a login", "/response/auth/client_token"),
                ("the token's accessor", "/response/auth/accessor"),
                ("the secret id", "/response/data/secret_id"),
                (
                    "the secret id's accessor",
                    "/response/data/secret_id_accessor",
                ),
            ] {
                let secret = entry.pointer(place).and_then(Value::as_str);
                let secret = secret.filter(|secret| !secret.is_empty());
                found.extend(secret.map(|secret| (label, secret.to_owned())));
            }
        }
        for (label, secret) in found {
            self.canaries.nowhere(label, &secret);
        }
        self.canaries.search(tracee, envp, before);
    }
}

#[test]
fn with_a_token_in_a_variable() {
    let mut scene = Scene::new();
    let token = scene.app.token.clone();
    scene.canaries.nowhere("what was given", &token);
    let begin = scene.start(&["-q"]).env("VAULT_TOKEN", token);
    scene.search(begin);
}

#[test]
fn with_a_token_in_a_file_that_is_read_once() {
    let mut scene = Scene::new();
    let file = scene.place.write("token", scene.app.token.clone() + "\n");
    let begin = scene.start(&["-q", "--token-once"]);
    scene.search(begin.env("BAO_TOKEN_FILE", &file));
    assert!(!file.exists());
}

#[test]
fn with_a_wrapped_token() {
    let mut scene = Scene::new();
    let token = scene.app.admin.wrapping().token(&scene.app.mount);
    scene.canaries.nowhere("the wrapping", &token);
    let begin = scene.start(&["-q", "--unwrap"]);
    scene.search(begin.env("VAULT_TOKEN", token));
}

#[test]
fn with_approle() {
    let mut scene = Scene::new();
    let (role, secret) = scene.app.admin.approle("approle", &scene.app.mount);
    scene.canaries.nowhere("the role id", &role);
    scene.canaries.nowhere("the secret id", &secret);
    let begin = scene.start(&["-q"]).env("VAULT_ROLE_ID", role);
    scene.search(begin.env("VAULT_SECRET_ID", secret));
}

#[test]
fn with_approle_and_a_wrapped_secret_id_while_everything_is_told() {
    let mut scene = Scene::new();
    let (role, _) = scene.app.admin.approle("approle", &scene.app.mount);
    let wrapping = scene.app.admin.wrapping().secret_id("approle");
    scene.canaries.nowhere("the role id", &role);
    scene.canaries.nowhere("the wrapping", &wrapping);
    let file = scene.place.write("wrapped", wrapping + "\n");
    let begin = scene.start(&["--log-level=trace"]);
    let begin = begin.env("VAULT_ROLE_ID", role);
    scene.search(begin.env("VAULT_SECRET_ID_FILE", file));
}

#[test]
fn with_a_password() {
    let mut scene = Scene::new();
    let password = r#"k9"Qz\7vJ wX2<mN4>pL6&tR8 bH3ä"#;
    let admin = &scene.app.admin;
    admin.userpass("userpass", password, &scene.app.mount);
    scene.canaries.nowhere("the password", password);
    let begin = scene.start(&["-q"]).env("VAULT_USERNAME", "ann");
    scene.search(begin.env("VAULT_PASSWORD", password));
}

#[test]
fn with_a_signed_token() {
    let mut scene = Scene::new();
    let signer = Signer::new(scene.place.path("keys"));
    scene.app.admin.jwt("jwt", &signer.public, &scene.app.mount);
    let jwt = signer.sign(json!({"sub": "ci"}));
    for part in jwt.split('.').skip(1) {
        scene.canaries.nowhere("the signed token", part);
    }
    let file = scene.place.write("jwt", jwt + "\n");
    let begin = scene.start(&["-q", "--role=web"]);
    scene.search(begin.env("VAULT_JWT_FILE", file));
}

#[test]
fn with_a_certificate() {
    let mut scene = Scene::new();
    let authority = scene.pki.text("ca.pem");
    scene.app.admin.cert("cert", &authority, &scene.app.mount);
    let key = scene.pki.text("client.key");
    let lines = key.lines().filter(|line| !line.starts_with("---"));
    let lines: String = lines.collect();
    // In DER, the number itself comes first of all that is not the same for each key of its kind.
    let der = BASE64_STANDARD.decode(&lines).unwrap();
    let start = der.windows(3).position(|three| three == [2, 1, 1]).unwrap() + 5;
    scene
        .canaries
        .needle("the key", &der[start..start + 32], &[]);
    scene.canaries.needle("the key in PEM", &lines[48..88], &[]);
    let begin = scene.start(&["-q"]);
    let begin = begin.env("VAULT_CLIENT_CERT", scene.pki.path("client.pem"));
    let begin = begin.env("VAULT_CLIENT_KEY", scene.pki.path("client.key"));
    scene.search(begin.env("VAULT_AUTH_METHOD", "cert"));
}

/// A thread of the C library's resolver has run beside; the workload is alone.
#[test]
fn with_a_name_that_is_looked_up() {
    let mut scene = Scene::new();
    let hosts = scene.place.write("hosts", "127.0.0.1 vault.test\n");
    let token = scene.app.token.clone();
    let address = scene.app.bao.secure().replace("localhost", "vault.test");
    let begin = scene.start(&["-q", "--address", &address]);
    let mut tracee = begin.env("VAULT_TOKEN", token).start(|| {
        unshare(CloneFlags::CLONE_NEWNS)?;
        let none = None::<&str>;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(none, "/", none, private, none)?;
        mount(Some(&hosts), "/etc/hosts", none, MsFlags::MS_BIND, none)
    });
    let before = held(&tracee);
    let [_, _, envp] = tracee.reach_execve();
    scene.search_stopped(tracee, envp, &before);
}

#[test]
fn with_values_that_are_kept_and_values_that_were() {
    let mut scene = Scene::new();
    let recipient = scene.place.key("cache");
    let key = std::fs::read_to_string(scene.place.path("cache.key")).unwrap();
    let key = key
        .lines()
        .find_map(|line| line.strip_prefix("AGE-SECRET-KEY-1"));
    let key = key.unwrap();
    scene.canaries.nowhere("the key", key);
    let (file, of) = (scene.place.path("kept"), scene.place.path("cache.key"));
    let cache = format!("--cache={}", file.display());
    let recipient = format!("--cache-recipient={recipient}");
    let token = scene.app.token.clone();
    for reachable in [true, false] {
        if !reachable {
            scene.app.bao.kill();
        }
        let begin = scene.start(&["-q", &cache, &recipient]);
        let begin = begin
            .env("VAULT_TOKEN", &token)
            .env("DOORKEY_KEY_FILE", &of);
        let mut tracee = begin.env("VAULT_MAX_RETRIES", "0").start(|| Ok(()));
        let before = held(&tracee);
        let [_, _, envp] = tracee.reach_execve();
        assert_eq!(held(&tracee), before);
        scene.canaries.nowhere("the token", &token);
        scene.canaries.search(tracee, envp, &before);
        assert!(file.exists());
    }
}
