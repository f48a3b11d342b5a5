//! `vault:` over TLS: whom doorkey trusts, who it is, and proxies on the way.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use crate::proxy::Proxy;
use serde_json::json;
use support::bao;
use support::bao::{App, Bao, Pki, free_port};
use support::{Place, Run};

/// A server with TLS, its certificates, and a mount of it whose team has the secret `k`.
struct Secure {
    app: App,
    pki: Pki,
    /// Where the certificates are.
    _place: Place,
}

/// The one that the tests of this file share.
fn secure() -> Arc<Secure> {
    static SHARED: Mutex<Weak<Secure>> = Mutex::new(Weak::new());
    let mut shared = SHARED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(secure) = shared.upgrade() {
        return secure;
    }
    let place = Place::new();
    let pki = Pki::new(place.path("pki"));
    let app = App::on(Arc::new(Bao::with_tls(&pki)), 2);
    app.put("team", json!({"k": "v"}));
    let secure = Arc::new(Secure {
        app,
        pki,
        _place: place,
    });
    *shared = Arc::downgrade(&secure);
    secure
}

impl Secure {
    /// A launch over TLS that trusts nobody yet.
    fn run(&self) -> Run {
        let run = self.app.run("run -q -- printenv V");
        run.env("VAULT_ADDR", self.app.bao.secure())
            .env("V", "secret:k")
    }

    /// The same that trusts the server's authority.
    fn trusting(&self) -> Run {
        self.run().env("VAULT_CACERT", self.pki.path("ca.pem"))
    }
}

/// That a launch fails at once, with this said last.
#[track_caller]
fn fails(run: Run, why: &str) {
    let ended = run.end();
    let err = ended.err();
    assert!(
        ended.code() == 125 && err.ends_with(&format!("{why}\n")) && err.lines().count() == 1,
        "{err}"
    );
}

const UNTRUSTED: &str =
    ": TLS: the server's certificate is from an authority that is not trusted; give VAULT_CACERT";

#[test]
fn authorities() {
    let secure = secure();
    let (run, ca) = (|| secure.run(), secure.pki.path("ca.pem"));
    let text = secure.pki.text("ca.pem");
    fails(run(), UNTRUSTED);
    for run in [
        run().env("VAULT_CACERT", &ca),
        run().env("BAO_CACERT", &ca).env("VAULT_CACERT", "/nowhere"),
        run().env("VAULT_CACERT_BYTES", &text),
        run().env("SSL_CERT_FILE", &ca),
    ] {
        assert_eq!(run.ok().out(), "v\n");
    }
    let folder = secure.app.path("authorities");
    fs::create_dir_all(&folder).unwrap();
    fails(
        run().env("VAULT_CAPATH", &folder),
        "VAULT_CAPATH names a folder without certificates in PEM",
    );
    fs::write(folder.join("other"), "no certificate").unwrap();
    fs::write(folder.join("one"), &text).unwrap();
    assert_eq!(run().env("VAULT_CAPATH", &folder).ok().out(), "v\n");
    // What is named and can't be used is no reason to trust others.
    let other = Pki::new(secure.app.path("other"));
    fails(run().env("VAULT_CACERT", other.path("ca.pem")), UNTRUSTED);
    fails(
        run().env("VAULT_CACERT", "/nowhere"),
        "VAULT_CACERT: can't read /nowhere: no such file or directory",
    );
    fails(
        run().env("VAULT_CACERT", folder.join("other")),
        "VAULT_CACERT holds no certificate in PEM",
    );
    // Where there is none on the machine at all, the bundled ones count: not ours.
    let ended = run().env("VAULT_SKIP_VERIFY", "true").ok();
    assert_eq!(ended.out(), "v\n");
    let loud = secure.app.run("run -- true").env("V", "secret:k");
    let loud = loud.env("VAULT_ADDR", secure.app.bao.secure());
    let loud = loud.env("VAULT_SKIP_VERIFY", "true").ok();
    assert!(
        loud.err().starts_with(
            "doorkey: warning: VAULT_SKIP_VERIFY: anybody on the way can be the server\n"
        ),
        "{}",
        loud.err()
    );
}

