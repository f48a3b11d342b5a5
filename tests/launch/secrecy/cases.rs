//! Every path on which doorkey fails, with a canary wherever something secret may stand.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::case::*;
use support::Place;

fn pipe(place: &Place, path: &str) {
    nix::unistd::mkfifo(&place.path(path), nix::sys::stat::Mode::S_IRWXU).unwrap();
}

pub fn cases() -> Vec<Case> {
    [references(), stores(), keys(), sources(), usage(), others()]
        .into_iter()
        .flatten()
        .collect()
}

/// Values that are malformed references, or well-formed ones that can't be filled in.
fn references() -> Vec<Case> {
    let c = REFERENCE;
    let table: Vec<(&'static str, Vec<u8>)> = vec![
        ("no name", b"secret:".to_vec()),
        ("a dot first", format!("secret:.{c}").into()),
        ("a blank first", format!("secret: {c}").into()),
        ("no level", format!("secret:{c}").into()),
        ("no name after a level", format!("secret:team/@{c}").into()),
        ("two levels", format!("secret:team/{c}").into()),
        ("a blank after the name", format!("secret:db {c}").into()),
        (
            "a password that begins so",
            format!("secret:p@ss{c}").into(),
        ),
        (
            "a name too long",
            format!("secret:{}", c.replace(['/', '@'], "").repeat(20)).into(),
        ),
        ("an empty step", format!("secret:db#{c}..{c}").into()),
        ("a control character", format!("secret:db#{c}\x01").into()),
        (
            "a member not UTF-8",
            [b"secret:db#", c.as_bytes(), b"\xff"].concat(),
        ),
        ("no such filter", format!("secret:db|{c}").into()),
        ("text after a filter", format!("secret:db|trim {c}").into()),
        ("text after file", format!("secret:db|file {c}").into()),
        ("a filter after file", format!("secret:db|file|{c}").into()),
        ("a file's name", format!("secret:db|file:{c}").into()),
        (
            "inline, no name",
            format!("{AROUND}${{secret:}}{AROUND}").into(),
        ),
        (
            "inline, never closed",
            format!("{AROUND}${{secret:db {AROUND}").into(),
        ),
        (
            "inline, a text never closed",
            format!("{AROUND}${{secret:db?{TEXT}").into(),
        ),
        (
            "inline, a blank",
            format!("{AROUND}${{secret: {c}}}{AROUND}").into(),
        ),
        ("inline, no level", format!("${{secret:{c}}}").into()),
        (
            "inline, the second",
            format!("${{secret:db}}${{secret:db#a|{c}}}").into(),
        ),
        ("missing", b"secret:none".to_vec()),
        (
            "missing, with a member",
            format!("secret:none#{c}|base64").into(),
        ),
        ("missing, nearly there", b"secret:dbb".to_vec()),
        (
            "missing, inline",
            format!("{AROUND}${{secret:none}}{AROUND}").into(),
        ),
        ("not in force", format!("secret:project/db?{TEXT}").into()),
        (
            "not in force, inline",
            format!("{AROUND}${{secret:cluster/db?{TEXT}}}").into(),
        ),
        ("not JSON", format!("secret:db#{c}?{TEXT}").into()),
        ("no such member", format!("secret:json#{c}?{TEXT}").into()),
        ("a member of a string", b"secret:json#pass.x".to_vec()),
        ("not base64", b"secret:db|base64decode".to_vec()),
        (
            "a member not base64",
            b"secret:json#pass|trim|base64decode".to_vec(),
        ),
        ("a NUL", b"secret:nul".to_vec()),
        (
            "a NUL, inline",
            format!("{AROUND}${{secret:nul}}{AROUND}").into(),
        ),
        (
            "too long",
            b"${secret:large}${secret:large}${secret:large}".to_vec(),
        ),
    ];
    let one = |(name, value)| Case::new(name).var("BAD", value);
    let mut cases: Vec<Case> = table.into_iter().map(one).collect();
    let mut all = Case::new("too large together");
    all.variables = (0..80)
        .map(|at| {
            (
                &*format!("LARGE{at}").leak(),
                "${secret:large}${secret:large}".into(),
            )
        })
        .collect();
    cases.push(all);
    cases
}

