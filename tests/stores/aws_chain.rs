//! Who doorkey is to AWS: every step of its clients' order, their own client first, and each step
//! that fails.

use std::os::unix::fs::PermissionsExt;
use support::cloud;

use support::cloud::{
    POD_TOKEN, SSO_TOKEN, WEB_TOKEN, asked_as, cloud as start, launch, of_client,
};
use support::faulty::Faulty;
use support::{Place, executable};

const ROLE: &str = "arn:aws:iam::123456789012:role/app";

/// A place with the files that steps need, and what all of them have in common.
struct World {
    place: Place,
    cloud: Faulty,
}

impl World {
    fn new() -> Self {
        let (place, cloud) = (Place::new(), start());
        place.write("web-token", WEB_TOKEN);
        place.write("pod-token", POD_TOKEN);
        place.write("empty", "\n");
        World { place, cloud }
    }

    fn config(&self, text: &str) {
        self.place.write("home/.aws/config", text);
    }

    fn path(&self, file: &str) -> String {
        self.place.path(file).to_str().unwrap().to_owned()
    }

    /// The environment of a step, with the addresses of the cloud.
    fn environment<'a>(&self, step: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
        let at = self.cloud.address();
        let mut all = vec![
            ("AWS_ENDPOINT_URL_STS", at.clone()),
            ("AWS_ENDPOINT_URL_SSO", at.clone()),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", at),
            ("AWS_DEFAULT_REGION", "eu-west-1".to_owned()),
        ];
        for (name, value) in step {
            let value = value.replace("CLOUD", &self.cloud.address());
            let value = value.replace("PLACE", self.path("").trim_end_matches('/'));
            all.push((name, value));
        }
        all
    }

    /// AWS' client and doorkey are both this one.
    #[track_caller]
    fn both_are(&self, step: &[(&str, &str)], id: &str) {
        let environment = self.environment(step);
        assert_eq!(of_client(&self.place, &environment), id);
        self.is(step, id);
    }

    /// doorkey is this one.
    #[track_caller]
    fn is(&self, step: &[(&str, &str)], id: &str) {
        let environment = self.environment(step);
        let ended = launch(&self.place, &self.cloud, &environment).end();
        assert_eq!(
            (ended.out(), ended.err()),
            ("canary-value\n".to_owned(), String::new())
        );
        let last = asked_as(&self.cloud).pop().unwrap();
        assert_eq!(last, (id.to_owned(), id != "STATIC"));
    }

    /// doorkey is nobody, and says why; the store was not asked, nor the machine.
    #[track_caller]
    fn fails(&self, step: &[(&str, &str)], why: &str) {
        let before = self.cloud.requests().len();
        let ended = launch(&self.place, &self.cloud, &self.environment(step)).end();
        let said = ended.err();
        assert!(said.contains(why), "{said}");
        assert_eq!((ended.code(), said.lines().count()), (125, 1), "{said}");
        assert!(!said.contains("canary-"), "{said}");
        let asked = &self.cloud.requests()[before..];
        let is_next = |path: &str| path.starts_with("/latest/");
        assert!(
            !asked.iter().any(|one| is_next(&one.path)),
            "the machine is asked"
        );
        assert!(!asked.iter().any(|one| one.header("x-amz-target").is_some()));
    }
}

const WEB: [(&str, &str); 2] = [
    ("AWS_ROLE_ARN", ROLE),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", "PLACE/web-token"),
];
const POD: [(&str, &str); 2] = [
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "CLOUD/v2/credentials"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "PLACE/pod-token"),
];
const STATIC: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "STATIC"),
    ("AWS_SECRET_ACCESS_KEY", "x"),
];

#[test]
fn each_step_in_its_place() {
    let world = World::new();
    world.both_are(&[], "MACHINE");
    world.both_are(&POD, "CONTAINER");
    world.both_are(&WEB, "WEB");
    world.both_are(&STATIC, "STATIC");
    // Of several the first counts.
    world.both_are(&[POD, WEB].concat(), "WEB");
    world.both_are(&[POD, WEB, STATIC].concat(), "STATIC");
    let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", POD_TOKEN);
    world.both_are(&[POD[0], token], "CONTAINER");
    // The machine says where it is, too.
    let mut environment = world.environment(&[]);
    environment.retain(|(name, _)| *name != "AWS_DEFAULT_REGION");
    launch(&world.place, &world.cloud, &environment).ok();
    let requests = world.cloud.requests();
    let last = requests.last().unwrap().header("authorization").unwrap();
    assert!(
        last.contains(&format!("/{}/secretsmanager/", cloud::REGION)),
        "{last}"
    );
}

