//! `doorkey check` from outside: its table and JSON exactly, its exit codes, and that it needs no
//! key for names and executes nothing.

use support::{Place, Run};

/// A store with names in three scopes.
fn place() -> Place {
    let place = Place::with_store();
    place.set("team", "db_password", "a-team-value");
    place.set("cluster/eu", "db_password", "a-cluster-value");
    place.set("project/web", "db_password", "a-project-value");
    place.set("team", "smtp", r#"{"user":"app","port":25}"#);
    place.set("cluster/eu", "tls.crt", "certificate\n");
    place
}

fn check(place: &Place, options: &[&str]) -> Run {
    let run = place
        .doorkey(["check", "--store", "age:secrets"])
        .args(options);
    run.without("PATH")
        .without("HOME")
        .env("DOORKEY_KEY_FILE", "home/.config/doorkey/key.txt")
}

#[test]
fn a_table_of_what_resolves() {
    let place = place();
    check(&place, &["-p", "web", "--cluster", "eu"])
        .env("A", "plain")
        .env(
            "DB",
            "postgres://${secret:smtp#user}:${secret:db_password|urlencode}@db",
        )
        .env("GONE", "secret:none?")
        .env("GONE_TOO", "<${secret:none?}>")
        .env("LITERAL", "secret::a")
        .env("PORT", "secret:smtp#port")
        .env("TEAM", "secret:team/db_password")
        .env("TEXT", "secret:none?some text")
        .env("crt-b64", "secret:cluster/tls.crt|base64")
        .gives(
            0,
            "\
VARIABLE  REFERENCE                      SCOPE        SHADOWS          SIZE  STATUS
DB        secret:smtp#user               team         -                3     ok
DB        secret:db_password|urlencode   project/web  cluster/eu,team  15    ok
GONE      secret:none                    -            -                -     absent
GONE_TOO  secret:none                    -            -                -     absent
PORT      secret:smtp#port               team         -                2     ok
TEAM      secret:team/db_password        team         -                12    ok
TEXT      secret:none                    -            -                -     default
crt-b64   secret:cluster/tls.crt|base64  cluster/eu   -                16    ok
",
            "",
        );
}

#[test]
fn a_table_of_what_does_not() {
    let place = place();
    let other = Place::with_store();
    let theirs = std::fs::read(other.path("secrets/recipients.txt")).unwrap();
    place.write("secrets/cluster/closed/recipients.txt", theirs);
    place.set("cluster/closed", "closed", "x");
    place.set("team", "nul", "a\0b");
    place.set("team", "large", "x".repeat(65_536));
    place.write("secrets/team/broken.age", "x");
    std::os::unix::fs::symlink("/etc/hostname", place.path("secrets/team/link.age")).unwrap();
    let from = "of age:secrets:";
    check(&place, &["--cluster", "closed"])
        .env("A", "secret:.canary")
        .env("B", "secret:db_pasword")
        .env("C", "secret:project/db_password")
        .env("D", "secret:closed")
        .env("E", "secret:broken?")
        .env("F", "secret:link")
        .env("G", "secret:db_password#x")
        .env("H", "secret:smtp#x")
        .env("I", "secret:smtp|base64decode")
        .env("J", "secret:nul")
        .env("K", "${secret:large}${secret:large}")
        .env("L", "secret:smtp")
        .gives(
            1,
            "\
VARIABLE  REFERENCE                   SCOPE  SHADOWS  SIZE   STATUS
A         -                           -      -        -      malformed
B         secret:db_pasword           -      -        -      missing
C         secret:project/db_password  -      -        -      no-scope
D         secret:closed               -      -        -      denied
E         secret:broken               -      -        -      corrupt
F         secret:link                 -      -        -      refused
G         secret:db_password          team   -        -      not-json
H         secret:smtp                 team   -        -      no-member
I         secret:smtp                 team   -        -      not-base64
J         secret:nul                  team   -        3      nul
K         secret:large                team   -        65536  too-long
K         secret:large                team   -        65536  too-long
L         secret:smtp                 team   -        24     ok
",
            &[
                "A: malformed reference: column 8: a name begins with a letter, a digit or '_'; \
                 to pass the value on as it is, use --literal A",
                "B: secret:db_pasword: not found in cluster/closed, team of age:secrets; did you \
                 mean db_password (team)?",
                "C: secret:project/db_password: no project is in force; give --project ID or \
                 DOORKEY_PROJECT",
                &format!(
                    "D: secret:closed: cluster/closed {from} denied: the key is not one of its \
                     recipients; have somebody who can read it add the key"
                ),
                &format!(
                    "E: secret:broken: team {from} corrupt: it is no age file; restore it or set \
                     it again"
                ),
                &format!("F: secret:link: team {from} refused: it leads out of the store"),
                "G: secret:db_password: a member is asked for, but the secret in team is not JSON",
                "H: secret:smtp: the secret in team has no such member",
                "I: secret:smtp: base64decode: the value from team is not base64",
                "J: the value contains a NUL byte, which an environment can't hold",
                "K: NAME=value takes 131075 bytes, the kernel takes at most 131072; deliver it in a file: K_FILE=secret:…|file",
            ]
            .map(|line| format!("doorkey: error: {line}\n"))
            .concat(),
        );
    // What the kernel would not take is said when nothing else is wrong.
    check(&place, &[]).env("J", "secret:nul").gives(
        1,
        "VARIABLE  REFERENCE   SCOPE  SHADOWS  SIZE  STATUS\n\
         J         secret:nul  team   -        3     nul\n",
        "doorkey: error: J: the value contains a NUL byte, which an environment can't hold\n",
    );
}

const NOTHING: &str = "doorkey: warning: nothing was checked: no variable has a reference; --spec \
                       checks manifests\n";

#[test]
fn json() {
    let place = place();
    let run = check(&place, &["--json", "-p", "web", "--cluster", "eu"]);
    run.env("A", "secret:db_password")
        .env("B\n\u{fc}", "secret:none")
        .gives(
            1,
            r#"[
  {
    "file": null,
    "line": null,
    "container": null,
    "variable": "A",
    "reference": "secret:db_password",
    "scope": "project/web",
    "shadows": [
      "cluster/eu",
      "team"
    ],
    "size": 15,
    "status": "ok",
    "cause": null,
    "searched": [
      "project/web",
      "cluster/eu",
      "team"
    ],
    "nearest": null
  },
  {
    "file": null,
    "line": null,
    "container": null,
    "variable": "B\\nü",
    "reference": "secret:none",
    "scope": null,
    "shadows": [],
    "size": null,
    "status": "missing",
    "cause": "not found in project/web, cluster/eu, team of age:secrets; create it, or allow its absence with '?'",
    "searched": [
      "project/web",
      "cluster/eu",
      "team"
    ],
    "nearest": null
  }
]
"#,
            "doorkey: error: B\\nü: secret:none: not found in project/web, cluster/eu, team of \
         age:secrets; create it, or allow its absence with '?'\n",
        );
    check(&place, &["--json"]).gives(0, "[]\n", NOTHING);
}

