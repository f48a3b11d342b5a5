//! The identity for Azure, in the order of its own clients. A step that a variable asks for and that
//! fails is a fault. It is never passed over for the next one: a pod must not become its node.

use super::{Azure, AzureRemote, entra};
use crate::model::error::StoreError;
use crate::model::secret::Secret;
use crate::stores::{credential, remote};
use crate::sys::http::Answer;

/// The step that gives the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A client secret in variables, doorkey's own (`DOORKEY_`) or everybody's.
    ClientSecret(&'static str),
    /// A certificate, by variables of the same two kinds.
    Certificate(&'static str),
    /// A token of another identity provider.
    Workload,
    /// An identity that Azure gives an app or a machine.
    Managed,
}

/// The steps that may be taken: the environment, workload identity, a managed identity.
fn allowed(said: Option<&str>) -> Result<[bool; 3], StoreError> {
    let said = said.unwrap_or_default().trim().to_ascii_lowercase();
    match said.as_str() {
        "" | "prod" => Ok([true; 3]),
        "environmentcredential" => Ok([true, false, false]),
        "workloadidentitycredential" => Ok([false, true, false]),
        "managedidentitycredential" => Ok([false, false, true]),
        _ => Err(StoreError::setting(
            "AZURE_TOKEN_CREDENTIALS must be prod, EnvironmentCredential, \
             WorkloadIdentityCredential or ManagedIdentityCredential: a developer's credentials, \
             such as those of az, are not supported",
        )),
    }
}

impl Azure {
    /// Finds the step that gives the identity. Nothing is asked.
    fn step(&self) -> Result<Step, StoreError> {
        let [environment, workload, managed] = allowed(self.variable("AZURE_TOKEN_CREDENTIALS"))?;
        let is_federated = self.path("AZURE_FEDERATED_TOKEN_FILE").is_some();
        // Doorkey's own variables count before everybody's, whatever the step.
        for whose in ["DOORKEY_", ""] {
            let has = |name: &str| self.of(whose, name).is_some();
            let has_secret = |name: &str| self.secret(whose, name).is_some();
            if environment && has_secret("AZURE_CLIENT_SECRET") {
                return Ok(Step::ClientSecret(whose));
            }
            if environment && has("AZURE_CLIENT_CERTIFICATE_PATH") {
                return Ok(Step::Certificate(whose));
            }
            if environment && has("AZURE_USERNAME") && has_secret("AZURE_PASSWORD") {
                let what = format_args!(
                    "{whose}AZURE_USERNAME with {whose}AZURE_PASSWORD is not supported"
                );
                return Err(StoreError::setting(what).hint("log in as an application"));
            }
            // An application of doorkey's own can show everybody's token.
            let is_own = !whose.is_empty() && has("AZURE_CLIENT_ID");
            if workload && (has("AZURE_FEDERATED_TOKEN_FILE") || is_own && is_federated) {
                return Ok(Step::Workload);
            }
            if managed && (is_own || has("IDENTITY_ENDPOINT") || has_secret("IDENTITY_HEADER")) {
                return Ok(Step::Managed);
            }
        }
        match managed {
            true => Ok(Step::Managed),
            false => Err(StoreError::setting(
                "nothing says who doorkey is: give AZURE_TENANT_ID and AZURE_CLIENT_ID with \
                 AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH or \
                 AZURE_FEDERATED_TOKEN_FILE; AZURE_TOKEN_CREDENTIALS rules the rest out",
            )),
        }
    }

    /// Finds the token, and asks other services for it.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn find_token(&self, remote: &AzureRemote) -> Result<Secret, StoreError> {
        let (token, who) = match self.step()? {
            Step::ClientSecret(whose) => {
                const SECRET: &str = "AZURE_CLIENT_SECRET";
                let application = self.application(whose, SECRET)?;
                let secret = self.secret(whose, SECRET).unwrap_or_default();
                let proof = [("client_secret", credential::as_text(secret, SECRET)?)];
                let answer = entra::ask(remote, application, &proof)?;
                let token = self.given(&answer, "client secret")?;
                (token, format!("an application, by {whose}{SECRET}"))
            }
            Step::Certificate(whose) => {
                const PATH: &str = "AZURE_CLIENT_CERTIFICATE_PATH";
                let application = self.application(whose, PATH)?;
                let token = self.by_certificate(remote, whose, application)?;
                (token, format!("an application, by {whose}{PATH}"))
            }
            Step::Workload => {
                const FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
                let needed = |name| self.variable(name).ok_or_else(|| missing(name, FILE));
                let application = (needed("AZURE_TENANT_ID")?, needed("AZURE_CLIENT_ID")?);
                let file = self.path(FILE);
                let file = file.ok_or_else(|| missing(FILE, "AZURE_CLIENT_ID"))?;
                // Read each time, as the kubelet replaces it.
                let shown = credential::read(&file)?;
                let proof = entra::assertion(credential::as_text(
                    shown.expose(),
                    &format!("the token in {}", file.named()),
                )?);
                let answer = entra::ask(remote, application, &proof)?;
                let token = self.given(&answer, "workload identity")?;
                (token, format!("workload identity, by {}", file.setting()))
            }
            Step::Managed => self.of_managed(remote)?,
        };
        self.context
            .tell_identity(&format!("the identity that counts: {who}"));
        Ok(token)
    }

    /// The tenant and the application beside a secret or a certificate. Doorkey's own application
    /// and the workload's are never mixed.
    fn application(&self, whose: &str, beside: &str) -> Result<(&str, &str), StoreError> {
        let beside = format!("{whose}{beside}");
        let tenant = self.variable("AZURE_TENANT_ID");
        let client = self.of(whose, "AZURE_CLIENT_ID");
        let own = format!("{whose}AZURE_CLIENT_ID");
        Ok((
            tenant.ok_or_else(|| missing("AZURE_TENANT_ID", &beside))?,
            client.ok_or_else(|| missing(&own, &beside))?,
        ))
    }

    /// Gets a token by a certificate, whose key signs an assertion.
    fn by_certificate(
        &self,
        remote: &AzureRemote,
        whose: &str,
        application: (&str, &str),
    ) -> Result<Secret, StoreError> {
        if self
            .secret(whose, "AZURE_CLIENT_CERTIFICATE_PASSWORD")
            .is_some()
        {
            let what = format_args!("{whose}AZURE_CLIENT_CERTIFICATE_PASSWORD is not supported");
            return Err(StoreError::setting(what).hint("give a key without a password, in PEM"));
        }
        let name = format!("{whose}AZURE_CLIENT_CERTIFICATE_PATH");
        let file = remote::path(&self.context, &name);
        let file = file.ok_or_else(|| missing(&name, "AZURE_CLIENT_ID"))?;
        let pem = credential::read(&file)?;
        let chain = self.of(whose, "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN");
        let with_chain = chain.is_some_and(|said| said == "1" || said.eq_ignore_ascii_case("true"));
        let (tenant, client) = application;
        let audience = entra::address(self, tenant)?;
        let ask = || {
            let (who, now) = ((client, &*audience), self.clock.now());
            let signed = entra::signed(pem.expose(), who, with_chain, now)
                .map_err(|why| StoreError::setting(format_args!("{name}: {file} {why}")))?;
            let shown = str::from_utf8(signed.expose()).unwrap_or_default();
            entra::ask(remote, application, &entra::assertion(shown))
        };
        let mut answer = ask()?;
        if entra::is_untimely(&answer) && self.clock.is_off(&answer) {
            answer = ask()?;
        }
        self.given(&answer, "certificate")
    }

    /// The token in Entra's answer.
    fn given(&self, answer: &Answer, method: &str) -> Result<Secret, StoreError> {
        credential::in_answer(answer, entra::TOKEN)
            .ok_or_else(|| entra::refusal(answer, method, self))
    }
}

/// The error that a variable is missing, which another one needs.
pub fn missing(name: &str, beside: &str) -> StoreError {
    StoreError::setting(format_args!(
        "{name} is missing, which {beside} needs beside it"
    ))
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn which_steps_may_be_taken() {
        for (said, steps) in [
            (None, Some([true; 3])),
            (Some(" Prod "), Some([true; 3])),
            (Some("EnvironmentCredential"), Some([true, false, false])),
            (
                Some("workloadidentitycredential"),
                Some([false, true, false]),
            ),
            (
                Some("ManagedIdentityCredential"),
                Some([false, false, true]),
            ),
            (Some("dev"), None),
            (Some("AzureCliCredential"), None),
            (Some("x"), None),
        ] {
            assert_eq!(allowed(said).ok(), steps, "{said:?}");
        }
    }
}
