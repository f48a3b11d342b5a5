//! How long a launch takes that fetches its secrets from a server, side by side with curl, and
//! what it costs the server.
//!
//! `sh benches/run` installs what is missing and runs this. The server is a real OpenBao on this
//! machine, asked over TLS; three documents with 85 members in all are in force. curl fetches the
//! same three in parallel, and only its own time counts; doorkey's goes on until the workload that
//! it has become has ended.
//!
//! Options: `--rounds N`, and `--also LABEL=FILE` (repeatable) for further builds of doorkey.

mod measure;

use std::fs;
use std::sync::Arc;

use measure::{Outcome, Task, Variant, copies, find};
use serde_json::{Map, Value, json};
use support::bao::{App, Bao, Pki};

const ROUNDS: usize = 200;
const REFERENCES: [usize; 3] = [1, 10, 50];

/// The documents in force, and how many members each has.
const DOCUMENTS: [(&str, usize); 3] = [("team", 40), ("cluster/eu", 25), ("project/web", 20)];

/// Where Debian and Alpine keep the system's trust.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

fn main() -> Outcome<()> {
    let Some(mut task) = Task::new(ROUNDS)? else {
        return Ok(());
    };
    let place = support::Place::new();
    task.install(&place.path(""))?;
    let pki = Pki::new(place.path("pki"));
    // What a launch has to search where nothing names the authority: the system's and this one.
    let system = fs::read_to_string(SYSTEM)? + &pki.text("ca.pem");
    place.write("system.pem", system);

    let bao = Arc::new(Bao::with_tls(&pki));
    let scene = Scene {
        versioned: filled(App::on(Arc::clone(&bao), 2)),
        plain: filled(App::on(bao, 1)),
        pki,
        workload: copies(&place.path(""), &["true", "wait"])?,
        place,
    };
    let approle = scene
        .versioned
        .admin
        .approle("approle", &scene.versioned.mount);
    let mut variants = vec![scene.curl("curl --parallel", "pki/ca.pem")?];
    let mut counted = Vec::new();
    for (label, program) in &task.builds {
        let doorkey = |what: &str, app, more: &[String], references| {
            scene.doorkey(program, &format!("{label}, {what}"), app, more, references)
        };
        let token = format!("VAULT_TOKEN={}", scene.versioned.token);
        for references in REFERENCES {
            let plural = if references == 1 { "" } else { "s" };
            let what = format!("token given, {references} reference{plural}");
            let app = &scene.versioned;
            variants.push(doorkey(
                &what,
                app,
                std::slice::from_ref(&token),
                references,
            )?);
        }
        let login = [
            format!("VAULT_ROLE_ID={}", approle.0),
            format!("VAULT_SECRET_ID={}", approle.1),
        ];
        let what = "AppRole login and revocation, 10 references";
        variants.push(doorkey(what, &scene.versioned, &login, 10)?);
        let token = format!("VAULT_TOKEN={}", scene.plain.token);
        let found = "token given, KV 1 found out, 10 references";
        let detected = doorkey(found, &scene.plain, std::slice::from_ref(&token), 10)?;
        counted.push(detected);
        let said = format!("DOORKEY_STORE={}?kv=1", scene.plain.store());
        let what = "token given, ?kv=1, 10 references";
        counted.push(doorkey(what, &scene.plain, &[token, said], 10)?);
    }
    let system = "the system's trust";
    variants.push(scene.curl(&format!("curl --parallel, {system}"), "system.pem")?);
    for (label, program) in &task.builds {
        let more = [
            format!("VAULT_TOKEN={}", scene.versioned.token),
            "VAULT_CACERT=".to_owned(),
            format!("SSL_CERT_FILE={}", scene.path("system.pem")),
        ];
        let name = format!("{label}, token given, 10 references, {system}");
        variants.push(scene.doorkey(program, &name, &scene.versioned, &more, 10)?);
    }

    let requests: Vec<_> = variants.iter_mut().map(|one| scene.requests(one)).collect();
    let further: Vec<_> = counted.iter_mut().map(|one| scene.requests(one)).collect();
    let mut variants = task.measure(variants)?;
    let medians: Vec<f64> = variants.iter_mut().map(Variant::median).collect();
    println!("Medians of {} rounds.\n", task.rounds);
    println!("| launch | ms | curl = 1 | peak memory, KB | requests |");
    println!("|---|--:|--:|--:|--:|");
    for ((variant, median), requests) in variants.iter().zip(&medians).zip(&requests) {
        let (name, peak, requests) = (&variant.name, variant.peak, requests.len());
        let (time, ratio) = (median / 1000.0, median / medians[0]);
        println!("| {name} | {time:.1} | {ratio:.2} | {peak} | {requests} |");
    }
    println!("\nWhat the server was asked:\n");
    let names = variants.iter().chain(&counted).map(|one| &one.name);
    let asked = names.zip(requests.iter().chain(&further));
    // Another build of doorkey asks the same.
    for (name, requests) in asked.filter(|(name, _)| name.starts_with("doorkey, ")) {
        println!("- {name}: {}: {}", requests.len(), requests.join(", "));
    }
    println!();
    Ok(())
}

