//! Trust and our own certificate in TLS 1.2 and 1.3.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::model::error::StoreError;
use crate::model::named::Named;
use crate::model::secret::Secret;
use crate::sys::files;

/// The largest file of certificates or of a key, in bytes.
const LARGEST: usize = 4 * 1024 * 1024;

/// The files in which systems keep all their trusted certificates: Debian and Alpine, Red Hat,
/// SUSE, others.
const SYSTEM: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Certificates or a key in PEM.
pub enum Pem {
    /// A file with the text.
    File(Named),
    /// The setting that holds the text, and the text.
    Text(String, Secret),
}

impl Pem {
    fn setting(&self) -> &str {
        match self {
            Pem::File(file) => file.setting(),
            Pem::Text(setting, _) => setting,
        }
    }

    fn read(&self) -> Result<Secret, StoreError> {
        match self {
            Pem::File(file) => {
                let read = files::read(file, LARGEST).map(Secret::new);
                read.map_err(|error| StoreError::file("read", file, error))
            }
            Pem::Text(_, text) => Ok(Secret::new(text.expose().to_vec())),
        }
    }
}

/// The settings by which a server is trusted. The first source of trust that is given counts.
#[derive(Default)]
pub struct TlsSettings {
    /// Trusted certificates.
    pub trust: Option<Pem>,
    /// A folder of files of trusted certificates.
    pub folder: Option<Named>,
    /// The file of the system's trusted certificates, if it is in another place.
    pub system: Option<Pem>,
    /// Our own certificate, and its key.
    pub client: Option<(Pem, Pem)>,
    /// True if any server is trusted unchecked.
    pub unverified: bool,
}

/// Builds the TLS settings of the client. No file is read for a server without encryption.
pub fn config(settings: &TlsSettings, plain: bool) -> Result<ClientConfig, StoreError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| unfit("TLS", "can't be set up"))?;
    let builder = if plain {
        builder.with_root_certificates(RootCertStore::empty())
    } else if settings.unverified {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
    } else {
        builder.with_root_certificates(roots(settings)?)
    };
    let mut config = match &settings.client {
        Some((certificate, key)) if !plain => {
            let chain = certificates(certificate.setting(), certificate.read()?.expose())?;
            let secret = key.read()?;
            let secret = PrivateKeyDer::from_pem_slice(secret.expose())
                .map_err(|_| unfit(key.setting(), "names no key in PEM"))?;
            builder.with_client_auth_cert(chain, secret).map_err(|_| {
                unfit(
                    key.setting(),
                    "names a key that does not fit the certificate",
                )
            })?
        }
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn unfit(setting: &str, what: &str) -> StoreError {
    StoreError::setting(format_args!("{setting} {what}"))
}

/// Reads all certificates in a PEM text; an error if there is none.
fn certificates(setting: &str, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    found
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or_else(|| unfit(setting, "holds no certificate in PEM"))
}

fn roots(settings: &TlsSettings) -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    if let Some(trust) = &settings.trust {
        add(&mut roots, trust.setting(), trust.read()?.expose())?;
    } else if let Some(folder) = &settings.folder {
        let files = files::list(folder);
        let files = files.map_err(|error| StoreError::file("read", folder, error))?;
        let setting = folder.setting();
        for file in files {
            // A folder of certificates may hold lists of revoked ones, too, and links to nowhere.
            if let Ok(text) = files::read(&file, LARGEST) {
                let _ = add(&mut roots, setting, &text);
            }
        }
        if roots.is_empty() {
            return Err(unfit(setting, "names a folder without certificates in PEM"));
        }
    } else if let Some(system) = &settings.system {
        add(&mut roots, system.setting(), system.read()?.expose())?;
    } else {
        let system = SYSTEM.iter().map(Path::new);
        let text = system.flat_map(|path| files::read(path, LARGEST)).next();
        let added = text.is_some_and(|text| add(&mut roots, "the system", &text).is_ok());
        if !added {
            // FROM scratch there is none; these are Mozilla's.
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
    }
    Ok(roots)
}

fn add(roots: &mut RootCertStore, setting: &str, text: &[u8]) -> Result<(), StoreError> {
    let (added, _) = roots.add_parsable_certificates(certificates(setting, text)?);
    match added {
        0 => Err(unfit(setting, "holds no certificate that can be used")),
        _ => Ok(()),
    }
}

/// Accepts any certificate, as is asked for. Signatures are still checked: a server must have the
/// key of the certificate that it shows.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
