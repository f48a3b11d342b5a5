//! JSON Web Tokens that a store's login signs with RS256 (RFC 7515; RFC 7518, 3.3).

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use crate::model::secret::Secret;

/// Signs claims with the first private key in a PEM text, an RSA key of 2048 to 4096 bits. The
/// header gets `alg` and `typ`; all else in it is the caller's.
///
/// # Errors
/// The fault of the key, to stand behind the name of its source.
pub fn signed(pem: &[u8], mut header: Value, claims: &Value) -> Result<Secret, &'static str> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| "holds no private key in PEM")?;
    let key = match &key {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        _ => return Err("holds a private key that is no RSA key"),
    };
    let key = key.map_err(|_| "holds no usable RSA key of 2048 to 4096 bits")?;
    header["alg"] = "RS256".into();
    header["typ"] = "JWT".into();
    let encoded = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let mut token = encoded(header.to_string().as_bytes());
    token.push('.');
    token += &encoded(claims.to_string().as_bytes());
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        token.as_bytes(),
        &mut signature,
    )
    .map_err(|_| "holds an RSA key that does not fit together")?;
    token.push('.');
    token += &encoded(&signature);
    Ok(Secret::new(token.into_bytes()))
}
