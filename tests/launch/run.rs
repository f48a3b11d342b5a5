//! `doorkey run` from outside: which scope wins, what stops a launch and what does not, how a
//! value is filled in. Standard output and standard error are compared exactly.

use support::Place;

const STORE: &str = "age:secrets";
const KNOWN: &str = "create it, or allow its absence with '?'";

/// A store with one name in all three scopes, and others in one.
fn place() -> Place {
    let place = Place::with_store();
    place.set("team", "a", "a-team");
    place.set("cluster/eu", "a", "a-cluster");
    place.set("project/web", "a", "a-project");
    place.set("team", "b", "b-team");
    place.set("cluster/eu", "b", "b-cluster");
    place.set("team", "c", "c-team");
    place
}

fn fault(variable: &str, name: &str, cause: &str) -> String {
    format!("doorkey: error: {variable}: secret:{name}: {cause}\n")
}

/// The lines of the references of `launch` that can't be filled in.
fn missing(variable: &str, name: &str, searched: &str) -> String {
    fault(
        variable,
        name,
        &format!("not found in {searched} of {STORE}; {KNOWN}"),
    )
}

#[test]
fn the_narrowest_scope_wins() {
    let place = place();
    for (options, reference, value, scope) in [
        (&[][..], "a", "a-team", "team"),
        (&["--cluster", "eu"], "a", "a-cluster", "cluster/eu"),
        (&["--project", "web"], "a", "a-project", "project/web"),
        (
            &["--project", "web", "--cluster", "eu"],
            "a",
            "a-project",
            "project/web",
        ),
        (
            &["--project", "web", "--cluster", "eu"],
            "b",
            "b-cluster",
            "cluster/eu",
        ),
        (
            &["--project", "web", "--cluster", "eu"],
            "c",
            "c-team",
            "team",
        ),
        (
            &["-p", "web", "--cluster", "eu"],
            "team/a",
            "a-team",
            "team",
        ),
        (
            &["-p", "web", "--cluster", "eu"],
            "cluster/a",
            "a-cluster",
            "cluster/eu",
        ),
        (
            &["-p", "web", "--cluster", "eu"],
            "project/a",
            "a-project",
            "project/web",
        ),
        // Another project's or cluster's secrets are nobody else's.
        (&["-p", "other", "--cluster", "us"], "a", "a-team", "team"),
    ] {
        let run = place.run(options).args(["--", "printenv", "X"]);
        run.env("X", format!("secret:{reference}")).gives(
            0,
            &format!("{value}\n"),
            &format!("doorkey: 1 reference resolved: 1 from {scope} of {STORE} in T ms\n"),
        );
    }
}

#[test]
fn the_summary_counts_references_and_secrets() {
    let place = place();
    let run = place.run(["-p", "web", "--cluster", "eu", "printenv", "X", "Y", "Z"]);
    run.env("X", "${secret:a}+${secret:a}+${secret:b}")
        .env("Y", "secret:c")
        .env("Z", "secret:none?")
        .env("W", "secret::a")
        .gives(
            1,
            "a-project+a-project+b-cluster\nc-team\n",
            "doorkey: 5 references resolved: 2 from project/web, 1 from cluster/eu, \
             1 from team of age:secrets, 1 left out in T ms\n",
        );
    // Where nothing refers to a secret there is nothing to tell, and no store is needed.
    place
        .doorkey(["run", "true"])
        .env("X", "secret::a")
        .gives(0, "", "");
}

#[test]
fn a_scope_that_fails_stops_the_launch() {
    let place = place();
    let corrupt = "doorkey: error: X: secret:a: project/web of age:secrets: corrupt: ";
    let file = place.path("secrets/project/web/a.age");
    let good = std::fs::read(&file).unwrap();
    let damaged = [&good[..good.len() - 1], &[good[good.len() - 1] ^ 1]].concat();
    for (contents, why) in [
        (&b""[..], "it is no age file"),
        (b"no age file at all", "it is no age file"),
        (&good[..good.len() - 3], "it is a damaged age file"),
        (&good[..60], "it is a damaged age file"),
        (&damaged, "it is a damaged age file"),
    ] {
        place.write("secrets/project/web/a.age", contents);
        let run = place
            .run(["-p", "web", "--", "printenv", "X"])
            .env("X", "secret:a");
        run.fails(
            125,
            &format!("{corrupt}{why}; restore it or set it again\n"),
        );
    }
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let run = place
        .run(["-p", "web", "--", "printenv", "X"])
        .env("X", "secret:a?");
    run.fails(
        125,
        &format!("{corrupt}it is no regular file; restore it or set it again\n"),
    );
    std::fs::remove_dir(&file).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &file).unwrap();
    let run = place
        .run(["-p", "web", "--", "printenv", "X"])
        .env("X", "secret:a?x");
    let outside = "project/web of age:secrets: refused: it leads out of the store";
    run.fails(125, &fault("X", "a", outside));
}

#[test]
fn a_foreign_key_is_denied() {
    let place = place();
    let other = Place::with_store();
    let theirs = std::fs::read(other.path("secrets/recipients.txt")).unwrap();
    place.write("secrets/project/closed/recipients.txt", theirs);
    place.set("project/closed", "a", "closed");
    let denied = "project/closed of age:secrets: denied: the key is not one of its recipients; \
                  have somebody who can read it add the key";
    for reference in ["a", "a?", "a?text", "project/a"] {
        let run = place.run(["-p", "closed", "--", "true"]);
        let name = reference.split('?').next().unwrap();
        run.env("X", format!("secret:{reference}"))
            .fails(125, &fault("X", name, denied));
    }
    // Who has the key reads it.
    let key = other.path("home/.config/doorkey/key.txt");
    let run = place
        .run(["-p", "closed", "-q", "--", "printenv", "X"])
        .env("X", "secret:a");
    run.env("DOORKEY_KEY_FILE", key).gives(0, "closed\n", "");
}

