//! What is lent to a workload that doorkey stays above: renewed, fetched anew before it ends, given
//! back at the end, and never in the supervisor's memory.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use serde_json::json;
use support::Run;
use support::lending::Lending;
use support::strays::{Needle, strays};
use support::trace::Memory;
use support::watched::{Watched, until};

const SIGHUP_TIME: Duration = Duration::from_secs(60);

/// A server whose users live for so many seconds, and at most for so many, and a role whose secret
/// id can be read again.
struct Kept(Lending);

impl Kept {
    fn new(seconds: u64, most: u64) -> Self {
        let lending = Lending::new();
        lending
            .postgres
            .role(&lending.app.admin, "app", seconds, most);
        lending.app.place.write("secret-id", &lending.secret);
        let kept = Kept(lending);
        kept.allow(
            "path \"sys/leases/revoke/database/creds/app/*\" { capabilities = [\"update\"] }",
        );
        kept
    }

    /// Allows the role more.
    fn allow(&self, more: &str) {
        let reads = support::lending::READS;
        let mount = &self.0.app.mount;
        let text = format!("{reads}\npath \"{mount}/*\" {{ capabilities = [\"read\"] }}\n{more}");
        self.0.app.admin.policy("lent", &text);
    }

    /// The role's logins are as this says.
    fn role(&self, more: serde_json::Value) {
        self.0.app.admin.write("auth/approle/role/web", more);
    }

    /// doorkey with a workload of shell that has a function `login`, which logs in to the database.
    fn run(&self, words: &str, script: &str) -> Run {
        let psql = self.0.postgres.bin.join("psql");
        let port = self.0.postgres.port;
        let login = format!(
            "login() {{ PGUSER=\"$1\" PGPASSWORD=\"$2\" {} -h 127.0.0.1 -p {port} -d postgres -tAqX \
             -c 'select 7' >>\"$PWD/logins\" 2>>\"$PWD/faults\"; }}",
            psql.display()
        );
        let run = self.0.by(&format!("run {words} --auth approle"));
        run.env("VAULT_ROLE_ID", &self.0.role)
            .env("VAULT_SECRET_ID_FILE", self.0.app.place.path("secret-id"))
            .args(["--", "sh", "-c", &format!("{login}\n{script}")])
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.app.place.path(file)).unwrap_or_default()
    }

    /// Nothing is lent any more, and the database has none of the users.
    #[track_caller]
    fn nothing_is_left(&self) {
        assert_eq!((self.0.leases(), self.0.postgres.users()), (0, 0));
    }

    /// How often the server was asked this since a mark.
    fn asked(&self, mark: usize, what: &str) -> usize {
        let asked = self.0.app.bao.requests(mark);
        asked.iter().filter(|one| *one == what).count()
    }
}

/// Says who it is once it has logged in, and stays.
const STAYS: &str = "login \"$PGUSER\" \"$PGPASSWORD\" && echo in; exec sleep 1000";

/// The next line that doorkey says with these words in it.
#[track_caller]
fn says(watched: &mut Watched, words: &str) -> String {
    loop {
        let line = watched.saying();
        if line.contains(words) {
            return line;
        }
    }
}

#[test]
fn a_minute_of_logins_over_replacements() {
    let kept = Kept::new(5, 15);
    // Whoever reads two files at the moment of a change has one of each; so it waits for the signal.
    let script = r#"
        files() { U=$(cat "$USER_FILE"); P=$(cat "$PASSWORD_FILE"); }
        trap 'files; echo changed' HUP
        trap 'exit 0' TERM
        files; echo began
        while :; do login "$U" "$P"; sleep 0.1; done"#;
    let folder = kept.0.app.place.path("files");
    fs::create_dir(&folder).unwrap();
    let run = kept.run(
        "--init --on-change signal:HUP --allow-disk --files files",
        script,
    );
    let run = run
        .env("USER_FILE", "vault:database/creds/app#username|file")
        .env("PASSWORD_FILE", "vault:database/creds/app#password|file");
    let mut watched = Watched::start(run);
    watched.shows("began");
    let line = says(&mut watched, "lent: ");
    // Some of the five seconds may be over.
    let is_short = line.contains("the shortest for 5s; ") || line.contains("the shortest for 4s ");
    assert!(
        is_short && line.contains("; it is renewed, and fetched anew"),
        "{line}"
    );
    let began = Instant::now();
    let mut changes = 0;
    let logins = || kept.read("logins").lines().count();
    let is_enough = |changes| began.elapsed() >= SIGHUP_TIME && logins() > 100 && changes >= 3;
    while !is_enough(changes) && kept.read("faults").is_empty() {
        watched.shows("changed");
        changes += 1;
    }
    watched.send(libc::SIGTERM);
    let (code, said, _) = watched.end();
    assert_eq!(code, 0, "{said:?}");
    assert_eq!(kept.read("faults"), "");
    kept.nothing_is_left();
}