/// Stores that fail in what is needed.
fn stores() -> Vec<Case> {
    const DB: &str = "secrets/team/db.age";
    let edit = |name, change: fn(Vec<u8>) -> Vec<u8>| {
        Case::new(name).does(move |place| {
            let file = fs::read(place.path(DB)).unwrap();
            fs::write(place.path(DB), change(file)).unwrap();
        })
    };
    let instead = |name, put: fn(&Place)| {
        Case::new(name).does(move |place| {
            fs::remove_file(place.path(DB)).unwrap();
            put(place);
        })
    };
    let mut denied = Case::new("a denied folder")
        .var("DOORKEY_CWD", "/")
        .does(|place| {
            let closed = fs::Permissions::from_mode(0o000);
            fs::set_permissions(place.path("secrets/team"), closed).unwrap();
            let key = place.path("home/.config/doorkey/key.txt");
            nix::unistd::chown(&key, Some(65534.into()), None).ok();
            for folder in ["home/.config", "home/.config/doorkey"] {
                let open = fs::Permissions::from_mode(0o755);
                fs::set_permissions(place.path(folder), open).unwrap();
            }
        });
    denied.unprivileged = true;
    vec![
        denied,
        edit("an empty file", |_| vec![]),
        edit("a plain file", |_| STORED.into()),
        edit("half a header", |file| file[..60].to_vec()),
        edit("no body", |file| file[..file.len() - 20].to_vec()),
        edit("a damaged body", |mut file| {
            *file.last_mut().unwrap() ^= 1;
            file
        }),
        edit("a damaged header", |mut file| {
            file[70] ^= 1;
            file
        }),
        edit("a file too large", |file| [file, vec![0; 1 << 20]].concat()),
        instead("a folder", |place| fs::create_dir(place.path(DB)).unwrap()),
        instead("a pipe", |place| pipe(place, DB)),
        instead("a link out of the store", |place| {
            place.write("outside", FILE);
            symlink("../../outside", place.path(DB)).unwrap();
        }),
        Case::new("no store").var("DOORKEY_STORE", ""),
        Case::new("a store that does not exist").var("DOORKEY_STORE", "age:none"),
        Case::new("an empty folder").var("DOORKEY_STORE", "age:home"),
        Case::new("a file for a store")
            .file("file", FILE)
            .var("DOORKEY_STORE", "dir:file"),
        Case::new("a store of no kind").var("DOORKEY_STORE", ARGUMENT),
        Case::new("a store of an unknown kind").args(&["--store", &format!("vaults:{ARGUMENT}")]),
        Case::new("every secret, one corrupt")
            .args(&["--all"])
            .file("secrets/team/x.age", STORED),
    ]
}

/// Keys that can't be used, or are not the right ones.
fn keys() -> Vec<Case> {
    let named = |name, contents: &str| {
        let case = Case::new(name)
            .file("key.txt", contents)
            .var("DOORKEY_KEY_FILE", "key.txt");
        case.does(|place| {
            let private = fs::Permissions::from_mode(0o600);
            fs::set_permissions(place.path("key.txt"), private).unwrap();
        })
    };
    let foreign = "AGE-SECRET-KEY-1FNMM2Y57JHQ6ZXTGV6C24DEJ7V2Q65H7TTMLZKZXGRT5X30N9X4S0PTVUD";
    vec![
        named("no key in the file", &format!("# {KEY}\n")),
        named("text in the file", KEY),
        named(
            "a damaged key in the file",
            &format!("AGE-SECRET-KEY-1{KEY}\n"),
        ),
        named("half a key in the file", &foreign[..40]),
        Case::new("a key that is text").var("DOORKEY_KEY", KEY),
        Case::new("a damaged key").var("DOORKEY_KEY", format!("AGE-SECRET-KEY-1{KEY}")),
        Case::new("a key not UTF-8").var("DOORKEY_KEY", [KEY.as_bytes(), b"\xff"].concat()),
        Case::new("no key file").var("DOORKEY_KEY_FILE", "none"),
        Case::new("a folder for a key file").var("DOORKEY_KEY_FILE", "home"),
        Case::new("no home").var("HOME", ""),
        Case::new("a foreign key").does(|place| {
            // Another store's key, in the place of this one's.
            place
                .doorkey(["store", "init", "other", "-q", "--key-file", "other.txt"])
                .ok();
            fs::copy(
                place.path("other.txt"),
                place.path("home/.config/doorkey/key.txt"),
            )
            .unwrap();
        }),
        Case::new("an exposed key file").does(|place| {
            let open = fs::Permissions::from_mode(0o644);
            fs::set_permissions(place.path("home/.config/doorkey/key.txt"), open).unwrap();
        }),
    ]
}

