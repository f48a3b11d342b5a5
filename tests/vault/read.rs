//! `vault:`: documents of scopes on a real server, in both versions of KV: what is found, in how
//! many requests, and what is said where that can't be.

use std::sync::Arc;

use serde_json::{Value, json};
use support::Run;
use support::bao;
use support::bao::{App, Bao};

/// Runs `printenv` of a variable that refers to `secret:k`, or what the arguments say.
fn launch(app: &App, words: &str) -> Run {
    let run = app.run(&format!("run {words}"));
    run.args(["--", "printenv", "V"]).env("V", "secret:k")
}

/// The requests of something that is run.
#[track_caller]
fn requests(app: &App, run: Run) -> Vec<String> {
    let mark = app.bao.mark();
    run.ok();
    app.bao.requests(mark)
}

#[test]
fn three_scopes_in_one_round() {
    let app = App::alone();
    app.put("team", json!({"a": "team a", "b": "team b", "c": "team c"}));
    app.put("cluster/eu", json!({"b": "eu b", "c": "eu c"}));
    app.put("project/web", json!({"c": "web c", "d": "web d"}));
    let all = "run --cluster eu --project web";
    let store = app.store();
    let references = |run: Run| {
        run.args([
            "-e",
            "A=secret:a",
            "-e",
            "B=<${secret:b}>",
            "-e",
            "C=secret:c",
        ])
        .args(["-e", "D=secret:team/c", "-e", "E=secret:cluster/c"])
        .args(["--", "env", "-u", "PATH", "-u", "HOME"])
    };
    let mark = app.bao.mark();
    references(app.run(all)).gives(
        0,
        "A=team a\nB=<eu b>\nC=web c\nD=team c\nE=eu c\n",
        &format!(
            "doorkey: 5 references resolved: 1 from project/web, 2 from cluster/eu, 2 from team of {store} in T ms\n"
        ),
    );
    let round =
        ["cluster/eu", "project/web", "team"].map(|scope| format!("read {}", app.document(scope)));
    assert_eq!(app.bao.requests(mark), round);
    // With `--all`, or one reference, it is the same round: a narrower scope could have it.
    assert_eq!(
        requests(&app, app.run(all).args(["--all", "--", "true"])),
        round
    );
    let one = app.run(all).args(["-e", "A=secret:a", "--", "true"]);
    assert_eq!(requests(&app, one), round);
    // No reference, no request.
    assert_eq!(requests(&app, app.run(all).args(["--", "true"])), [""; 0]);
    let out = app
        .run(all)
        .args(["--all", "--", "env", "-u", "PATH", "-u", "HOME"])
        .ok()
        .out();
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["a=team a", "b=eu b", "c=web c", "d=web d"]);
}

#[test]
fn which_version_it_is_takes_one_request_at_most() {
    let bao = Arc::new(Bao::new());
    let new = App::on(Arc::clone(&bao), 2);
    let old = App::on(bao, 1);
    for app in [&new, &old] {
        app.put("team", json!({"k": "v"}));
        app.put("project/web", json!({"k": "web"}));
    }
    let launch = |app: &App, query: &str, words: &str| {
        let run = launch(app, words).env("DOORKEY_STORE", app.store() + query);
        let mark = app.bao.mark();
        assert_eq!(run.ok().out(), "web\n");
        app.bao.requests(mark)
    };
    let project = "--project web";
    let read = |app: &App, kind: &str, scope: &str| format!("read {}{kind}/app/{scope}", app.mount);
    for query in ["", "?kv=2"] {
        assert_eq!(
            launch(&new, query, project),
            [
                read(&new, "/data", "project/web"),
                read(&new, "/data", "team")
            ]
        );
    }
    assert_eq!(
        launch(&old, "?kv=1", project),
        [read(&old, "", "project/web"), read(&old, "", "team")]
    );
    let detected = launch(&old, "", project);
    let questions = |asked: &[String]| {
        let is_question = |one: &&String| one.contains("sys/internal/ui/mounts/");
        asked.iter().filter(is_question).count()
    };
    assert_eq!(questions(&detected), 1, "{detected:?}");
    assert_eq!(detected.len(), 5, "{detected:?}");
    // A scope without a document needs no question where another shows what is mounted.
    let one = launch(&new, "", "--project web --cluster none");
    assert_eq!((questions(&one), one.len()), (0, 3), "{one:?}");

    let wrong = new.run("run -- true").env("V", "secret:k");
    let wrong = wrong.env("DOORKEY_STORE", new.store() + "?kv=3");
    let store = new.store();
    wrong.fails(
        125,
        &format!("doorkey: error: {store}?kv=3: after '?' the store's name has kv=1 or kv=2\n"),
    );
}

