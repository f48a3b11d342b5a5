//! What a launch takes with very much in its environment: eight times as much takes eight times as
//! long, not sixty-four.
//!
//! `sh benches/run` runs this, with the options of `launch`.

#[allow(dead_code, reason = "each program uses a part of it")]
mod measure;

use std::path::Path;
use std::{env, fs};

use measure::{Outcome, Task, Variant, copies};

const ROUNDS: usize = 40;
const SIZES: [usize; 2] = [1_000, 8_000];

fn main() -> Outcome<()> {
    let Some(mut task) = Task::new(ROUNDS)? else {
        return Ok(());
    };
    let folder = env::temp_dir().join(format!("doorkey-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    task.install(&folder)?;
    let measured = variants(&folder, &task.builds).and_then(|variants| task.measure(variants));
    fs::remove_dir_all(&folder)?;
    print(measured?, task.rounds);
    Ok(())
}

/// What a launch is given so many of.
const KINDS: [&str; 7] = [
    "inherited",
    "in a file",
    "references",
    "members",
    "--all",
    "files",
    "check of manifests",
];

/// References in one manifest.
const EACH: usize = 4;

fn names(size: usize) -> Vec<String> {
    (0..size).map(|at| format!("variable_{at}")).collect()
}

/// Makes a store of so many secrets, and one of a document with as many members; and files of as
/// many variables.
fn prepare(place: &Path, size: usize) -> Outcome<()> {
    fs::create_dir_all(place.join("store"))?;
    fs::create_dir_all(place.join("documents"))?;
    let [mut plain, mut references, mut members, mut files] = [const { String::new() }; 4];
    let mut document = String::new();
    for name in names(size) {
        fs::write(place.join("store").join(&name), "value")?;
        plain += &format!("{name}=value\n");
        references += &format!("{name}=secret:{name}\n");
        members += &format!("{name}=secret:document#{name}\n");
        document += &format!(",\"{name}\":\"value\"");
        files += &format!("{name}=secret:{name}|file\n");
    }
    fs::write(place.join("plain"), plain)?;
    fs::write(place.join("references"), references)?;
    fs::write(place.join("members"), members)?;
    let document = format!("{{{}}}", &document[1..]);
    fs::write(place.join("documents/document"), document)?;
    fs::write(place.join("files"), files)?;
    manifests(&place.join("manifests"), size)
}

/// Makes manifests with so many references together.
fn manifests(folder: &Path, size: usize) -> Outcome<()> {
    fs::create_dir_all(folder)?;
    for (at, names) in names(size).chunks(EACH).enumerate() {
        let entries = names
            .iter()
            .map(|name| format!("        - {{name: {name}, value: 'secret:{name}'}}\n"));
        let entries: String = entries.collect();
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web{at}}}\nspec:\n  template:\n    \
             spec:\n      containers:\n      - name: server\n        env:\n{entries}"
        );
        fs::write(folder.join(format!("{at}.yaml")), text)?;
    }
    Ok(())
}

/// Each kind at each size, one after the other.
fn variants(folder: &Path, builds: &[(String, String)]) -> Outcome<Vec<Variant>> {
    let workload = copies(folder, &["true", "wait"])?;
    for size in SIZES {
        prepare(&folder.join(size.to_string()), size)?;
    }
    let mut variants = Vec::new();
    for (label, program) in builds {
        for (kind, size) in KINDS
            .into_iter()
            .flat_map(|kind| SIZES.map(|size| (kind, size)))
        {
            let place = folder.join(size.to_string());
            let option =
                |option: &str, file: &str| format!("{option}{}", place.join(file).display());
            let store = option("--store=dir:", "store");
            let file = |file| option("--env-file=", file);
            let options = match kind {
                "inherited" => vec![],
                "in a file" => vec![file("plain")],
                "references" => vec![store, file("references")],
                "members" => vec![option("--store=dir:", "documents"), file("members")],
                "--all" => vec![store, "--all".to_owned()],
                "check of manifests" => vec![store, option("--spec=", "manifests")],
                _ => {
                    let into = option("--files=", "delivered");
                    vec![store, file("files"), into, "--allow-disk".to_owned()]
                }
            };
            let mut command = vec![program.as_str(), "run", "--quiet"];
            if kind == "check of manifests" {
                command[1] = "check";
            }
            command.extend(options.iter().map(String::as_str));
            if command[1] == "run" {
                command.extend(["--", &workload]);
            }
            let own = names(size).into_iter().map(|name| format!("{name}=value"));
            let own: Vec<String> = own.filter(|_| kind == "inherited").collect();
            variants.push(Variant::new(&format!("{label}, {kind}"), &command, &own)?);
        }
    }
    Ok(variants)
}

fn print(mut variants: Vec<Variant>, rounds: usize) {
    let [few, many] = SIZES;
    println!("Medians of {rounds} rounds.\n");
    println!("| launch | {few}, ms | {many}, ms | times |");
    println!("|---|--:|--:|--:|");
    for pair in variants.chunks_mut(2) {
        let [few, many] = [0, 1].map(|at| pair[at].median() / 1e3);
        println!(
            "| {} | {few:.1} | {many:.1} | {:.1} |",
            pair[0].name,
            many / few
        );
    }
    println!();
}