#[test]
fn a_restart_before_the_last_end() {
    let kept = Kept::new(4, 10);
    let mut watched = Watched::start(kept.run("--init", STAYS));
    for _ in 0..2 {
        watched.shows("in");
        says(
            &mut watched,
            "fetched anew, as it can't be renewed any more: PGPASSWORD, PGUSER; the command is launched anew",
        );
    }
    watched.shows("in");
    // The one before is given back.
    until("one lease", || kept.0.leases() == 1);
    watched.send(libc::SIGTERM);
    let (code, said, _) = watched.end();
    assert_eq!(
        (code, kept.read("faults")),
        (143, String::new()),
        "{said:?}"
    );
    kept.nothing_is_left();
}

#[test]
fn a_server_that_is_down_for_two_renewals() {
    let kept = Kept::new(8, 3600);
    let mut watched = Watched::start(kept.run("--init --timeout 1s", STAYS));
    watched.shows("in");
    std::thread::sleep(Duration::from_millis(3500));
    kept.0.app.bao.freeze();
    says(&mut watched, "not renewed, ends in ");
    says(&mut watched, " ends in ");
    kept.0.app.bao.resume();
    // Whatever the last of them has come to, it goes on with one that lives.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(kept.0.leases(), 1);
    watched.send(libc::SIGTERM);
    assert_eq!(watched.end().0, 143);
    kept.nothing_is_left();
}

#[test]
fn a_token_that_ends_before_its_lease() {
    let kept = Kept::new(3600, 7200);
    kept.role(json!({"token_ttl": "4s", "token_max_ttl": "4s"}));
    let mut watched = Watched::start(kept.run("--init", STAYS));
    let line = says(&mut watched, "lent: ");
    assert!(line.contains("the shortest for 4s, as the token ends then; it is renewed where the policy has path \"auth/token/renew-accessor\""), "{line}");
    assert!(line.contains("token_ttl of 1h"), "{line}");
    watched.shows("in");
    let began = Instant::now();
    says(
        &mut watched,
        "fetched anew, as the token that it hangs on ends: ",
    );
    watched.shows("in");
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    watched.send(libc::SIGTERM);
    assert_eq!((watched.end().0, kept.read("faults")), (143, String::new()));
    // With the policy the token goes on, and the workload with it.
    kept.role(json!({"token_ttl": "4s", "token_max_ttl": "1h"}));
    kept.allow("path \"auth/token/renew-accessor\" { capabilities = [\"update\"] }\npath \"sys/leases/revoke\" { capabilities = [\"update\"] }");
    let mut watched = Watched::start(kept.run("--init", STAYS));
    watched.shows("in");
    std::thread::sleep(Duration::from_secs(8));
    assert_eq!(kept.0.leases(), 1);
    watched.send(libc::SIGTERM);
    let (code, said, out) = watched.end();
    assert!(code == 143 && out.is_empty(), "{said:?}");
    kept.nothing_is_left();
}

#[test]
fn a_policy_that_renews_and_gives_back_nothing() {
    let kept = Kept::new(4, 3600);
    kept.role(json!({"token_no_default_policy": true}));
    kept.allow("path \"auth/token/revoke-self\" { capabilities = [\"update\"] }");
    let mut watched = Watched::start(kept.run("--init", STAYS));
    watched.shows("in");
    says(
        &mut watched,
        "warning: database/creds/app can't be renewed, and is fetched anew before it ends in ",
    );
    says(&mut watched, "the command is launched anew");
    watched.shows("in");
    watched.send(libc::SIGTERM);
    let (code, said, _) = watched.end();
    assert_eq!((code, kept.read("faults")), (143, String::new()));
    let line = said
        .iter()
        .find(|line| line.contains("not given back, lives for "));
    assert!(line.is_some(), "{said:?}");
    // What is killed can give nothing back: the server's time ends it.
    let mut watched = Watched::start(kept.run("--init", STAYS));
    watched.shows("in");
    let name = watched.proc("comm");
    let workload: i32 = name.trim().trim_start_matches("doorkey:").parse().unwrap();
    watched.send(libc::SIGKILL);
    watched.child.wait().unwrap();
    // SAFETY: it takes no pointer; nobody else has taken the workload in.
    unsafe { libc::kill(workload, libc::SIGKILL) };
    assert!(kept.0.leases() > 0);
    until("the server ends it", || {
        kept.0.leases() + kept.0.postgres.users() == 0
    });
}

