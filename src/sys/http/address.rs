//! Addresses of servers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::{ClientBuilder, Url};

use super::names::NameLookup;
use crate::model::named::ShownPath;

/// The address of a server: `http://`, `https://` or `unix://`.
#[derive(Clone)]
pub struct Address {
    /// The address as it was given, with a slash at its end.
    base: Url,
    /// The URL that requests go to: `base`, with the host that the certificate must name.
    target: Url,
    /// The socket's path, for `unix://`.
    socket: Option<String>,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// The fault of the address, without quoting it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(path) = text.strip_prefix("unix://") {
            let base = Url::parse("http://localhost/").map_err(|_| "is no URL")?;
            let socket = Some(path.to_owned());
            return Ok(Address {
                target: base.clone(),
                base,
                socket,
            });
        }
        let mut base = Url::parse(text).map_err(|_| "is no URL")?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err("must be http://HOST, https://HOST or unix://PATH");
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err("must have no user and no password in it");
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err("must have no '?' and no '#' in it");
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Address {
            target: base.clone(),
            base,
            socket: None,
        })
    }

    /// Splits the URL of one thing, such as where tokens are got. The parts are its server's
    /// address, and the path there with the query.
    ///
    /// # Errors
    /// The errors of [`Self::parse`].
    pub fn split(text: &str) -> Result<(Self, String), &'static str> {
        let mut url = Url::parse(text).map_err(|_| "is no URL")?;
        let mut path = url.path().trim_start_matches('/').to_owned();
        if let Some(query) = url.query() {
            path = format!("{path}?{query}");
        }
        url.set_path("/");
        url.set_query(None);
        Ok((Address::parse(url.as_str())?, path))
    }

    /// Expects a certificate for this name, not for the address.
    ///
    /// # Errors
    /// The fault of the name.
    pub fn expect(&mut self, name: &str) -> Result<(), &'static str> {
        let set = self.target.set_host(Some(name));
        set.map_err(|_| "is no name of a host")
    }

    /// True if requests are not encrypted, so that others on the way can read along.
    pub fn is_plain(&self) -> bool {
        self.base.scheme() == "http"
    }

    /// True if the server is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.socket.is_some() || is_loopback(&self.base)
    }

    /// Returns the host as it is written.
    pub fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    /// Returns the `Host` of requests: with the port if it is not the scheme's own.
    pub fn authority(&self) -> String {
        let host = self.target.host_str().unwrap_or_default();
        match self.target.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Returns the beginning of all requests' paths: `/`, unless there is more.
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// Returns the port.
    pub fn port(&self) -> Option<u16> {
        self.base.port_or_known_default()
    }

    /// Returns the full URL of a path.
    pub(super) fn url(&self, path: &str) -> Option<Url> {
        // Not joined, as what is before a colon at its beginning would be a scheme.
        Url::parse(&format!("{}{path}", self.target)).ok()
    }

    /// Returns the scheme, the host and the port, as they are shown.
    pub fn origin(&self) -> String {
        match &self.socket {
            Some(socket) => format!("unix://{}", ShownPath(socket)),
            None => {
                let origin = self.base.origin().ascii_serialization();
                ShownPath(&origin).to_string()
            }
        }
    }

    /// Returns the full address of a path as it is shown, without the query.
    pub(super) fn shown(&self, path: &str) -> String {
        let path = path.split('?').next().unwrap_or_default();
        let path = match path {
            "" => String::new(),
            path => ShownPath(path).to_string(),
        };
        match &self.socket {
            Some(socket) => format!("unix://{}: {path}", ShownPath(socket)),
            None => format!("{}{path}", ShownPath(self.base.as_str())),
        }
    }

    /// Sets up how names are resolved and what is connected to. `turn` is the place, in a name's
    /// addresses, of the one that is tried first.
    pub(super) fn configure(&self, builder: ClientBuilder, turn: usize) -> ClientBuilder {
        if let Some(socket) = &self.socket {
            return builder.unix_socket(socket.as_str());
        }
        let other = self.target.host_str() != self.base.host_str();
        let always = other.then(|| self.host().trim_matches(['[', ']']).to_owned());
        let builder = builder.dns_resolver(Arc::new(NameLookup { always, turn }));
        if other {
            return builder;
        }
        // No resolver is needed for this one, and where there is neither hosts nor resolv.conf
        // it would hang.
        let here = [
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0),
        ];
        builder.resolve_to_addrs("localhost", &here)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback()),
        None => false,
    }
}

/// True if a redirect leads to the same server, or from there to encryption.
pub(super) fn is_same(from: &Url, to: &Url) -> bool {
    let same_host = from.host_str() == to.host_str();
    let same_port = from.port_or_known_default() == to.port_or_known_default();
    let encrypts = from.scheme() == "http" && to.scheme() == "https" && to.port().is_none();
    same_host && ((same_port && from.scheme() == to.scheme()) || encrypts)
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn one_thing_is_split_from_its_server() {
        for (text, authority, path, joined) in [
            ("https://login.test/t/token", "login.test", "t/token", ""),
            (
                "http://[fd00:ec2::23]/v1/c?a=b%2F",
                "[fd00:ec2::23]",
                "v1/c?a=b%2F",
                "",
            ),
            (
                "http://127.0.0.1:8080",
                "127.0.0.1:8080",
                "",
                "http://127.0.0.1:8080/",
            ),
            (
                "https://a.test:443/b:c",
                "a.test",
                "b:c",
                "https://a.test/b:c",
            ),
        ] {
            let (address, found) = Address::split(text).unwrap();
            assert_eq!(
                (address.authority().as_str(), found.as_str()),
                (authority, path)
            );
            let joined = if joined.is_empty() { text } else { joined };
            assert_eq!(address.url(&found).unwrap().as_str(), joined);
        }
        for text in ["token", "ftp://a/b", "https://u:p@a/b", "https://a/b#c"] {
            assert!(Address::split(text).is_err(), "{text}");
        }
    }
}