#[test]
fn any_existing_document_can_be_a_scope() {
    let app = App::new();
    app.admin.mount(&format!("{}deep/er", app.mount), 2);
    let deep = format!("{}deep/er", app.mount);
    app.admin.policy(
        "deep",
        &format!(r#"path "{deep}/*" {{ capabilities = ["read"] }}"#),
    );
    let token = app.admin.token(&format!("deep,{}", app.mount));
    app.admin.put(&deep, "x/y", json!({"k": "deep"}));
    app.put("team", json!({"k": "team", "only": "team"}));
    let run = |words: &str| launch(&app, words).env("VAULT_TOKEN", &token);
    let paths = [
        format!("{deep}/x/y"),
        format!("{deep}/data/x/y"),
        format!("/{deep}/x/y"),
    ];
    for path in &paths {
        let given = run(&format!("--project any --project-path {path}"));
        assert_eq!(given.ok().out(), "deep\n", "{path}");
    }
    let by_variable = run("--project any").env("DOORKEY_PROJECT_PATH", &paths[0]);
    assert_eq!(by_variable.env("V", "secret:only").ok().out(), "team\n");
    // Without a store's name that says a mount, every scope in force needs its path.
    let run_bare = |words: &str| run(words).env("DOORKEY_STORE", "vault:");
    let both = format!(
        "--project any --project-path {} --team-path {}/app/team",
        paths[0], app.mount
    );
    assert_eq!(run_bare(&both).ok().out(), "deep\n");
    run_bare("").fails(
        125,
        &format!(
            "doorkey: error: {}: the store's name says no mount; give vault:MOUNT/PREFIX, or --team-path\n",
            app.bao.address()
        ),
    );
    let up = run("--team-path a/../b");
    up.fails(
        125,
        &format!(
            "doorkey: error: {}: --team-path: a path has no empty steps, no '.' and no '..'\n",
            app.store()
        ),
    );
}

#[test]
fn namespaces() {
    let bao = Bao::shared();
    let inner = bao.admin().namespace("outer").namespace("inner");
    let app = App::within(bao, inner, 2);
    app.put("team", json!({"k": "inner"}));
    for name in ["outer/inner", "outer/inner/", "/outer/inner"] {
        let run = launch(&app, "").env("VAULT_NAMESPACE", name);
        assert_eq!(run.ok().out(), "inner\n", "{name}");
    }
    assert_eq!(
        launch(&app, "--namespace outer/inner").ok().out(),
        "inner\n"
    );
    let hidden = launch(&app, "").env("BAO_NAMESPACE", "outer/inner");
    assert_eq!(hidden.env("VAULT_NAMESPACE", "wrong").ok().out(), "inner\n");
    let store = app.store();
    launch(&app, "--namespace nowhere").fails(
        125,
        &format!("doorkey: error: V: secret:k: team of {store}: the server has no such namespace; check VAULT_NAMESPACE\n"),
    );
}

#[test]
fn values_of_every_kind() {
    let app = App::new();
    let text = r#"{"data": {"text": "a\u00e9\"\n ", "empty": "", "number": 1.50, "large":
        1234567890123456, "yes": true, "none": null, "list": [ 1, "a" ], "object": {"b": {"c": "x"} },
        "a-b.c": "odd", "DOORKEY_X": "no", "é": "no name"}}"#;
    let body: Value = serde_json::from_str(text).unwrap();
    app.admin.call("POST", &app.document("team"), &body);
    for (reference, value) in [
        ("secret:text", "aé\"\n "),
        ("secret:empty", ""),
        ("secret:number", "1.5"),
        ("secret:large", "1234567890123456"),
        ("secret:yes", "true"),
        ("secret:none", "null"),
        ("secret:list", r#"[1,"a"]"#),
        ("secret:object", r#"{"b":{"c":"x"}}"#),
        ("secret:object#b.c", "x"),
        ("secret:list#1", "a"),
        ("secret:a-b.c", "odd"),
        ("secret:text|base64", "YcOpIgog"),
        ("secret:other?instead", "instead"),
        ("<${secret:yes}>", "<true>"),
    ] {
        assert_eq!(app.value(reference), value, "{reference}");
    }
    let listed = app.operator("secret list --team --fields name").ok().out();
    assert!(!listed.contains('é'), "{listed}");
}

#[test]
fn what_is_not_there_is_said() {
    let app = App::alone();
    let store = app.store();
    let mount = &app.mount;
    let fault = |run: Run, why: &str| {
        run.fails(125, &format!("doorkey: error: {why}\n"));
    };
    // No document at all: a typing error must not look like "no secrets".
    let none = format!(
        "{store}: none of {mount}/app/project/web, {mount}/app/team exists; check the store's name, or set a secret"
    );
    fault(launch(&app, "--project web"), &none);
    fault(launch(&app, "--project web").env("V", "secret:k?"), &none);

    app.put("team", json!({"key": "v"}));
    fault(
        launch(&app, "--project web").env("V", "secret:kei"),
        &format!(
            "V: secret:kei: not found in project/web, team of {store}; did you mean key (team)?"
        ),
    );
    let optional = launch(&app, "--project web").env("V", "secret:k?text");
    assert_eq!(optional.ok().out(), "text\n");

    // A mount that is none. Only who may do everything is told so by the server.
    let nowhere = |run: Run| run.env("DOORKEY_STORE", "vault:nowhere/app");
    let operator = || app.operator("run -- true").env("V", "secret:k");
    let ended = nowhere(operator()).end();
    assert_eq!(ended.code(), 125);
    assert!(
        ended.err().contains("nothing is mounted at nowhere"),
        "{}",
        ended.err()
    );
    let ended = nowhere(operator().env("V", "secret:k?")).end();
    assert_eq!(ended.code(), 125, "{}", ended.err());
    let ended = nowhere(launch(&app, "").env("V", "secret:k?")).end();
    assert!(
        ended.code() == 125 && ended.err().contains("denied"),
        "{}",
        ended.err()
    );
}

#[test]
fn deleted_destroyed_and_denied_stop_what_needs_them() {
    let app = App::new();
    let store = app.store();
    app.put("team", json!({"k": "team", "t": "team"}));
    app.put("project/web", json!({"k": "web"}));
    let policy = format!(
        r#"path "{0}/data/app/team" {{ capabilities = ["read"] }}"#,
        app.mount
    );
    app.admin.policy("team-only", &policy);
    let team_only = app.admin.token("team-only");
    let fault = |run: Run, why: &str| {
        let path = format!("{}/app/project/web", app.mount);
        let why = why.replace("PATH", &path);
        run.fails(
            125,
            &format!("doorkey: error: V: secret:k: project/web of {store}: {why}\n"),
        );
    };
    let web = || launch(&app, "--project web");
    // A name that must be looked for there first, a scope that nobody asked for, and one that is
    // needed by another name only.
    fault(
        web().env("VAULT_TOKEN", &team_only),
        "denied: the token may not use PATH, or is no longer valid; its policies must allow it",
    );
    let fine = || web().env("V", "secret:team/k");
    assert_eq!(fine().env("VAULT_TOKEN", &team_only).ok().out(), "team\n");
    assert_eq!(
        launch(&app, "").env("VAULT_TOKEN", &team_only).ok().out(),
        "team\n"
    );

    let document = app.document("project/web");
    app.admin.delete(&document);
    fault(
        web(),
        "PATH is deleted; undelete it, or set its secrets again",
    );
    fault(
        web().env("V", "secret:k"),
        "PATH is deleted; undelete it, or set its secrets again",
    );
    assert_eq!(fine().ok().out(), "team\n");
    let destroy = document.replacen("/data/", "/destroy/", 1);
    app.admin.write(&destroy, json!({"versions": [1]}));
    fault(web(), "PATH is destroyed; set its secrets again");
    assert_eq!(fine().ok().out(), "team\n");
    // Also where a missing one would not be a fault.
    let optional = web().env("V", "secret:k?text").end();
    assert_eq!(optional.code(), 125, "{}", optional.err());
}

#[test]
fn a_quota_is_waited_for_and_a_seal_is_said() {
    let app = App::alone();
    app.put("team", json!({"k": "v"}));
    app.admin.quota(&format!("{}/", app.mount), 1, 1, true);
    // More launches than there are requests in a second: they wait for their turn.
    let children: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn({
                let run = launch(&app, "-q --timeout 20s");
                move || run.ok().out()
            })
        })
        .collect();
    for child in children {
        assert_eq!(child.join().unwrap(), "v\n");
    }
    // Past the deadline it says what was tried, how often, and what came of it.
    app.admin.delete("sys/quotas/rate-limit/test");
    app.admin.quota(&format!("{}/", app.mount), 1, 60, false);
    bao::wait("the quota is used up", || {
        (app.admin.status("GET", &app.document("team"), &Value::Null) == 429).then_some(())
    });
    let ended = launch(&app, "-q --timeout 1s").end();
    let err = ended.err();
    let begins = format!(
        "doorkey: error: {}: GET {}/v1/{}: gave up after ",
        app.store(),
        app.bao.address(),
        app.document("team")
    );
    assert!(err.starts_with(&begins), "{err}");
    assert!(
        err.ends_with("; the last: status 429: a rate limit quota is exceeded\n"),
        "{err}"
    );
    app.admin.delete("sys/quotas/rate-limit/test");

    app.bao.seal();
    let ended = launch(&app, "--timeout 1s").end();
    let err = ended.err();
    assert!(
        err.ends_with("; the last: status 503: it is sealed; unseal it\n"),
        "{err}"
    );
    // Unsealed in time, nobody notices.
    let run = launch(&app, "-q --timeout 30s");
    let late = std::thread::spawn(move || run.ok().out());
    app.bao.unseal();
    assert_eq!(late.join().unwrap(), "v\n");
}