/// All documents stored.
fn filled(app: App) -> App {
    let mut number = 0;
    for (document, members) in DOCUMENTS {
        let mut data = Map::new();
        for _ in 0..members {
            data.insert(
                format!("secret_{number}"),
                Value::from(format!("{number:032}")),
            );
            number += 1;
        }
        app.put(document, json!(data));
    }
    app
}

/// What all launches have in common.
struct Scene {
    versioned: App,
    plain: App,
    #[allow(dead_code, reason = "its files are the server's")]
    pki: Pki,
    workload: String,
    place: support::Place,
}

impl Scene {
    fn path(&self, inside: &str) -> String {
        self.place.path(inside).to_string_lossy().into_owned()
    }

    /// By address: a name would be looked up, in another way by each.
    fn address(&self) -> String {
        let at = self.versioned.bao.secure();
        at.replace("localhost", "127.0.0.1")
    }

    fn curl(&self, name: &str, authority: &str) -> Outcome<Variant> {
        let token = format!("X-Vault-Token: {}", self.versioned.token);
        let (program, authority) = (find("curl")?, self.path(authority));
        let urls = DOCUMENTS.map(|(document, _)| {
            let document = self.versioned.document(document);
            format!("{}/v1/{document}", self.address())
        });
        let mut command = vec![
            program.as_str(),
            "--disable",
            "--silent",
            "--no-progress-meter",
            "--fail",
            "--parallel",
            "--cacert",
            &authority,
            "--header",
            &token,
        ];
        for url in &urls {
            command.extend(["--output", "/dev/null", url]);
        }
        Variant::new(name, &command, &[])
    }

    /// A launch with references to so many members, from all scopes in turn where there are more
    /// than one; `more` is set in its environment, last.
    fn doorkey(
        &self,
        program: &str,
        name: &str,
        app: &App,
        more: &[String],
        references: usize,
    ) -> Outcome<Variant> {
        let mut variables = vec![
            format!("VAULT_ADDR={}", self.address()),
            format!("VAULT_CACERT={}", self.path("pki/ca.pem")),
            format!("DOORKEY_STORE={}", app.store()),
            "DOORKEY_CLUSTER=eu".to_owned(),
            "DOORKEY_PROJECT=web".to_owned(),
        ];
        for setting in more {
            let (name, _) = setting.split_once('=').unwrap_or_default();
            variables.retain(|one| one.split('=').next() != Some(name));
            variables.push(setting.clone());
        }
        let all: usize = DOCUMENTS.iter().map(|(_, members)| members).sum();
        // 37 and 85 have no common divisor, so that no member comes twice.
        let reference = |index| format!("VARIABLE_{index}=secret:secret_{}", index * 37 % all);
        variables.extend((0..references).map(reference));
        let command = [program, "run", "--quiet", "--", &self.workload];
        Variant::new(name, &command, &variables)
    }

    /// Starts it once; what the server's audit log has of that.
    fn requests(&self, variant: &mut Variant) -> Vec<String> {
        let mark = self.versioned.bao.mark();
        variant.once().expect("the launch succeeds");
        self.versioned.bao.requests(mark)
    }
}
