//! Who we are to a cluster: kubeconfigs, programs that they name, a pod's service account.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use super::App;
use support::apiserver::Account;
use support::{Run, executable};

impl App {
    /// With something to read.
    fn known() -> Self {
        let app = App::reader();
        app.account.put("doorkey-team", &[("a", b"found")]);
        app
    }

    fn address(&self) -> String {
        self.account.server.address()
    }

    /// A launch by a user in the kubeconfig.
    fn by(&self, user: &str) -> Run {
        let file = self
            .account
            .kubeconfig_for(&self.place, &self.address(), user);
        let run = self.place.doorkey(["run", "--", "printenv", "V"]);
        run.env("V", "secret:a")
            .env("DOORKEY_QUIET", "1")
            .env("DOORKEY_STORE", "k8s:")
            .env("KUBECONFIG", file)
    }

    /// A launch by a program in the kubeconfig.
    fn by_program(&self, script: &str, more: &str) -> Run {
        let script = format!("#!/bin/sh\n{script}\n");
        executable(&self.place.path("plugin"), script.as_bytes(), 0o755);
        self.by(&format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, command: ./plugin, {more}}}"
        ))
    }

    fn credential(&self) -> String {
        let token = &self.account.token;
        json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
            "status": {"token": token}})
        .to_string()
    }
}

#[track_caller]
fn says(run: Run, what: &str) {
    let ended = run.end();
    let said = ended.err();
    assert!(said.contains(what), "{what}: {said}");
    assert_eq!((ended.code(), said.lines().count()), (125, 1), "{said}");
}

#[test]
fn tokens() {
    let app = App::known();
    let token = &app.account.token;
    app.place.write("token", format!("{token}\n"));
    for user in [format!("token: {token}"), "tokenFile: token".to_owned()] {
        app.by(&user).gives(0, "found\n", "");
    }
    says(app.by("token: wrong"), "not admitted by the user web in ");
    says(
        app.by("token: wrong"),
        "/kubeconfig: the API server does not take it; it may have expired",
    );
    says(
        app.by(""),
        "there is no token, no certificate and no exec plug-in",
    );
    says(app.by("tokenFile: none"), "can't read ");
    for (user, key) in [
        ("username: a, password: b", "username"),
        ("auth-provider: {name: oidc}", "auth-provider"),
        ("token: a, as: b", "as"),
    ] {
        says(
            app.by(user),
            &format!("/kubeconfig: {key} is nothing that doorkey does"),
        );
    }
}

#[test]
fn certificates() {
    let app = App::known();
    let (certificate, key) = app.account.certificate(&app.place);
    let files = "client-certificate: client.pem, client-key: client.key";
    app.by(files).gives(0, "found\n", "");
    let data = format!("client-certificate-data: {certificate}, client-key-data: {key}");
    app.by(&data).gives(0, "found\n", "");
    says(
        app.by("client-certificate: client.pem"),
        "it has no client-key",
    );
    says(
        app.by("client-certificate-data: '*'"),
        "client-certificate-data is no base64",
    );
    // A program can give one.
    let pem = |name: &str| fs::read_to_string(app.place.path(name)).unwrap();
    let status =
        json!({"clientCertificateData": pem("client.pem"), "clientKeyData": pem("client.key")});
    let answer = json!({"apiVersion": "client.authentication.k8s.io/v1", "status": status});
    app.place.write("answer", answer.to_string());
    let folder = app.place.path("");
    let script = format!("cat {}/answer", folder.display());
    app.by_program(&script, "").gives(0, "found\n", "");
}

