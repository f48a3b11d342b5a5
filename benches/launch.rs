//! What doorkey adds to the start of a program, side by side with other entrypoints, and with sops
//! and fnox where those are installed; the sizes of all of them.
//!
//! `sh benches/run` installs what is missing and runs this.
//!
//! Options: `--rounds N`, and `--also LABEL=FILE` (repeatable) for further builds of doorkey.

mod measure;
#[path = "measure/peers.rs"]
mod peers;

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use measure::{DOORKEY, Outcome, Task, Variant, copies, copy_whole, find};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

const ROUNDS: usize = 400;
const REFERENCES: [usize; 3] = [1, 20, 200];

/// How many can read the second store, which has as many secrets.
const TEAM: usize = 20;

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
    print_sizes()?;
    Ok(())
}

/// In `folder`: an embedded store with its key, and one that a whole team can read.
fn make_store(folder: &Path) -> Outcome<()> {
    let key = |number: usize| match number {
        0 => "key.txt".to_owned(),
        _ => format!("key-{number}.txt"),
    };
    let doorkey = |number: usize, arguments: &[&str]| {
        let mut command = Command::new(DOORKEY);
        command.args(arguments).env("DOORKEY_QUIET", "true");
        command.env("DOORKEY_KEY_FILE", folder.join(key(number)));
        command.current_dir(folder).stdin(Stdio::piped());
        command
    };
    let ended = |mut child: Child| -> Outcome<()> {
        match child.wait()?.success() {
            true => Ok(()),
            false => Err("the store can't be made".into()),
        }
    };
    let fill = |store: &str, secrets: usize| -> Outcome<()> {
        let store = format!("age:{store}");
        for index in 0..secrets {
            let name = format!("secret_{index}");
            let set = ["secret", "set", &name, "--store", &store, "--team"];
            let mut child = doorkey(0, &set).spawn()?;
            if let Some(stdin) = &mut child.stdin {
                write!(stdin, "{index:032}")?;
            }
            drop(child.stdin.take());
            ended(child)?;
        }
        Ok(())
    };
    ended(doorkey(0, &["store", "init", "secrets"]).spawn()?)?;
    fill("secrets", *REFERENCES.last().unwrap_or(&0))?;

    let mut recipients = String::new();
    for number in 1..TEAM {
        let store = format!("store-{number}");
        ended(doorkey(number, &["store", "init", &store]).spawn()?)?;
        recipients += &fs::read_to_string(folder.join(store).join("recipients.txt"))?;
        if number == TEAM / 2 {
            recipients += &fs::read_to_string(folder.join("secrets/recipients.txt"))?;
        }
    }
    ended(doorkey(0, &["store", "init", "team"]).spawn()?)?;
    fs::write(folder.join("team/recipients.txt"), recipients)?;
    fill("team", TEAM)?;

    // One with a key of SSH beside age's own.
    let ssh = folder.join("ssh.txt");
    let mut keygen = Command::new("ssh-keygen");
    keygen
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&ssh);
    ended(keygen.spawn()?)?;
    let both = ["secrets/recipients.txt", "ssh.txt.pub"];
    let both = both.map(|file| fs::read_to_string(folder.join(file)));
    let [own, public] = both;
    ended(doorkey(0, &["store", "init", "mixed"]).spawn()?)?;
    fs::write(folder.join("mixed/recipients.txt"), own? + &public?)?;
    fill("mixed", TEAM)
}

/// A copy of a program that a disk has been read for, once: in other pieces than it is written in.
fn from_disk(program: &str) -> Outcome<String> {
    let copy = format!("{program}-from-disk");
    copy_whole(Path::new(program), Path::new(&copy))?;
    let file = fs::File::open(&copy)?;
    file.sync_all()?;
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    Ok(copy)
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

        let name = format!("{label}, no reference");
        variants.push(Variant::new(&name, &named, &[])?);
        let read = from_disk(program)?;
        let name = format!("{name}, read from a disk");
        variants.push(Variant::new(
            &name,
            &[&[read.as_str()], &named[1..]].concat(),
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
        let team = format!("age:{}", in_folder("team"));
        let given = [
            &plain[..],
            &["--store", &team, "--key-file", &key],
            &launched,
        ]
        .concat();
        let name = format!("{label}, {TEAM} references, {TEAM} recipients");
        variants.push(Variant::new(&name, &given, &references(TEAM))?);
        let mixed = format!("age:{}", in_folder("mixed"));
        for (whose, key) in [("age's own", &key), ("an SSH", &in_folder("ssh.txt"))] {
            let store = ["--store", &mixed, "--key-file", key];
            let given = [&plain[..], &store, &launched].concat();
            let name = format!("{label}, {TEAM} references, {whose} key beside the other");
            variants.push(Variant::new(&name, &given, &references(TEAM))?);
        }
    }
    variants.extend(peers::launches(folder, &workload, TEAM)?);
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

/// The sizes of the programs themselves. What Debian has of them shares its C library.
fn print_sizes() -> Outcome<()> {
    println!("| program | size, MB |");
    println!("|---|--:|");
    let others = ["tini", "dumb-init", "catatonit", "sops", "fnox"];
    let others = others.map(|name| (name, find(name).ok()));
    for (name, file) in [("doorkey", Some(DOORKEY.to_owned()))]
        .into_iter()
        .chain(others)
    {
        if let Some(file) = file {
            println!("| {name} | {:.2} |", fs::metadata(file)?.len() as f64 / 1e6);
        }
    }
    println!();
    Ok(())
}
