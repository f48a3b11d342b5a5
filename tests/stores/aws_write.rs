//! Writing to `aws-sm:`, roles as moto's STS gives them, and many launches at once.

use crate::clouds::three_hundred;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use support::faulty;

use serde_json::json;
use support::faulty::{Faulty, Request, Step};
use support::moto::{Keys, Moto, REGION, asked_for, refusal, refusal_in_words};
use support::{Place, Run};

struct App {
    place: Place,
    moto: Arc<Moto>,
    prefix: String,
    keys: Keys,
    front: Faulty,
}

impl App {
    fn behind(first: impl Fn(&Request) -> Option<Vec<Step>> + Send + Sync + 'static) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let moto = Moto::shared();
        App {
            place: Place::new(),
            prefix: format!("write-{}", COUNT.fetch_add(1, Ordering::Relaxed)),
            keys: moto.user(&["secretsmanager:*", "ssm:*", "sts:AssumeRole"]),
            front: moto.behind(first),
            moto,
        }
    }

    fn new() -> Self {
        Self::behind(|_| None)
    }

    fn run(&self, words: &str) -> Run {
        let run = self.place.doorkey(words.split_whitespace());
        let run = run.env("DOORKEY_STORE", format!("aws-sm:{}", self.prefix));
        let run = run.env("AWS_ENDPOINT_URL", self.front.address());
        self.keys.give(run)
    }

    fn document(&self, scope: &str) -> String {
        let id = json!({"SecretId": format!("{}/{scope}", self.prefix)});
        let found = self.moto.call("secretsmanager", "get_secret_value", id);
        found["SecretString"].as_str().unwrap().to_owned()
    }
}

#[test]
fn members_are_written() {
    let app = App::new();
    let run = |words: &str, value: &str| app.run(words).stdin(value).end();
    let made = run("secret create a --team", "on\"e");
    assert_eq!(made.code(), 0, "{}", made.err());
    assert_eq!(app.document("team"), r#"{"a":"on\"e"}"#);
    let again = run("secret create a --team", "two");
    assert!(again.err().contains("it exists already"), "{}", again.err());
    // What is not changed keeps its source.
    app.moto.put(
        &format!("{}/team", app.prefix),
        r#"{"n": 1.50, "a": "x", "list": [1,  2]}"#,
    );
    assert_eq!(run("secret update a --team", "two").code(), 0);
    assert_eq!(run("secret set b --team", "é").code(), 0);
    assert_eq!(
        app.document("team"),
        r#"{"n":1.50,"list":[1,  2],"a":"two","b":"é"}"#
    );
    let absent = run("secret update none --team", "x");
    assert!(
        absent.err().contains("there is no such secret"),
        "{}",
        absent.err()
    );
    assert_eq!(run("secret delete a --team --yes", "").code(), 0);
    let gone = run("secret delete a --team --yes", "");
    assert!(
        gone.err().contains("there is no such secret"),
        "{}",
        gone.err()
    );
    app.run("secret get b --team --reveal").gives(0, "é", "");
    let bytes = app.run("secret set c --team --raw").stdin([0xff]).end();
    assert!(bytes.err().contains("not UTF-8"), "{}", bytes.err());
    let large = run("secret set big --team", &"x".repeat(65_530));
    assert!(
        large.err().contains("than the 65,536 bytes"),
        "{}",
        large.err()
    );
    assert_eq!(app.document("team"), r#"{"n":1.50,"list":[1,  2],"b":"é"}"#);
    // No object, and marked deleted: neither is written over.
    app.moto.put(&format!("{}/cluster/eu", app.prefix), "text");
    let other = run("secret set a --cluster eu", "x");
    assert!(
        other.err().contains("it is no JSON object"),
        "{}",
        other.err()
    );
    let id = json!({"SecretId": format!("{}/team", app.prefix)});
    app.moto.call("secretsmanager", "delete_secret", id);
    let deleted = run("secret set b --team", "x");
    assert!(
        deleted.err().contains("/team is deleted; restore it"),
        "{}",
        deleted.err()
    );
}

/// A request that is sent again says so, and somebody who was faster is read again.
#[test]
fn a_write_is_tried_again() {
    let count = Arc::new(AtomicUsize::new(0));
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let (counted, seen) = (Arc::clone(&count), Arc::clone(&tokens));
    let app = App::behind(move |request| {
        let target = request.header("x-amz-target")?;
        if !target.ends_with("CreateSecret") {
            return None;
        }
        let token = request.json()["ClientRequestToken"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(token.len(), 64);
        seen.lock().unwrap().push(token);
        match counted.fetch_add(1, Ordering::SeqCst) {
            0 => Some(faulty::answer(500, &[], b"")),
            1 => Some(refusal("ResourceExistsException")),
            _ => None,
        }
    });
    let made = app.run("secret create a --team").stdin("x").end();
    assert_eq!(made.code(), 0, "{}", made.err());
    let tokens = tokens.lock().unwrap();
    assert_eq!(tokens.len(), 3);
    assert!(tokens[0] == tokens[1] && tokens[1] != tokens[2]);
}

/// A role as moto has it, whose temporary keys moto checks.
#[test]
fn a_role_is_assumed() {
    let app = App::new();
    app.moto
        .put(&format!("{}/team", app.prefix), r#"{"a": "b"}"#);
    let trust = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"},
    }});
    let allowed = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
    }});
    let role = json!({"RoleName": "reader", "AssumeRolePolicyDocument": trust.to_string()});
    let made = app.moto.call("iam", "create_role", role);
    let policy = json!({
        "RoleName": "reader", "PolicyName": "own", "PolicyDocument": allowed.to_string(),
    });
    app.moto.call("iam", "put_role_policy", policy);
    let config = format!(
        "[profile reader]\nregion = {REGION}\nrole_arn = {}\nsource_profile = keys\n\
         endpoint_url = {}\n[profile keys]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        made["Role"]["Arn"].as_str().unwrap(),
        app.front.address(),
        app.keys.id,
        app.keys.secret,
    );
    app.place.write("elsewhere/config", config);
    let run = app.place.doorkey("run -q -- printenv V".split(' '));
    let run = run.env("DOORKEY_STORE", format!("aws-sm:{}", app.prefix));
    let run = run.env("AWS_CONFIG_FILE", app.place.path("elsewhere/config"));
    let run = run.env("AWS_PROFILE", "reader").env("V", "secret:a");
    run.without("HOME").gives(0, "b\n", "");
    let requests = app.front.requests();
    let form = String::from_utf8_lossy(&requests[0].body);
    assert!(form.starts_with("Action=AssumeRole&"), "{form}");
    assert!(requests[1].header("x-amz-security-token").is_some());
    assert_eq!(requests.len(), 2);
}

