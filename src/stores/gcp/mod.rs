//! Google Cloud: the identity for it, the addresses of its services, and its faults. Google's own
//! words are never passed on: they may quote what was sent.
//!
//! The environment variables are those of Google's own clients. They give the workload its identity,
//! and stay with it. Each can have `DOORKEY_` in front: it then counts first, and is doorkey's
//! alone.

mod credentials;
mod external;
mod fault;
mod metadata;

use std::sync::{Arc, OnceLock};

use self::credentials::{CredentialFile, Session};
pub use self::fault::{is_of_key, trouble};
use super::aws::header;
pub use super::aws::is_about;
use super::clock::Clock;
use super::kind::variables;
use super::{Context, Kind, NOTHING, StoreOption, Use, aws, remote};
use crate::core::option::{InFile, value};
use crate::model::error::StoreError;
use crate::model::secret::Secret;
use crate::sys::http::{self, Address, Answer, Header, Request, Server};

variables! { "":
    OUR_SETTINGS, SETTINGS =
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER", "CLOUDSDK_CONFIG", "GCE_METADATA_HOST",
        "GCLOUD_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_CLOUD_QUOTA_PROJECT", "GOOGLE_CLOUD_UNIVERSE_DOMAIN",
        "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "NO_GCE_CHECK";
}

/// Environment variables, by the use that a store makes of them. Those of AWS are for an identity
/// there that Google knows.
const VARIABLES: &[(Use, &[&str])] = &[
    (Use::Own, OUR_SETTINGS),
    (Use::Kept, SETTINGS),
    (
        Use::File,
        &[
            "DOORKEY_GOOGLE_APPLICATION_CREDENTIALS",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ],
    ),
    (Use::Kept, remote::VARIABLES),
    (Use::File, remote::FILES),
    (Use::Secret, aws::OUR_SECRETS),
    (Use::Own, aws::OUR_SETTINGS),
    (Use::Kept, aws::SECRETS),
    (Use::Kept, aws::SETTINGS),
];

/// The common part of Google's rows in the table of stores.
pub const KIND: Kind = Kind {
    splits: true,
    variables: VARIABLES,
    is_remote: true,
    ..NOTHING
};

/// The location of regional secrets.
pub const LOCATION: StoreOption = StoreOption::new(
    value("location", "NAME", "The location of regional secrets"),
    InFile::Always,
);

/// The service's address.
pub const ENDPOINT: StoreOption = StoreOption::new(
    value("endpoint", "URL", "The service's address"),
    InFile::Named,
);

/// The domain of Google's services for everybody.
const UNIVERSE: &str = "googleapis.com";

/// Secret Manager, and the identity for it. Its servers are told apart by their locations; the
/// global one has an empty name.
pub struct Gcp {
    /// The settings of the store.
    pub context: Arc<Context>,
    file: OnceLock<Result<Option<CredentialFile>, StoreError>>,
    machine: OnceLock<Result<Server, StoreError>>,
    project: OnceLock<Result<String, StoreError>>,
    clock: Clock,
}

/// The servers of a service, and our session.
pub type GcpRemote = remote::Remote<Gcp>;

/// Makes the header that shows a token.
fn bearer(token: &Secret) -> Header {
    header("authorization", [b"Bearer ", token.expose()].concat())
}

/// True if a text is a project's id or number. Older ids have a domain and a colon in front.
pub fn is_project(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte);
    !text.is_empty() && !text.starts_with('.') && text.bytes().all(fits)
}

impl Gcp {
    /// Makes a service. Nothing is asked, or read, yet.
    pub fn new(context: &Arc<Context>) -> Self {
        Gcp {
            context: Arc::clone(context),
            file: OnceLock::new(),
            machine: OnceLock::new(),
            project: OnceLock::new(),
            clock: Clock::new("Google"),
        }
    }

    /// A variable's value, doorkey's own first; an empty one is none.
    fn variable(&self, name: &str) -> Option<&str> {
        remote::own_text(&self.context, name)
    }

    /// The domain of the services, which the identity is for.
    fn universe(&self) -> Result<String, StoreError> {
        let said = self.variable("GOOGLE_CLOUD_UNIVERSE_DOMAIN");
        let file = self.file()?;
        let of_file = file.map(|file| file.text("universe_domain").unwrap_or(UNIVERSE));
        match (said, of_file) {
            // A token must not be sent to somebody else's services.
            (Some(said), Some(own)) if said != own => {
                let what = "GOOGLE_CLOUD_UNIVERSE_DOMAIN is another domain than that of the \
                            credentials' file (universe_domain)";
                Err(StoreError::setting(what))
            }
            (said, own) => Ok(said.or(own).unwrap_or(UNIVERSE).to_owned()),
        }
    }

