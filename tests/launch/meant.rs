//! References that are plainly meant, and are none by the grammar: never passed on in silence.

use support::{Place, Run};

const VALUE: &str = "canary-5d10a8f2c7";

fn place() -> Place {
    let place = Place::with_store();
    place.set("team", "db_password", VALUE);
    place.set("project/web", "api.key", VALUE);
    place
}

fn run(place: &Place, options: &[&str]) -> Run {
    place.run(["-q"]).args(options).args(["printenv", "V"])
}

fn fault(why: &str, right: &str) -> String {
    format!(
        "doorkey: error: V: a reference is meant, and is not read, as {why}: write {right}; to \
         pass the value on as it is, use --literal V\n"
    )
}

const MIDDLE: &str = "it stands in the middle of a text";
const QUOTES: &str = "it stands in quotes";
const MISSPELT: &str = "it is misspelt";

#[test]
fn a_name_that_exists_is_a_fault() {
    let place = place();
    for (value, why, right) in [
        (
            "postgres://u:secret:db_password@h/d",
            MIDDLE,
            "${secret:db_password}",
        ),
        ("secret-secret:db_password", MIDDLE, "${secret:db_password}"),
        (
            "user=app password=secret:team/db_password.",
            MIDDLE,
            "${secret:team/db_password}",
        ),
        (
            "${secret:db_password} secret:db_password",
            MIDDLE,
            "${secret:db_password}",
        ),
        ("\"secret:db_password\"", QUOTES, "secret:db_password"),
        ("'secret:db_password'", QUOTES, "secret:db_password"),
        (
            " secret:db_password",
            "a blank stands before it",
            "secret:db_password",
        ),
        ("secrets:db_password", MISSPELT, "secret:db_password"),
        ("Secret:db_password", MISSPELT, "secret:db_password"),
        ("Secret: db_password", MISSPELT, "secret:db_password"),
        ("sercet://db_password", MISSPELT, "secret:db_password"),
        ("\"secret:/db_password\"", MISSPELT, "secret:db_password"),
        ("u:SECRET:db_password@h", MISSPELT, "${secret:db_password}"),
        ("${secrets:db_password}", MISSPELT, "secret:db_password"),
        (
            "secret:none?u:secret:db_password",
            MIDDLE,
            "${secret:db_password}",
        ),
    ] {
        let ended = run(&place, &[]).env("V", value).end();
        let found = (ended.code(), ended.err());
        assert_eq!(found, (125, fault(why, right)), "{value}");
        let literal = run(&place, &["--literal", "V"]).env("V", value);
        literal.gives(0, &format!("{value}\n"), "");
    }
    // Whatever source it comes from; a name of a scope that is in force alone.
    let web = "x secret:api.key y";
    let said = fault(MIDDLE, "${secret:api.key}");
    run(&place, &["-p", "web", "-e", &format!("V={web}")]).fails(125, &said);
    place.write("some.env", format!("V={web}\n"));
    run(&place, &["-p", "web", "--env-file", "some.env"])
        .fails(125, &said.replace("V: a", "some.env:1: V: a"));
    run(&place, &["-e", &format!("V={web}")]).gives(0, &format!("{web}\n"), "");
    // Without a key, too, and where another reference is beside it.
    let bare = run(&place, &[]).without("HOME");
    bare.env("V", "x secret:db_password")
        .fails(125, &fault(MIDDLE, "${secret:db_password}"));
    let both = run(&place, &[]).env("W", "secret:none");
    let both = both.env("V", "x secret:db_password").end();
    assert_eq!(
        (both.code(), both.err().lines().count()),
        (125, 2),
        "{}",
        both.err()
    );
    // All that does not launch says the same.
    for words in ["check", "env"] {
        let ended = place.on(words).env("V", "x secret:db_password").end();
        let err = ended.err();
        assert!(ended.code() == 1 && err.contains(MIDDLE), "{err}");
        assert!(!err.contains("canary") && !ended.out().contains("canary"));
    }
}

#[test]
fn the_text_of_another_variables_reference_is_a_fault() {
    let place = place();
    place.write("plain/file", VALUE);
    let file = format!("file:{}", place.path("plain/file").display());
    for (reference, options, text) in [
        ("secret:none?", &[][..], "u:secret:none?@h"),
        (
            "vault:secret/data/db#password",
            &[],
            "u:vault:secret/data/db#password@h",
        ),
        ("k8s:shop/db#tls.crt", &[], "\"k8s:shop/db#tls.crt\""),
        (&file, &["--references", "file"], &format!("jdbc:{file}")),
    ] {
        let ended = run(&place, options)
            .env("A", reference)
            .env("V", text)
            .end();
        let (code, err) = (ended.code(), ended.err());
        let is_said = err
            .lines()
            .any(|line| line.contains("V: a reference is meant"));
        assert!(code == 125 && is_said, "{text}: {err}");
    }
    // No store has to be asked for that.
    let alone = place.doorkey(["run", "-q", "--references=file", "printenv", "V"]);
    let alone = alone.env("A", &file).env("V", format!("jdbc:{file}"));
    let shown = file.replace("file:/", "file:");
    alone.fails(125, &fault(MIDDLE, &format!("${{{shown}}}")));
}

#[test]
fn anything_else_like_one_is_one_warning() {
    let place = place();
    let run = place.run(["printenv", "D"]);
    let run = run
        .env("A", "x secret:nothing y canary-a")
        .env("B", "Secret:nothing")
        .env("C", "u:vault:a/b#c@h")
        .env(
            "D",
            "secret text, hashicorp/vault:1.13, file:/x, client_secret:x",
        )
        .env("E", "secret::nothing secret:db_password")
        .env("F", "$${secret:db_password}");
    run.gives(
        0,
        "secret text, hashicorp/vault:1.13, file:/x, client_secret:x\n",
        "doorkey: warning: what looks like a reference is passed on as text: A, B, C; a reference \
         is secret:NAME alone, or ${secret:NAME} inside a text; --literal NAME ends this\n",
    );
    // Without any store the same, and no other word of it.
    let run = place
        .doorkey(["run", "printenv", "A"])
        .env("A", "x secret:db_password");
    let ended = run.ok();
    assert_eq!(ended.err().lines().count(), 1, "{}", ended.err());
    let run = place.doorkey(["run", "--literal", "A", "printenv", "A"]);
    run.env("A", "x secret:nothing")
        .gives(0, "x secret:nothing\n", "");
    // A store that can't be opened, or asked, keeps nobody from launching.
    for store in ["age:nowhere", "vault:secret/app", "exec:./no-program"] {
        let run = place.doorkey(["run", "-q", "--store", store, "printenv", "A"]);
        run.env("A", "x secret:nothing")
            .gives(0, "x secret:nothing\n", "");
    }
}

#[test]
fn arguments_are_not_filled_in() {
    let place = place();
    let argument = "--password=secret:db_password";
    let said = "doorkey: error: argument 2: a reference is meant, and nothing is filled in in \
                arguments, which others can see: put it into a variable, as \
                NAME=secret:db_password; to pass it on as it is, use --literal arguments\n";
    place
        .run(["-q", "--", "echo", "a", argument])
        .fails(125, said);
    let literal = place.run(["--literal", "arguments", "--", "echo", argument]);
    literal.gives(0, &format!("{argument}\n"), "");
    let ended = place.run(["--", "echo", "secret:nothing"]).ok();
    let names = "passed on as text: argument 1;";
    assert!(ended.err().contains(names), "{}", ended.err());
}
