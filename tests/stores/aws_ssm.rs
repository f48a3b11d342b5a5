//! `aws-ssm:` on moto, with signatures and policies checked; what moto does not do as AWS does is
//! answered in front of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::faulty;
use support::moto;

use serde_json::{Value, json};
use support::faulty::{Faulty, Request, Step};
use support::moto::{Keys, Moto, asked_for, refusal};
use support::{Place, Run};

struct App {
    place: Place,
    moto: Arc<Moto>,
    prefix: String,
    keys: Keys,
    front: Faulty,
}

impl App {
    fn new() -> Self {
        Self::behind(|_| None)
    }

    fn behind(first: impl Fn(&Request) -> Option<Vec<Step>> + Send + Sync + 'static) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let moto = Moto::shared();
        App {
            place: Place::new(),
            prefix: format!("/ps-{}", COUNT.fetch_add(1, Ordering::Relaxed)),
            keys: moto.user(&[
                "ssm:GetParameters",
                "ssm:GetParametersByPath",
                "ssm:PutParameter",
                "ssm:DeleteParameter",
            ]),
            front: moto.behind(first),
            moto,
        }
    }

    fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    fn put(&self, name: &str, text: &str) {
        self.moto.parameter(&self.name(name), text);
    }

    fn run(&self, words: &str) -> Run {
        let run = self.place.doorkey(words.split_whitespace());
        let run = run.env("DOORKEY_STORE", format!("aws-ssm:{}", self.prefix));
        self.keys
            .give(run)
            .env("AWS_ENDPOINT_URL", self.front.address())
    }

    #[track_caller]
    fn value(&self, reference: &str) -> String {
        self.run("run -q -p web -- printenv V").value_of(reference)
    }

    #[track_caller]
    fn fault(&self, reference: &str) -> String {
        self.run("run -q -p web -- true").fault_of(reference)
    }

    /// The calls of one kind, with the names that each asked for.
    fn calls(&self, what: &str) -> Vec<Vec<String>> {
        let all = self.front.requests();
        let is_it = |one: &&Request| one.header("x-amz-target").unwrap().ends_with(what);
        all.iter().filter(is_it).map(asked_for).collect()
    }
}