/// Files and options that the environment comes from.
fn sources() -> Vec<Case> {
    let c = FILE;
    let dotenv = |name, text: Vec<u8>| {
        Case::new(name)
            .file("a.env", text)
            .args(&["--env-file=a.env"])
    };
    let spec = |name, text: Vec<u8>| {
        Case::new(name)
            .file("a.yaml", text)
            .args(&["--spec=a.yaml"])
    };
    let config = |name, text: Vec<u8>| Case::new(name).file("doorkey.toml", text);
    vec![
        dotenv("env file: a quote", format!("A=1\nB='{c}\n").into()),
        dotenv("env file: a blank", format!("A {c}=1\n").into()),
        dotenv("env file: no name", format!("={c}\n").into()),
        dotenv("env file: text", format!("A='1' {c}\n").into()),
        dotenv("env file: bytes", [b"\xff", c.as_bytes()].concat()),
        dotenv("env file: a reference", format!("A=secret:{c}\n").into()),
        dotenv("env file: a NUL", format!("A={c}\0\n").into()),
        Case::new("env file: none").args(&["--env-file", "none"]),
        spec("spec: no YAML", format!("env: [{c}\n").into()),
        spec("spec: no list", format!("env: {c}\n").into()),
        spec("spec: no mapping", format!("env: ['{c}']\n").into()),
        spec(
            "spec: no scalar",
            format!("env: [{{name: A, value: [\"{c}\"]}}]\n").into(),
        ),
        spec(
            "spec: valueFrom",
            format!("env:\n- name: A\n  valueFrom: '{c}'\n").into(),
        ),
        spec("spec: bytes", [b"env: ", c.as_bytes(), b"\xff"].concat()),
        spec(
            "spec: no JSON",
            format!("{{\"env\": [{{\"name\": \"{c}\n").into(),
        ),
        spec(
            "spec: a reference",
            format!("env: [{{name: A, value: 'secret:{c}'}}]\n").into(),
        ),
        spec("spec: a path", b"env: []\n".to_vec()).args(&["--spec-path", ARGUMENT]),
        spec(
            "spec: an alias",
            format!("env: *{}\n", c.replace(['/', '@'], "")).into(),
        ),
        Case::new("--env: no equals sign").args(&["--env", ARGUMENT]),
        Case::new("--env: no name").args(&["--env", &format!("={ARGUMENT}")]),
        Case::new("--env: a reference").args(&["-e", &format!("A=secret:{ARGUMENT}")]),
        Case::new("DOORKEY_ENV").var("DOORKEY_ENV", format!("A=1\n{ARGUMENT}")),
        config("configuration: no TOML", format!("store = {c}\n").into()),
        config("configuration: a setting", format!("'{c}' = 1\n").into()),
        config(
            "configuration: no string",
            format!("store = ['{c}']\n").into(),
        ),
        config("configuration: bytes", [c.as_bytes(), b"\xff"].concat()),
        config("configuration: no id", format!("project = '{c}'\n").into()),
        Case::new("configuration: none").args(&["--config", "none"]),
        Case::new("out of time")
            .does(|place| pipe(place, "pipe"))
            .args(&["--env-file", "pipe", "--timeout", "200ms"]),
    ]
}

