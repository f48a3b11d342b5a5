//! `check --spec` over files and folders, and the environment of one container.

use support::{Place, Run};

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - name: server
        envFrom:
        - configMapRef: {name: web}
        env:
        - {name: DB_PASSWORD, value: secret:db_password}
        - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: KEY, value: secret:api_kye}
      - name: proxy
        env:
        - {name: TOKEN, value: secret:team/token}
";

const COMPOSE: &str = "\
services:
  job:
    environment: [DB_PASSWORD=secret:db_password]
";

fn place() -> Place {
    let place = Place::new();
    for name in ["db_password", "api_key", "token", "old"] {
        place.write(&format!("plain/{name}"), "canary");
    }
    place.write("k8s/deploy.yaml", DEPLOYMENT);
    place.write("k8s/deeper/compose.yml", COMPOSE);
    place.write("k8s/deeper/service.json", r#"{"kind": "Service"}"#);
    place.write("k8s/README.md", "env: [");
    place.write("k8s/.hidden/x.yaml", "env: [");
    place
}

fn check(place: &Place, words: &str) -> Run {
    let run = place.doorkey(["check", "--store", "dir:plain"]);
    let run = run.args(words.split_whitespace());
    run.without("PATH").without("HOME")
}

const FAULT: &str = "doorkey: error: k8s/deploy.yaml:14: deploy/web/server: KEY: secret:api_kye: not \
                     found in team of dir:plain; did you mean api_key (team)?\n";

#[test]
fn all_containers_of_all_files() {
    let place = place();
    check(&place, "--names --spec k8s").gives(
        1,
        "\
FILE                      CONTAINER          VARIABLE     REFERENCE           SCOPE  SHADOWS  SIZE  STATUS
k8s/deploy.yaml:10        deploy/web/server  *            configMapRef        -      -        -     platform
k8s/deploy.yaml:12        deploy/web/server  DB_PASSWORD  secret:db_password  team   -        -     exists
k8s/deploy.yaml:13        deploy/web/server  POD          fieldRef            -      -        -     platform
k8s/deploy.yaml:14        deploy/web/server  KEY          secret:api_kye      -      -        -     missing
k8s/deploy.yaml:17        deploy/web/proxy   TOKEN        secret:team/token   team   -        -     exists
k8s/deeper/compose.yml:3  job                DB_PASSWORD  secret:db_password  team   -        -     exists
",
        FAULT,
    );
    // With values; one container alone; a variable that stands beside them.
    check(
        &place,
        "--spec k8s/deploy.yaml --spec-path deploy/web/proxy",
    )
    .env("A", "secret:old")
    .gives(
        0,
        "\
FILE                CONTAINER         VARIABLE  REFERENCE          SCOPE  SHADOWS  SIZE  STATUS
-                   -                 A         secret:old         team   -        6     ok
k8s/deploy.yaml:17  deploy/web/proxy  TOKEN     secret:team/token  team   -        6     ok
",
        "",
    );
    check(&place, "--spec none.yaml").gives(
        1,
        "VARIABLE  REFERENCE  SCOPE  SHADOWS  SIZE  STATUS\n",
        "doorkey: error: --spec: can't read none.yaml: no such file or directory\n",
    );
}

#[test]
fn json_says_where_and_why() {
    let place = place();
    let end = check(&place, "--names --json --spec k8s/deploy.yaml").end();
    let rows: serde_json::Value = serde_json::from_str(&end.out()).unwrap();
    let expected = serde_json::json!({
        "file": "k8s/deploy.yaml",
        "line": 14,
        "container": "deploy/web/server",
        "variable": "KEY",
        "reference": "secret:api_kye",
        "scope": null,
        "shadows": [],
        "size": null,
        "status": "missing",
        "cause": "not found in team of dir:plain; did you mean api_key (team)?",
        "searched": ["team"],
        "nearest": {"name": "api_key", "scope": "team"},
    });
    assert_eq!(rows[3], expected);
    assert_eq!((end.code(), end.err().as_str()), (1, FAULT));
}

#[test]
fn names_that_nothing_refers_to() {
    let place = place();
    check(&place, "--names --unused --spec k8s/deeper").gives(
        0,
        "\
FILE                      CONTAINER  VARIABLE     REFERENCE           SCOPE  SHADOWS  SIZE  STATUS
k8s/deeper/compose.yml:3  job        DB_PASSWORD  secret:db_password  team   -        -     exists
-                         -          -            secret:team/api_key  team   -        -     unused
-                         -          -            secret:team/old     team   -        -     unused
-                         -          -            secret:team/token   team   -        -     unused
"
        .replace("REFERENCE         ", "REFERENCE          ")
        .replace("secret:db_password ", "secret:db_password  ")
        .replace("secret:team/old ", "secret:team/old  ")
        .replace("secret:team/token ", "secret:team/token  ")
        .as_str(),
        "",
    );
}

#[test]
fn references_that_are_meant_and_not_read() {
    let place = place();
    let value = |name, value| format!("        - {{name: {name}, value: \"{value}\"}}\n");
    let list = value("MEANT", "u:secret:token@h") + &value("GONE", "secrets:canary");
    place.write("k8s/deploy.yaml", DEPLOYMENT.replace("kye", "key") + &list);
    let words = "--names --spec k8s/deploy.yaml --spec-path deploy/web/proxy";
    let head = "\
FILE                CONTAINER         VARIABLE  REFERENCE          SCOPE  SHADOWS  SIZE  STATUS
k8s/deploy.yaml:17  deploy/web/proxy  TOKEN     secret:team/token  team   -        -     exists
";
    let row = "k8s/deploy.yaml:18  deploy/web/proxy  MEANT     -                  -      -        -     \
               malformed\n";
    check(&place, words).gives(
        1,
        &format!("{head}{row}"),
        "doorkey: warning: what looks like a reference is passed on as text: k8s/deploy.yaml:19: \
         GONE; a reference is secret:NAME alone, or ${secret:NAME} inside a text; --literal NAME \
         ends this\n\
         doorkey: error: k8s/deploy.yaml:18: deploy/web/proxy: MEANT: a reference is meant, and is \
         not read, as it stands in the middle of a text: write ${secret:token}; to pass the value \
         on as it is, use --literal MEANT\n",
    );
    // The names are those of the containers, too.
    check(&place, &format!("{words} --literal MEANT --literal GONE")).gives(0, head, "");
}

#[test]
fn nothing_to_check_is_said() {
    let place = place();
    place.write("plain.yaml", "env:\n- {name: A, value: b}\n");
    let head = "VARIABLE  REFERENCE  SCOPE  SHADOWS  SIZE  STATUS\n";
    let nothing = "nothing was checked: there is no reference in 1 file with 1 variable\n";
    let said = format!("doorkey: warning: {nothing}");
    check(&place, "--spec plain.yaml").gives(0, head, &said);
    let said = format!("doorkey: error: --strict: {nothing}");
    check(&place, "--strict --spec plain.yaml").gives(1, head, &said);
    // A file of a folder may be no YAML at all.
    place.write("folder/broken.yaml", "{{ if x }}\na: [\n");
    place.write(
        "folder/good.yaml",
        "env:\n- {name: A, value: 'secret:old'}\n",
    );
    let end = check(&place, "--names --spec folder").ok();
    let warning = "doorkey: warning: folder/broken.yaml:";
    let err = end.err();
    assert!(
        err.starts_with(warning) && err.ends_with("; it is not checked\n"),
        "{err}"
    );
    assert_eq!(
        check(&place, "--names --strict --spec folder").end().code(),
        1
    );
}

#[test]
fn what_is_not_ok_is_red_on_a_terminal() {
    let place = place();
    let words = [
        "check",
        "--store",
        "dir:plain",
        "--names",
        "--spec",
        "k8s/deploy.yaml",
    ];
    let colours = |no_color: &str| {
        let run = place.doorkey(words).env("NO_COLOR", no_color);
        let (_, shown, _) = support::pty::Terminal::start(run).end();
        shown
    };
    let shown = colours("");
    let row = "\x1b[31mk8s/deploy.yaml:14";
    assert!(
        shown.contains(row) && shown.matches("\x1b[31m").count() == 1,
        "{shown}"
    );
    assert!(!colours("1").contains('\x1b'));
}

fn run(place: &Place, words: &str) -> Run {
    let run = place.doorkey(["run", "-q", "--store", "dir:plain"]);
    let run = run.args(words.split_whitespace());
    run.args(["--", "/usr/bin/env"])
        .without("PATH")
        .without("HOME")
}

#[test]
fn a_variable_of_the_platforms_is_inherited_or_given() {
    let place = place();
    let pod = |source: &str| {
        let list =
            format!("env:\n- {{name: POD, valueFrom: {source}}}\n- {{name: A, value: <$(POD)>}}\n");
        place.write("spec.yaml", list);
    };
    let missing = "doorkey: error: spec.yaml:2: POD: its value is the platform's (fieldRef), and is not here; pass it \
                   on, or give --env\n";
    pod("{fieldRef: {fieldPath: metadata.name}}");
    run(&place, "--spec spec.yaml").fails(125, missing);
    let here = || run(&place, "--spec spec.yaml").env("POD", "web-1");
    here().gives(0, "POD=web-1\nA=<web-1>\n", "");
    // What is cleared is inherited still, since the spec says so.
    let words = "--spec spec.yaml --clear-env";
    run(&place, words)
        .env("POD", "web-1")
        .gives(0, "A=<web-1>\nPOD=web-1\n", "");
    run(&place, "--spec spec.yaml -e POD=b").gives(0, "A=<b>\nPOD=b\n", "");
    pod("{secretKeyRef: {name: a, key: b, optional: true}}");
    run(&place, "--spec spec.yaml").gives(0, "A=<$(POD)>\n", "");
}

/// A template needs the spec's references alone.
#[test]
fn a_template_needs_nothing_of_the_platform() {
    let place = place();
    place.write("k8s/one.yaml", DEPLOYMENT.replace("kye", "key"));
    place.write("in", "${secret:old}");
    place.write("doorkey.toml", "[env]\nA = 'secret:nowhere'\n");
    let render = |path: &str| {
        let words = ["render", "--store=dir:plain", "--spec=k8s/one.yaml", "in"];
        place.doorkey(words).args(["--spec-path", path])
    };
    render("deploy/web/server").gives(0, "canary", "");
}

#[test]
fn what_the_platform_gives_may_be_a_reference() {
    let place = place();
    let list = "env:\n- {name: P, valueFrom: {configMapKeyRef: {name: a, key: b}}}\n";
    place.write("spec.yaml", list);
    let given = || run(&place, "--spec spec.yaml").env("P", "secret:token");
    given().gives(0, "P=canary\n", "");
    // In the middle of a text it is the text that the cluster would put in.
    place.write(
        "spec.yaml",
        format!("{list}- {{name: URL, value: 'x://$(P)@h'}}\n"),
    );
    given().fails(
        125,
        "doorkey: error: spec.yaml:3: URL: a reference is meant, and is not read, as the cluster puts its text in \
         for $(P): write ${secret:token}\n",
    );
}

/// What is put in for what was put in would make a value of any length.
#[test]
fn values_do_not_grow_without_end() {
    let place = place();
    let lines = (1..64).map(|at| format!("- {{name: A{at}, value: $(A{0})$(A{0})}}\n", at - 1));
    let list: String = lines.collect();
    place.write(
        "spec.yaml",
        format!("env:\n- {{name: A0, value: aaaa}}\n{list}"),
    );
    let end = run(&place, "--spec spec.yaml").end();
    assert_eq!(end.code(), 125);
    assert!(end.err().contains("A20: NAME=value takes"), "{}", end.err());
}

#[test]
fn aliases_do_not_grow_without_end() {
    let place = place();
    let lines = (1..40).map(|at| format!("a{at}: &a{at} {{<<: [*a{0}, *a{0}]}}\n", at - 1));
    let merges: String = lines.collect();
    let lines = (1..40).map(|at| format!("a{at}: &a{at} [*a{0}, *a{0}]\n", at - 1));
    let lists: String = lines.collect();
    for text in [
        format!("a0: &a0 {{b: c}}\n{merges}"),
        format!("a0: &a0 [b]\n{lists}"),
    ] {
        place.write("spec.yaml", text);
        let end = run(&place, "--spec spec.yaml").end();
        assert_eq!(end.code(), 125);
        assert!(
            end.err().contains("there is too much in this"),
            "{}",
            end.err()
        );
    }
}

/// Our own work grows as the list does: a hundred thousand entries are no matter of seconds.
#[test]
fn a_long_list_is_read() {
    let place = place();
    let lines = (0..100_000).map(|at| format!("- name: V{at}\n  value: secret:token\n"));
    let list: String = lines.collect();
    place.write("spec.yaml", format!("env:\n{list}"));
    let end = check(&place, "--names --spec spec.yaml").ok();
    assert_eq!(end.out().lines().count(), 100_001);
}

/// A fault in an entry hides no other one, and `run` says the place of each, as `check` does.
#[test]
fn all_faults_of_a_file_with_their_places() {
    const FAULTY: &str = "\
containers:
- name: a
  env:
  - {name: ONE, value: secret:nope}
  - {name: TWO, vlaue: x}
  - {name: GONE, $patch: delete}
  - name: THREE
    value: |
      secret:token
  - {name: FOUR, valueFrom: {fieldRef: {fieldPath: x}}}
";
    let place = place();
    place.write("pod.yaml", FAULTY);
    let one = "not found in team of dir:plain; create it, or allow its absence with '?'\n";
    let three = "THREE: malformed reference: column 13: a line break stands at the end; leave it out, \
                 in YAML with |- or >-; to pass the value on as it is, use --literal THREE\n";
    let two = "doorkey: error: pod.yaml:5:17: a variable has no such key; did you mean value?\n";
    let run = place.doorkey([
        "run",
        "--store",
        "dir:plain",
        "--spec",
        "pod.yaml",
        "--",
        "true",
    ]);
    run.fails(
        125,
        &format!(
            "{two}doorkey: error: pod.yaml:10: FOUR: its value is the platform's (fieldRef), and is \
             not here; pass it on, or give --env\n\
             doorkey: error: pod.yaml:7: {three}doorkey: error: pod.yaml:4: ONE: secret:nope: {one}"
        ),
    );
    let end = check(&place, "--names --spec pod.yaml").end();
    let at = |line| format!("doorkey: error: pod.yaml:{line}: containers.0.env: ");
    let said = format!("{two}{}ONE: secret:nope: {one}{}{three}", at(4), at(7));
    assert_eq!((end.code(), end.err()), (1, said));
}
