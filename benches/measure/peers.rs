//! Other programs that keep secrets encrypted in files, and start a program with them. Each has the
//! same values, for the same readers.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::measure::{Outcome, Variant, find};

/// Launches with one value and with as many as the team has readers, the latter for one reader and
/// for the team. None of a program that is not installed.
pub fn launches(folder: &Path, workload: &str, team: usize) -> Outcome<Vec<Variant>> {
    let mut variants = Vec::new();
    for (name, launch) in [
        ("sops", sops as fn(&Launch) -> Outcome<Variant>),
        ("fnox", fnox),
    ] {
        let Ok(program) = find(name) else {
            println!("{name} is not measured: it is not installed");
            continue;
        };
        for (count, store) in [(1, "secrets"), (team, "secrets"), (team, "team")] {
            let list = fs::read_to_string(folder.join(store).join("recipients.txt"))?;
            let readers = list.lines().filter(|line| line.starts_with("age1"));
            variants.push(launch(&Launch {
                program: &program,
                folder,
                workload,
                count,
                readers: &readers.collect::<Vec<_>>(),
            })?);
        }
    }
    Ok(variants)
}

struct Launch<'a> {
    program: &'a str,
    folder: &'a Path,
    workload: &'a str,
    count: usize,
    readers: &'a [&'a str],
}

impl Launch<'_> {
    fn named(&self, command: &str) -> String {
        let plural = if self.count == 1 { "" } else { "s" };
        let mut name = format!("{command}, {} value{plural}", self.count);
        if self.readers.len() > 1 {
            name += &format!(", {} recipients", self.readers.len());
        }
        name
    }

    fn path(&self, inside: &str) -> String {
        self.folder.join(inside).to_string_lossy().into_owned()
    }
}

/// One file with all values.
fn sops(launch: &Launch) -> Outcome<Variant> {
    let value = |index| format!("VARIABLE_{index}={index:032}\n");
    let values: String = (0..launch.count).map(value).collect();
    fs::write(launch.folder.join("values.env"), values)?;
    let file = launch.path(&format!("{}-{}.env", launch.count, launch.readers.len()));
    let mut encrypt = Command::new(launch.program);
    encrypt.args(["encrypt", "--age", &launch.readers.join(",")]);
    encrypt.arg("values.env").current_dir(launch.folder);
    fs::write(&file, encrypt.output()?.stdout)?;
    let command = [launch.program, "exec-env", &file, launch.workload];
    let key = format!("SOPS_AGE_KEY_FILE={}", launch.path("key.txt"));
    Variant::new(&launch.named("sops exec-env"), &command, &[key])
}

/// One file too, with a text for each value.
fn fnox(launch: &Launch) -> Outcome<Variant> {
    let file = launch.path(&format!("{}-{}.toml", launch.count, launch.readers.len()));
    let readers = launch.readers;
    fs::write(
        &file,
        format!("[providers.age]\ntype = \"age\"\nrecipients = {readers:?}\n"),
    )?;
    // No server of its own stays between two launches.
    let options = ["--no-daemon", "--non-interactive", "--config", &file];
    for index in 0..launch.count {
        let mut set = Command::new(launch.program);
        set.arg("set").args(options);
        set.args(["--provider", "age", &format!("VARIABLE_{index}")]);
        let mut set = set.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        if let Some(mut stdin) = set.stdin.take() {
            write!(stdin, "{index:032}")?;
        }
        if !set.wait()?.success() {
            return Err("fnox has not set a value".into());
        }
    }
    let mut command = vec![launch.program, "exec"];
    command.extend(options);
    command.extend(["--", launch.workload]);
    let key = format!("FNOX_AGE_KEY_FILE={}", launch.path("key.txt"));
    Variant::new(&launch.named("fnox exec"), &command, &[key])
}
