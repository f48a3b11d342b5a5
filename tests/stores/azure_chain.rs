//! Who doorkey is to Azure: every step of its clients' order, their own client first, and each step
//! that fails.

use serde_json::json;
use support::azure::{Application, Azure, Front, HEADER, TENANT, WEB_TOKEN, is_of_vault};
use support::faulty::{self, Request};
use support::{Place, Run};

/// A place with the files that steps need, a vault whose team has `a`, and an application.
pub struct World {
    pub place: Place,
    pub front: Front,
    pub vault: String,
    pub app: Application,
}

/// Variables, in which `APP`, `CLOUD`, `FRONT` and `PLACE` stand for what they are.
pub type Step = [(&'static str, &'static str)];

pub const SECRET: [(&str, &str); 3] = [
    ("AZURE_TENANT_ID", TENANT),
    ("AZURE_CLIENT_ID", "APP"),
    ("AZURE_CLIENT_SECRET", "canary-secret"),
];
pub const CERTIFICATE: [(&str, &str); 3] = [
    SECRET[0],
    SECRET[1],
    ("AZURE_CLIENT_CERTIFICATE_PATH", "CLOUD/app.pem"),
];
pub const WORKLOAD: [(&str, &str); 3] = [
    SECRET[0],
    SECRET[1],
    ("AZURE_FEDERATED_TOKEN_FILE", "PLACE/web-token"),
];
const APP: [(&str, &str); 2] = [
    ("IDENTITY_ENDPOINT", "FRONT/msi/token"),
    ("IDENTITY_HEADER", HEADER),
];

impl World {
    pub fn new() -> Self {
        Self::behind(|_| None)
    }

    pub fn behind(
        first: impl Fn(&Request) -> Option<Vec<faulty::Step>> + Send + Sync + 'static,
    ) -> Self {
        let azure = Azure::shared();
        let world = World {
            place: Place::new(),
            vault: azure.vault(),
            app: azure.application("canary-secret", None),
            front: azure.behind(first),
        };
        world.place.write("web-token", WEB_TOKEN);
        world.place.write("other-token", "canary-other");
        world.place.write("empty", "\n");
        let text = json!({"a": "canary-value"}).to_string();
        azure.put(&world.vault, "app--team", &text);
        world
    }

    fn environment(&self, step: &Step) -> Vec<(&'static str, String)> {
        let known = [
            ("APP", self.app.id.clone()),
            (
                "CLOUD",
                self.front.azure.file("").trim_end_matches('/').to_owned(),
            ),
            ("FRONT", self.front.faulty.address()),
            (
                "PLACE",
                self.place
                    .path("")
                    .to_str()
                    .unwrap()
                    .trim_end_matches('/')
                    .to_owned(),
            ),
        ];
        let value = |value: &str| {
            let mut known = known.iter();
            let found = known.find_map(|(word, meant)| {
                let rest = value.strip_prefix(word)?;
                Some(format!("{meant}{rest}"))
            });
            found.unwrap_or_else(|| value.to_owned())
        };
        step.iter()
            .map(|(name, text)| (*name, value(text)))
            .collect()
    }

    pub fn launch(&self, step: &Step) -> Run {
        self.run("run -q --timeout 3s -- printenv V", step)
    }

    pub fn run(&self, words: &str, step: &Step) -> Run {
        let run = self.place.doorkey(words.split(' '));
        let run = run
            .env("DOORKEY_STORE", format!("azure-kv:{}/app", self.vault))
            .env("V", "secret:team/a");
        let environment = self.environment(step).into_iter();
        environment.fold(self.front.lead(run), |run, (name, value)| {
            run.env(name, value)
        })
    }

    fn token(&self, how: &str) -> Vec<String> {
        vec![format!(
            "Bearer token-of-{}",
            how.replace("APP", &self.app.id)
        )]
    }

    /// Azure's client and doorkey are both this one.
    #[track_caller]
    fn both_are(&self, step: &Step, how: &str) {
        let url = format!("https://{}.vault.azure.net", self.vault);
        let environment = self.environment(step);
        let before = self.front.asked_as().len();
        let read = self.front.of_client(&[&url, "app--team"], &environment);
        assert_eq!(
            read,
            "\"{\\\"a\\\": \\\"canary-value\\\"}\"\n".replace(": ", ":")
        );
        assert!(
            self.front.asked_as()[before..]
                .iter()
                .all(|one| self.token(how).contains(one))
        );
        self.is(step, how);
    }

    /// doorkey is this one.
    #[track_caller]
    fn is(&self, step: &Step, how: &str) {
        self.launch(step).gives(0, "canary-value\n", "");
        assert_eq!(self.front.asked_as().last(), self.token(how).first());
    }