#[test]
fn check_and_doctor_say_which_identity_counts() {
    let world = World::new();
    for (step, who) in [
        (&STATIC, "the key in AWS_ACCESS_KEY_ID"),
        (&WEB, &format!("the role {ROLE} by web identity")),
        (&POD, "the container's, by AWS_CONTAINER_CREDENTIALS_…"),
    ] {
        let ended = |words: &[&str]| {
            let run = world.place.doorkey(words).arg("--store=aws-sm:app");
            let run = run.env("AWS_ENDPOINT_URL_SECRETS_MANAGER", world.cloud.address());
            let environment = world.environment(step).into_iter();
            environment
                .fold(run, |run, (name, value)| run.env(name, value))
                .end()
        };
        let line = format!("the identity that counts: {who}\n");
        let said = ended(&["check", "-eA=secret:name"]).err();
        assert!(said.contains(&format!("doorkey: {line}")), "{said}");
        let found = ended(&["doctor"]).out();
        let mut rows = found.lines().filter(|row| row.starts_with("ok  identity"));
        let row = rows.next().unwrap_or_default();
        assert!(row.ends_with(line.trim_end()), "{found}");
    }
}

#[test]
fn profiles() {
    let world = World::new();
    world.config(
        "[default]\naws_access_key_id = STATIC\naws_secret_access_key = x\n\
         [profile role]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = keys\nexternal_id = ex\n\
         [profile keys]\nregion = us-east-1\n\
         [profile chain]\nrole_arn = arn:aws:iam::1:role/b\nsource_profile = role\n\
         [profile machine]\nrole_arn = arn:aws:iam::1:role/b\ncredential_source = Ec2InstanceMetadata\n\
         [profile container]\nrole_arn = arn:aws:iam::1:role/b\ncredential_source = EcsContainer\n\
         [profile environment]\nrole_arn = arn:aws:iam::1:role/b\ncredential_source = Environment\n\
         [profile web]\nrole_arn = arn:aws:iam::1:role/b\nweb_identity_token_file = WEB\n\
         [profile sso]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = reader\n\
         [sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.test/start\n\
         [profile older]\nsso_start_url = https://corp.test/start\nsso_region = eu-west-1\n\
         sso_account_id = 123456789012\nsso_role_name = reader\n"
            .replace("WEB\n", &format!("{}\n", world.path("web-token")))
            .as_str(),
    );
    let credentials =
        "[keys]\naws_access_key_id = KEYS\naws_secret_access_key = y\naws_session_token = z\n";
    let credentials = world.place.write("home/.aws/credentials", credentials);
    // By `printf %s corp | sha1sum`, and of where it begins.
    let cached = format!(
        r#"{{"accessToken": "{SSO_TOKEN}", "expiresAt": "2099-01-01T00:00:00Z", "region": "eu-west-1"}}"#
    );
    for name in [
        "ee0bfd2552fbd840c02cc48b6e823320543c450f",
        "d8c3c531b8f82fdc8ca8bb7890461dd5d9a1744e",
    ] {
        world
            .place
            .write(&format!("home/.aws/sso/cache/{name}.json"), &cached);
    }
    let profile = |name| [("AWS_PROFILE", name)];
    world.both_are(&[], "STATIC");
    world.both_are(&profile("keys"), "KEYS");
    world.both_are(&profile("role"), "ROLE.ex.KEYS");
    world.both_are(&profile("chain"), "ROLE..ROLE.ex.KEYS");
    world.both_are(&profile("machine"), "ROLE..MACHINE");
    world.both_are(
        &[&profile("container")[..], &POD].concat(),
        "ROLE..CONTAINER",
    );
    world.both_are(&profile("web"), "WEB");
    world.both_are(&profile("sso"), "SSO");
    world.both_are(&profile("older"), "SSO");
    // A profile that is named counts before web identity; the usual one does not.
    world.both_are(&[&profile("role")[..], &WEB].concat(), "ROLE.ex.KEYS");
    world.is(&WEB, "WEB");
    world.is(&POD, "STATIC");
    // Of the files' own keys there is nobody to be asked.
    let environment = [&profile("environment")[..], &STATIC].concat();
    world.is(&environment, "STATIC");
    // What others can write says nothing to be believed.
    std::fs::set_permissions(&credentials, std::fs::Permissions::from_mode(0o666)).unwrap();
    world.fails(&profile("role"), "can be written by others");
    std::fs::set_permissions(&credentials, std::fs::Permissions::from_mode(0o600)).unwrap();

    world.config(
        "[profile mfa]\nrole_arn = a\nsource_profile = x\nmfa_serial = y\n\
         [profile lonely]\nrole_arn = a\n[profile empty]\nregion = x\n\
         [profile circle]\nrole_arn = a\nsource_profile = again\n\
         [profile again]\nrole_arn = a\nsource_profile = circle\n\
         [profile login]\nlogin_session = arn:aws:iam::1:user/x\n\
         [profile sso]\nsso_session = gone\n[profile half]\naws_access_key_id = A\n\
         [profile late]\nsso_session = late\nsso_account_id = 1\nsso_role_name = r\n\
         [sso-session late]\nsso_region = eu-west-1\n\
         [profile odd]\nrole_arn = a\ncredential_source = Elsewhere\n",
    );
    for (name, why) in [
        (
            "nosuch",
            "AWS_PROFILE: there is no profile nosuch: it is in neither of ",
        ),
        (
            "mfa",
            "profile mfa: mfa_serial: doorkey asks nobody for a code",
        ),
        (
            "lonely",
            "profile lonely: role_arn needs source_profile, credential_source or",
        ),
        ("empty", "profile empty: it has no keys, no role_arn"),
        (
            "circle",
            "profile circle: its source_profile leads back to it",
        ),
        (
            "login",
            "profile login: login_session is nothing that doorkey can use",
        ),
        ("sso", "profile sso: there is no [sso-session gone]"),
        (
            "half",
            "profile half: aws_access_key_id and aws_secret_access_key go together",
        ),
        (
            "late",
            "there is no token; run aws sso login --profile late",
        ),
        (
            "odd",
            "credential_source is Environment, EcsContainer or Ec2InstanceMetadata",
        ),
    ] {
        world.fails(&profile(name), why);
    }
    world.config("[profile x]\nwhat is that\n");
    world.fails(
        &profile("x"),
        "home/.aws/config: line 2: neither [SECTION] nor NAME = VALUE",
    );
}