    /// The project of secrets without one: that of settings, or that which the identity is from.
    ///
    /// # Errors
    /// An error that the project is missing.
    pub fn project(&self, remote: &GcpRemote) -> Result<&str, StoreError> {
        let find = || {
            let said = self.variable("GOOGLE_CLOUD_PROJECT");
            if let Some(said) = said.or_else(|| self.variable("GCLOUD_PROJECT")) {
                return Ok(said.to_owned());
            }
            match self.file()? {
                None => self.project_of_machine(remote),
                Some(file) => file.text("project_id").map(str::to_owned).ok_or_else(|| {
                    let what = "the project is missing";
                    StoreError::setting(what).hint("give gcp-sm:PROJECT/…, or GOOGLE_CLOUD_PROJECT")
                }),
            }
        };
        let project = self.project.get_or_init(find);
        project.as_deref().map_err(StoreError::clone)
    }

    /// The project whose quota counts, if it is another than the secrets'.
    ///
    /// # Errors
    /// An error that a setting is not the id of a project.
    fn quota_project(&self) -> Result<Option<String>, StoreError> {
        const NAME: &str = "GOOGLE_CLOUD_QUOTA_PROJECT";
        let of_file = || self.file().ok()??.text("quota_project_id");
        let (setting, said) = match self.variable(NAME) {
            Some(said) => (NAME, Some(said)),
            None => ("quota_project_id of the credentials' file", of_file()),
        };
        match said {
            Some(said) if !is_project(said) => Err(StoreError::setting(format_args!(
                "{setting} is not the id of a project"
            ))),
            said => Ok(said.map(str::to_owned)),
        }
    }

    /// The address that replaces the usual one.
    fn endpoint(&self) -> Option<&str> {
        let said = self.context.said("endpoint");
        let said = said.or_else(|| self.variable("CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"));
        said.or_else(|| self.context.configured("endpoint"))
    }

    /// The settings of the connection to a service at an address.
    fn reached_at(&self, address: Address) -> Result<http::Settings, StoreError> {
        remote::check_way(&address, None, false)?;
        let mut settings = remote::settings(&self.context, address);
        settings.hints.trust = "SSL_CERT_FILE";
        Ok(settings)
    }

    /// Names the settings that values depend on, apart from their names.
    pub fn identity(&self) -> String {
        let said = |name| self.variable(name).unwrap_or_default();
        let parts = [
            self.endpoint().unwrap_or_default(),
            said("GOOGLE_CLOUD_PROJECT"),
            said("GCLOUD_PROJECT"),
            said("GOOGLE_APPLICATION_CREDENTIALS"),
        ];
        parts.join(" ")
    }

    /// Sends all requests at the same time, each to its location, and gives the answers in the same
    /// order. If they are refused for the local clock, they are sent once more by Google's time.
    ///
    /// # Errors
    /// The fault that keeps all requests from being sent.
    pub fn round(
        remote: &GcpRemote,
        requests: &dyn Fn() -> Vec<(String, Request)>,
    ) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
        let gcp = remote.service();
        let answers = remote.round(requests())?;
        let mut answered = answers.iter().filter_map(|answer| answer.as_ref().ok());
        let is_off = |answer: &Answer| answer.status == 401 && gcp.clock.is_off(answer);
        let is_ours = remote.with_session(|session| session.is_by_clock)?;
        if !is_ours || !answered.any(is_off) {
            return Ok(answers);
        }
        let session = gcp.find(remote)?;
        remote.with_session(|old| *old = session)?;
        remote.round(requests())
    }

    /// Sends one request, and gives its answer.
    ///
    /// # Errors
    /// The reason why there is no answer.
    pub fn ask(
        remote: &GcpRemote,
        request: &dyn Fn() -> (String, Request),
    ) -> Result<Answer, StoreError> {
        let mut answers = Gcp::round(remote, &|| vec![request()])?;
        let none = || Err(StoreError::setting("nothing was asked"));
        answers.pop().unwrap_or_else(none)
    }
}

impl remote::Service for Gcp {
    type Host = String;
    type Session = Session;

    fn settings(&self, location: &String) -> Result<http::Settings, StoreError> {
        let text = match (self.endpoint(), location.as_str()) {
            (Some(given), _) => given.to_owned(),
            (None, "") => format!("https://secretmanager.{}", self.universe()?),
            (None, place) => format!("https://secretmanager.{place}.rep.{}", self.universe()?),
        };
        let address = Address::parse(&text)
            .map_err(|why| StoreError::setting(format_args!("the endpoint's URL {why}")))?;
        self.reached_at(address)
    }

    fn log_in(&self, remote: &GcpRemote) -> Result<Session, StoreError> {
        let session = self.find(remote)?;
        let who = &session.who;
        self.context
            .tell_identity(&format!("the identity that counts: {who}"));
        Ok(session)
    }

    fn sign(
        &self,
        session: &Session,
        _: (&String, &Server),
        request: &mut Request,
    ) -> Result<(), StoreError> {
        let token = Arc::clone(&session.authorization);
        request.headers.push(("authorization", token));
        if let Some(project) = &session.quota_project {
            let project = header("x-goog-user-project", project.as_str());
            request.headers.push(project);
        }
        Ok(())
    }
}