/// 300 launches at the same time, each with three scopes: all succeed, and none asks more than it
/// must.
#[test]
fn three_hundred_launches() {
    let app = App::new();
    for scope in ["team", "project/web", "cluster/eu"] {
        app.moto.put(
            &format!("{}/{scope}", app.prefix),
            &json!({"a": scope}).to_string(),
        );
    }
    three_hundred(|| {
        let run = app.run("run -q --timeout 4m -p web --cluster eu -- printenv V");
        run.env("V", "secret:a").gives(0, "project/web\n", "");
    });
    assert_eq!(app.front.requests().len(), 900);
    let secrets = app.front.requests();
    assert!(secrets.iter().all(|one| asked_for(one).len() == 1));
}

/// Many single values over HTTP/1.1: at most eight at once; throttled they all wait together.
#[test]
fn one_pause_for_all() {
    let under_way = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, peak) = (Arc::clone(&under_way), Arc::clone(&most));
    let server = Faulty::new(move |request| {
        let count = now.fetch_add(1, Ordering::SeqCst) + 1;
        peak.fetch_max(count, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(20));
        now.fetch_sub(1, Ordering::SeqCst);
        match request.number < 8 {
            true => refusal("ThrottlingException"),
            false => faulty::json(200, &json!({"SecretString": "v"})),
        }
    });
    let place = Place::new();
    let mut run = place.doorkey("run -q -- true".split(' '));
    for number in 0..40 {
        run = run.env(format!("V{number}"), format!("aws-sm:n{number}"));
    }
    let run = run
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b");
    let run = run
        .env("AWS_ENDPOINT_URL", server.address())
        .env("AWS_REGION", "x");
    run.ok();
    assert_eq!(most.load(Ordering::SeqCst), 8);
    assert_eq!(server.requests().len(), 48);
    assert!(server.connections() <= 9, "{}", server.connections());
}

/// What AWS says in its own words is told apart, and not passed on.
#[test]
fn what_a_denial_is_about() {
    let denied = |message: &str| {
        let body = json!({"__type": "AccessDeniedException", "Message": message});
        faulty::answer(400, &[], body.to_string().as_bytes())
    };
    let app = App::behind(move |request| {
        let id = asked_for(request).pop()?;
        let words = match id.rsplit('/').next()? {
            "kms" => "Access to KMS is not allowed, canary",
            "right" => "canary is not authorized to perform: kms:Decrypt on resource: canary",
            "pending" => return None,
            // A name in the text is no word of it.
            _ => "canary is not authorized to perform: this on resource: x/kms-plain",
        };
        Some(denied(words))
    });
    let pending = json!({"Name": format!("{}/pending", app.prefix)});
    app.moto.call("secretsmanager", "create_secret", pending);
    for (name, what) in [
        (
            "kms",
            "denied: there is no right to use its KMS key, or that is disabled; allow kms:Decrypt",
        ),
        ("right", "denied: there is no right to use its KMS key"),
        (
            "kms-plain",
            "is not for us, or does not exist; a policy must allow secretsmanager:GetSecretValue on it",
        ),
        ("pending", "it has no value yet; put one"),
    ] {
        let run = app.run("run -q -- true");
        let ended = run.env("V", format!("aws-sm:{}/{name}", app.prefix)).end();
        assert!(ended.err().contains(what), "{}", ended.err());
        assert!(!ended.err().contains("canary"), "{}", ended.err());
        assert_eq!(ended.code(), 125);
    }
}

/// An answer's words tell more than its code, and its header tells the code.
#[test]
fn what_an_answer_says() {
    let app = App::new();
    let in_header = [("x-amzn-ErrorType", "ExpiredTokenException:http://internal")];
    for (answer, what) in [
        (
            refusal_in_words("InvalidRequestException", "it was marked for deletion"),
            "PREFIX/team is deleted",
        ),
        (
            faulty::answer(400, &in_header, b"{}"),
            "the session token has expired",
        ),
        (
            faulty::json(200, &json!({"SecretString": 5})),
            "the answer is no secret",
        ),
    ] {
        let server = Faulty::in_turn(vec![answer]);
        let run = app.run("run -q -- true").env("V", "secret:a");
        let ended = run.env("AWS_ENDPOINT_URL", server.address()).end();
        let what = what.replace("PREFIX", &app.prefix);
        assert!(ended.err().contains(&what), "{what}: {}", ended.err());
    }
}
