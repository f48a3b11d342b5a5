//! `vault:`: every way to log in, each against a real server, and what becomes of the token.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};
use support::bao;
use support::bao::{App, Pki, Signer};
use support::{Place, Run};

/// A mount of a server of its own, whose team has the secret `k`.
fn app() -> App {
    let app = App::alone();
    app.put("team", json!({"k": "v"}));
    app
}

/// A launch that succeeds with the value of `secret:k`; gives the requests that it came to.
#[track_caller]
fn launch(app: &App, run: Run) -> Vec<String> {
    let mark = app.bao.mark();
    let ended = run
        .args(["-q", "--", "printenv", "V"])
        .env("V", "secret:k")
        .ok();
    assert_eq!((&*ended.out(), &*ended.err()), ("v\n", ""));
    app.bao.requests(mark)
}

/// A launch that fails with this said of the store.
#[track_caller]
fn refused(app: &App, run: Run, why: &str) {
    let run = run.args(["--", "true"]).env("V", "secret:k");
    run.fails(125, &format!("doorkey: error: {}: {why}\n", app.store()));
}

/// The requests of a launch that reads, beside these.
fn reading(app: &App, others: &[&str]) -> Vec<String> {
    let mut all = vec![format!("read {}", app.document("team"))];
    all.extend(others.iter().map(|&other| other.to_owned()));
    all.sort();
    all
}

const REVOKED: &str = "update auth/token/revoke-self";
const UNWRAPPED: &str = "update sys/wrapping/unwrap";

#[test]
fn every_method() {
    let app = app();
    let signer = Signer::new(app.path("keys"));
    let (role, secret) = app.admin.approle("approle", &app.mount);
    app.admin
        .userpass("userpass", "a long password", &app.mount);
    app.admin.jwt("jwt", &signer.public, &app.mount);
    let reviewer = bao::reviewer();
    let ca = Pki::new(app.path("pki")).text("ca.pem");
    let host = reviewer.address();
    app.admin.kubernetes("kubernetes", &host, &ca, &app.mount);
    let alive = app.admin.tokens();

    let by = |method: &str| app.nobody("run").env("VAULT_AUTH_METHOD", method);
    let asked = |path: &str| reading(&app, &[REVOKED, &format!("update auth/{path}")]);

    let run = by("approle").env("VAULT_ROLE_ID", &role);
    let run = run.env("VAULT_SECRET_ID", &secret);
    assert_eq!(launch(&app, run), asked("approle/login"));

    let run = by("userpass").env("VAULT_USERNAME", "ann");
    let run = run.env("VAULT_PASSWORD", "a long password");
    assert_eq!(launch(&app, run), asked("userpass/login/ann"));

    let jwt = signer.sign(json!({"sub": "ci"}));
    let run = by("jwt").env("VAULT_JWT", &jwt).env("VAULT_ROLE", "web");
    assert_eq!(launch(&app, run), asked("jwt/login"));

    let jwt = app.write("jwt", signer.service_account("shop", "web") + "\n");
    let run = by("kubernetes").env("VAULT_JWT_FILE", jwt);
    let run = run.env("VAULT_ROLE", "web");
    assert_eq!(launch(&app, run), asked("kubernetes/login"));

    // The same by options, with files that end with a newline, at another mount.
    app.admin.approle("other/place", &app.mount);
    let id = app.admin.read("auth/other/place/role/web/role-id")["role_id"].take();
    app.write("role", format!("{}\n", id.as_str().unwrap()));
    app.write("secret", app.admin.secret_id("other/place") + "\n");
    let run = app.nobody("run --auth approle --auth-path other/place");
    let run = run.env("VAULT_ROLE_ID_FILE", "role");
    let run = run.env("VAULT_SECRET_ID_FILE", "secret");
    assert_eq!(launch(&app, run), asked("other/place/login"));
    let run = by("jwt").env("VAULT_ROLE", "none").arg("--role").arg("web");
    let run = run.env("VAULT_JWT", signer.sign(json!({"sub": "ci"})));
    launch(&app, run.env("VAULT_PATH", "auth/jwt"));

    assert_eq!(app.admin.tokens(), alive, "every token is revoked");
}