/// For continuous integration on a store in git: there is no key there.
#[test]
fn names_need_no_key() {
    let place = place();
    place.write("secrets/team/broken.age", "x");
    let names = |options: &[&str]| {
        check(&place, options)
            .without("DOORKEY_KEY_FILE")
            .arg("--names")
    };
    names(&["-p", "web"])
        .env("A", "secret:db_password#x|trim")
        .env("B", "secret:broken")
        .gives(
            0,
            "VARIABLE  REFERENCE                  SCOPE        SHADOWS  SIZE  STATUS\n\
         A         secret:db_password#x|trim  project/web  team     -     exists\n\
         B         secret:broken              team         -        -     exists\n",
            "",
        );
    names(&[])
        .env("A", "secret:smpt")
        .env("B", "secret:none?")
        .gives(
            1,
            "VARIABLE  REFERENCE    SCOPE  SHADOWS  SIZE  STATUS\n\
         A         secret:smpt  -      -        -     missing\n\
         B         secret:none  -      -        -     absent\n",
            "doorkey: error: A: secret:smpt: not found in team of age:secrets; did you mean smtp \
         (team)?\n",
        );
    // What is no file is a fault, as it is for run: a wider scope must not answer in its place.
    std::fs::create_dir_all(place.path("secrets/project/web/smtp.age")).unwrap();
    let pipe = place.path("secrets/project/web/db_password.age");
    std::fs::remove_file(&pipe).unwrap();
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let cause = "project/web of age:secrets: corrupt: it is no regular file; restore it or set it \
                 again\n";
    names(&["-p", "web"]).env("A", "secret:smtp").env("B", "secret:db_password?").gives(
        1,
        "VARIABLE  REFERENCE           SCOPE  SHADOWS  SIZE  STATUS\n\
         A         secret:smtp         -      -        -     corrupt\n\
         B         secret:db_password  -      -        -     corrupt\n",
        &format!(
            "doorkey: error: A: secret:smtp: {cause}doorkey: error: B: secret:db_password: {cause}"
        ),
    );
}

