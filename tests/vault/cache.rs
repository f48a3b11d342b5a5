//! `--cache`: the last values of a store that can't be reached, and nothing else.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;
use support::bao;
use support::faulty;
use support::faulty::{Faulty, answer, document};
use support::{Ended, Place, Run};

/// A folder with a key, and what seals for it.
struct Kept {
    place: Place,
    recipient: String,
}

impl Kept {
    fn new() -> Self {
        // Where a key's file that others can read would be a fault.
        let place = Place::within(env!("CARGO_TARGET_TMPDIR"));
        let recipient = place.key("own");
        Kept { place, recipient }
    }

    /// A launch with a cache, from the server at this address.
    fn run(&self, at: &str) -> Run {
        // Waiting for one that is not there is in vain.
        let patience = match TcpStream::connect(at) {
            Ok(_) => "20s",
            Err(_) => "700ms",
        };
        self.place
            .doorkey(["run", "--project", "web"])
            .env("DOORKEY_TIMEOUT", patience)
            .env("DOORKEY_STORE", "vault:kv/app?kv=2")
            .env("DOORKEY_CACHE", self.place.path("cache"))
            .env("DOORKEY_CACHE_RECIPIENT", &self.recipient)
            .env("DOORKEY_KEY_FILE", self.place.path("own.key"))
            .env("VAULT_ADDR", format!("http://{at}"))
            .env("VAULT_TOKEN", "s.token")
            .env("A", "secret:a")
            .env("B", "vault:kv/data/other#b?none")
    }

    fn values(&self, at: &str) -> Run {
        self.run(at).args(["--", "printenv", "A", "B"])
    }
}

fn server() -> Faulty {
    Faulty::new(|request| match request.path.as_str() {
        "/v1/kv/data/app/project/web" => document(&json!({"a": "st0red-a"})),
        "/v1/kv/data/other" => document(&json!({"b": "st0red-b"})),
        _ => faulty::json(404, &json!({"errors": []})),
    })
}

/// A port that nobody listens at.
fn nobody() -> String {
    format!("127.0.0.1:{}", bao::free_port())
}

#[track_caller]
fn fails(run: Run, why: &str) -> Ended {
    let ended = run.end();
    assert_eq!((ended.code(), &*ended.out()), (125, ""), "{}", ended.err());
    assert!(ended.err().contains(why), "{why}: {}", ended.err());
    ended
}

/// The same server's address, without the server.
fn gone(kept: &Kept) -> String {
    let server = server();
    let ended = kept.values(&server.at).arg("-q").end();
    drop(ended);
    let ended = kept.values(&server.at).ok();
    assert_eq!(ended.out(), "st0red-a\nst0red-b\n");
    assert!(!ended.err().contains("cache"), "{}", ended.err());
    server.at.clone()
}

#[test]
fn the_last_values_where_the_store_is_gone() {
    let kept = Kept::new();
    fails(kept.values(&nobody()), "cache");
    let at = gone(&kept);
    let file = kept.place.path("cache");
    // Sealed, for the owner of the key alone.
    let sealed = fs::read(&file).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1\n"));
    assert!(!String::from_utf8_lossy(&sealed).contains("st0red"));
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let ended = kept.values(&at).ok();
    assert_eq!(ended.out(), "st0red-a\nst0red-b\n");
    let err = ended.err();
    assert!(
        err.contains("doorkey: warning: ")
            && err.contains("connection refused; the values of ")
            && err.contains(&format!(" ago are used, from the cache {}", file.display())),
        "{err}"
    );
    // A warning stays away only where warnings do.
    let quiet = kept.run(&at).args(["-q", "--", "printenv", "A"]).ok();
    assert_eq!(quiet.out(), "st0red-a\n");
    // A store that answers with faults all the time can't be reached either.
    let server = Faulty::in_turn(vec![answer(503, &[], b"")]);
    let short = kept.values(&server.at).env("DOORKEY_TIMEOUT", "700ms");
    fails(short, "of another store");
}