#[test]
fn names() {
    let secure = secure();
    let port = secure.app.bao.tls.rsplit(':').next().unwrap();
    let at = |host: &str| {
        secure
            .trusting()
            .env("VAULT_ADDR", format!("https://{host}:{port}"))
    };
    assert_eq!(at("127.0.0.1").ok().out(), "v\n");
    let nobody = at("127.0.0.2").env("DOORKEY_TIMEOUT", "1s");
    fails(nobody, "; the last: connection refused");
    let named = |name: &str| secure.trusting().env("VAULT_TLS_SERVER_NAME", name);
    assert_eq!(named("vault.test").ok().out(), "v\n");
    fails(
        named("other.test"),
        ": TLS: the server's certificate is for another name; give VAULT_TLS_SERVER_NAME",
    );
}

#[test]
fn a_certificate_of_our_own() {
    let secure = secure();
    let app = &secure.app;
    app.admin
        .cert("cert", &secure.pki.text("ca.pem"), &app.mount);
    let run = || {
        secure
            .trusting()
            .without("VAULT_TOKEN")
            .env("VAULT_AUTH_METHOD", "cert")
    };
    let with = |run: Run, name: &str| {
        run.env("VAULT_CLIENT_CERT", secure.pki.path(&format!("{name}.pem")))
            .env("VAULT_CLIENT_KEY", secure.pki.path(&format!("{name}.key")))
    };
    assert_eq!(with(run(), "client").ok().out(), "v\n");
    assert_eq!(
        with(run(), "client").env("VAULT_ROLE", "web").ok().out(),
        "v\n"
    );
    let admitted =
        "the server knows no such client certificate; give VAULT_CLIENT_CERT and VAULT_CLIENT_KEY";
    fails(run(), admitted);
    fails(with(run(), "client").env("VAULT_ROLE", "none"), admitted);
    let mixed = with(run(), "client").env("VAULT_CLIENT_KEY", secure.pki.path("server.key"));
    fails(
        mixed,
        "VAULT_CLIENT_KEY names a key that does not fit the certificate",
    );
    let none = with(run(), "client").env("VAULT_CLIENT_KEY", secure.pki.path("ca.pem"));
    fails(none, "VAULT_CLIENT_KEY names no key in PEM");
}

const BOTH: &str = "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY need each other; give both, or none";