#[test]
fn faults_in_what_is_not_needed_stop_nothing() {
    let place = place();
    place.write(
        "secrets/team/a.age",
        "corrupt, but the project answers first",
    );
    place.write(
        "secrets/team/unused.age",
        "corrupt, but nobody refers to it",
    );
    place.write("secrets/project/other/a.age", "corrupt, but not in force");
    place.write(
        "secrets/project/web/.tmp-1-2-3",
        "what a killed writer left",
    );
    let run = place.run(["-p", "web", "-q", "--", "printenv", "X"]);
    run.env("X", "secret:a").gives(0, "a-project\n", "");
    let run = place
        .run(["-q", "--", "printenv", "X"])
        .env("X", "secret:b");
    run.gives(0, "b-team\n", "");
}

#[test]
fn all_faults_at_once_and_nothing_is_executed() {
    let place = place();
    place.write("secrets/team/broken.age", "x");
    place.set("team", "text", "not json");
    place.write("faulty.env", "A B=1\n");
    let run = place.run(["--env-file", "faulty.env", "--", "touch", "executed"]);
    let run = run
        .env("V1", "secret:a")
        .env("V2", "secret:none")
        .env("V3", "secret:.malformed")
        .env(
            "V4",
            "${secret:nowhere} ${secret:project/a} ${secret:broken}",
        )
        .env("V5", "secret:text#member")
        .env("V6", "secret:text|base64decode");
    let expected = [
        "doorkey: error: faulty.env:1:3: a name has no blank in it\n",
        "doorkey: error: V3: malformed reference: column 8: a name begins with a letter, a digit \
         or '_'; to pass the value on as it is, use --literal V3\n",
        &missing("V2", "none", "team"),
        &missing("V4", "nowhere", "team"),
        &fault(
            "V4",
            "project/a",
            "no project is in force; give --project ID or DOORKEY_PROJECT",
        ),
        &fault(
            "V4",
            "broken",
            "team of age:secrets: corrupt: it is no age file; restore it or set it again",
        ),
        &fault(
            "V5",
            "text",
            "a member is asked for, but the secret in team is not JSON",
        ),
        &fault(
            "V6",
            "text",
            "base64decode: the value from team is not base64",
        ),
    ];
    run.fails(125, &expected.concat());
    assert!(!place.path("executed").exists());
}

#[test]
fn a_near_miss_names_the_nearest() {
    let place = Place::with_store();
    place.set("team", "db_password", "x");
    place.set("project/web", "api_key", "x");
    place.set("project/other", "smtp_token", "x");
    for (reference, searched, hint) in [
        (
            "db_pasword",
            "project/web, team",
            "did you mean db_password (team)?",
        ),
        (
            "DB_PASSWORD",
            "project/web, team",
            "did you mean db_password (team)?",
        ),
        (
            "apikey",
            "project/web, team",
            "did you mean api_key (project/web)?",
        ),
        (
            "project/db_password",
            "project/web",
            "it is in team, where the reference does not look",
        ),
        ("smtp_tokens", "project/web, team", KNOWN),
    ] {
        let cause = format!("not found in {searched} of {STORE}; {hint}");
        let run = place
            .run(["-p", "web", "true"])
            .env("X", format!("secret:{reference}"));
        run.fails(125, &fault("X", reference, &cause));
    }
}

#[test]
fn exit_codes() {
    let place = place();
    place.write("plain", "no program");
    place.write("bin/plain", "no program");
    std::fs::create_dir(place.path("folder")).unwrap();
    let here = |name: &str| place.path(name).display().to_string();
    for (command, code, stderr) in [
        (&["sh", "-c", "exit 0"][..], 0, String::new()),
        (&["sh", "-c", "exit 7"], 7, String::new()),
        (&["sh", "-c", "exit 125"], 125, String::new()),
        (&["sh", "-c", "kill -9 $$"], 137, String::new()),
        (
            &["no-such-command"],
            127,
            "doorkey: error: no-such-command: command not found\n".into(),
        ),
        (
            &["./none"],
            127,
            "doorkey: error: ./none: command not found\n".into(),
        ),
        (&[""], 127, "doorkey: error: : command not found\n".into()),
        (
            &["./plain"],
            126,
            "doorkey: error: ./plain: can't be executed: permission denied: nobody may, by its mode 0644; run chmod +x on it\n".into(),
        ),
        (
            &["./folder"],
            126,
            "doorkey: error: ./folder: can't be executed: it is a folder\n".into(),
        ),
        // What stands after the command is the command's, a second `--` and options included.
        (&["test", "--", "=", "--"], 0, String::new()),
        (&["test", "--help", "=", "--help"], 0, String::new()),
    ] {
        for separator in [&["-q", "--"][..], &["-q"]] {
            place.run(separator).args(command).gives(code, "", &stderr);
        }
    }
    // The command is looked for in the workload's PATH, which the sources can change.
    place.write("bin/mine", "#!/bin/sh\necho mine\n");
    std::process::Command::new("chmod")
        .args(["+x", &here("bin/mine")])
        .status()
        .unwrap();
    place
        .run(["-e", &format!("PATH={}", here("bin")), "mine"])
        .gives(0, "mine\n", "");
    place
        .run(["-e", &format!("PATH={}", here("bin")), "plain"])
        .fails(
            126,
            "doorkey: error: plain: can't be executed: permission denied: nobody may, by its mode \
             0644; run chmod +x on it\n",
        );
    place
        .run(["-e", "PATH=/nowhere", "sh"])
        .fails(127, "doorkey: error: sh: command not found\n");
}
