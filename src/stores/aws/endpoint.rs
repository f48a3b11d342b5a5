//! Addresses of AWS' services: regions, and addresses by AWS' rules and by settings.

use super::{Aws, AwsService, is_yes};
use crate::model::error::StoreError;
use crate::stores::remote;
use crate::sys::http::{self, Address, tls};

/// The region in the name of a thing of AWS (`arn:PARTITION:SERVICE:REGION:…`).
pub fn region_of(name: &str) -> Option<&str> {
    name.strip_prefix("arn:")?.split(':').nth(2)
}

/// True if a text is the name of something that a service has.
pub fn is_arn(text: &str, service: &str) -> bool {
    let mut fields = text.split(':').skip(2);
    text.starts_with("arn:aws") && fields.next() == Some(service) && fields.next().is_some()
}

impl Aws {
    /// Gives the address that replaces the usual one of a service.
    fn endpoint(&self, service: &AwsService) -> Result<Option<&str>, StoreError> {
        let is_own = service.name == self.service.name;
        let context = &self.context;
        if let Some(said) = context.said("endpoint").filter(|_| is_own) {
            return Ok(Some(said));
        }
        let configured = context.configured("endpoint").filter(|_| is_own);
        if is_yes(self.setting("IGNORE_CONFIGURED_ENDPOINT_URLS")?) {
            return Ok(configured);
        }
        let found = self.variable(service.endpoint);
        let found = found.or_else(|| self.variable("ENDPOINT_URL"));
        if let Some(found) = found.or(configured) {
            return Ok(Some(found));
        }
        let id = service.endpoint.trim_start_matches("ENDPOINT_URL_");
        let profiles = self.profiles()?;
        let own = profiles.of_service(&id.to_ascii_lowercase());
        Ok(own.or_else(|| profiles.setting("endpoint_url")))
    }

    /// The address of a service in a region.
    ///
    /// # Errors
    /// Settings that can't be used.
    pub fn address(&self, service: &AwsService, region: &str) -> Result<Address, StoreError> {
        // The region becomes part of a host's name.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if region.is_empty() || !region.bytes().all(fits) {
            let what = "the region has letters, digits and '-' alone";
            return Err(StoreError::setting(what.to_owned()));
        }
        let text = match self.endpoint(service)? {
            Some(endpoint) => endpoint.to_owned(),
            None => {
                let dual = is_yes(self.setting("USE_DUALSTACK_ENDPOINT")?);
                let fips = is_yes(self.setting("USE_FIPS_ENDPOINT")?);
                usual(service.name, region, dual, fips)
            }
        };
        Address::parse(&text)
            .map_err(|why| StoreError::setting(format!("the endpoint's URL {why}")))
    }

    /// Gives the settings of the connection to a service at an address.
    ///
    /// # Errors
    /// Settings that can't be used.
    pub fn reached_at(&self, address: Address) -> Result<http::Settings, StoreError> {
        remote::check_way(&address, None, false)?;
        let mut settings = remote::settings(&self.context, address);
        let bundle = self.path("CA_BUNDLE")?;
        settings.tls.trust = bundle.map(tls::Pem::File);
        settings.hints.trust = "AWS_CA_BUNDLE";
        settings.verdict = super::verdict;
        Ok(settings)
    }

    /// Names the settings that values depend on, apart from their names.
    pub fn identity(&self) -> String {
        let said = |setting: Result<Option<&str>, _>| {
            setting.unwrap_or_default().unwrap_or_default().to_owned()
        };
        [
            said(self.said_region()),
            said(self.endpoint(&self.service)),
            said(Ok(self.context.said("profile"))),
            said(Ok(self.variable("PROFILE"))),
            said(Ok(self.variable("ROLE_ARN"))),
        ]
        .join(" ")
    }
}

/// The address of a service by AWS' own rules.
fn usual(service: &str, region: &str, dual: bool, fips: bool) -> String {
    let is_china = region.starts_with("cn-");
    let is_eusc = region.starts_with("eusc-");
    let suffix = match dual {
        true if is_china => "api.amazonwebservices.com.cn",
        true if is_eusc => "api.amazonwebservices.eu",
        true => "api.aws",
        false if is_china => "amazonaws.com.cn",
        false if is_eusc => "amazonaws.eu",
        false => "amazonaws.com",
    };
    let fips = if fips { "-fips" } else { "" };
    format!("https://{service}{fips}.{region}.{suffix}")
}

#[cfg(test)]
mod tests {
    use super::{region_of, usual};

    #[test]
    fn the_region_of_a_name() {
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-AbCdEf";
        assert_eq!(region_of(arn), Some("eu-west-1"));
        assert_eq!(region_of("app/db"), None);
        assert_eq!(region_of("arn:aws"), None);
    }

    #[test]
    fn addresses_are_those_of_the_partition() {
        for (region, dual, fips, host) in [
            ("eu-west-1", false, false, "ssm.eu-west-1.amazonaws.com"),
            (
                "us-gov-west-1",
                false,
                true,
                "ssm-fips.us-gov-west-1.amazonaws.com",
            ),
            ("us-east-1", true, false, "ssm.us-east-1.api.aws"),
            ("us-east-1", true, true, "ssm-fips.us-east-1.api.aws"),
            (
                "cn-north-1",
                false,
                false,
                "ssm.cn-north-1.amazonaws.com.cn",
            ),
            (
                "cn-north-1",
                true,
                false,
                "ssm.cn-north-1.api.amazonwebservices.com.cn",
            ),
            (
                "eusc-de-east-1",
                false,
                false,
                "ssm.eusc-de-east-1.amazonaws.eu",
            ),
            (
                "eusc-de-east-1",
                true,
                false,
                "ssm.eusc-de-east-1.api.amazonwebservices.eu",
            ),
        ] {
            assert_eq!(usual("ssm", region, dual, fips), format!("https://{host}"));
        }
    }
}