#[test]
fn credentials_that_can_not_be_read_again() {
    let kept = Kept::new(3600, 7200);
    let run = kept
        .run("--init", STAYS)
        .env("VAULT_SECRET_ID", &kept.0.secret);
    let mut watched = Watched::start(run);
    watched.shows("in");
    let line = says(&mut watched, "lent: ");
    let why = "nothing renews it, which needs credentials that can be read again: give VAULT_SECRET_ID as a file, VAULT_SECRET_ID_FILE";
    assert!(line.contains(why), "{line}");
    watched.send(libc::SIGTERM);
    assert_eq!(watched.end().0, 143);
    assert_eq!(kept.0.leases(), 1);
}

#[test]
fn a_thousand_intervals_are_one_lease() {
    let kept = Kept::new(3600, 7200);
    let token = kept.0.app.admin.token("lent");
    let file = kept.0.app.place.write("token", token);
    let reference = format!("vault:{}/data/app/team#k", kept.0.app.mount);
    let run = kept
        .0
        .by("run -q --watch 10ms")
        .env("VAULT_TOKEN_FILE", file);
    let run = run.env("K", reference).env(
        "URL",
        "x://${vault:database/creds/app#username}:${vault:database/creds/app#password}@h",
    );
    let run = run.args(["--", "sh", "-c", "echo began; exec sleep 1000"]);
    let mut watched = Watched::start(run);
    watched.shows("began");
    let read = format!("read {}/data/app/team", kept.0.app.mount);
    until("a thousand intervals", || kept.asked(0, &read) > 1000);
    assert_eq!(kept.asked(0, "read database/creds/app"), 1);
    assert_eq!(kept.0.leases(), 1);
    // A change of something else takes it along: the one before is given back.
    kept.0.app.put("team", json!({"k": "other"}));
    watched.shows("began");
    until("one lease", || {
        kept.asked(0, "read database/creds/app") == 2 && kept.0.leases() == 1
    });
    watched.send(libc::SIGTERM);
    assert_eq!(watched.end().0, 143);
    kept.nothing_is_left();
}

#[test]
fn the_supervisor_of_fifty_renewals_holds_nothing() {
    let kept = Kept::new(1, 3600);
    let script = "printf '%s\\n%s\\n' \"$PGUSER\" \"$PGPASSWORD\" >value; echo in; exec sleep 1000";
    let mut watched = Watched::start(kept.run("-q --init", script));
    watched.shows("in");
    until("fifty renewals", || {
        kept.asked(0, "update sys/leases/renew") >= 50
    });
    assert_eq!(kept.asked(0, "read database/creds/app"), 1);
    let value = kept.read("value");
    // How a user is called begins with the role, which is no secret, and ends with the time.
    let (user, password) = value.trim().split_once('\n').unwrap();
    let user = user.split('-').nth(3).unwrap();
    let mut needles = vec![needle("the user", user), needle("the password", password)];
    for entry in kept.0.app.bao.entries(0) {
        let token = &entry["response"]["auth"]["client_token"];
        needles.extend(token.as_str().map(|token| needle("a token", token)));
    }
    assert!(needles.len() > 50, "{}", needles.len());
    needles.push(needle("the secret id", &kept.0.secret));
    let memory = Memory::of(Pid::from_raw(watched.id()));
    let found = strays(&memory, &needles, &BTreeMap::new());
    assert!(found.is_empty(), "{found:?}");
    drop(memory);
    watched.send(libc::SIGTERM);
    assert_eq!(watched.end().0, 143);
    kept.nothing_is_left();
}

fn needle(label: &str, text: &str) -> Needle {
    Needle {
        label: label.to_owned(),
        bytes: text.as_bytes().to_vec(),
        variables: vec![],
    }
}