#[test]
fn single_parameters() {
    let app = App::new();
    app.put("db", r#"{"password": "a\"\u00e9\n", "port": 5432}"#);
    app.put("db", r#"{"password": "second"}"#);
    app.put("plain", "no JSON, a,b,c");
    let db = app.name("db");
    let label = json!({"Name": db, "ParameterVersion": 1, "Labels": ["stable"]});
    app.moto.call("ssm", "label_parameter_version", label);
    let arn = format!("arn:aws:ssm:{}:123456789012:parameter{db}", moto::REGION);
    for (reference, value) in [
        (app.name("plain"), "no JSON, a,b,c"),
        (format!("{db}#password"), "second"),
        (format!("{db}#password#2"), "second"),
        (format!("{db}#password#1"), "a\"é\n"),
        (format!("{db}#port#stable"), "5432"),
        (format!("{db}:2"), r#"{"password": "second"}"#),
        (format!("{arn}#password"), "second"),
        (format!("{arn}#port#1"), "5432"),
    ] {
        assert_eq!(
            app.value(&format!("aws-ssm:{reference}")),
            value,
            "{reference}"
        );
    }
    let absent = "in aws-ssm:PREFIX; create it, or allow its absence with '?'";
    let absent = absent.replace("PREFIX", &app.prefix);
    for (reference, fault) in [
        (
            format!("{db}#none"),
            format!("there is no such key in {db} of {}", &absent[3..]),
        ),
        (
            app.name("none"),
            format!("there is no such document {absent}"),
        ),
        (
            format!("{db}#port#9"),
            format!("there is no such document, or no such version of it, {absent}"),
        ),
        (
            format!("{}#k", app.name("plain")),
            format!(
                "aws-ssm:{}: {}: it is no JSON object in UTF-8",
                app.prefix,
                app.name("plain")
            ),
        ),
    ] {
        assert_eq!(app.fault(&format!("aws-ssm:{reference}")), fault);
    }
    let malformed = app.fault("aws-ssm:/a#k#b/c");
    assert!(
        malformed.contains("column 14: a version is a number"),
        "{malformed}"
    );
    // A secret of the other store by AWS' own detour.
    let secret = format!("{}-secret", app.prefix.trim_start_matches('/'));
    app.moto.put(&secret, "of the other");
    let reference = format!("aws-ssm:/aws/reference/secretsmanager/{secret}");
    assert_eq!(app.value(&reference), "of the other");
}

/// Ten names a call; where one is denied each of its call is asked for by itself.
#[test]
fn ten_names_a_call() {
    let app = App::behind(|request| {
        let denied = |name: &String| name.ends_with("/denied");
        let any = asked_for(request).iter().any(denied);
        any.then(|| refusal("AccessDeniedException"))
    });
    let names: Vec<_> = (0..12).map(|number| format!("n{number}")).collect();
    let mut run = app.run("run -q -- printenv");
    for name in &names {
        app.put(&format!("team/{name}"), &format!("value of {name}"));
        run = run.arg(name).env(name, format!("secret:team/{name}"));
    }
    let expected: String = names
        .iter()
        .map(|name| format!("value of {name}\n"))
        .collect();
    run.gives(0, &expected, "");
    let mut sizes: Vec<_> = app.calls("GetParameters").iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 10]);

    let run = app.run("run -q -- true").env("A", "secret:team/n0");
    let ended = run
        .env("B", "secret:team/denied")
        .env("C", "secret:team/denied?x")
        .end();
    let said = ended.err();
    assert_eq!((ended.code(), said.lines().count()), (125, 2), "{said}");
    assert!(said.starts_with("doorkey: error: B: secret:team/denied: team of aws-ssm:"));
    let calls = app.calls("GetParameters");
    assert_eq!(calls[2].len(), 2);
    assert_eq!(calls[3..].iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    let listed = app.front.requests();
    let is_listing = |one: &Request| {
        let target = one.header("x-amz-target").unwrap();
        ["ByPath", "Describe"]
            .iter()
            .any(|word| target.contains(word))
    };
    assert!(!listed.iter().any(is_listing), "a launch lists nothing");
}

/// chamber's layout: `/SERVICE/NAME`.
#[test]
fn a_project_can_have_a_path_of_its_own() {
    let app = App::new();
    app.put("team/a", "of the team");
    let service = app.prefix.replace("ps", "service");
    app.moto
        .parameter(&format!("{service}/b"), "of the service");
    let store = format!("aws-ssm:{}?project-path={service}", app.prefix);
    let run = |words: &str| app.run(words).env("DOORKEY_STORE", &store);
    let both = run("run -q -p web -- printenv A B").env("A", "secret:a");
    both.env("B", "secret:b")
        .gives(0, "of the team\nof the service\n", "");
    let listed = run("secret list -p web").ok().out();
    assert!(
        listed.contains("b") && listed.contains("project/web"),
        "{listed}"
    );
    for (store, fault) in [
        (
            "aws-ssm:/",
            "the store's name says no prefix; give aws-ssm:/PREFIX",
        ),
        (
            "aws-ssm:/ssm/a",
            "a prefix can't begin with aws or ssm, which AWS keeps for itself",
        ),
        (
            "aws-ssm:/a/b/c/d/e/f/g/h/i/j/k/l/m/n?region=eu-west-1",
            "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/team/a has more than the 15 steps that a parameter's name can have",
        ),
    ] {
        let run = app.run("run -q -- true").env("DOORKEY_STORE", store);
        let ended = run.env("V", "secret:a").end();
        assert!(
            ended.err().ends_with(&format!(": {fault}\n")),
            "{}",
            ended.err()
        );
    }
}

#[test]
fn what_is_there_is_listed() {
    let app = App::new();
    for number in 0..23 {
        app.put(&format!("team/n{number:02}"), &"x".repeat(number + 1));
    }
    app.put("project/web/n00", "333");
    app.put("cluster/eu/n01", "y");
    app.put("team/deeper/no", "z");
    let listed = app.run("secret list --all --json").ok().json();
    let rows = listed["items"].as_array().unwrap();
    assert_eq!(rows.len(), 25, "{listed}");
    let row = |row: &Value| format!("{} {} {}", row["name"], row["scope"], row["size"]);
    let rows: Vec<_> = rows.iter().map(row).collect();
    assert!(rows.contains(&r#""n22" "team" 23"#.to_owned()), "{rows:?}");
    assert!(rows.contains(&r#""n00" "project/web" 3"#.to_owned()));
    let run = app.run("run -q -p web --all -- printenv n00 n22");
    run.gives(0, &format!("333\n{}\n", "x".repeat(23)), "");
}

#[test]
fn secrets_are_written() {
    let app = App::new();
    let run = |words: &str, value: &str| app.run(words).stdin(value).end();
    assert_eq!(run("secret create a --team", "one").code(), 0);
    let again = run("secret create a --team", "two");
    assert!(again.err().contains("it exists already"), "{}", again.err());
    assert_eq!(app.value("secret:a"), "one");
    assert_eq!(run("secret update a --team", "two").code(), 0);
    assert_eq!(app.value("secret:a"), "two");
    assert_eq!(run("secret set b -p web", "three").code(), 0);
    assert_eq!(run("secret set b -p web", &"é".repeat(4000)).code(), 0);
    assert_eq!(app.value("secret:b"), "é".repeat(4000));
    let absent = run("secret update none --team", "x");
    assert!(
        absent.err().contains("there is no such secret"),
        "{}",
        absent.err()
    );
    let large = run("secret set b --team", &"x".repeat(8193));
    assert!(
        large.err().contains("larger than the 8,192 bytes"),
        "{}",
        large.err()
    );
    assert_eq!(run("secret delete a --team --yes", "").code(), 0);
    let gone = run("secret delete a --team --yes", "");
    assert!(
        gone.err().contains("there is no such secret"),
        "{}",
        gone.err()
    );
    // What is written is encrypted, and what was text stays text.
    let get = |name: &str| {
        let asked = json!({"Name": app.name(name), "WithDecryption": false});
        app.moto.call("ssm", "get_parameter", asked)["Parameter"].clone()
    };
    assert_eq!(get("project/web/b")["Type"], "SecureString");
    let text = json!({"Name": app.name("team/text"), "Value": "a,b", "Type": "StringList"});
    app.moto.call("ssm", "put_parameter", text);
    assert_eq!(run("secret set text --team", "c,d").code(), 0);
    assert_eq!(
        (&get("team/text")["Type"], &get("team/text")["Value"]),
        (&json!("StringList"), &json!("c,d"))
    );
}

/// Of several who create a name at once AWS lets one.
#[test]
fn one_of_many_creates_a_name() {
    let app = App::new();
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let race = |number: usize| {
            let run = app.run("secret create a --team").stdin(number.to_string());
            scope.spawn(move || run.end().code())
        };
        let racers: Vec<_> = (0..8).map(race).collect();
        racers
            .into_iter()
            .map(|racer| racer.join().unwrap())
            .collect()
    });
    assert_eq!(
        codes.iter().filter(|code| **code == 0).count(),
        1,
        "{codes:?}"
    );
}

#[test]
fn faults_as_aws_says_them() {
    let app = App::new();
    for (code, what) in [
        (
            "UnrecognizedClientException",
            "AWS knows no such access key",
        ),
        ("ExpiredTokenException", "the session token has expired"),
        ("AccessDeniedException", "denied: "),
        (
            "InvalidKeyId",
            "denied: there is no right to use its KMS key",
        ),
        ("ValidationException", "AWS refuses with status 400"),
    ] {
        let server = Faulty::new(move |_| refusal(code));
        let run = app.run("run -q -- true").env("V", "secret:team/a");
        let ended = run.env("AWS_ENDPOINT_URL_SSM", server.address()).end();
        let said = ended.err();
        assert!(said.contains(what), "{code}: {said}");
        assert_eq!((ended.code(), said.lines().count()), (125, 1), "{said}");
        assert!(!said.contains("canary-message"), "{said}");
        assert_eq!(server.requests().len(), 1, "{code}");
    }
    let found = json!({"Parameters": [{"Name": app.name("team/a"), "Value": "b", "Version": 1}]});
    let server = Faulty::in_turn(vec![
        refusal("ThrottlingException"),
        faulty::json(200, &found),
    ]);
    let run = app.run("run -q -- printenv V").env("V", "secret:team/a");
    let run = run.env("AWS_ENDPOINT_URL", server.address());
    run.gives(0, "b\n", "");
}

/// A value that is an ARN, and nothing else, is a reference only where that is asked for.
#[test]
fn bare_arns() {
    let app = App::new();
    app.put("db", r#"{"password": "of a parameter"}"#);
    let secret = app
        .moto
        .put(&format!("{}-sm", &app.prefix[1..]), "of a secret");
    let account = secret.split(':').nth(4).unwrap();
    let arn = format!(
        "arn:aws:ssm:{}:{account}:parameter{}",
        moto::REGION,
        app.name("db")
    );
    let keys = app
        .moto
        .user(&["ssm:GetParameters", "secretsmanager:GetSecretValue"]);
    let run = |words: &str| {
        let run = keys
            .give(app.run(words))
            .env("A", format!("{arn}#password"));
        run.env("B", &secret).without("DOORKEY_STORE")
    };
    let printed = run("run -q --references arn -- printenv A B").ok().out();
    assert_eq!(printed, "of a parameter\nof a secret\n");
    let printed = run("run -q -- printenv A B").ok().out();
    assert_eq!(printed, format!("{arn}#password\n{secret}\n"));
}

/// A page may be empty and go on all the same.
#[test]
fn an_empty_page_is_not_the_last() {
    let app = App::new();
    let name = app.name("team/a");
    let server = Faulty::new(move |request| match &request.json()["NextToken"] {
        Value::Null => faulty::json(200, &json!({"Parameters": [], "NextToken": "next"})),
        token => {
            assert_eq!(token, "next");
            let found = json!({"Name": name, "Value": "v", "LastModifiedDate": 1.5e9});
            faulty::json(200, &json!({"Parameters": [found]}))
        }
    });
    let run = app.run("secret list --team --json");
    let listed = run.env("AWS_ENDPOINT_URL", server.address()).ok().json();
    assert_eq!(listed["items"][0]["name"], "a", "{listed}");
    assert_eq!(server.requests().len(), 2);
}