#[test]
fn a_program_gives_keys() {
    let world = World::new();
    let program = world.place.path("a program");
    let run =
        |script: &str| executable(&program, format!("#!/bin/sh\n{script}\n").as_bytes(), 0o755);
    let keys = r#"echo '{"Version": 1, "AccessKeyId": "PROGRAM", "SecretAccessKey": "x", "SessionToken": "'$1'"}'"#;
    run(keys);
    let command = format!("'{}' \"t;$HOME\"", program.display());
    world.config(&format!("[profile p]\ncredential_process = {command}\n"));
    let profile = [("AWS_PROFILE", "p")];
    world.both_are(&profile, "PROGRAM");
    // No shell has seen it.
    let requests = world.cloud.requests();
    let token = requests.last().unwrap().header("x-amz-security-token");
    assert_eq!(token, Some("t;$HOME"));
    for (script, why) in [
        (
            "echo canary-output; echo canary-error >&2; exit 3",
            "has ended with exit code 3",
        ),
        (
            "echo '{\"Version\": 2}'",
            "prints no keys in JSON of version 1",
        ),
        ("sleep 60", ", so it was ended"),
    ] {
        run(script);
        world.fails(&profile, why);
    }
    std::fs::remove_file(&program).unwrap();
    world.fails(&profile, "can't be started");
}