#[test]
fn a_cache_is_good_for_one_thing() {
    let kept = Kept::new();
    let at = gone(&kept);
    let other = "it is of another store, other scopes or other references";
    fails(kept.values(&at).env("A", "secret:b"), other);
    fails(kept.values(&at).env("C", "secret:c"), other);
    fails(kept.values(&at).env("DOORKEY_CLUSTER", "eu"), other);
    fails(
        kept.values(&at).env("DOORKEY_STORE", "vault:kv/else?kv=2"),
        other,
    );
    fails(kept.values(&at).env("DOORKEY_TEAM_PATH", "kv/else"), other);
    fails(kept.values(&at).env("VAULT_NAMESPACE", "else"), other);
    fails(kept.values(&nobody()), other);
    let old = kept.values(&at).env("DOORKEY_CACHE_MAX_AGE", "0s");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    fails(old, "old, more than --cache-max-age");
    // Another key opens nothing.
    kept.place.key("other");
    let other_key = kept.place.path("other.key");
    fails(
        kept.values(&at).env("DOORKEY_KEY_FILE", other_key),
        "denied",
    );
    let file = kept.place.path("cache");
    let whole = fs::read(&file).unwrap();
    for damaged in [
        &b""[..],
        b"text",
        &whole[..whole.len() - 1],
        &vec![b'x'; 300_000],
    ] {
        fs::write(&file, damaged).unwrap();
        fails(kept.values(&at), "the cache ");
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(kept.values(&at).ok().out(), "st0red-a\nst0red-b\n");
}

#[test]
fn a_no_is_no_reason_and_ends_the_cache() {
    for (status, errors, stays) in [
        (403, json!(["permission denied"]), false),
        (
            403,
            json!(["1 error occurred:\n\t* permission denied\n\n"]),
            false,
        ),
        (404, json!([]), true),
        (400, json!(["x"]), true),
    ] {
        let kept = Kept::new();
        gone(&kept);
        let file = kept.place.path("cache");
        let server = Faulty::new(move |_| faulty::json(status, &json!({"errors": errors})));
        let ended = fails(kept.values(&server.at), "");
        assert!(!ended.err().contains(" are used"), "{}", ended.err());
        assert_eq!(file.exists(), stays, "{status}: {}", ended.err());
    }
    // Faults of TLS are no absence of the store.
    let kept = Kept::new();
    let at = gone(&kept);
    let plain = || vec![faulty::Step::Send(faulty::head(400, &[]))];
    let server = Faulty::on_connection(move |_| plain(), |_| Vec::new());
    let run = kept
        .values(&server.at)
        .env("VAULT_ADDR", format!("https://{}", server.at));
    let ended = fails(run, "TLS");
    assert!(!ended.err().contains(" are used"), "{}", ended.err());
    drop(at);
}

#[test]
fn where_it_can_not_be_written_that_is_a_warning() {
    let kept = Kept::new();
    let server = server();
    let cases = [
        ("nowhere/cache", "no such file or directory"),
        ("home", "is a directory"),
    ];
    for (file, why) in cases {
        let run = kept
            .values(&server.at)
            .env("DOORKEY_CACHE", kept.place.path(file));
        let ended = run.ok();
        assert_eq!(ended.out(), "st0red-a\nst0red-b\n");
        let warned = ended.err().contains("warning: the cache ") && ended.err().contains(why);
        assert!(
            warned || kept.place.path(file).is_file(),
            "{file}: {}",
            ended.err()
        );
    }
    // A file system that is mounted for reading only.
    let script =
        "mount -t tmpfs tmpfs \"$1\" && mount -o remount,ro \"$1\" && shift && exec \"$@\"";
    let folder = kept.place.path("read-only");
    fs::create_dir_all(&folder).unwrap();
    let mut run = kept
        .values(&server.at)
        .env("DOORKEY_CACHE", folder.join("cache"));
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(&folder)
        .arg(run.command.get_program())
        .args(run.command.get_args())
        .current_dir(kept.place.path(""))
        .env_clear()
        .envs(
            run.command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    run.command = command;
    let ended = run.ok();
    assert_eq!(ended.out(), "st0red-a\nst0red-b\n");
    assert!(
        ended.err().contains("read-only file system"),
        "{}",
        ended.err()
    );
    // Without somebody to seal for there is no cache.
    let run = kept.values(&server.at).without("DOORKEY_CACHE_RECIPIENT");
    fails(run, "--cache-recipient");
    let run = kept
        .values(&server.at)
        .env("DOORKEY_CACHE_RECIPIENT", "age1nonsense");
    assert!(run.ok().err().contains("warning: the cache "));
}

#[test]
fn only_a_launch_writes_it() {
    let kept = Kept::new();
    let server = server();
    for words in [&["check"][..], &["env"], &["check", "--names"]] {
        let run = kept.place.doorkey(words).args(["--project", "web"]);
        run.env("DOORKEY_STORE", "vault:kv/app?kv=2")
            .env("DOORKEY_CACHE", kept.place.path("cache"))
            .env("DOORKEY_CACHE_RECIPIENT", &kept.recipient)
            .env("VAULT_ADDR", server.address())
            .env("VAULT_TOKEN", "t")
            .env("A", "secret:a")
            .ok();
    }
    // A launch that fails leaves the old one as it is.
    gone(&kept);
    let before = fs::read(kept.place.path("cache")).unwrap();
    let run = kept.run(&server.at).args(["--", "/nowhere/program"]);
    let ended = run.env("A", "secret:a").env("C", "secret:none").end();
    assert_eq!(ended.code(), 125);
    assert!(fs::read(kept.place.path("cache")).unwrap() == before);
}

/// A cache is no secret of a store, and no secret is a cache, though one key opens both.
#[test]
fn neither_counts_in_the_others_place() {
    let kept = Kept::new();
    let (place, at) = (&kept.place, gone(&kept));
    place
        .doorkey(["store", "init", "secrets", "-q", "--key-file", "own.key"])
        .ok();
    place.write(
        "secrets/team/motd.age",
        fs::read(place.path("cache")).unwrap(),
    );
    let line = "doorkey: error: V: secret:motd: team of age:secrets: refused: it was written for a cache and put here afterwards; restore it or set it again\n";
    let run = place.with("own", "run -- true").env("V", "secret:motd");
    run.fails(125, line);

    place.set("team", "motd", "{}");
    place.write(
        "cache",
        fs::read(place.path("secrets/team/motd.age")).unwrap(),
    );
    fails(
        kept.values(&at),
        ": refused: it was written for team/motd and put here",
    );
    let mut age = Command::new("age");
    age.args(["-r", &kept.recipient, "-o"])
        .arg(place.path("cache"));
    let status = age.arg(place.write("value", "{}")).status();
    assert!(status.unwrap().success());
    fails(
        kept.values(&at),
        ": corrupt: it does not say that it is a cache;",
    );
}
