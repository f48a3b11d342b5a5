//! Mistakes, and what doorkey says to each: the table `tests/data/messages.toml`. Each of its rows is
//! run, and the page about troubleshooting is made from it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use serde::Deserialize;
use serde_json::json;
use support::bao::Bao;
use support::{DOORKEY, Ended, Place};

const TABLE: &str = "tests/data/messages.toml";
const PAGE: &str = "docs/src/troubleshooting.md";

/// The variable that has the page written anew, and the says of the table printed.
const ANEW: &str = "PAGE_ANEW";

#[derive(Deserialize)]
struct Table {
    part: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    title: String,
    mistake: Vec<Mistake>,
}

#[derive(Deserialize)]
struct Mistake {
    /// The mistake, in words.
    when: String,
    /// Commands of a shell that prepare it.
    #[serde(default)]
    setup: String,
    /// The server beside it: `bao`, one that is `sealed`, or none.
    #[serde(default)]
    server: String,
    /// True if a user without rights makes it.
    #[serde(default)]
    nobody: bool,
    /// The command of a shell that makes it.
    run: String,
    code: i32,
    /// All that is said.
    says: String,
    cause: String,
    next: String,
}

fn table() -> Table {
    toml::from_str(&fs::read_to_string(TABLE).unwrap()).unwrap()
}

/// Servers that some mistakes are about, with a token for each.
struct Servers {
    open: Bao,
    token: String,
    sealed: Bao,
}

impl Servers {
    fn new() -> Self {
        let (open, sealed) = (Bao::new(), Bao::new());
        sealed.seal();
        let admin = open.admin();
        admin.mount("messages", 2);
        admin.put(
            "messages",
            "app/team",
            json!({"password": "canary", "user": "app"}),
        );
        admin.put("messages", "app/project/web", json!({"password": "canary"}));
        let rule = r#"path "messages/data/*" { capabilities = ["read"] }
                      path "messages/metadata/*" { capabilities = ["read", "list"] }"#;
        admin.policy("messages", rule);
        let token = admin.token("messages");
        Servers {
            open,
            token,
            sealed,
        }
    }
}

/// A folder with a small store, that `doorkey.toml` names, and the program in `bin`.
fn place(copied: bool) -> Place {
    let place = Place::with_store();
    place.write("doorkey.toml", "store = 'age:secrets'\n");
    place.set("team", "client", r#"{"id": "canary", "port": "1"}"#);
    place.set("project/web", "db_password", "canary");
    fs::create_dir(place.path("bin")).unwrap();
    let program = place.path("bin/doorkey");
    match copied {
        // The user without rights may not reach the build's folder.
        true => assert!(
            Command::new("cp")
                .arg(DOORKEY)
                .arg(program)
                .status()
                .unwrap()
                .success()
        ),
        false => symlink(fs::canonicalize(DOORKEY).unwrap(), program).unwrap(),
    }
    place
}

impl Mistake {
    fn shell(&self, place: &Place, servers: &Servers, script: &str, nobody: bool) -> Output {
        let mut command = match nobody {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh"]);
                command
            }
            false => Command::new("sh"),
        };
        command
            .arg("-c")
            .arg(script)
            .current_dir(place.path(""))
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", place.path("bin").display()),
            )
            .env("HOME", place.path("home"));
        let server = match self.server.as_str() {
            "" => None,
            "sealed" => Some(&servers.sealed),
            _ => Some(&servers.open),
        };
        if let Some(server) = server {
            command.env("VAULT_ADDR", server.address());
            if !script.contains("VAULT_TOKEN=") {
                command.env("VAULT_TOKEN", &servers.token);
            }
        }
        command.output().unwrap()
    }

    /// Makes the mistake; returns the exit code, and what is said, without what changes each time.
    fn make(&self, servers: &Servers) -> (i32, String) {
        let place = place(self.nobody);
        if !self.setup.is_empty() {
            let set_up = self.shell(&place, servers, &self.setup, false);
            assert!(set_up.status.success(), "{}: {set_up:?}", self.when);
        }
        let ended = Ended {
            output: self.shell(&place, servers, &self.run, self.nobody),
        };
        assert!(
            !(ended.out() + &ended.err()).contains("canary"),
            "{}",
            self.when
        );
        let mut said = ended.timeless();
        for (one, other) in [
            (place.path("").display().to_string(), "/srv/"),
            (servers.open.address(), "http://127.0.0.1:8200"),
            (servers.sealed.address(), "http://127.0.0.1:8200"),
        ] {
            said = said.replace(&one, other);
        }
        said = said.replace(place.path("").parent().unwrap().to_str().unwrap(), "/srv");
        (ended.code(), normalised(&said))
    }
}