#[test]
fn what_is_refused_says_so() {
    let app = app();
    let signer = Signer::new(app.path("keys"));
    let (role, secret) = app.admin.approle("approle", &app.mount);
    app.admin
        .userpass("userpass", "a long password", &app.mount);
    app.admin.jwt("jwt", &signer.public, &app.mount);
    let by = |method: &str| app.nobody("run").env("VAULT_AUTH_METHOD", method);

    let mark = app.bao.mark();
    let approle = |secret: &str| {
        let run = by("approle").env("VAULT_ROLE_ID", &role);
        run.env("VAULT_SECRET_ID", secret)
    };
    refused(
        &app,
        approle("wrong"),
        "not admitted by approle at auth/approle: the role id or the secret id is wrong or used up",
    );
    // A wrong secret id may be the wrapping of the right one: that is looked at, once.
    assert_eq!(
        app.bao.requests(mark),
        ["update auth/approle/login", UNWRAPPED]
    );
    refused(
        &app,
        approle(&secret).env("VAULT_PATH", "nowhere"),
        "not admitted by approle at auth/nowhere: the server says no; check the auth mount \
         (VAULT_PATH), the role and the account",
    );
    let run = by("userpass").env("VAULT_USERNAME", "ann");
    refused(
        &app,
        run.env("VAULT_PASSWORD", "wrong"),
        "not admitted by userpass at auth/userpass: the user or the password is wrong",
    );
    let jwt = |claims: Value, role: &str| {
        by("jwt")
            .env("VAULT_JWT", signer.sign(claims))
            .env("VAULT_ROLE", role)
    };
    refused(
        &app,
        jwt(json!({"sub": "ci", "exp": 1}), "web"),
        "not admitted by jwt at auth/jwt: the JWT has expired",
    );
    for claim in ["iat", "nbf"] {
        refused(
            &app,
            jwt(
                json!({"sub": "ci", claim: 4_000_000_000_u32, "exp": 4_100_000_000_u32}),
                "web",
            ),
            "not admitted by jwt at auth/jwt: the JWT is from the future: are the clocks of its \
             issuer and of the server right?",
        );
    }
    refused(
        &app,
        jwt(json!({"sub": "ci"}), "none"),
        "not admitted by jwt at auth/jwt: the server has no such role",
    );
    refused(
        &app,
        app.nobody("run").env("VAULT_TOKEN", "nonsense"),
        "not admitted by token: it is none that the server knows: wrong, expired, revoked or \
         used up",
    );
    // What is missing is said before anything is asked.
    let mark = app.bao.mark();
    let lacking = [
        (
            app.nobody("run"),
            "there is nothing to log in with: give VAULT_TOKEN or VAULT_TOKEN_FILE, or \
             VAULT_AUTH_METHOD with what it needs",
        ),
        (
            by("approle"),
            "to log in by approle, give VAULT_ROLE_ID or VAULT_ROLE_ID_FILE",
        ),
        (by("userpass"), "to log in by userpass, give VAULT_USERNAME"),
        (
            by("magic"),
            "the auth method must be token, approle, kubernetes, jwt, userpass, cert or none",
        ),
        (
            app.nobody("run").env("VAULT_TOKEN_FILE", "nowhere"),
            "can't read [VAULT_TOKEN_FILE]: no such file or directory; it does not look like a path, \
             and is not shown",
        ),
    ];
    for (run, why) in lacking {
        refused(&app, run, why);
    }
    assert_eq!(app.bao.requests(mark), [""; 0]);
}

#[test]
fn a_token_from_elsewhere_is_used_and_left_alone() {
    let app = app();
    let only = reading(&app, &[]);
    let run = || app.nobody("run");
    assert_eq!(launch(&app, app.run("run")), only);
    // The official clients' order: the first prefix wins, and hides the other even if empty.
    let both = |first: &str, second: &str| {
        run()
            .env("BAO_TOKEN", first)
            .env("VAULT_TOKEN", second)
            .env("BAO_ADDR", app.bao.address())
            .env("VAULT_ADDR", app.bao.address())
    };
    launch(&app, both(&app.token, "wrong"));
    refused(
        &app,
        both("", &app.token),
        "there is nothing to log in with: give VAULT_TOKEN or VAULT_TOKEN_FILE, or \
         VAULT_AUTH_METHOD with what it needs",
    );
    // Files; the one in HOME is the last resort.
    let file = app.write("token", format!(" {}\n", app.token));
    assert_eq!(launch(&app, run().env("VAULT_TOKEN_FILE", &file)), only);
    let run_with = |words: &str| app.nobody(&format!("run {words}"));
    assert_eq!(launch(&app, run_with("--token-file token")), only);
    app.write("home/.vault-token", &app.token);
    assert_eq!(launch(&app, run()), only);
    let wrong = run().env("VAULT_TOKEN", "wrong");
    refused(
        &app,
        wrong,
        "not admitted by token: it is none that the server knows: wrong, expired, revoked or \
         used up",
    );
    // As the closest tool of this kind asks for it.
    let run = app.run("run").env("VAULT_REVOKE_TOKEN", "true");
    assert_eq!(launch(&app, run), reading(&app, &[REVOKED]));
    assert_eq!(
        app.admin
            .with_token(&app.token)
            .status("GET", "auth/token/lookup-self", &Value::Null),
        403
    );
}

#[test]
fn a_token_file_that_is_read_once() {
    let app = app();
    let file = app.write("token", &app.token);
    let once = || app.nobody("run --token-file ./token --token-once");
    launch(&app, once());
    assert!(!file.exists());
    let none = "--token-file: can't read ./token: no such file or directory";
    refused(&app, once(), none);
    // A mounted secret is a link to a file that can't be removed: nothing is started then.
    app.write("sub/token", &app.token);
    symlink("sub/token", &file).unwrap();
    launch(&app, once());
    assert!(!app.path("sub/token").exists(), "it is the token that goes");
    // The next one finds none, and one that would stay under another name is a fault.
    refused(&app, once(), none);
    app.write("sub/token", &app.token);
    fs::hard_link(app.path("sub/token"), app.path("sub/other")).unwrap();
    let why = "--token-once: can't remove ./token: it has another name, a hard link";
    refused(&app, once(), why);
}