#[test]
fn plain_http_is_said_or_refused() {
    let secure = secure();
    let app = &secure.app;
    let plain = || app.run("run -q -- printenv V").env("V", "secret:k");
    assert_eq!(plain().ok().out(), "v\n");
    let refused = plain().env("DOORKEY_REQUIRE_TLS", "1");
    fails(
        refused,
        "the server's address must begin with https://, as --require-tls is given",
    );
    let unverified = secure.run().env("DOORKEY_REQUIRE_TLS", "1");
    fails(
        unverified.env("VAULT_SKIP_VERIFY", "1"),
        "VAULT_SKIP_VERIFY can't be used with --require-tls",
    );
    // A word that is neither yes nor no is not passed over.
    for (variable, said) in [
        ("BAO_SKIP_VERIFY", "BAO_SKIP_VERIFY must be true or false"),
        (
            "VAULT_REVOKE_TOKEN",
            "VAULT_REVOKE_TOKEN must be true or false",
        ),
        (
            "VAULT_UNWRAP_TOKEN",
            "VAULT_UNWRAP_TOKEN must be true or false",
        ),
        (
            "VAULT_IGNORE_MISSING_SECRETS",
            "VAULT_IGNORE_MISSING_SECRETS must be true or false",
        ),
        ("VAULT_MAX_RETRIES", "VAULT_MAX_RETRIES must be a number"),
        ("BAO_CLIENT_CERT", BOTH),
        ("VAULT_CLIENT_KEY", BOTH),
    ] {
        fails(plain().env(variable, "on"), said);
    }
    let no_text = std::ffi::OsStr::from_bytes(b"\xff");
    for variable in ["VAULT_NAMESPACE", "BAO_ADDR", "NO_PROXY"] {
        let said = format!("{variable} is not UTF-8");
        fails(plain().env(variable, no_text), &said);
    }
    let file = app.place.write("named.toml", "require-tls = 'on'\n");
    let said = "require-tls in doorkey.toml must be true or false";
    fails(plain().env("DOORKEY_CONFIG", file), said);
    let required = secure.trusting().env("DOORKEY_REQUIRE_TLS", "1");
    assert_eq!(required.ok().out(), "v\n");
    // Loopback is nobody's way; any other host is.
    let loud = app.run("run -- printenv V").env("V", "secret:k");
    assert!(!loud.ok().err().contains("warning"));
    let proxy = Proxy::new(&app.bao.at);
    let far = app.run("run -- printenv V").env("V", "secret:k");
    let far = far.env("VAULT_ADDR", "http://vault.test:8200");
    let ended = far.env("VAULT_PROXY_ADDR", proxy.address()).ok();
    assert!(
        ended.err().starts_with("doorkey: warning: http to vault.test: the token and the values can be read on the way; use https\n"),
        "{}",
        ended.err()
    );
}

#[test]
fn proxies() {
    let secure = secure();
    let proxy = Proxy::new(&secure.app.bao.tls.replace("localhost", "127.0.0.1"));
    let plain = Proxy::new(&secure.app.bao.at);
    let far = || {
        secure
            .trusting()
            .env("VAULT_ADDR", "https://vault.test:8200")
    };
    let lines = |proxy: &Proxy, before: usize| proxy.lines().split_off(before);
    let tunnel = "CONNECT vault.test:8200 HTTP/1.1";
    for name in [
        "VAULT_PROXY_ADDR",
        "BAO_PROXY_ADDR",
        "HTTPS_PROXY",
        "https_proxy",
    ] {
        let before = proxy.lines().len();
        assert_eq!(far().env(name, proxy.address()).ok().out(), "v\n", "{name}");
        assert_eq!(lines(&proxy, before), [tunnel], "{name}");
    }
    // Nothing of ours is seen by a tunnel's proxy.
    let heads = format!("{:?}", proxy.heads());
    assert!(!heads.contains(&secure.app.token), "{heads}");
    // A login, three documents and a revocation are one connection.
    let app = &secure.app;
    let (role, secret) = app.admin.approle("approle", &app.mount);
    let before = proxy.lines().len();
    let run = app.nobody("run -q --project web --cluster eu -- printenv V");
    let run = run
        .env("V", "secret:k")
        .env("VAULT_ADDR", "https://vault.test:8200")
        .env("VAULT_CACERT", secure.pki.path("ca.pem"))
        .env("VAULT_PROXY_ADDR", proxy.address())
        .env("VAULT_AUTH_METHOD", "approle")
        .env("VAULT_ROLE_ID", role)
        .env("VAULT_SECRET_ID", secret);
    assert_eq!(run.ok().out(), "v\n");
    assert_eq!(lines(&proxy, before), [tunnel]);
    // The store's own goes first, and stays whatever is excepted for others.
    let dead = "http://127.0.0.1:1";
    let both = far()
        .env("HTTPS_PROXY", dead)
        .env("VAULT_PROXY_ADDR", proxy.address());
    assert_eq!(both.env("NO_PROXY", "vault.test").ok().out(), "v\n");
    // Never to loopback, and not to what NO_PROXY names.
    let near = secure.trusting().env("VAULT_PROXY_ADDR", dead);
    assert_eq!(near.env("HTTPS_PROXY", dead).ok().out(), "v\n");
    let before = proxy.lines().len();
    let listed = "other,vault.test:8200";
    for except in ["vault.test", ".test", "*.test", listed, "*"] {
        let run = far()
            .env("HTTPS_PROXY", proxy.address())
            .env("NO_PROXY", except);
        assert_eq!(
            run.env("DOORKEY_TIMEOUT", "1s").end().code(),
            125,
            "{except}"
        );
    }
    assert_eq!(lines(&proxy, before), [""; 0]);
    // Passed over, another kind of proxy would be none.
    for other in ["socks5://127.0.0.1:1", "ftp://127.0.0.1:1", "http://"] {
        let said = "the proxy's address must be http://HOST:PORT or https://HOST:PORT";
        fails(far().env("HTTPS_PROXY", other), said);
    }
    let run = far()
        .env("HTTPS_PROXY", proxy.address())
        .env("NO_PROXY", "est,other.test");
    assert_eq!(run.ok().out(), "v\n");
    // Nor to what a cloud has beside its machines, whatever is said.
    for near in [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "metadata.google.internal",
    ] {
        let run = secure.app.run("run -q -- printenv V").env("V", "secret:k");
        let run = run
            .env("VAULT_ADDR", format!("http://{near}:9"))
            .env("VAULT_PROXY_ADDR", plain.address())
            .env("NO_PROXY", "")
            .env("DOORKEY_TIMEOUT", "300ms");
        assert_eq!(run.end().code(), 125, "{near}");
    }
    assert_eq!(plain.lines(), [""; 0]);
    // Plain HTTP goes through whole, for the scheme's own proxy.
    let far = secure.app.run("run -q -- printenv V").env("V", "secret:k");
    let far = far.env("VAULT_ADDR", "http://vault.test:8200");
    let far = far
        .env("HTTPS_PROXY", dead)
        .env("HTTP_PROXY", plain.address());
    assert_eq!(far.ok().out(), "v\n");
    let path = secure.app.document("team");
    assert_eq!(
        plain.lines(),
        [format!("GET http://vault.test:8200/v1/{path} HTTP/1.1")]
    );
}

