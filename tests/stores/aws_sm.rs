//! `aws-sm:` on moto, with signatures and policies checked; what moto does not do as AWS does is
//! answered in front of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use support::canaries::{Canaries, Random, SEED, held};
use support::faulty;
use support::faulty::Faulty;
use support::moto;
use support::moto::{Keys, Moto, asked_for, refusal};
use support::trace::Begin;
use support::{DOORKEY, Place, Run};

/// A prefix of its own on the server that all share, and somebody who may read.
struct App {
    place: Place,
    moto: Arc<Moto>,
    prefix: String,
    keys: Keys,
    front: Faulty,
}

impl App {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let moto = Moto::shared();
        App {
            place: Place::new(),
            prefix: format!("sm-{}", COUNT.fetch_add(1, Ordering::Relaxed)),
            keys: moto.user(&[
                "secretsmanager:GetSecretValue",
                "secretsmanager:ListSecrets",
            ]),
            front: moto.behind(|_| None),
            moto,
        }
    }

    fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    fn put(&self, name: &str, text: &str) -> String {
        self.moto.put(&self.name(name), text)
    }

    /// doorkey with these words, without anything that says who we are, or where.
    fn nobody(&self, words: &str) -> Run {
        let run = self.place.doorkey(words.split_whitespace());
        run.env("DOORKEY_STORE", format!("aws-sm:{}", self.prefix))
            .env("AWS_ENDPOINT_URL", self.front.address())
    }

    fn run(&self, words: &str) -> Run {
        self.keys.give(self.nobody(words))
    }

    #[track_caller]
    fn value(&self, reference: &str) -> String {
        self.run("run -q -p web -- printenv V").value_of(reference)
    }

    #[track_caller]
    fn fault(&self, reference: &str) -> String {
        self.run("run -q -p web -- true").fault_of(reference)
    }
}

