//! Keys, certificates and signed tokens, all made by `openssl`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

fn openssl(folder: &Path, words: &str, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(words.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl starts");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {words}: {err}");
    output.stdout
}

/// A private authority with certificates of a server and a client, in a folder:
/// `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key`.
pub struct Pki {
    folder: PathBuf,
}

impl Pki {
    /// Makes all of it. The server is `localhost`, `127.0.0.1` and `vault.test`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let pki = Pki {
            folder: folder.into(),
        };
        fs::create_dir_all(&pki.folder).unwrap();
        let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        pki.openssl(&format!(
            "req -x509 {new} -keyout ca.key -out ca.pem -days 2 -subj /CN=doorkey-test"
        ));
        pki.issue(
            "server",
            "subjectAltName=DNS:localhost,DNS:vault.test,IP:127.0.0.1",
        );
        pki.issue("client", "extendedKeyUsage=clientAuth");
        pki
    }

    /// A file of the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file's text.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Another certificate of this authority: `NAME.pem`, `NAME.key`.
    fn issue(&self, name: &str, extension: &str) {
        fs::write(self.path("extension"), extension).unwrap();
        let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        self.openssl(&format!(
            "req {new} -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile extension -out {name}.pem"
        ));
    }

    fn openssl(&self, words: &str) {
        openssl(&self.folder, words, b"");
    }
}

/// A key that signs JSON web tokens.
pub struct Signer {
    folder: PathBuf,
    /// The public half, in PEM.
    pub public: String,
}

impl Signer {
    /// Makes a key in a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        fs::create_dir_all(&folder).unwrap();
        openssl(&folder, "genrsa -out jwt.key 2048", b"");
        let public = openssl(&folder, "rsa -in jwt.key -pubout", b"");
        Signer {
            folder,
            public: String::from_utf8(public).unwrap(),
        }
    }

    /// Signs claims; valid for ten minutes from now where they don't say.
    pub fn sign(&self, mut claims: Value) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap().as_secs();
        for (name, value) in [("iat", now), ("nbf", now - 5), ("exp", now + 600)] {
            let claims = claims.as_object_mut().unwrap();
            claims.entry(name).or_insert(json!(value));
        }
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = [part(json!({"alg": "RS256", "typ": "JWT"})), part(claims)].join(".");
        let signature = openssl(&self.folder, "dgst -sha256 -sign jwt.key", text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The token of a Kubernetes service account.
    pub fn service_account(&self, namespace: &str, name: &str) -> String {
        self.sign(json!({
            "iss": "kubernetes/serviceaccount",
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": name, "uid": "1"},
            },
        }))
    }
}
