//! How long a launch takes that fetches 20 names in three scopes from a cloud's store, side by side
//! with a program of ten lines that reads the same by the vendor's own Python client.
//!
//! `sh benches/run` installs what is missing and runs this. The servers are those of the tests, on
//! this machine. doorkey's time goes on until the workload that it has become has ended; the
//! client's ends when it has the values.
//!
//! Options: `--rounds N`, and `--also LABEL=FILE` (repeatable) for further builds of doorkey.

#[allow(dead_code, reason = "each program uses a part of it")]
mod measure;

use std::collections::BTreeMap;

use measure::{Outcome, Task, Variant, copies};
use serde_json::{Value, json};
use support::Place;
use support::azure::{self, Azure, TENANT};
use support::gcp::{self, ENDPOINT, Gcp};
use support::moto::{self, Moto, REGION};

const ROUNDS: usize = 40;
const NAMES: usize = 20;
const SCOPES: [&str; 3] = ["team", "cluster/eu", "project/web"];

const SECRETS_MANAGER: &str = r#"
import json, sys, boto3
from concurrent.futures import ThreadPoolExecutor
client = boto3.client("secretsmanager")
read = lambda name: json.loads(client.get_secret_value(SecretId=name)["SecretString"])
with ThreadPoolExecutor() as pool:
    values = {name: value for part in pool.map(read, sys.argv[1:]) for name, value in part.items()}
assert len(values) == 20
"#;

const PARAMETER_STORE: &str = r#"
import sys, boto3
from concurrent.futures import ThreadPoolExecutor
client = boto3.client("ssm")
names = [f"{scope}/secret_{number}" for scope in sys.argv[1:] for number in range(20)]
read = lambda at: client.get_parameters(Names=names[at : at + 10], WithDecryption=True)["Parameters"]
with ThreadPoolExecutor() as pool:
    values = {one["Name"]: one["Value"] for part in pool.map(read, range(0, 60, 10)) for one in part}
assert len(values) == 20
"#;

const KEY_VAULT: &str = r#"
import json, sys
from concurrent.futures import ThreadPoolExecutor
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
client = SecretClient(sys.argv[1], DefaultAzureCredential())
read = lambda name: json.loads(client.get_secret(name).value)
with ThreadPoolExecutor() as pool:
    values = {name: value for part in pool.map(read, sys.argv[2:]) for name, value in part.items()}
assert len(values) == 20
"#;

const SECRET_MANAGER: &str = r#"
import base64, json, os, sys
from concurrent.futures import ThreadPoolExecutor
from google.auth.transport.requests import AuthorizedSession
from google.oauth2.service_account import Credentials
found = Credentials.from_service_account_file(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
found._create_self_signed_jwt("https://secretmanager.googleapis.com/")
client = AuthorizedSession(found.with_always_use_jwt_access(True))
client.credentials._create_self_signed_jwt("https://secretmanager.googleapis.com/")
url = sys.argv[1] + "/secrets/%s/versions/latest:access"
read = lambda name: json.loads(base64.b64decode(client.get(url % name).json()["payload"]["data"]))
with ThreadPoolExecutor() as pool:
    values = {name: value for part in pool.map(read, sys.argv[2:]) for name, value in part.items()}
assert len(values) == 20
"#;

/// A store, and the vendor's client for it.
struct Cloud {
    /// The store's name.
    store: String,
    /// The words that follow it in the table, for the client.
    client: &'static str,
    python: &'static str,
    program: &'static str,
    arguments: Vec<String>,
    environment: Vec<String>,
}

fn main() -> Outcome<()> {
    let Some(mut task) = Task::new(ROUNDS)? else {
        return Ok(());
    };
    let place = Place::new();
    task.install(&place.path(""))?;
    let workload = copies(&place.path(""), &["true", "wait"])?;
    let (moto, google, azure) = (Moto::shared(), Gcp::shared(), Azure::shared());
    let clouds = [
        of_secrets_manager(&moto),
        of_parameter_store(&moto),
        of_google(&google, &place),
        of_azure(&azure),
    ];
    let mut variants = Vec::new();
    for cloud in &clouds {
        let scheme = cloud.store.split(':').next().unwrap_or_default();
        let mut command = vec![cloud.python, "-c", cloud.program];
        command.extend(cloud.arguments.iter().map(String::as_str));
        let name = format!("{scheme}: {}", cloud.client);
        variants.push(Variant::new(&name, &command, &cloud.environment)?);
        for (label, program) in &task.builds {
            let mut variables = cloud.environment.clone();
            variables.push(format!("DOORKEY_STORE={}", cloud.store));
            variables.push("DOORKEY_CLUSTER=eu".to_owned());
            variables.push("DOORKEY_PROJECT=web".to_owned());
            let reference = |number| format!("VARIABLE_{number}=secret:secret_{number}");
            variables.extend((0..NAMES).map(reference));
            let command = [program.as_str(), "run", "--quiet", "--", &workload];
            let name = format!("{scheme}: {label}");
            variants.push(Variant::new(&name, &command, &variables)?);
        }
    }
    let mut variants = task.measure(variants)?;
    println!("Medians of {} rounds.\n", task.rounds);
    println!("| launch | ms | the vendor's client = 1 | peak memory, KB |");
    println!("|---|--:|--:|--:|");
    for of_cloud in variants.chunks_mut(1 + task.builds.len()) {
        let client = of_cloud[0].median();
        for variant in of_cloud {
            let (median, name, peak) = (variant.median(), &variant.name, variant.peak);
            let (time, ratio) = (median / 1000.0, median / client);
            println!("| {name} | {time:.1} | {ratio:.3} | {peak} |");
        }
    }
    println!();
    Ok(())
}

/// The members of each scope: each name is in one of them.
fn documents() -> BTreeMap<&'static str, BTreeMap<String, String>> {
    let mut all: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for number in 0..NAMES {
        let members = all.entry(SCOPES[number % SCOPES.len()]).or_default();
        members.insert(format!("secret_{number}"), format!("{number:032}"));
    }
    all
}