#[test]
fn a_credential_that_others_can_write() {
    let app = app();
    let memory = Place::within("/dev/shm");
    let file = memory.write("token", &app.token);
    let path = file.display();
    for (mode, is_taken) in [(0o644, true), (0o646, false), (0o664, false), (0o600, true)] {
        fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let run = app.run("run").env("VAULT_TOKEN_FILE", &file);
        if is_taken {
            launch(&app, run);
        } else {
            let what = format!("{path} can be written by others (mode {mode:04o})");
            refused(&app, run, &format!("{what}; run chmod go-w {path}"));
        }
    }
}

#[test]
fn what_is_wrapped_is_unwrapped() {
    let app = app();
    let (role, _) = app.admin.approle("approle", &app.mount);
    let wrapping = app.admin.wrapping();
    let token = || wrapping.token(&app.mount);
    let alive = app.admin.tokens();

    let run = |token: &str| app.nobody("run --unwrap").env("VAULT_TOKEN", token);
    let wrapped = token();
    let asked = launch(&app, run(&wrapped));
    assert_eq!(asked, reading(&app, &[UNWRAPPED, REVOKED]));
    refused(
        &app,
        run(&wrapped),
        "not admitted by unwrapping: the wrapping token has expired, or somebody has unwrapped \
         it already: find out who",
    );
    // As an agent writes it into a file, and as the official client prints it.
    let answer = json!({"wrap_info": {"token": token(), "ttl": 300}});
    for text in [answer, json!({"token": token(), "ttl": 300})] {
        app.write("token", text.to_string());
        launch(&app, app.nobody("run --token-file token"));
    }
    let approle = |secret: &str, words: &str| {
        let run = app.nobody(&format!("run --auth approle {words}"));
        run.env("VAULT_ROLE_ID", &role)
            .env("VAULT_SECRET_ID", secret)
    };
    let asked = launch(&app, approle(&wrapping.secret_id("approle"), "--unwrap"));
    assert_eq!(
        asked,
        reading(&app, &[UNWRAPPED, "update auth/approle/login", REVOKED])
    );
    // Not said, it is found out.
    launch(&app, approle(&wrapping.secret_id("approle"), ""));
    // A token where a secret id belongs is none, and is not revoked unseen.
    refused(
        &app,
        approle("nonsense", "--unwrap"),
        "not admitted by unwrapping: the wrapping token has expired, or somebody has unwrapped \
         it already: find out who",
    );
    assert_eq!(app.admin.tokens(), alive);
}

#[test]
fn revoking() {
    let app = app();
    let (role, secret) = app.admin.approle("approle", &app.mount);
    let by = |words: &str| {
        let run = app.nobody(&format!("run --auth approle {words}"));
        run.env("VAULT_ROLE_ID", &role)
            .env("VAULT_SECRET_ID", &secret)
    };
    let alive = app.admin.tokens();
    let login = "update auth/approle/login";
    assert_eq!(launch(&app, by("")), reading(&app, &[login, REVOKED]));
    assert_eq!(app.admin.tokens(), alive);
    assert_eq!(launch(&app, by("--no-revoke")), reading(&app, &[login]));
    let run = by("").env("VAULT_REVOKE_TOKEN", "false");
    assert_eq!(launch(&app, run), reading(&app, &[login]));
    assert_eq!(app.admin.tokens(), alive + 2);

    // A launch that fails revokes it, too, and so do the other subcommands.
    let run = by("").args(["--", "true"]).env("V", "secret:none");
    assert_eq!(run.end().code(), 125);
    for words in ["check", "env", "secret list --team"] {
        let run = app.nobody(&format!("{words} --auth approle"));
        let run = run.env("VAULT_ROLE_ID", &role);
        run.env("VAULT_SECRET_ID", &secret)
            .env("V", "secret:k")
            .ok();
    }
    assert_eq!(app.admin.tokens(), alive + 2);

    // Nobody keeps a batch token, and one that may not revoke itself lives on: with a warning.
    let role_path = "auth/approle/role/web";
    app.admin.write(role_path, json!({"token_type": "batch"}));
    assert_eq!(launch(&app, by("")), reading(&app, &[login]));
    let own = json!({"token_type": "service", "token_no_default_policy": true});
    app.admin.write(role_path, own);
    let ended = by("").args(["--", "true"]).env("V", "secret:k").ok();
    assert!(
        ended.err().starts_with(
            "doorkey: warning: the token is not revoked, and lives on until it expires: status \
             403\n"
        ),
        "{}",
        ended.err()
    );
}