#[test]
fn programs() {
    let app = App::known();
    app.place.write("answer", app.credential());
    let answers = format!("cat {}", app.place.path("answer").display());
    app.by_program(&answers, "").gives(0, "found\n", "");
    // It gets its arguments and variables, what it is asked, and nothing of doorkey's.
    let script = format!(
        "test \"$1 $2 $B\" = 'x y z c' || exit 3\n\
         test \"$(env | grep -c DOORKEY)\" = 0 || exit 4\n\
         case $KUBERNETES_EXEC_INFO in *'\"interactive\":false'*) ;; *) exit 5;; esac\n\
         case $KUBERNETES_EXEC_INFO in *certificate-authority-data*{}*) ;; *) exit 6;; esac\n{answers}",
        app.address()
    );
    let more = "args: [x, y z], env: [{name: B, value: c}], provideClusterInfo: true";
    app.by_program(&script, more).gives(0, "found\n", "");
    for (script, what) in [
        (
            "exit 3",
            ": it has ended with exit code 3; --log-level debug shows what it has said",
        ),
        ("echo no", ": its answer is no ExecCredential"),
        (
            r#"echo '{"apiVersion":"v2","status":{"token":"a"}}'"#,
            "another apiVersion",
        ),
        (
            r#"echo '{"apiVersion":"client.authentication.k8s.io/v1","status":{}}'"#,
            "it gives neither a token nor a certificate with its key",
        ),
        ("kill -9 $$", "/plugin: it was ended by signal 9"),
    ] {
        says(app.by_program(script, ""), what);
    }
    says(
        app.by_program("true", "interactiveMode: Always"),
        "doorkey gives it no standard input",
    );
    let user = "exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}";
    says(app.by(user), "the apiVersion is neither v1 nor v1beta1");
    let user = "exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-program}";
    says(
        app.by(user),
        "no-such-program can't be started: no such file or directory",
    );
    // It is ended with the deadline.
    let began = Instant::now();
    let run = app.by_program("echo $$ >pid; sleep 60 & echo $! >>pid; wait", "");
    says(run.env("DOORKEY_TIMEOUT", "500ms"), "so it was ended");
    assert!(began.elapsed() < Duration::from_secs(10));
    for pid in fs::read_to_string(app.place.path("pid")).unwrap().lines() {
        support::bao::wait("it is gone", || {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            (state.is_empty() || state.contains(") Z ")).then_some(())
        });
    }
    // What it says is shown at debug, without what it has given.
    let token = &app.account.token;
    let script = format!("echo 'asked somebody' >&2; echo 'got {token}' >&2; {answers}");
    let run = app
        .by_program(&script, "")
        .without("DOORKEY_QUIET")
        .env("DOORKEY_LOG_LEVEL", "debug");
    let said = run.ok().err();
    assert!(said.contains("plugin says: asked somebody\n"), "{said}");
    assert!(
        said.contains("says something with a value in it") && !said.contains(token),
        "{said}"
    );
}

#[test]
fn several_files_are_one() {
    let app = App::known();
    let server = app.address();
    let authority = app.account.server.authority();
    let authority = authority.display();
    let namespace = &app.account.namespace;
    app.place.write("token", &app.account.token);
    app.place.write(
        "one",
        "current-context: mine\nusers: [{name: u, user: {tokenFile: token}}]\n",
    );
    app.place.write("sub/two", format!(
        "{{\"current-context\": \"other\", \"users\": [{{\"name\": \"u\", \"user\": {{\"token\": \"x\"}}}}],
          \"clusters\": [{{\"name\": \"c\", \"cluster\": {{\"server\": \"{server}\", \"certificate-authority\": \"{authority}\"}}}}],
          \"contexts\": [{{\"name\": \"mine\", \"context\": {{\"cluster\": \"c\", \"user\": \"u\", \"namespace\": \"{namespace}\"}}}},
            {{\"name\": \"lost\", \"context\": {{\"cluster\": \"d\", \"user\": \"u\"}}}}]}}"
    ));
    let run = |list: &str| {
        let run = app.place.doorkey(["run", "-q", "--", "printenv", "V"]);
        run.env("V", "secret:a")
            .env("DOORKEY_STORE", "k8s:")
            .env("KUBECONFIG", list)
    };
    run("one:none:sub/two").gives(0, "found\n", "");
    says(run("none:nothing"), "there is no none, nothing");
    says(run("sub/two"), "there is no context other in sub/two");
    says(run("one"), "there is no context mine in one");
    let lost = run("sub/two").env("DOORKEY_STORE", "k8s:?context=lost");
    says(lost, "there is no cluster d in sub/two");
    run("one:sub/two")
        .env("DOORKEY_STORE", "k8s:?context=mine")
        .gives(0, "found\n", "");
    // Doorkey's own is read first, and nobody else gets it.
    let own = run("none")
        .env("DOORKEY_KUBECONFIG", "one:sub/two")
        .arg("KUBECONFIG");
    own.gives(0, "found\nnone\n", "");
    // The home's, where nothing is named.
    fs::create_dir_all(app.place.path("home/.kube")).unwrap();
    fs::copy(
        app.account.kubeconfig(&app.place, &server),
        app.place.path("home/.kube/config"),
    )
    .unwrap();
    run("").without("KUBECONFIG").gives(0, "found\n", "");
    app.place.write("odd", "a: [");
    says(run("odd"), "odd:1:5: this is not YAML");
}

#[test]
fn whom_we_trust() {
    let app = App::known();
    let token = format!("token: {}", app.account.token);
    let changed = |from: &str, to: &str| {
        let file = app
            .account
            .kubeconfig_for(&app.place, &app.address(), &token);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).unwrap();
        let run = app.place.doorkey(["run", "--", "printenv", "V"]);
        let run = run.env("V", "secret:a").env("DOORKEY_STORE", "k8s:");
        run.env("KUBECONFIG", file).env("DOORKEY_QUIET", "1")
    };
    let authority = format!(
        "certificate-authority: {}",
        app.account.server.authority().display()
    );
    says(
        changed(&authority, "x: y"),
        "from an authority that is not trusted; give certificate-authority in the kubeconfig",
    );
    let said = changed(&authority, "insecure-skip-tls-verify: true")
        .without("DOORKEY_QUIET")
        .ok()
        .err();
    let warning =
        "doorkey: warning: insecure-skip-tls-verify: anybody on the way can be the server\n";
    assert!(said.starts_with(warning), "{said}");
    let pem = fs::read(app.account.server.authority()).unwrap();
    let data = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, pem);
    let data = format!("certificate-authority-data: {data}");
    changed(&authority, &data).gives(0, "found\n", "");
    let named = format!("{authority}\n    tls-server-name: kubernetes.default.svc");
    changed(&authority, &named).gives(0, "found\n", "");
    let other = format!("{authority}\n    tls-server-name: other.test");
    says(
        changed(&authority, &other),
        "for another name; give tls-server-name in the kubeconfig",
    );
    let proxy = format!("{authority}\n    proxy-url: socks5://a");
    says(
        changed(&authority, &proxy),
        "proxy-url must be http:// or https://",
    );
    // Whoever can write it can have programs run.
    let run = changed(&authority, &authority);
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    fs::set_permissions(app.place.path("kubeconfig"), open).unwrap();
    says(run, "can be written by others (mode 0666)");
}

