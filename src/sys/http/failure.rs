//! Explains why a try failed, in one line, and whether another can help. Messages of libraries are
//! not passed on, as they may quote an answer. Hints come from the caller.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};
use thiserror::Error as Failing;

use super::{FaultHints, Settings};
use crate::model::error::Os;

/// The reason why a try failed.
#[derive(Debug, Failing)]
pub enum Failure {
    /// A failure that another try may not have.
    #[error("{why}")]
    Passing {
        /// The reason why this try failed.
        why: String,
        /// True if nothing was sent.
        unsent: bool,
    },
    /// A failure that another try would have as well.
    #[error("{0}")]
    Final(String),
}

/// Classifies an error of the client.
pub fn failure(error: &reqwest::Error, settings: &Settings) -> Failure {
    let hints = &settings.hints;
    if error.is_builder() {
        return Failure::Final("the request can't be made".to_owned());
    }
    let unsent = error.is_connect();
    let passing = |why: &str| {
        // Which of the two could not be connected to is not told apart.
        let unclear = unsent && settings.proxy.is_some();
        let proxy = if unclear { " (a proxy is set)" } else { "" };
        let why = format!("{why}{proxy}");
        Failure::Passing { why, unsent }
    };
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(mut system) = cause.downcast_ref::<io::Error>() {
            // One may be wrapped in another.
            while let Some(inner) = system.get_ref().and_then(|inner| inner.downcast_ref()) {
                system = inner;
            }
            // What is inside of one that is not the system's is no source of it.
            let inner = system.get_ref().and_then(|inner| inner.downcast_ref());
            if let Some(inner) = inner {
                return Failure::Final(format!("TLS: {}", tls(inner, hints)));
            }
            if let Some(number) = system.raw_os_error() {
                return passing(&Os(number).to_string());
            }
            if system.kind() == io::ErrorKind::UnexpectedEof {
                return passing("the connection was closed");
            }
        }
        if let Some(inner) = cause.downcast_ref::<rustls::Error>() {
            return Failure::Final(format!("TLS: {}", tls(inner, hints)));
        }
        if cause
            .downcast_ref()
            .is_some_and(|inner: &hyper::Error| inner.is_parse())
        {
            return Failure::Final("the answer is no HTTP".to_owned());
        }
        next = cause.source();
    }
    if error.is_timeout() && unsent {
        passing("no connection in time")
    } else if error.is_timeout() {
        passing("no answer in time")
    } else if error.is_dns() {
        passing("the name of the host can't be resolved")
    } else if unsent && settings.proxy.is_some() {
        // Of a connection of our own something above would have been the cause.
        let why = "the proxy does not let us through".to_owned();
        Failure::Passing { why, unsent }
    } else if unsent {
        passing("no connection")
    } else {
        passing("the connection broke off")
    }
}

/// Explains a TLS error.
fn tls(error: &rustls::Error, hints: &FaultHints) -> String {
    use rustls::Error::{
        AlertReceived, InvalidCertificate, NoCertificatesPresented, PeerIncompatible,
    };
    let (text, hint) = match error {
        // One that has the name of a trusted authority, and another key, signs badly.
        InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => (
            "the server's certificate is from an authority that is not trusted",
            hints.trust,
        ),
        InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            ("the server's certificate has expired", "")
        }
        InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => (
            "the server's certificate is not valid yet; is the clock right?",
            "",
        ),
        InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => ("the server's certificate is for another name", hints.name),
        InvalidCertificate(_) | NoCertificatesPresented => {
            ("the server's certificate is not valid", "")
        }
        AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown,
        ) => ("the server does not accept our certificate", hints.client),
        PeerIncompatible(_)
        | AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure) => {
            ("the server speaks no TLS 1.2 or 1.3 that we do", "")
        }
        AlertReceived(_) => ("the server broke off", ""),
        rustls::Error::InvalidMessage(_) => ("the server does not speak TLS there", ""),
        _ => ("the connection can't be secured", ""),
    };
    match hint {
        "" => text.to_owned(),
        hint => format!("{text}; give {hint}"),
    }
}