fn of_aws(moto: &Moto, actions: &[&str]) -> Vec<String> {
    let keys = moto.user(actions);
    vec![
        format!("AWS_ACCESS_KEY_ID={}", keys.id),
        format!("AWS_SECRET_ACCESS_KEY={}", keys.secret),
        format!("AWS_DEFAULT_REGION={REGION}"),
        format!("AWS_ENDPOINT_URL=http://{}", moto.at),
    ]
}

fn of_secrets_manager(moto: &Moto) -> Cloud {
    for (scope, members) in documents() {
        moto.put(&format!("app/{scope}"), &json!(members).to_string());
    }
    Cloud {
        store: "aws-sm:app".to_owned(),
        client: "boto3",
        python: moto::PYTHON,
        program: SECRETS_MANAGER,
        arguments: SCOPES.map(|scope| format!("app/{scope}")).into(),
        environment: of_aws(moto, &["secretsmanager:GetSecretValue"]),
    }
}

fn of_parameter_store(moto: &Moto) -> Cloud {
    for (scope, members) in documents() {
        for (name, value) in members {
            moto.parameter(&format!("/app/{scope}/{name}"), &value);
        }
    }
    Cloud {
        store: "aws-ssm:/app".to_owned(),
        client: "boto3",
        python: moto::PYTHON,
        program: PARAMETER_STORE,
        arguments: SCOPES.map(|scope| format!("/app/{scope}")).into(),
        environment: of_aws(moto, &["ssm:GetParameters"]),
    }
}

/// The names of the scopes' secrets where a name has no slash.
fn flat() -> [String; 3] {
    SCOPES.map(|scope| format!("app--{}", scope.replace('/', "--")))
}

fn of_google(google: &Gcp, place: &Place) -> Cloud {
    let project = Gcp::project();
    for (scope, members) in documents() {
        let name = format!("app--{}", scope.replace('/', "--"));
        google.put(&project, &name, json!(members).to_string());
    }
    let account: Value = google.account();
    let file = place.write("account.json", account.to_string());
    let url = format!("http://{}/v1/projects/{project}", google.at);
    let mut arguments = vec![url];
    arguments.extend(flat());
    Cloud {
        store: format!("gcp-sm:{project}/app"),
        client: "google-auth and requests",
        python: gcp::PYTHON,
        program: SECRET_MANAGER,
        arguments,
        environment: vec![
            format!("GOOGLE_APPLICATION_CREDENTIALS={}", file.display()),
            format!("{ENDPOINT}=http://{}", google.at),
        ],
    }
}

fn of_azure(azure: &std::sync::Arc<Azure>) -> Cloud {
    let vault = azure.vault();
    for (scope, members) in documents() {
        let name = format!("app--{}", scope.replace('/', "--"));
        azure.put(&vault, &name, &json!(members).to_string());
    }
    let application = azure.application("a client's secret", None);
    // Straight to the cloud: nothing of ours stands in front.
    let authority = azure.file("ca.pem");
    let environment = vec![
        format!("HTTPS_PROXY={}", azure.proxy()),
        format!("SSL_CERT_FILE={authority}"),
        format!("REQUESTS_CA_BUNDLE={authority}"),
        format!("AZURE_TENANT_ID={TENANT}"),
        format!("AZURE_CLIENT_ID={}", application.id),
        format!("AZURE_CLIENT_SECRET={}", application.secret),
        "AZURE_TOKEN_CREDENTIALS=prod".to_owned(),
    ];
    let mut arguments = vec![format!("https://{vault}.vault.azure.net")];
    arguments.extend(flat());
    Cloud {
        store: format!("azure-kv:{vault}/app"),
        client: "azure-identity and azure-keyvault-secrets",
        python: azure::PYTHON,
        program: KEY_VAULT,
        arguments,
        environment,
    }
}
