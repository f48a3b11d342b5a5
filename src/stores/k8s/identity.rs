//! The identity for a cluster, and the cluster's address. The sources are a variable first, then
//! the pod's service account, then the file of the user's home. A source that was asked for is
//! never passed over.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::kubeconfig::{self, Chosen};
use super::plugin::{self, Credential};
use crate::model::error::StoreError;
use crate::model::named::{Named, ShownPath};
use crate::model::secret::Secret;
use crate::stores::remote::{self, PATIENCE, Remote};
use crate::stores::{Context, Use, credential};
use crate::sys::files;
use crate::sys::http::{Address, FaultHints, Header, Proxy, Request, Server, Settings, tls};

/// The folder of a pod's service account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Environment variables that give a pod the cluster's address.
const HOST: &str = "KUBERNETES_SERVICE_HOST";
const PORT: &str = "KUBERNETES_SERVICE_PORT";

/// The variable that names files, doorkey's own first.
const FILES: [&str; 2] = ["DOORKEY_KUBECONFIG", "KUBECONFIG"];

/// Environment variables, by the use that the store makes of them.
pub const VARIABLES: &[(Use, &[&str])] = &[
    (Use::Own, &[FILES[0]]),
    (Use::Kept, &[FILES[1], HOST, PORT]),
    (Use::Kept, remote::VARIABLES),
    (Use::File, remote::FILES),
    (Use::File, &FILES),
];

/// Keys of a user in a file that doorkey does not support.
const LEFT_OUT: [&str; 6] = [
    "auth-provider",
    "username",
    "password",
    "as",
    "as-uid",
    "as-groups",
];

/// The source of the identity, known without asking anyone.
pub enum Whence {
    /// The pod's service account.
    Pod {
        /// The cluster's address.
        server: String,
    },
    /// A context of files.
    File(Box<Chosen>),
}

/// The cluster, and the identity there.
pub struct Who {
    context: Arc<Context>,
    whence: OnceLock<Result<Whence, StoreError>>,
    credential: OnceLock<Result<Credential, StoreError>>,
}

impl Who {
    /// Makes one. Nothing is read yet.
    pub fn new(context: &Arc<Context>) -> Self {
        Who {
            context: Arc::clone(context),
            whence: OnceLock::new(),
            credential: OnceLock::new(),
        }
    }

    /// Gives the source of the identity.
    ///
    /// # Errors
    /// The missing source, or the fault of a file.
    pub fn whence(&self) -> Result<&Whence, StoreError> {
        let found = self.whence.get_or_init(|| find(&self.context));
        found.as_ref().map_err(StoreError::clone)
    }

    /// Gives the namespace for a store whose name has none.
    ///
    /// # Errors
    /// The errors of [`Self::whence`], or the reason why the pod's namespace can't be read.
    pub fn namespace(&self) -> Result<String, StoreError> {
        match self.whence()? {
            Whence::Pod { .. } => {
                let path = Named::new("the pod's namespace", format!("{ACCOUNT}/namespace"));
                let read = credential::read(&path)?;
                Ok(String::from_utf8_lossy(read.expose()).into_owned())
            }
            Whence::File(chosen) => Ok(chosen.namespace.as_deref().unwrap_or("default").to_owned()),
        }
    }

    /// Gives the cluster's address, so that values of another cluster are not mistaken for this
    /// one's.
    pub fn server(&self) -> String {
        match self.whence() {
            Ok(Whence::Pod { server }) => server.clone(),
            Ok(Whence::File(chosen)) => {
                chosen.cluster.text("server").unwrap_or_default().to_owned()
            }
            Err(_) => String::new(),
        }
    }

    /// Gives the login method, for messages of faults.
    pub fn method(&self) -> String {
        match self.whence() {
            Ok(Whence::File(chosen)) => format!("the {}", chosen.user.what),
            _ => "the pod's token".to_owned(),
        }
    }

    /// True if there is a credential to show.
    pub fn is_somebody(&self) -> bool {
        let credential = self.credential.get();
        let credential = credential.and_then(|found| found.as_ref().ok());
        credential.is_none_or(Credential::is_somebody)
    }

    /// Gives the credential. A plug-in is run for it if necessary.
    fn credential(&self) -> Result<&Credential, StoreError> {
        let found = self.credential.get_or_init(|| {
            let chosen = match self.whence()? {
                Whence::Pod { .. } => return pods_token(),
                Whence::File(chosen) => chosen,
            };
            let user = &chosen.user;
            if let Some(key) = user.first_of(&LEFT_OUT) {
                return Err(user.fault(&format!("{key} is nothing that doorkey does")));
            }
            if user.value("exec").is_some() {
                let deadline = self.context.deadline;
                let deadline = deadline.unwrap_or_else(|| Instant::now() + PATIENCE);
                return plugin::ask(chosen, deadline);
            }
            let token = match (user.path("tokenFile"), user.text("token")) {
                (Some(path), _) => Some(credential::read(&path)?),
                (None, token) => token.map(|token| Secret::new(token.as_bytes().to_vec())),
            };
            let certificate = user.pem("client-certificate")?;
            Ok(Credential {
                token: token.map(bearer),
                has_certificate: certificate.is_some(),
                certificate: None,
            })
        });
        found.as_ref().map_err(StoreError::clone)
    }

