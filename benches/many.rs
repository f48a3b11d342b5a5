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

/// Each kind at each size, one after the other.
fn variants(folder: &Path, builds: &[(String, String)]) -> Outcome<Vec<Variant>> {
    let workload = copies(folder, &["true", "wait"])?;
    let mut variants = Vec::new();
    for (label, program) in builds {
        for kind in ["inherited", "in a file", "references", "--all", "files"] {
            for size in SIZES {
                let place = folder.join(size.to_string());
                fs::create_dir_all(place.join("store"))?;
                let names: Vec<String> = (0..size).map(|at| format!("variable_{at}")).collect();
                let (mut plain, mut references) = (String::new(), String::new());
                for name in &names {
                    fs::write(place.join("store").join(name), "value")?;
                    plain += &format!("{name}=value\n");
                    let file = if kind == "files" { "|file" } else { "" };
                    references += &format!("{name}=secret:{name}{file}\n");
                }
                fs::write(place.join("plain.env"), plain)?;
                let of = |file: &str| format!("--env-file={}", place.join(file).display());
                let refers = format!("{}.env", kind.replace(' ', "-"));
                fs::write(place.join(&refers), references)?;
                let store = format!("--store=dir:{}", place.join("store").display());
                let into = format!("--files={}", place.join("files").display());
                let options: Vec<String> = match kind {
                    "inherited" => vec![],
                    "in a file" => vec![of("plain.env")],
                    "references" => vec![store, of(&refers)],
                    "--all" => vec![store, "--all".to_owned()],
                    _ => vec![store, of(&refers), into, "--allow-disk".to_owned()],
                };
                let mut command = vec![program.as_str(), "run", "--quiet"];
                command.extend(options.iter().map(String::as_str));
                command.extend(["--", &workload]);
                let own = names.iter().map(|name| format!("{name}=value"));
                let own: Vec<String> = own.filter(|_| kind == "inherited").collect();
                variants.push(Variant::new(&format!("{label}, {kind}"), &command, &own)?);
            }
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