/// Puts signs for keys, and for numbers of tries and seconds.
fn normalised(said: &str) -> String {
    let lines = said.lines().map(|line| {
        let mut out = String::new();
        let mut rest = line;
        while let Some(at) = rest.find("age1") {
            let (before, key) = rest.split_at(at);
            let length = key.bytes().take_while(u8::is_ascii_alphanumeric).count();
            out += before;
            out += if length == 62 {
                "age1…"
            } else {
                &key[..length]
            };
            rest = &key[length..];
        }
        out += rest;
        for (before, after) in [
            ("gave up after ", "; the last"),
            ("503 (", ")"),
            ("status 503: it is sealed; unseal it (", ")"),
        ] {
            let from = out.find(before).map(|at| at + before.len());
            let to = from.and_then(|from| Some(from + out[from..].find(after)?));
            if let (Some(from), Some(to)) = (from, to)
                && out[from..to].contains(|c: char| c.is_ascii_digit())
                && !out[from..to].contains("--timeout")
            {
                out.replace_range(from..to, "N tries in T s");
            }
        }
        out
    });
    let lines: Vec<String> = lines.collect();
    lines.join("\n")
}

#[test]
fn each_mistake_is_answered_as_the_table_says() {
    let servers = Servers::new();
    let mut wrong = Vec::new();
    let mut all = serde_json::Map::new();
    for mistake in table().part.iter().flat_map(|part| &part.mistake) {
        let (code, said) = mistake.make(&servers);
        if (code, said.as_str()) != (mistake.code, mistake.says.as_str()) {
            wrong.push(format!(
                "{}: {code}\n{said}\nwanted: {}",
                mistake.when, mistake.says
            ));
        }
        all.insert(mistake.when.clone(), json!([code, said]));
    }
    if let Ok(file) = std::env::var(ANEW)
        && file.ends_with(".json")
    {
        fs::write(file, serde_json::to_string(&all).unwrap()).unwrap();
    }
    assert!(
        wrong.is_empty(),
        "{} are otherwise:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

/// Makes the page.
fn page(table: &Table) -> String {
    let mut page = "# Troubleshooting\n\n\
        Each message of doorkey, its cause, and the next step. `doorkey doctor` checks the\n\
        configuration, the store, the key, the server and the scopes. `doorkey check` looks at each\n\
        reference.\n\n\
        <!-- Made from tests/data/messages.toml by `PAGE_ANEW=1 cargo test --test cli messages`. -->\n"
        .to_owned();
    for part in &table.part {
        page += &format!("\n## {}\n", part.title);
        for mistake in &part.mistake {
            let Mistake {
                when,
                says,
                cause,
                next,
                ..
            } = mistake;
            page += &format!(
                "\n### {when}\n\n```text\n{says}\n```\n\n{cause}\n\n*What to do:* {next}\n"
            );
        }
    }
    page
}

#[test]
fn the_page_is_made_from_the_table() {
    let page = page(&table());
    if std::env::var_os(ANEW).is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    let is_same = fs::read_to_string(Path::new(PAGE)).is_ok_and(|there| there == page);
    assert!(
        is_same,
        "{PAGE} differs from {TABLE}: {ANEW}=1 cargo test --test cli messages writes it anew"
    );
}
