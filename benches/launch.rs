//! What doorkey adds to the start of a program, side by side with other entrypoints.
//!
//! `sh benches/run` installs what is missing and runs this.
//!
//! Options: `--rounds N`, and `--also LABEL=FILE` (repeatable) for further builds of doorkey.

mod measure;

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use measure::{DOORKEY, Outcome, Task, Variant, copies, find};

const ROUNDS: usize = 400;
const REFERENCES: [usize; 3] = [1, 20, 200];

fn main() -> Outcome<()> {
    let Some(mut task) = Task::new(ROUNDS)? else {
        return Ok(());
    };
    let folder = env::temp_dir().join(format!("doorkey-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    task.install(&folder)?;
    let measured = make_store(&folder)
        .and_then(|()| variants(&folder, &task.builds))
        .and_then(|variants| task.measure(variants));
    fs::remove_dir_all(&folder)?;
    print(measured?, task.rounds);
    Ok(())
}

/// In `folder`: an embedded store with its key.
fn make_store(folder: &Path) -> Outcome<()> {
    let doorkey = |arguments: &[&str]| {
        let mut command = Command::new(DOORKEY);
        command.args(arguments).env("DOORKEY_QUIET", "true");
        command.env("DOORKEY_KEY_FILE", folder.join("key.txt"));
        command.current_dir(folder).stdin(Stdio::piped());
        command
    };
    let ended = |mut child: Child| -> Outcome<()> {
        match child.wait()?.success() {
            true => Ok(()),
            false => Err("the store can't be made".into()),
        }
    };
    ended(doorkey(&["store", "init", "secrets"]).spawn()?)?;
    for index in 0..*REFERENCES.last().unwrap_or(&0) {
        let name = format!("secret_{index}");
        let mut child =
            doorkey(&["secret", "set", &name, "--store", "age:secrets", "--team"]).spawn()?;
        if let Some(stdin) = &mut child.stdin {
            write!(stdin, "{index:032}")?;
        }
        drop(child.stdin.take());
        ended(child)?;
    }
    Ok(())
}

/// Every variant, the bare workload first and tini second.
fn variants(folder: &Path, builds: &[(String, String)]) -> Outcome<Vec<Variant>> {
    let in_folder = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (workload, key) = (copies(folder, &["true", "wait"])?, in_folder("key.txt"));
    let store = format!("age:{}", in_folder("secrets"));
    let mut variants = vec![Variant::new("bare", &[&workload], &[])?];
    for init in ["tini", "dumb-init", "catatonit"] {
        let program = find(init)?;
        let mut command = vec![program.as_str()];
        if init == "tini" {
            // As PID 1 in a container it would not say that it is not.
            command.push("-s");
        }
        command.extend(["--", &workload]);
        variants.push(Variant::new(init, &command, &[])?);
    }
    for (label, program) in builds {
        let plain = [program, "run", "--quiet"];
        let launched = ["--", &workload];
        let given = [
            &plain[..],
            &["--store", &store, "--key-file", &key],
            &launched,
        ]
        .concat();
        let named = [&plain[..], &launched].concat();
        let staying = [&plain[..], &["--init"], &launched].concat();
        let settings = [
            format!("DOORKEY_STORE={store}"),
            format!("DOORKEY_KEY_FILE={key}"),
        ];

        variants.push(Variant::new(
            &format!("{label}, no reference"),
            &named,
            &[],
        )?);
        // Builds from before it are measured as well.
        if Command::new(program)
            .args(&staying[1..])
            .status()?
            .success()
        {
            let name = format!("{label}, --init");
            variants.push(Variant::new(&name, &staying, &[])?);
        }
        for count in REFERENCES {
            let references = references(count);
            let plural = if count == 1 { "" } else { "s" };
            let name = format!("{label}, {count} reference{plural}");
            variants.push(Variant::new(&name, &given, &references)?);
            if count == 1 {
                let name = format!("{label}, 1 reference, set by variables");
                variants.push(Variant::new(
                    &name,
                    &named,
                    &[&settings[..], &references].concat(),
                )?);
            }
        }
    }
    Ok(variants)
}

fn references(count: usize) -> Vec<String> {
    let reference = |index| format!("VARIABLE_{index}=secret:secret_{index}");
    (0..count).map(reference).collect()
}

fn print(mut variants: Vec<Variant>, rounds: usize) {
    let medians: Vec<f64> = variants.iter_mut().map(Variant::median).collect();
    let (bare, tini) = (medians[0], medians[1] - medians[0]);
    println!("Medians of {rounds} rounds, the bare program {bare:.0} µs.\n");
    println!("| entrypoint | added, µs | tini = 1 | peak memory, KB | stays, KB |");
    println!("|---|--:|--:|--:|--:|");
    for (variant, median) in variants.iter().zip(&medians) {
        let (name, added, peak) = (&variant.name, median - bare, variant.peak);
        let idle = variant.idle.map_or(String::new(), |idle| idle.to_string());
        println!(
            "| {name} | {added:.0} | {:.2} | {peak} | {idle} |",
            added / tini
        );
    }
    println!();
}