/// Command lines that are wrong, given to all that resolve an environment.
fn usage() -> Vec<Case> {
    let c = ARGUMENT;
    [
        ("an unknown option", vec![format!("--db-password={c}")]),
        ("an option that is a value", vec![format!("--{c}")]),
        ("a short option that is a value", vec![format!("-x{c}")]),
        ("a flag with a value", vec![format!("--all={c}")]),
        (
            "an option twice",
            vec![format!("--spec={c}"), format!("--spec={c}")],
        ),
        ("--log-level", vec![format!("--log-level={c}")]),
        ("--log-format", vec![format!("--log-format={c}")]),
        ("--timeout", vec![format!("--timeout={c}")]),
        ("--project", vec![format!("--project={c}")]),
        ("--cluster", vec![format!("--cluster={c}")]),
    ]
    .into_iter()
    .map(|(name, arguments)| Case {
        arguments: arguments.into_iter().map(OsString::from).collect(),
        ..Case::new(name)
    })
    .collect()
}

/// The other subcommands, and commands that can't be run.
fn others() -> Vec<Case> {
    let launch = |name, command| Case {
        command,
        ..Case::new(name).of(&["run"])
    };
    let set = |name| Case::new(name).of(&["secret", "set"]).stdin(STDIN);
    vec![
        launch("no command", &[]),
        launch("a command that is missing", &["no-such-command", ARGUMENT]),
        launch("a path that is missing", &["./no-such-command", ARGUMENT]),
        launch("a command that is no program", &["./text", ARGUMENT]).file("text", FILE),
        launch("a command without interpreter", &["./script", ARGUMENT])
            .file("script", "#!/no/such/interpreter\n")
            .does(|place| {
                let runs = fs::Permissions::from_mode(0o755);
                fs::set_permissions(place.path("script"), runs).unwrap();
            }),
        set("set: the value as an argument").args(&["name", "--team", ARGUMENT]),
        set("set: the value as a name").args(&[ARGUMENT, "--team"]),
        set("set: the value as an option").args(&[
            "name",
            "--team",
            &format!("--value={ARGUMENT}"),
        ]),
        set("set: no scope").args(&["name"]),
        set("set: two scopes").args(&["name", "--team", "--project", ARGUMENT]),
        set("set: too large")
            .args(&["name", "--team"])
            .stdin(STDIN.repeat(4000)),
        set("set: nothing").args(&["name", "--team"]).stdin("\n"),
        set("set: a store that is only read").args(&["name", "--team", "--store", "dir:secrets"]),
        set("set: bad recipients")
            .args(&["name", "--team"])
            .file("secrets/recipients.txt", FILE),
        set("set: no recipients")
            .args(&["name", "--team"])
            .file("secrets/recipients.txt", ""),
        set("set: a foreign recipient")
            .args(&["name", "--team"])
            .file(
                "secrets/team/recipients.txt",
                format!("ssh-ed25519 {FILE}\n"),
            ),
        Case::new("init: a store is there").of(&["store", "init"]),
        Case::new("init: a key in the store")
            .of(&["store", "init"])
            .args(&["new", "--key-file", "new/key"]),
        Case::new("init: a damaged key")
            .of(&["store", "init"])
            .args(&["new"])
            .var("DOORKEY_KEY", KEY),
        Case::new("init: two folders")
            .of(&["store", "init"])
            .args(&["new", ARGUMENT]),
        Case::new("a file on what is no tmpfs")
            .args(&["--files=/sys/kernel"])
            .var("A", "secret:db|file"),
        Case::new("a file that can't be written")
            .of(&["run"])
            .args(&["--files=/sys/kernel", "--allow-disk"])
            .var("A", "secret:db|file"),
        Case::new("render: missing")
            .of(&["render", "-"])
            .stdin(format!(
                "{STDIN}${{secret:db}}${{secret:none?}}${{secret:none#{STDIN}}}"
            )),
        Case::new("render: malformed")
            .of(&["render", "-"])
            .stdin(format!(
                "{STDIN}${{secret:db}}${{secret:{STDIN}}}${{secret:{STDIN}"
            )),
        Case::new("render: not written")
            .of(&["render", "text", "none/out"])
            .file("text", format!("{FILE}${{secret:db}}")),
        Case::new("no such shell")
            .of(&["completions"])
            .args(&[ARGUMENT]),
        Case::new("no such subcommand").of(&[ARGUMENT]),
        Case::new("no such subcommand of one").of(&["secret", ARGUMENT]),
        Case::new("an argument too many")
            .of(&["check"])
            .args(&[ARGUMENT]),
    ]
}