#[test]
fn a_step_that_fails_is_not_passed_over() {
    let world = World::new();
    for (step, why) in [
        (
            &[WEB[0]][..],
            "AWS_WEB_IDENTITY_TOKEN_FILE is missing, which AWS_ROLE_ARN needs",
        ),
        (
            &[WEB[1]],
            "AWS_ROLE_ARN is missing, which AWS_WEB_IDENTITY_TOKEN_FILE needs",
        ),
        (
            &[WEB[0], ("AWS_WEB_IDENTITY_TOKEN_FILE", "PLACE/none")],
            "AWS_WEB_IDENTITY_TOKEN_FILE: can't read",
        ),
        (
            &[WEB[0], ("AWS_WEB_IDENTITY_TOKEN_FILE", "PLACE/pod-token")],
            "not admitted by the role arn:aws:iam::123456789012:role/app: the token is not from",
        ),
        (
            &[POD[0]],
            "AWS_CONTAINER_CREDENTIALS_FULL_URI leads to somebody who refuses us",
        ),
        (
            &[
                (
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    "http://example.test/x",
                ),
                POD[1],
            ],
            "AWS_CONTAINER_CREDENTIALS_FULL_URI leads elsewhere without TLS",
        ),
        (
            &[
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "CLOUD/nothing"),
                POD[1],
            ],
            "the last: status 404: no role belongs to the task",
        ),
        (&[STATIC[0]], "AWS_SECRET_ACCESS_KEY is missing"),
        (
            &[STATIC[0], ("AWS_SECRET_ACCESS_KEY", "canary-secret\n")],
            "AWS_SECRET_ACCESS_KEY has a space or a line break in it",
        ),
        (
            &[STATIC[0], STATIC[1], ("AWS_SESSION_TOKEN", "canary token")],
            "AWS_SESSION_TOKEN has a space or a line break in it",
        ),
        (
            &[WEB[0], ("AWS_WEB_IDENTITY_TOKEN_FILE", "PLACE/empty")],
            "AWS_WEB_IDENTITY_TOKEN_FILE: PLACE/empty is empty",
        ),
        // The machine is asked in the place of no file that is named.
        (
            &[("AWS_SHARED_CREDENTIALS_FILE", "PLACE/none")],
            "AWS_SHARED_CREDENTIALS_FILE: can't read PLACE/none: no such file",
        ),
        (
            &[("AWS_CONFIG_FILE", "PLACE/none"), POD[0], POD[1]],
            "AWS_CONFIG_FILE: can't read PLACE/none: no such file",
        ),
        (
            &[("AWS_EC2_METADATA_DISABLED", "true")],
            "nothing says who doorkey is",
        ),
        (
            &[("AWS_EC2_METADATA_DISABLED", "TRUE"), ("AWS_PROFILE", "x")],
            "there is no profile x",
        ),
    ] {
        world.fails(
            step,
            &why.replace("PLACE", world.path("").trim_end_matches('/')),
        );
    }
}

/// With `DOORKEY_` in front a variable is doorkey's alone, counts first, and is nowhere afterwards.
#[test]
fn doorkeys_own_identity() {
    let world = World::new();
    let own = |name: &'static str, value: &'static str| (name, value);
    // Another role by the same token, beside the workload's own keys.
    let role = own("DOORKEY_AWS_ROLE_ARN", "arn:aws:iam::1:role/doorkey");
    world.is(&[&WEB[..], &STATIC, &[role]].concat(), "WEB");
    let form = world.cloud.requests();
    let form = form
        .iter()
        .rfind(|one| one.header("x-amz-target").is_none())
        .unwrap();
    let form = String::from_utf8_lossy(&form.body).into_owned();
    assert!(
        form.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fdoorkey&"),
        "{form}"
    );
    let pod = [
        own(
            "DOORKEY_AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "CLOUD/v2/credentials",
        ),
        own("DOORKEY_AWS_CONTAINER_AUTHORIZATION_TOKEN", POD_TOKEN),
    ];
    world.is(&[&WEB[..], &STATIC, &pod].concat(), "CONTAINER");
    world.config("[profile p]\naws_access_key_id = PROFILE\naws_secret_access_key = x\naws_session_token = y\n");
    let profile = own("DOORKEY_AWS_PROFILE", "p");
    world.is(&[&WEB[..], &STATIC, &[profile]].concat(), "PROFILE");
    // By an option of the store.
    let environment = world.environment(&STATIC);
    let run = launch(&world.place, &world.cloud, &environment);
    run.env("DOORKEY_STORE", "aws-sm:app?profile=p").ok();
    assert_eq!(asked_as(&world.cloud).pop().unwrap().0, "PROFILE");
    // The workload has its own, and nothing of doorkey's.
    let environment = world.environment(&[&STATIC[..], &pod].concat());
    let run = world.place.doorkey("run -q -- env".split(' '));
    let run = run
        .env("DOORKEY_STORE", "aws-sm:app")
        .env("V", "secret:team/a");
    let run = run.env("AWS_ENDPOINT_URL_SECRETS_MANAGER", world.cloud.address());
    let out = environment
        .iter()
        .fold(run, |run, (name, value)| run.env(name, value))
        .ok()
        .out();
    assert!(
        !out.contains("DOORKEY_") && !out.contains(POD_TOKEN),
        "{out}"
    );
    assert!(out.contains("AWS_ACCESS_KEY_ID=STATIC"), "{out}");
}
