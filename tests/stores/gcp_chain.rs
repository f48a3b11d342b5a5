//! Who doorkey is to Google: every step of its clients' order, their own client first, and each
//! step that fails.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use serde_json::{Value, json};
use support::faulty::{self, Faulty};
use support::gcp::{ACCOUNT, ENDPOINT, Gcp};
use support::{Place, Run, executable};

const CREDENTIALS: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// A place with the files that steps need, and a project with a secret.
struct World {
    place: Place,
    gcp: Arc<Gcp>,
    project: String,
}

impl World {
    fn new() -> Self {
        let (gcp, project) = (Gcp::shared(), Gcp::project());
        gcp.put(&project, "app--team", r#"{"a": "canary-value"}"#);
        World {
            place: Place::new(),
            gcp,
            project,
        }
    }

    /// Writes a file that says who we are; gives its path.
    fn file(&self, name: &str, content: &Value) -> String {
        let path = self.place.write(name, content.to_string());
        path.to_str().unwrap().to_owned()
    }

    fn environment<'a>(&self, step: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
        let home = self.place.path("home").to_str().unwrap().to_owned();
        let mut all = vec![
            ("HOME", home),
            ("GCE_METADATA_HOST", self.gcp.at.clone()),
            ("GCE_METADATA_IP", self.gcp.at.clone()),
        ];
        all.extend(
            step.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        all
    }

    fn run(&self, words: &str, step: &[(&str, &str)]) -> Run {
        let run = self.place.doorkey(words.split(' '));
        let run = run
            .env("DOORKEY_STORE", format!("gcp-sm:{}/app", self.project))
            .env(ENDPOINT, format!("http://{}", self.gcp.at));
        let all = self.environment(step).into_iter();
        all.fold(run, |run, (name, value)| run.env(name, value))
    }

    /// doorkey is this one; Google's client was before, if it was asked.
    #[track_caller]
    fn is(&self, step: &[(&str, &str)], who: &str) {
        let run = self.run("run -q --timeout 5s -- printenv V", step);
        run.env("V", "secret:team/a").gives(0, "canary-value\n", "");
        assert_eq!(self.gcp.asked(&self.project).pop().unwrap().0, who);
    }

    /// Google's client and doorkey are both this one.
    #[track_caller]
    fn both_are(&self, step: &[(&str, &str)], who: &str) {
        let environment = self.environment(step);
        self.gcp.client(&self.project, "app--team", &environment);
        let asked = self.gcp.asked(&self.project).pop().unwrap();
        assert_eq!(asked.0, who, "Google's client");
        self.is(step, who);
    }

    /// doorkey is nobody, and says why; the store was not asked.
    #[track_caller]
    fn fails(&self, step: &[(&str, &str)], why: &str) {
        let before = self.gcp.asked(&self.project).len();
        let run = self.run("run -q --timeout 2s -- true", step);
        let ended = run.env("V", "secret:team/a").end();
        let said = ended.err();
        assert!(said.contains(why), "{said}");
        assert_eq!((ended.code(), said.lines().count()), (125, 1), "{said}");
        assert!(!said.contains("canary-"), "{said}");
        assert_eq!(self.gcp.asked(&self.project).len(), before);
    }
}

#[test]
fn each_kind_of_file() {
    let world = World::new();
    let gcp = &world.gcp;
    let both = |name: &str, content: &Value, who: &str| {
        let path = world.file(name, content);
        world.both_are(&[(CREDENTIALS, &path)], who);
    };
    both("account", &gcp.account(), &format!("self:{ACCOUNT}"));
    let mut granted = gcp.account();
    granted["token_uri"] = format!("http://{}/token", gcp.at).into();
    both("granted", &granted, &format!("grant:{ACCOUNT}"));
    both("user", &gcp.user(), "user");
    let impersonated = json!({
        "type": "impersonated_service_account", "source_credentials": gcp.user(),
        "service_account_impersonation_url": gcp.impersonation("allowed"), "delegates": [],
    });
    both("impersonated", &impersonated, "user>allowed");
    // A source's key is exchanged for a token.
    let mut of_account = impersonated.clone();
    of_account["source_credentials"] = granted;
    both(
        "of-account",
        &of_account,
        &format!("grant:{ACCOUNT}>allowed"),
    );

    let token = world.place.write("token", "canary-subject");
    both("by-file", &gcp.external(json!({"file": token})), "pool");
    let headers = json!({"X-Own": "canary-header"});
    let format = json!({"type": "json", "subject_token_field_name": "inner"});
    let url = format!("http://{}/subject", gcp.at);
    let source = json!({"url": url, "headers": headers, "format": format});
    both("by-url", &gcp.external(source), "pool");
    let inner = world
        .place
        .write("token.json", r#"{"inner": "canary-subject"}"#);
    let mut by_json = gcp.external(json!({"file": inner, "format": format}));
    by_json["service_account_impersonation_url"] = gcp.impersonation("allowed").into();
    both("by-json", &by_json, "pool>allowed");
}

#[test]
fn an_identity_of_aws() {
    let world = World::new();
    let url = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";
    let source = json!({"environment_id": "aws1", "regional_cred_verification_url": url});
    let mut file = world.gcp.external(source);
    file["subject_token_type"] = "urn:ietf:params:aws:token-type:aws4_request".into();
    let path = world.file("aws", &file);
    let keys = [
        (CREDENTIALS, path.as_str()),
        ("AWS_ACCESS_KEY_ID", "AKIDAWS"),
        ("AWS_SECRET_ACCESS_KEY", "aws/secret+key"),
        ("AWS_REGION", "eu-west-1"),
    ];
    world.both_are(&keys, "aws:AKIDAWS");
    let mut wrong = keys;
    wrong[2].1 = "another";
    world.fails(&wrong, "the provider takes no such token");
    world.fails(&keys[..3], "the region is missing: give AWS_REGION");
    let mut other = file.clone();
    other["credential_source"]["environment_id"] = "aws2".into();
    let path = world.file("aws", &other);
    world.fails(&[(CREDENTIALS, &path)], "it knows aws1");
}

#[test]
fn a_program_gives_a_token() {
    let world = World::new();
    let program = world.place.path("a program");
    let run =
        |script: &str| executable(&program, format!("#!/bin/sh\n{script}\n").as_bytes(), 0o755);
    let said = r#"{"version": 1, "success": true, "token_type": "urn:ietf:params:oauth:token-type:id_token", "id_token": "canary-subject"}"#;
    run(&format!(
        "[ -n \"$GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE\" ] && echo '{said}'"
    ));
    let command = format!("'{}' a \"b c\"", program.display());
    let source = json!({"executable": {"command": command, "timeout_millis": 5000}});
    let path = world.file("by-program", &world.gcp.external(source));
    let may = ("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");
    world.both_are(&[(CREDENTIALS, &path), may], "pool");
    let why = "executable: it counts with GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 alone";
    world.fails(&[(CREDENTIALS, &path)], why);
    let late = said.replace("\"id", "\"expiration_time\": 1700000000, \"id");
    for (script, why) in [
        ("echo canary-output; exit 3", "has ended with exit code 3"),
        ("echo '{\"version\": 2}'", "prints no token that is valid"),
        (&format!("echo '{late}'"), "prints no token that is valid"),
        ("sleep 60", ", so it was ended"),
    ] {
        run(script);
        world.fails(&[(CREDENTIALS, &path), may], why);
    }
}

#[test]
fn the_order() {
    let world = World::new();
    world.both_are(&[], "machine");
    // gcloud's file in the home counts before the machine, a variable before both.
    let name = "application_default_credentials.json";
    world.file(&format!("home/.config/gcloud/{name}"), &world.gcp.user());
    world.both_are(&[], "user");
    let folder = world.place.path("other");
    let folder = folder.to_str().unwrap();
    let config = ("CLOUDSDK_CONFIG", folder);
    world.both_are(&[config], "machine");
    let token = world.place.write("token", "canary-subject");
    let external = world.gcp.external(json!({"file": token}));
    world.file(&format!("other/{name}"), &external);
    world.both_are(&[config], "pool");
    let account = world.file("account", &world.gcp.account());
    world.both_are(
        &[config, (CREDENTIALS, &account)],
        &format!("self:{ACCOUNT}"),
    );
    // Doorkey's own counts before everybody's, and no workload has it.
    let own = world.file("own", &world.gcp.user());
    let own = ("DOORKEY_GOOGLE_APPLICATION_CREDENTIALS", own.as_str());
    world.is(&[(CREDENTIALS, &account), own], "user");
    // Whatever the step.
    let folder = ("DOORKEY_CLOUDSDK_CONFIG", folder);
    world.is(&[(CREDENTIALS, &account), folder], "pool");
    let host = ("DOORKEY_GCE_METADATA_HOST", world.gcp.at.as_str());
    world.is(&[(CREDENTIALS, &account), config, host], "machine");
    let none = ("DOORKEY_CLOUDSDK_CONFIG", "/none");
    world.fails(
        &[config, none],
        "DOORKEY_CLOUDSDK_CONFIG: can't read /none/application",
    );
    let run = world.run("run -q -- env", &[(CREDENTIALS, &account), own]);
    let out = run.env("V", "secret:team/a").ok().out();
    assert!(!out.contains("DOORKEY_"), "{out}");
    assert!(out.contains(&format!("{CREDENTIALS}={account}")), "{out}");
}

#[test]
fn quota_and_project() {
    let world = World::new();
    let last = || world.gcp.asked(&world.project).pop().unwrap();
    let mut user = world.gcp.user();
    user["quota_project_id"] = "of-the-file".into();
    let path = world.file("user", &user);
    world.both_are(&[(CREDENTIALS, &path)], "user");
    assert_eq!(last().1, "of-the-file");
    let quota = ("GOOGLE_CLOUD_QUOTA_PROJECT", "of-the-variable");
    world.both_are(&[(CREDENTIALS, &path), quota], "user");
    assert_eq!(last().1, "of-the-variable");
    // The project of a store without one.
    let account = world.file("account", &world.gcp.account());
    for (step, project) in [
        (
            &[("GOOGLE_CLOUD_PROJECT", "a"), ("GCLOUD_PROJECT", "b")][..],
            "a",
        ),
        (&[("GCLOUD_PROJECT", "b"), (CREDENTIALS, &account)], "b"),
        (&[(CREDENTIALS, &account)], "of-the-file"),
        (&[], "machine-project"),
    ] {
        world.gcp.put(
            project,
            "app--team",
            r#"{"a": "of PROJECT"}"#.replace("PROJECT", project),
        );
        let run = world.run("run -q -- printenv V", step);
        let run = run.env("DOORKEY_STORE", "gcp-sm:app").env("V", "secret:a");
        run.gives(0, &format!("of {project}\n"), "");
    }
    let run = world.run("run -q -- true", &[(CREDENTIALS, &path)]);
    let run = run.env("DOORKEY_STORE", "gcp-sm:app").env("V", "secret:a");
    let missing = "the project is missing; give gcp-sm:PROJECT/…, or GOOGLE_CLOUD_PROJECT\n";
    assert!(run.end().err().ends_with(missing));
}

#[test]
fn check_says_which_identity_counts() {
    let world = World::new();
    let account = world.file("account", &world.gcp.account());
    let machine = "machine@a.iam.gserviceaccount.com, by the metadata server";
    for (step, who) in [
        (
            &[(CREDENTIALS, account.as_str())][..],
            format!("the service account {ACCOUNT}, by {account}"),
        ),
        (&[], machine.to_owned()),
    ] {
        let said = world.run("check -eA=secret:a", step).end().err();
        let line = format!("doorkey: the identity that counts: {who}\n");
        assert!(said.contains(&line), "{said}");
    }
}

#[test]
fn a_step_that_fails_is_not_passed_over() {
    let world = World::new();
    let gcp = &world.gcp;
    let with = |content: &Value, name: &str, value: Value| {
        let mut content = content.clone();
        content[name] = value;
        content
    };
    let external = gcp.external(json!({"file": "/none/at/all"}));
    let account = gcp.account();
    let plain = "http://example.test/token";
    let other_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let impersonated = |name: &str| {
        json!({
            "type": "impersonated_service_account", "source_credentials": gcp.user(),
            "service_account_impersonation_url": gcp.impersonation(name),
        })
    };
    for (content, why) in [
        (json!([]), "it is no JSON object"),
        (json!({}), "type is missing"),
        (
            json!({"type": "gdch_service_account"}),
            "type gdch_service_account is nothing",
        ),
        (
            json!({"type": "service_account"}),
            "client_email is missing",
        ),
        (
            with(&account, "private_key", "x".into()),
            "private_key holds no private key in PEM",
        ),
        (
            with(&account, "private_key", other_key.into()),
            "private_key holds no usable RSA key of 2048 to 4096 bits",
        ),
        (
            with(&gcp.user(), "token_uri", plain.into()),
            "an address in it must begin with https://",
        ),
        (
            with(&gcp.user(), "refresh_token", "another".into()),
            "the user of gcloud: the login has ended or was revoked; run gcloud auth \
             application-default login",
        ),
        (
            external.clone(),
            "credential_source: can't read /none/at/all",
        ),
        (
            with(&external, "client_id", "x".into()),
            "client_id is nothing that doorkey can use",
        ),
        (
            gcp.external(json!({"certificate": {}})),
            "credential_source has no file, url,",
        ),
        (
            gcp.external(json!({"url": format!("http://{}/subject", gcp.at)})),
            "credential_source's url leads to a refusal with status 401",
        ),
        (
            gcp.external(json!({"url": "http://example.test/subject"})),
            "credential_source's url must begin with https://",
        ),
        (
            gcp.external(
                json!({"url": format!("http://{}/subject", gcp.at), "headers": {"a b": "c"}}),
            ),
            "credential_source has a header that is none",
        ),
        (
            with(&account, "quota_project_id", "a\nb".into()),
            "quota_project_id of the credentials' file is not the id of a project",
        ),
        (
            impersonated("denied"),
            "we may not be that account, or there is none; allow iam.serviceAccounts.getAccessToken",
        ),
    ] {
        let path = world.file("file", &content);
        world.fails(&[(CREDENTIALS, &path)], why);
    }
    let path = world.file("file", &gcp.account());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    world.fails(&[(CREDENTIALS, &path)], "can be written by others");
    world.fails(
        &[(CREDENTIALS, "/none")],
        "GOOGLE_APPLICATION_CREDENTIALS: can't read /none",
    );
    world.fails(&[("NO_GCE_CHECK", "true")], "nothing says who doorkey is");
    let empty = world.place.write("empty", " \n");
    world.fails(&[(CREDENTIALS, empty.to_str().unwrap())], "/empty is empty");
    let host = format!("http://{}", gcp.at);
    world.fails(
        &[("GCE_METADATA_HOST", &host)],
        "GCE_METADATA_HOST is neither HOST nor HOST:PORT",
    );
    // A credential is a text that fits a header.
    let flavor = [("Metadata-Flavor", "Google")];
    for token in [json!(null), json!(5), json!("canary\ntoken"), json!("")] {
        let body = json!({"access_token": token}).to_string();
        let machine = Faulty::new(move |_| faulty::answer(200, &flavor, body.as_bytes()));
        let at = machine.address().replace("http://", "");
        let why = "the metadata server: its answer holds no token";
        world.fails(&[("GCE_METADATA_HOST", &at)], why);
    }
    // A token is for the domain of its file alone.
    let path = world.file(
        "universe",
        &with(&account, "universe_domain", "other.test".into()),
    );
    let step = [
        (CREDENTIALS, path.as_str()),
        ("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "a.test"),
    ];
    let run = world.run("run -q -- true", &step).without(ENDPOINT);
    let said = run.env("V", "secret:team/a").end().err();
    assert!(
        said.contains("GOOGLE_CLOUD_UNIVERSE_DOMAIN is another domain than"),
        "{said}"
    );
}