/// `openssl s_server` with a certificate, ended when dropped.
struct Other {
    child: Child,
    port: u16,
}

impl Other {
    fn new(pki: &Pki, words: &str) -> Self {
        let port = free_port();
        let mut command = Command::new("openssl");
        command
            .args([
                "s_server",
                "-quiet",
                "-www",
                "-accept",
                &format!("127.0.0.1:{port}"),
            ])
            .args(words.split_whitespace())
            .current_dir(pki.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = bao::spawn(command);
        bao::wait("it listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Other { child, port }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn servers_that_are_not_what_they_should_be() {
    let secure = secure();
    let pki = &secure.pki;
    let at = |port: u16| {
        secure
            .trusting()
            .env("VAULT_ADDR", format!("https://localhost:{port}"))
    };
    // It speaks TLS 1.2, and then no API.
    let own = "-cert server.pem -key server.key";
    let old = Other::new(pki, &format!("{own} -tls1_2"));
    fails(
        at(old.port),
        "the answer is not JSON; is this the address of an OpenBao or Vault server?",
    );
    let older = Other::new(pki, &format!("{own} -tls1_1 -cipher DEFAULT@SECLEVEL=0"));
    fails(
        at(older.port),
        ": TLS: the server speaks no TLS 1.2 or 1.3 that we do",
    );
    // A port that speaks plain HTTP, and one that speaks nothing.
    let plain: u16 = secure
        .app
        .bao
        .at
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    fails(at(plain), ": TLS: the server does not speak TLS there");
    let http = secure.app.run("run -q -- true").env("V", "secret:k");
    let tls = secure.app.bao.tls.replace("localhost", "127.0.0.1");
    let ended = http.env("VAULT_ADDR", format!("http://{tls}")).end();
    assert_eq!(ended.code(), 125, "{}", ended.err());
}