#[test]
fn single_secrets() {
    let app = App::new();
    let text = r#"{"text": "a\"\\\/\u00e9\ud83d\ude00\n", "number": 1.50, "inner": {"k": [1, 2]}}"#;
    let arn = app.put("db", text);
    let without = arn.rsplit_once('-').unwrap().0;
    app.put("one", r#"{"only": "x"}"#);
    app.put("plain", "no JSON");
    let name = app.name("db");
    for (reference, value) in [
        (format!("aws-sm:{name}#text"), "a\"\\/é😀\n"),
        (format!("aws-sm:{arn}#number"), "1.50"),
        (format!("aws-sm:{without}#inner"), r#"{"k":[1,2]}"#),
        (format!("aws-sm:{}", app.name("one")), r#"{"only": "x"}"#),
        (
            format!("a${{aws-sm:{}|base64}}", app.name("plain")),
            "abm8gSlNPTg==",
        ),
    ] {
        assert_eq!(app.value(&reference), value, "{reference}");
    }
    let absent = "in aws-sm:PREFIX; create it, or allow its absence with '?'";
    let absent = absent.replace("PREFIX", &app.prefix);
    for (reference, fault) in [
        (
            format!("{name}#none"),
            format!("there is no such key in {name} of {}", &absent[3..]),
        ),
        (
            app.name("none"),
            format!("there is no such document {absent}"),
        ),
        (
            format!("{}#k", app.name("plain")),
            format!(
                "aws-sm:{}: {}: it is no JSON object in UTF-8",
                app.prefix,
                app.name("plain")
            ),
        ),
    ] {
        assert_eq!(app.fault(&format!("aws-sm:{reference}")), fault);
    }
    let malformed = app.fault("aws-sm:a b");
    assert!(
        malformed.starts_with("V: malformed reference: column 8: neither"),
        "{malformed}"
    );
}

#[test]
fn versions() {
    let app = App::new();
    let (name, arn) = (app.name("db"), app.put("db", "first"));
    let id = json!({"SecretId": name});
    let first = app
        .moto
        .call("secretsmanager", "get_secret_value", id.clone());
    app.put("db", "second");
    let first = first["VersionId"].as_str().unwrap();
    // A key stands before a version.
    app.put("json", r#"{"k": "before"}"#);
    app.put("json", r#"{"k": "now"}"#);
    let json = app.name("json");
    assert_eq!(app.value(&format!("aws-sm:{json}#k")), "now");
    assert_eq!(app.value(&format!("aws-sm:{json}#k#AWSCURRENT")), "now");
    assert_eq!(app.value(&format!("aws-sm:{json}#k#AWSPREVIOUS")), "before");
    assert_eq!(app.value(&format!("aws-sm:{arn}")), "second");
    let ended = app.fault(&format!("aws-sm:{name}#k#{first}"));
    assert!(ended.ends_with("it is no JSON object in UTF-8"), "{ended}");
    let absent = app.fault(&format!("aws-sm:{json}#k#SOMETHING"));
    assert!(
        absent.starts_with("there is no such document, or no such version of it, in aws-sm:"),
        "{absent}"
    );
    // Marked deleted.
    app.moto.call("secretsmanager", "delete_secret", id);
    let deleted = app.fault(&format!("aws-sm:{name}"));
    assert!(deleted.contains("/db is deleted"), "{deleted}");
}

#[test]
fn each_region_is_asked_for_its_own() {
    let app = App::new();
    app.put("team", r#"{"a": "of the main region"}"#);
    let made = json!({"Name": app.name("db"), "SecretString": "elsewhere"});
    let made = app
        .moto
        .ask("secretsmanager", "us-east-2", "create_secret", made);
    let arn = made["ARN"].as_str().unwrap();
    let run = app.run("run -q -- printenv A B").env("A", "secret:a");
    let ended = run.env("B", format!("aws-sm:{arn}")).ok();
    assert_eq!(ended.out(), "of the main region\nelsewhere\n");
    let scopes: Vec<_> = app
        .front
        .requests()
        .iter()
        .map(|request| {
            let signed = request.header("authorization").unwrap();
            let (_, scope) = signed.split_once('/').unwrap();
            scope.split('/').nth(1).unwrap().to_owned()
        })
        .collect();
    assert_eq!(scopes.len(), 2);
    assert!(scopes.contains(&"us-east-2".to_owned()) && scopes.contains(&moto::REGION.to_owned()));
    // Nothing else is needed where the name says it.
    let run = app
        .run("run -q -- printenv B")
        .without("AWS_REGION")
        .without("DOORKEY_STORE");
    assert_eq!(
        run.env("B", format!("aws-sm:{arn}")).ok().out(),
        "elsewhere\n"
    );
}

#[test]
fn what_is_missing_is_named_before_anything_is_sent() {
    let app = App::new();
    let nobody = || app.nobody("run -q -- true").env("V", "secret:a");
    let region = "the region is missing: give AWS_REGION, or ?region=NAME behind the store's name";
    let keys = "is missing: give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    let ours = "is missing: give DOORKEY_AWS_ACCESS_KEY_ID and DOORKEY_AWS_SECRET_ACCESS_KEY";
    let given = |run: Run| app.keys.give(run);
    for (run, what) in [
        (given(nobody()).without("AWS_REGION"), region.to_owned()),
        (
            nobody()
                .env("AWS_REGION", "x")
                .env("AWS_EC2_METADATA_DISABLED", "true"),
            "nothing says who doorkey is: give AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE, \
             AWS_PROFILE, or AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY; the machine is not \
             asked, as AWS_EC2_METADATA_DISABLED says"
                .to_owned(),
        ),
        (
            given(nobody()).without("AWS_SECRET_ACCESS_KEY"),
            format!("AWS_SECRET_ACCESS_KEY {keys}"),
        ),
        // Ours are never mixed with the workload's.
        (
            given(nobody()).env("DOORKEY_AWS_ACCESS_KEY_ID", "x"),
            format!("DOORKEY_AWS_SECRET_ACCESS_KEY {ours}"),
        ),
        (
            given(nobody()).env("AWS_REGION", "x.evil.test/"),
            "the region has letters, digits and '-' alone".to_owned(),
        ),
        (
            given(nobody()).env("DOORKEY_STORE", "aws-sm:"),
            "the store's name says no prefix; give aws-sm:PREFIX".to_owned(),
        ),
    ] {
        let ended = run.end();
        assert!(
            ended.err().ends_with(&format!(": {what}\n")),
            "{}",
            ended.err()
        );
        assert_eq!(ended.code(), 125);
    }
    assert_eq!(app.front.connections(), 0);
    // The region behind the name, and in the other variable.
    app.put("team", r#"{"a": "b"}"#);
    let store = format!("aws-sm:{}?region={}", app.prefix, moto::REGION);
    let run = || given(nobody()).without("AWS_REGION");
    run().env("DOORKEY_STORE", store).ok();
    run().env("AWS_DEFAULT_REGION", moto::REGION).ok();
    // Where requests go is nothing for a file that is merely found.
    let config = format!(
        "[store]\nlocation = 'aws-sm:{}'\nendpoint = 'http://x'\n",
        app.prefix
    );
    app.place.write("doorkey.toml", config);
    let ended = given(nobody()).without("DOORKEY_STORE").end();
    assert!(
        ended
            .err()
            .contains("endpoint counts only in a file that --config"),
        "{}",
        ended.err()
    );
}

#[test]
fn whose_identity_it_is() {
    let app = App::new();
    app.put("team", r#"{"a": "b"}"#);
    // The workload keeps its own; doorkey's are read first, and nobody else gets them.
    let run = app.nobody("run -q -- env").env("V", "secret:a");
    let run = run
        .env("AWS_ACCESS_KEY_ID", "workload")
        .env("AWS_SECRET_ACCESS_KEY", "its own");
    let run = run
        .env("AWS_REGION", "us-east-1")
        .env("DOORKEY_AWS_REGION", moto::REGION);
    let run = run.env("DOORKEY_AWS_ACCESS_KEY_ID", &app.keys.id);
    let out = run
        .env("DOORKEY_AWS_SECRET_ACCESS_KEY", &app.keys.secret)
        .ok()
        .out();
    for kept in [
        "AWS_ACCESS_KEY_ID=workload",
        "AWS_SECRET_ACCESS_KEY=its own",
        "V=b",
    ] {
        assert!(out.lines().any(|line| line == kept), "{kept}: {out}");
    }
    assert!(
        !out.contains("DOORKEY_") && !out.contains(&app.keys.id),
        "{out}"
    );
    // What is overwritten can't be read again.
    let watch = || app.nobody("run -q --watch 1h -- true").env("V", "secret:a");
    let ended = watch().env("DOORKEY_AWS_SESSION_TOKEN", "x").end();
    let said = "DOORKEY_AWS_SESSION_TOKEN can't; give DOORKEY_AWS_SHARED_CREDENTIALS_FILE or \
                DOORKEY_AWS_WEB_IDENTITY_TOKEN_FILE or \
                DOORKEY_AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE in its place\n";
    assert!(ended.err().ends_with(said), "{}", ended.err());
    app.keys.give(watch()).ok();
    // Wrong, unknown, without the right: moto says so itself.
    let wrong = Keys {
        secret: "x".to_owned(),
        ..app.keys.clone()
    };
    let unknown = Keys {
        id: "AKIAUNKNOWN".to_owned(),
        ..app.keys.clone()
    };
    let other = app.moto.user(&["ssm:GetParameters"]);
    for (keys, what) in [
        (
            wrong,
            "not admitted by access key: the secret access key does not belong to the access key's id",
        ),
        (
            unknown,
            "not admitted by access key: AWS knows no such access key, or not any more",
        ),
        (other, "denied: "),
    ] {
        let ended = keys
            .give(app.nobody("run -q -- true"))
            .env("V", "secret:a")
            .end();
        assert!(ended.err().contains(what), "{}", ended.err());
        assert_eq!((ended.code(), ended.err().lines().count()), (125, 1));
    }
}

#[test]
fn faults_as_aws_says_them() {
    let app = App::new();
    for (code, what) in [
        (
            "SomethingElse:http://internal.amazon.com/coral/",
            "AWS refuses with status 400 (SomethingElse)",
        ),
        ("canary-1", "AWS refuses with status 400"),
        (
            "LimitExceededException",
            "it has as many versions as AWS keeps",
        ),
        ("ResourceNotFoundException", "none of PREFIX/team exists"),
        (
            "UnrecognizedClientException",
            "AWS knows no such access key",
        ),
        (
            "InvalidSignatureException",
            "the secret access key does not belong",
        ),
        ("ExpiredTokenException", "the session token has expired"),
        ("AccessDeniedException", "team of aws-sm:PREFIX: denied: "),
        (
            "DecryptionFailure",
            "denied: there is no right to use its KMS key",
        ),
        (
            "InvalidRequestException",
            "AWS refuses with status 400 (InvalidRequestException)",
        ),
    ] {
        let server = Faulty::new(move |_| refusal(code));
        let run = app.run("run -q -- true").env("V", "secret:a");
        let ended = run.env("AWS_ENDPOINT_URL", server.address()).end();
        let said = ended.err();
        assert!(
            said.contains(&what.replace("PREFIX", &app.prefix)),
            "{code}: {said}"
        );
        assert_eq!((ended.code(), said.lines().count()), (125, 1), "{said}");
        assert!(!said.contains("canary-"), "{said}");
        assert_eq!(server.requests().len(), 1, "{code}");
    }
    // What passes is tried again.
    for code in ["ThrottlingException", "RequestLimitExceeded"] {
        let found = json!({"SecretString": r#"{"a": "b"}"#});
        let server = Faulty::in_turn(vec![refusal(code), faulty::json(200, &found)]);
        let run = app.run("run -q -- printenv V").env("V", "secret:a");
        run.env("AWS_ENDPOINT_URL", server.address())
            .gives(0, "b\n", "");
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn what_is_there_is_listed() {
    let app = App::new();
    app.put("team", r#"{"a": "1", "b": "22"}"#);
    app.put("project/web", r#"{"a": "333"}"#);
    app.put("cluster/eu", "{}");
    app.put("else", "x");
    let listed = app.run("secret list --all --json").ok().json();
    let rows = listed["items"]
        .as_array()
        .unwrap_or_else(|| panic!("{listed}"));
    let row = |row: &serde_json::Value| format!("{} {} {}", row["name"], row["scope"], row["size"]);
    let mut rows: Vec<_> = rows.iter().map(row).collect();
    rows.sort();
    assert_eq!(
        rows,
        [
            r#""a" "project/web" 3"#,
            r#""a" "team" 1"#,
            r#""b" "team" 2"#,
        ]
    );
    app.run("secret get b --team --reveal").gives(0, "22", "");
    let all = app.run("run -q -p web --all -- printenv a b");
    all.gives(0, "333\n22\n", "");
    assert!(
        app.front
            .requests()
            .iter()
            .all(|one| !asked_for(one).contains(&app.name("else")))
    );
}

/// The workload's own identity stays where it is, and is nowhere else.
#[test]
fn nothing_of_an_identity_is_left_in_memory() {
    let app = App::new();
    let mut random = Random(SEED);
    let [secret, token, value] = [(); 3].map(|()| String::from_utf8(random.text(40)).unwrap());
    let answer = json!({"SecretString": json!({"a": value}).to_string()});
    let server = Faulty::new(move |_| faulty::json(200, &answer));
    let mut canaries = Canaries::default();
    canaries.variable("V", "secret:a", value.as_bytes());
    canaries.needle("the value", &value, &["V"]);
    canaries.needle("the secret access key", &secret, &["AWS_SECRET_ACCESS_KEY"]);
    canaries.needle("the session token", &token, &["AWS_SESSION_TOKEN"]);
    let begin = Begin::new([DOORKEY, "run", "-q", "/bin/true"])
        .env("DOORKEY_STORE", format!("aws-sm:{}", app.prefix))
        .env("AWS_ENDPOINT_URL", server.address())
        .env("AWS_REGION", moto::REGION)
        .env("AWS_ACCESS_KEY_ID", &app.keys.id)
        .env("AWS_SECRET_ACCESS_KEY", &secret)
        .env("AWS_SESSION_TOKEN", &token)
        .env("V", "secret:a");
    let mut tracee = begin.start(|| Ok(()));
    let before = held(&tracee);
    let [_, _, envp] = tracee.reach_execve();
    canaries.search(tracee, envp, &before);
    let requests = server.requests();
    assert_eq!(requests[0].header("x-amz-security-token"), Some(&*token));
    let signed = requests[0].header("authorization").unwrap();
    let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target,";
    assert!(signed.contains(names), "{signed}");
}
