//! Programs that a kubeconfig names to get an identity (`exec`), as those of clouds need them.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Instant;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use serde_json::{Value, json};

use super::identity::bearer;
use super::kubeconfig::Chosen;
use crate::model::error::StoreError;
use crate::model::secret::Secret;
use crate::stores::program;
use crate::sys::files;
use crate::sys::http::tls::Pem;
use crate::sys::program::{Program, found};

/// The supported versions of the interface.
const VERSIONS: [&str; 2] = [
    "client.authentication.k8s.io/v1",
    "client.authentication.k8s.io/v1beta1",
];

/// A certificate of a cluster is not larger than this, in bytes.
const LARGEST: usize = 1024 * 1024;

/// A credential for the cluster.
pub struct Credential {
    /// The value of the header with a token.
    pub token: Option<Arc<Secret>>,
    /// True if the kubeconfig has a certificate of ours.
    pub has_certificate: bool,
    /// A certificate of ours that a program has given, and its key.
    pub certificate: Option<(Secret, Secret)>,
}

impl Credential {
    /// True if there is anything to show.
    pub fn is_somebody(&self) -> bool {
        self.token.is_some() || self.has_certificate || self.certificate.is_some()
    }

    /// The certificate that a program has given.
    pub fn client(&self) -> Option<(Pem, Pem)> {
        let (certificate, key) = self.certificate.as_ref()?;
        let pem = |secret: &Secret| {
            let copy = Secret::new(secret.expose().to_vec());
            Pem::Text("what the exec plug-in gave".to_owned(), copy)
        };
        Some((pem(certificate), pem(key)))
    }
}

/// The answer of a program.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PluginAnswer {
    api_version: String,
    #[serde(default)]
    status: PluginStatus,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PluginStatus {
    token: String,
    client_certificate_data: String,
    client_key_data: String,
}

/// Runs the user's program, and gives its credential.
///
/// # Errors
/// The setting that can't be used, or the reason why the program gives no credential.
pub fn ask(chosen: &Chosen, deadline: Instant) -> Result<Credential, StoreError> {
    let user = &chosen.user;
    let exec = user.value("exec").unwrap_or(&Value::Null);
    let text = |key: &str| exec.get(key).and_then(Value::as_str).unwrap_or_default();
    let fault = |what: &str| user.fault(&format!("its exec plug-in: {what}"));
    let version = text("apiVersion");
    if !VERSIONS.contains(&version) {
        return Err(fault("the apiVersion is neither v1 nor v1beta1"));
    }
    if text("interactiveMode") == "Always" {
        return Err(fault(
            "interactiveMode Always: doorkey gives it no standard input",
        ));
    }
    if text("command").is_empty() {
        return Err(fault("it has no command"));
    }
    let list = |key: &str| {
        exec.get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let arguments = list("args").filter_map(Value::as_str).map(OsString::from);
    let arguments: Vec<_> = arguments.collect();
    let member = |one: &Value, key: &str| OsString::from(one[key].as_str().unwrap_or_default());
    let environment = list("env").map(|one| (member(one, "name"), member(one, "value")));
    let mut environment: Vec<_> = environment.collect();
    let mut spec = json!({"interactive": false});
    if matches!(text("provideClusterInfo"), "true" | "True" | "TRUE") {
        spec["cluster"] = about_cluster(chosen)?;
    }
    let info = json!({"kind": "ExecCredential", "apiVersion": version, "spec": spec});
    environment.push(("KUBERNETES_EXEC_INFO".into(), info.to_string().into()));
    let file = found(text("command").as_ref(), user.folder());
    let answer = program::run(&Program {
        file: &file,
        arguments: &arguments,
        environment: &environment,
        without: &[],
        input: b"",
        deadline,
    })?;
    let method = format!(
        "the exec plug-in {} of {}",
        program::shown(&file),
        user.what
    );
    if answer.code != 0 {
        answer.log(std::iter::empty());
        let why = format!("it has ended with exit code {}", answer.code);
        let hint = "--log-level debug shows what it has said";
        return Err(StoreError::not_admitted(method, why).hint(hint));
    }
    let read: Result<PluginAnswer, _> = serde_json::from_slice(answer.output.expose());
    let Ok(PluginAnswer {
        api_version,
        status,
    }) = read
    else {
        answer.log(std::iter::empty());
        return Err(StoreError::not_admitted(
            method,
            "its answer is no ExecCredential",
        ));
    };
    let PluginStatus {
        token,
        client_certificate_data,
        client_key_data,
    } = &status;
    let all = [token, client_certificate_data, client_key_data];
    answer.log(all.into_iter().map(|text| text.as_bytes()));
    if api_version != version {
        let why = "its answer has another apiVersion than the kubeconfig";
        return Err(StoreError::not_admitted(method, why));
    }
    let secret = |text: &String| Secret::new(text.as_bytes().to_vec());
    let has_certificate = !client_certificate_data.is_empty() && !client_key_data.is_empty();
    let credential = Credential {
        token: (!token.is_empty()).then(|| bearer(secret(token))),
        has_certificate: false,
        certificate: has_certificate
            .then(|| (secret(client_certificate_data), secret(client_key_data))),
    };
    match credential.is_somebody() {
        true => Ok(credential),
        false => {
            let why = "it gives neither a token nor a certificate with its key";
            Err(StoreError::not_admitted(method, why))
        }
    }
}

/// Describes the cluster for a program that asks for this.
fn about_cluster(chosen: &Chosen) -> Result<Value, StoreError> {
    const EXTENSION: &str = "client.authentication.k8s.io/exec";
    let cluster = &chosen.cluster;
    let extensions = cluster.value("extensions").and_then(Value::as_array);
    let mut extensions = extensions.into_iter().flatten();
    if extensions.any(|one| one["name"] == EXTENSION) {
        return Err(cluster.fault(&format!(
            "the extension {EXTENSION} is nothing that doorkey does"
        )));
    }
    let mut about = json!({});
    for key in ["server", "tls-server-name", "proxy-url"] {
        if let Some(text) = cluster.text(key) {
            about[key] = text.into();
        }
    }
    if cluster.says_yes("insecure-skip-tls-verify") {
        about["insecure-skip-tls-verify"] = true.into();
    }
    let data = match cluster.pem("certificate-authority")? {
        None => return Ok(about),
        Some(Pem::Text(_, text)) => text,
        Some(Pem::File(path)) => {
            let read = files::read(&path, LARGEST).map(Secret::new);
            read.map_err(|error| StoreError::file("read", &path, error))?
        }
    };
    about["certificate-authority-data"] = BASE64_STANDARD.encode(data.expose()).into();
    Ok(about)
}