/// What of the environment a pod has, in a mount namespace where the account's files are.
fn in_pod(app: &App, account: &Account, script: &str) -> Run {
    let folder = "/var/run/secrets/kubernetes.io/serviceaccount";
    app.place.write("pod/token", format!("{}\n", account.token));
    app.place.write("pod/namespace", &account.namespace);
    fs::copy(account.server.authority(), app.place.path("pod/ca.crt")).unwrap();
    let (host, port) = account.server.at.split_once(':').unwrap();
    let prepared = format!(
        "mount -t tmpfs none /var/run && mkdir -p {folder} && cp pod/* {folder}/ && {script}"
    );
    let mut run = app.place.doorkey([""; 0]);
    let program = run.command.get_program().to_owned();
    run.command = std::process::Command::new("unshare");
    run.command
        .args(["-m", "sh", "-c", &prepared])
        .current_dir(app.place.path(""));
    run.command
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    run.env("HOME", "/none")
        .env("DOORKEY", program)
        .env("KUBERNETES_SERVICE_HOST", host)
        .env("KUBERNETES_SERVICE_PORT", port)
        .env("DOORKEY_STORE", "k8s:")
        .env("V", "secret:a")
}

#[test]
fn a_pods_service_account() {
    let app = App::known();
    let launch = "$DOORKEY run -q -- printenv V";
    in_pod(&app, &app.account, launch).gives(0, "found\n", "");
    let script = format!("rm /var/run/secrets/kubernetes.io/serviceaccount/token && {launch}");
    says(
        in_pod(&app, &app.account, &script),
        "its automountServiceAccountToken must not be false",
    );
    // What a variable names counts before it, and is no other's if it fails.
    let named = in_pod(&app, &app.account, launch).env("KUBECONFIG", "/none/file");
    says(named, "there is no /none/file");
    // Nothing at all.
    let nothing = in_pod(&app, &app.account, launch).without("KUBERNETES_SERVICE_HOST");
    says(
        nothing,
        "there is no cluster: this is no pod, and there is no ~/.kube/config; give KUBECONFIG",
    );
    // FROM scratch: nothing else is there, nothing can be written.
    let folder = "root/var/run/secrets/kubernetes.io/serviceaccount";
    let scratch = format!(
        "mkdir -p {folder} root/proc && cp pod/* {folder}/ && cp $DOORKEY root/doorkey && \
         printf '<${{secret:a}}>' >root/template && mount --bind root root && \
         mount -o remount,bind,ro root && mount -t proc proc root/proc && \
         exec chroot --userspec 65534:65534 root /doorkey render template"
    );
    let ended = in_pod(&app, &app.account, &scratch).without("HOME").end();
    assert_eq!(
        (ended.out().as_str(), ended.err().as_str()),
        ("<found>", "")
    );
    // The workload keeps what is its own.
    let script = "$DOORKEY run -q -- printenv V KUBERNETES_SERVICE_HOST";
    in_pod(&app, &app.account, script).gives(0, "found\n127.0.0.1\n", "");
}
