//! `--references`: values that are references only where the user says so.

use serde_json::json;
use support::faulty::{Faulty, json};
use support::{Place, Run};

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-AbCdEf";

fn launch(place: &Place, words: &str) -> Run {
    place.doorkey(["run"]).args(words.split_whitespace())
}

#[test]
fn files() {
    let place = Place::new();
    place.write("files/db/password", b"line\nand\xff\n");
    let path = place.path("files/db/password");
    let folder = place.path("files");
    let read = |value: &str| {
        let run = launch(&place, "-q --references file -- printenv V");
        run.env("V", value).env("FILE_MOUNT_PATH", &folder)
    };
    for value in ["file:db/password", "file:/db/password"] {
        assert_eq!(
            read(value).ok().output.stdout,
            b"line\nand\xff\n\n",
            "{value}"
        );
    }
    // Below the root where no folder is named.
    let whole = format!("file:{}", path.display());
    let run = read(&whole).without("FILE_MOUNT_PATH");
    assert_eq!(run.ok().output.stdout, b"line\nand\xff\n\n");
    // As other references.
    read("file:db/none?x").gives(0, "x\n", "");
    read("${file:db/password|base64}").gives(0, "bGluZQphbmT/Cg==\n", "");
    read("file::db").gives(0, "file:db\n", "");
    for (value, what) in [
        (
            "file:db/none",
            "there is no such document in file:; create it, or allow its absence with '?'",
        ),
        ("file:db", "unreadable: is a directory"),
    ] {
        let ended = read(value).end();
        assert_eq!(ended.code(), 125);
        assert!(
            ended.err().ends_with(&format!("{what}\n")),
            "{}",
            ended.err()
        );
    }
    for value in ["file:../x", "file:a//b", "file:a#k"] {
        let said = read(value).end().err();
        assert!(said.contains("malformed reference"), "{said}");
    }
    // It is no store.
    let ended = place
        .doorkey(["run", "--store", "file:x", "true"])
        .env("A", "secret:a")
        .end();
    assert!(
        ended
            .err()
            .ends_with("there are no scopes in single files\n"),
        "{}",
        ended.err()
    );
}

#[test]
fn bare_arns() {
    let place = Place::new();
    let answer = json!({"SecretString": r#"{"user": "x", "port": 1.50}"#});
    let server = Faulty::new(move |_| json(200, &answer));
    let as_somebody = |run: Run| {
        run.env("AWS_ENDPOINT_URL", server.address())
            .env("AWS_ACCESS_KEY_ID", "id")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
    };
    let run = launch(&place, "-q -- printenv A B C D");
    let run = as_somebody(run)
        .env("DOORKEY_REFERENCES", "arn, file")
        .env("A", ARN)
        .env("B", format!("{ARN}#port"))
        .env("C", format!("{ARN}#none?y"))
        .env("D", format!("see {ARN}"));
    let whole = r#"{"user": "x", "port": 1.50}"#;
    run.gives(0, &format!("{whole}\n1.50\ny\nsee {ARN}\n"), "");
    let asked = server.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].json()["SecretId"], ARN);
    // Of other services, and malformed.
    for (value, is_reference) in [
        ("arn:aws:sqs:eu-west-1:1:queue", false),
        ("arn:awsome", false),
        ("arn:aws:secretsmanager:eu-west-1:1:other:x", true),
        ("arn:aws:secretsmanager:eu-west-1:1:secret:x#k#v#", true),
    ] {
        let run = launch(&place, "-q --references arn -- printenv V").env("V", value);
        let ended = as_somebody(run).end();
        match is_reference {
            true => assert!(
                ended.err().contains("malformed reference: column "),
                "{}",
                ended.err()
            ),
            false => assert_eq!(ended.out(), format!("{value}\n")),
        }
    }
}

#[test]
fn who_may_say_so() {
    let place = Place::new();
    place.write("f", "of the file");
    let value = format!("file:{}", place.path("f").display());
    let run = |words: &str| launch(&place, words).env("V", &value);
    run("-q -- printenv V").gives(0, &format!("{value}\n"), "");
    run("-q --references= -- printenv V").gives(0, &format!("{value}\n"), "");
    run("-q --literal V --references file -- printenv V").gives(0, &format!("{value}\n"), "");
    place.write("doorkey.toml", "references = 'file'\n");
    run("-q -- printenv V").gives(0, "of the file\n", "");
    run("-q --references arn -- printenv V").gives(0, &format!("{value}\n"), "");
    place.write("doorkey.toml", "references = 'files'\n");
    let among = "must be of arn, file, with commas between\n";
    run("-- true").fails(
        125,
        &format!("doorkey: error: references in doorkey.toml {among}"),
    );
    run("--references fil -- true").fails(125, &format!("doorkey: error: --references {among}"));
    // Checked and shown as any other.
    place.write("doorkey.toml", "references = 'file'\n");
    let run = place.doorkey(["check", "--quiet"]).env("V", "file:none");
    assert!(
        run.end()
            .err()
            .contains("V: file:none: there is no such document")
    );
}

#[test]
fn what_seems_to_be_meant_is_warned_of() {
    let place = Place::new();
    let run = |words: &str| {
        launch(&place, words)
            .env("A", ARN)
            .env("F", "file:///srv/x.db")
    };
    let warning = |name: &str, word: &str| {
        format!(
            "doorkey: warning: {name} looks like a reference, and is passed on as it is: give \
             --references {word}, or --literal {name}\n"
        )
    };
    let both = [warning("A", "arn"), warning("F", "file")].concat();
    let said = run("-- true").ok().err();
    assert_eq!(said, both);
    assert_eq!(run("--literal F -- true").ok().err(), "");
    // Alone they are anybody's; beside another of that tool's they are likely its.
    assert_eq!(run("-- true").without("A").ok().err(), "");
    let beside = run("-- true")
        .without("A")
        .env("B", "gcp:secretmanager:projects/p/secrets/s")
        .env("NO_GCE_CHECK", "true");
    let said = beside.end().err();
    assert!(said.starts_with(&warning("F", "file")), "{said}");
    let others = run("-- true")
        .without("A")
        .env("B", "arn:aws:sqs:eu-west-1:1:q");
    assert_eq!(others.ok().err(), "");
}