#[test]
fn without_a_key_or_a_store() {
    let place = place();
    let head = "VARIABLE  REFERENCE    SCOPE  SHADOWS  SIZE  STATUS\n";
    let run = check(&place, &[])
        .without("DOORKEY_KEY_FILE")
        .env("A", "secret:smtp");
    let run = run.env("B", "secret:none");
    run.gives(
        1,
        &format!(
            "{head}A         secret:smtp  team   -        -     exists\n\
             B         secret:none  -      -        -     missing\n"
        ),
        "doorkey: error: age:secrets: no key: none is named, and there is no HOME; give \
         DOORKEY_KEY_FILE or DOORKEY_KEY\n\
         doorkey: error: B: secret:none: not found in team of age:secrets; create it, or allow \
         its absence with '?'\n",
    );
    let unknown = format!("{head}A         secret:smtp  -      -        -     unknown\n");
    place.doorkey(["check"]).env("A", "secret:smtp").gives(
        1,
        &unknown,
        "doorkey: error: no store is named: give --store age:DIR, dir:DIR, vault:MOUNT/PREFIX, aws-sm:PREFIX, aws-ssm:/PREFIX, azure-kv:VAULT/PREFIX, gcp-sm:PROJECT/PREFIX, k8s:NAMESPACE/PREFIX or exec:PROGRAM, DOORKEY_STORE, or \
         store = in doorkey.toml\n",
    );
    place
        .doorkey(["check", "--store", "age:none"])
        .env("A", "secret:smtp")
        .gives(
            1,
            &unknown,
            "doorkey: error: age:none: there is no store there; check the name, or make one with \
         doorkey store init\n",
        );
    // A store that is named has to be there, even where nothing refers to it.
    let head = "VARIABLE  REFERENCE  SCOPE  SHADOWS  SIZE  STATUS\n";
    let gone = "doorkey: error: age:none: there is no store there; check the name, or make one with \
                doorkey store init\n";
    place
        .doorkey(["check", "--store", "age:none"])
        .gives(1, head, gone);
    place.doorkey(["check"]).gives(0, head, NOTHING);
    let strict = NOTHING.replace("warning:", "error: --strict:");
    place.doorkey(["check", "--strict"]).gives(1, head, &strict);
}

#[test]
fn running_out_of_time_is_an_ordinary_fault() {
    let place = place();
    nix::unistd::mkfifo(&place.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (subcommand, code) in [("check", 1), ("env", 1), ("run", 125)] {
        let run = place.doorkey([subcommand, "--timeout", "200ms", "--env-file", "pipe"]);
        let run = if code == 125 { run.arg("true") } else { run };
        run.fails(
            code,
            "doorkey: error: gave up after 200ms (--timeout); nothing was executed: a file \
             that was named did not answer\n",
        );
    }
}