    /// doorkey is nobody, and says why; neither a vault was asked, nor the machine.
    #[track_caller]
    fn fails(&self, step: &Step, why: &str) {
        let before = self.front.faulty.requests().len();
        let ended = self.launch(step).end();
        let said = ended.err();
        assert!(said.contains(why), "{said}");
        assert_eq!((ended.code(), said.lines().count()), (125, 1), "{said}");
        assert!(!said.contains("canary-"), "{said}");
        for one in &self.front.faulty.requests()[before..] {
            let is_machine = one.path.starts_with("/metadata");
            assert!(!is_of_vault(one) && !is_machine, "{} is asked", one.path);
        }
    }
}

#[test]
fn azures_own_client_believes_the_cloud() {
    let world = World::new();
    let url = format!("https://{}.vault.azure.net", world.front.azure.vault());
    let environment = world.environment(&SECRET);
    let said = world.front.of_client(&[&url, "managing"], &environment);
    assert_eq!(said, "fine\n");
}

#[test]
fn each_step_in_its_place() {
    let world = World::new();
    world.both_are(&[], "imds-own");
    world.both_are(&[SECRET[1]], "imds-APP");
    world.both_are(&APP, "app-own");
    world.both_are(&[&APP[..], &[SECRET[1]]].concat(), "app-APP");
    world.both_are(&WORKLOAD, "federated-APP");
    world.both_are(&CERTIFICATE, "certificate-APP");
    world.both_are(&SECRET, "secret-APP");
    // Of several the first counts.
    world.both_are(&[&WORKLOAD[..], &APP].concat(), "federated-APP");
    world.both_are(
        &[&CERTIFICATE[..], &[WORKLOAD[2]]].concat(),
        "certificate-APP",
    );
    world.both_are(
        &[&SECRET[..], &[CERTIFICATE[2], WORKLOAD[2]]].concat(),
        "secret-APP",
    );
    let chain = ("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "true");
    world.both_are(&[&CERTIFICATE[..], &[chain]].concat(), "certificate-APP");
    // What is ruled out does not.
    let narrowed = |to| ("AZURE_TOKEN_CREDENTIALS", to);
    let all = [&SECRET[..], &[WORKLOAD[2]], &APP].concat();
    for (to, how) in [
        ("prod", "secret-APP"),
        ("EnvironmentCredential", "secret-APP"),
        ("WorkloadIdentityCredential", "federated-APP"),
        ("managedidentitycredential", "app-APP"),
    ] {
        world.is(&[&all[..], &[narrowed(to)]].concat(), how);
    }
    // The secret's own form has every character.
    assert_eq!(
        world
            .front
            .asked()
            .iter()
            .filter(|one| !one.starts_with("GET "))
            .count(),
        0
    );
}

#[test]
fn check_says_which_identity_counts() {
    let world = World::new();
    for (step, who) in [
        (&SECRET[..], "an application, by AZURE_CLIENT_SECRET"),
        (
            &CERTIFICATE,
            "an application, by AZURE_CLIENT_CERTIFICATE_PATH",
        ),
        (
            &WORKLOAD,
            "workload identity, by AZURE_FEDERATED_TOKEN_FILE",
        ),
        (&APP, "the app's, by IDENTITY_ENDPOINT"),
        (
            &[SECRET[1]],
            "the machine's with AZURE_CLIENT_ID, by its metadata",
        ),
    ] {
        let store = format!("--store=azure-kv:{}/app", world.vault);
        let check = world.place.doorkey(["check", "-eA=secret:a", &store]);
        let environment = world.environment(step).into_iter();
        let check = environment.fold(world.front.lead(check), |run, (name, value)| {
            run.env(name, value)
        });
        let said = check.ok().err();
        let line = format!("doorkey: the identity that counts: {who}\n");
        assert!(said.contains(&line), "{said}");
    }
}

#[test]
fn a_step_that_fails_is_not_passed_over() {
    let world = World::new();
    let other = ("AZURE_CLIENT_CERTIFICATE_PATH", "CLOUD/other.pem");
    let secret = |text| ("AZURE_CLIENT_SECRET", text);
    for (step, why) in [
        (
            &[SECRET[2]][..],
            "AZURE_TENANT_ID is missing, which AZURE_CLIENT_SECRET needs",
        ),
        (
            &[SECRET[0], SECRET[2]],
            "AZURE_CLIENT_ID is missing, which AZURE_CLIENT_SECRET needs",
        ),
        (
            &[SECRET[0], SECRET[1], secret("canary-x")],
            "not admitted by client secret: the client secret is wrong",
        ),
        (
            &[SECRET[0], SECRET[1], secret("expired")],
            "the client secret has expired",
        ),
        (
            &[SECRET[0], ("AZURE_CLIENT_ID", "x"), SECRET[2]],
            "the tenant has no such application",
        ),
        (
            &[("AZURE_TENANT_ID", "other"), SECRET[1], SECRET[2]],
            "there is no such tenant",
        ),
        (
            &[("AZURE_TENANT_ID", "a/b"), SECRET[1], SECRET[2]],
            "AZURE_TENANT_ID is neither",
        ),
        (
            &[SECRET[0], SECRET[1], other],
            "not admitted by certificate: the application does not have this",
        ),
        (
            &[
                SECRET[0],
                SECRET[1],
                ("AZURE_CLIENT_CERTIFICATE_PATH", "PLACE/none"),
            ],
            "can't read",
        ),
        (
            &[
                SECRET[0],
                SECRET[1],
                ("AZURE_CLIENT_CERTIFICATE_PATH", "PLACE/web-token"),
            ],
            "holds no certificate in PEM",
        ),
        (
            &[
                SECRET[0],
                SECRET[1],
                ("AZURE_CLIENT_CERTIFICATE_PATH", "CLOUD/ca.pem"),
            ],
            "holds no private key in PEM",
        ),
        (
            &[
                CERTIFICATE[0],
                CERTIFICATE[1],
                CERTIFICATE[2],
                ("AZURE_CLIENT_CERTIFICATE_PASSWORD", "canary-x"),
            ],
            "AZURE_CLIENT_CERTIFICATE_PASSWORD is not supported",
        ),
        (
            &[
                SECRET[0],
                SECRET[1],
                ("AZURE_USERNAME", "a"),
                ("AZURE_PASSWORD", "canary-b"),
            ],
            "AZURE_USERNAME with AZURE_PASSWORD is not supported",
        ),
        (
            &[WORKLOAD[0], WORKLOAD[2]],
            "AZURE_CLIENT_ID is missing, which AZURE_FEDERATED_TOKEN_FILE needs",
        ),
        (
            &[
                WORKLOAD[0],
                WORKLOAD[1],
                ("AZURE_FEDERATED_TOKEN_FILE", "CLOUD/ca.pem"),
            ],
            "ca.pem has a line break, or another control character, in it",
        ),
        (
            &[
                WORKLOAD[0],
                WORKLOAD[1],
                ("AZURE_FEDERATED_TOKEN_FILE", "PLACE/other-token"),
            ],
            "no federated credential",
        ),
        (
            &[
                WORKLOAD[0],
                WORKLOAD[1],
                ("AZURE_FEDERATED_TOKEN_FILE", "PLACE/empty"),
            ],
            "/empty is empty",
        ),
        (
            &[SECRET[0], SECRET[1], secret("canary-x\n")],
            "AZURE_CLIENT_SECRET has a line break",
        ),
        (
            &[
                WORKLOAD[0],
                WORKLOAD[1],
                ("AZURE_FEDERATED_TOKEN_FILE", "PLACE/none"),
            ],
            "AZURE_FEDERATED_TOKEN_FILE: can't read",
        ),
        (&[APP[0]], "IDENTITY_HEADER is missing"),
        (&[APP[1]], "IDENTITY_ENDPOINT is missing"),
        (
            &[APP[0], ("IDENTITY_HEADER", "canary-x")],
            "leads to somebody who refuses IDENTITY_HEADER",
        ),
        (
            &[APP[0], APP[1], ("AZURE_CLIENT_ID", "x")],
            "without such an identity; assign it the identity of AZURE_CLIENT_ID",
        ),
        (
            &[("IDENTITY_ENDPOINT", "http://example.test/x"), APP[1]],
            "IDENTITY_ENDPOINT leads elsewhere without TLS",
        ),
        (
            &[APP[0], APP[1], ("IDENTITY_SERVER_THUMBPRINT", "x")],
            "the identity of Service Fabric (IDENTITY_SERVER_THUMBPRINT) is not supported",
        ),
        (
            &[APP[0], ("IMDS_ENDPOINT", "x")],
            "the identity of Azure Arc (IMDS_ENDPOINT) is not supported",
        ),
        (
            &[("MSI_ENDPOINT", "x")],
            "the identity of Cloud Shell and Azure ML (MSI_ENDPOINT) is not supported",
        ),
        (
            &[("AZURE_TOKEN_CREDENTIALS", "dev")],
            "such as those of az, are not supported",
        ),
        (
            &[("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")],
            "such as those of az, are not supported",
        ),
        (
            &[("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")],
            "nothing says who doorkey is",
        ),
        (
            &[
                SECRET[0],
                SECRET[1],
                SECRET[2],
                ("AZURE_AUTHORITY_HOST", "http://login.test"),
            ],
            "AZURE_AUTHORITY_HOST must begin with https://",
        ),
    ] {
        world.fails(step, why);
    }
}