    fn settings_of_pod(&self, server: &str) -> Result<Settings, StoreError> {
        let address = Address::parse(server)
            .map_err(|why| StoreError::setting(format_args!("{HOST} and {PORT}: the URL {why}")))?;
        let mut settings = remote::settings(&self.context, address);
        let path = Named::new("the pod's trust", format!("{ACCOUNT}/ca.crt"));
        settings.tls.trust = Some(tls::Pem::File(path));
        Ok(settings)
    }

    fn settings_of(&self, chosen: &Chosen) -> Result<Settings, StoreError> {
        let (cluster, user) = (&chosen.cluster, &chosen.user);
        let server = cluster
            .text("server")
            .ok_or_else(|| cluster.fault("it has no server"))?;
        let mut address =
            Address::parse(server).map_err(|why| cluster.fault(&format!("server {why}")))?;
        if let Some(name) = cluster.text("tls-server-name") {
            let expected = address.expect(name);
            expected.map_err(|why| cluster.fault(&format!("tls-server-name {why}")))?;
        }
        let unverified = cluster.says_yes("insecure-skip-tls-verify");
        let setting = unverified.then_some("insecure-skip-tls-verify");
        remote::check_way(&address, setting, false)?;
        let mut settings = remote::settings(&self.context, address);
        if let Some(proxy) = cluster.text("proxy-url") {
            if !proxy.starts_with("http://") && !proxy.starts_with("https://") {
                return Err(cluster.fault("proxy-url must be http:// or https://"));
            }
            settings.proxy = Some(Proxy {
                url: Secret::new(proxy.as_bytes().to_vec()),
                except: String::new(),
            });
        }
        settings.tls.trust = cluster.pem("certificate-authority")?;
        settings.tls.unverified = unverified;
        settings.tls.client = match self.credential()?.client() {
            Some(made) => Some(made),
            None => match user.pem("client-certificate")? {
                None => None,
                Some(certificate) => {
                    let key = user.pem("client-key")?;
                    let key = key.ok_or_else(|| user.fault("it has no client-key"))?;
                    Some((certificate, key))
                }
            },
        };
        settings.hints = FaultHints {
            trust: "certificate-authority in the kubeconfig",
            name: "tls-server-name in the kubeconfig",
            client: "client-certificate in the kubeconfig",
        };
        Ok(settings)
    }
}

/// Makes the header's value of a token.
pub fn bearer(token: Secret) -> Arc<Secret> {
    Arc::new(Secret::new([b"Bearer ", token.expose()].concat()))
}

/// Finds the source of the identity.
fn find(context: &Context) -> Result<Whence, StoreError> {
    let named = FILES
        .iter()
        .find_map(|name| Some((*name, remote::text(context, name)?)));
    let wanted = context
        .said("context")
        .or_else(|| context.configured("context"));
    if let Some((variable, list)) = named {
        let paths = list.split(':').filter(|path| !path.is_empty());
        let paths: Vec<_> = paths.map(|path| Named::new(variable, path)).collect();
        return chosen(context, &paths, wanted);
    }
    let pod = [HOST, PORT].map(|name| remote::text(context, name));
    if let ([Some(host), Some(port)], None) = (pod, wanted) {
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        let server = format!("https://{host}:{port}");
        context.tell_identity("the cluster knows us by the pod's service account");
        return Ok(Whence::Pod { server });
    }
    let home = context.home.as_ref().map(|home| home.join(".kube/config"));
    match home.filter(|path| files::exists(path)) {
        Some(path) => chosen(context, &[path.into()], wanted),
        None => {
            let what = "there is no cluster: this is no pod, and there is no ~/.kube/config";
            Err(StoreError::setting(what).hint("give KUBECONFIG"))
        }
    }
}

fn chosen(context: &Context, paths: &[Named], wanted: Option<&str>) -> Result<Whence, StoreError> {
    let chosen = kubeconfig::choose(paths, wanted)?;
    let name = ShownPath(&chosen.name);
    let who = format!(
        "the cluster knows us by the context {name}, {}",
        chosen.user.what
    );
    context.tell_identity(&who);
    Ok(Whence::File(Box::new(chosen)))
}

/// The pod's token, which the kubelet replaces.
fn pods_token() -> Result<Credential, StoreError> {
    let path = format!("{ACCOUNT}/token");
    if !files::exists(Path::new(&path)) {
        let what = format!("this pod has no token: there is no {path}");
        let hint = "its automountServiceAccountToken must not be false, or a projected token \
                    must be mounted there; else give KUBECONFIG";
        return Err(StoreError::setting(what).hint(hint));
    }
    let token = credential::read(&Named::new("the pod's token", path))?;
    Ok(Credential {
        token: Some(bearer(token)),
        has_certificate: false,
        certificate: None,
    })
}

impl remote::Service for Who {
    type Host = ();
    type Session = Option<Header>;

    fn settings(&self, _: &()) -> Result<Settings, StoreError> {
        match self.whence()? {
            Whence::Pod { server } => self.settings_of_pod(server),
            Whence::File(chosen) => self.settings_of(chosen),
        }
    }

    fn log_in(&self, _: &Remote<Self>) -> Result<Self::Session, StoreError> {
        let token = &self.credential()?.token;
        Ok(token
            .as_ref()
            .map(|token| ("authorization", Arc::clone(token))))
    }

    fn sign(
        &self,
        session: &Self::Session,
        _: (&(), &Server),
        request: &mut Request,
    ) -> Result<(), StoreError> {
        request.headers.extend(session.clone());
        Ok(())
    }
}
