//! What doorkey adds to the start of a program, side by side with other entrypoints.
//!
//! `sh benches/run` installs what is missing and runs this. Every round starts each variant once,
//! in a new order, so that a busy machine is busy for all of them alike; what counts are the
//! ratios within one run. A time is from just before the spawn to the end of the process.
//!
//! The workload is this program itself under the name `true`, which ends at once: static, as
//! small as Rust makes it, and the same for all.
//!
//! Options: `--rounds N`, and `--also LABEL=FILE` (repeatable) for further builds of doorkey.

use std::error::Error;
use std::ffi::{CString, OsStr};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The build that belongs to this program: the release profile's.
const DOORKEY: &str = env!("CARGO_BIN_EXE_doorkey");
const ROUNDS: usize = 400;
const REFERENCES: [usize; 3] = [1, 20, 200];
/// What a container has around its own variables.
const ENVIRONMENT: &[&str] = &[
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOSTNAME=0123456789ab",
    "HOME=/nonexistent",
    "LANG=C.UTF-8",
    "TZ=UTC",
    "PORT=8080",
    "LOG_LEVEL=info",
    "KUBERNETES_SERVICE_HOST=10.0.0.1",
    "KUBERNETES_SERVICE_PORT=443",
];

/// A process to start again and again, and what that took.
struct Variant {
    name: String,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    times: Vec<Duration>,
    peak: u64,
    /// What of it stays beside the workload, in KB of memory.
    idle: Option<u64>,
}

impl Variant {
    fn new(name: &str, command: &[&str], variables: &[String]) -> Outcome<Self> {
        let variables = variables.iter().map(String::as_str);
        Ok(Variant {
            name: name.to_owned(),
            arguments: c_strings(command.iter().copied())?,
            environment: c_strings(ENVIRONMENT.iter().copied().chain(variables))?,
            times: Vec::new(),
            peak: 0,
            idle: None,
        })
    }

    /// The memory that is its own (Pss) while the workload, which this time only waits, runs below
    /// it, in KB; nothing where it has become the workload.
    fn idle(&self) -> Outcome<Option<u64>> {
        let mut command = self.command(&self.arguments[0])?;
        let waits = self.arguments.iter().skip(1).map(|word| {
            let word = OsStr::from_bytes(word.as_bytes());
            match Path::new(word).file_name() {
                Some(name) if name == "true" => Path::new(word).with_file_name("wait").into(),
                _ => word.to_owned(),
            }
        });
        let mut child = command.args(waits).spawn()?;
        // Long after it has settled.
        std::thread::sleep(Duration::from_secs(1));
        let of_child = |file: &str| {
            fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap_or_default()
        };
        let below = of_child(&format!("task/{}/children", child.id()));
        let rollup = of_child("smaps_rollup");
        for process in below.split_whitespace().map(str::parse) {
            kill(Pid::from_raw(process?), Signal::SIGKILL)?;
        }
        let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let idle = pss.and_then(|pss| pss.split_whitespace().next()?.parse().ok());
        if below.trim().is_empty() {
            child.kill()?;
        }
        child.wait()?;
        Ok(idle.filter(|_| !below.trim().is_empty()))
    }

    /// A program with this variant's environment.
    fn command(&self, program: &CString) -> Outcome<Command> {
        let mut command = Command::new(OsStr::from_bytes(program.as_bytes()));
        command.env_clear();
        for variable in &self.environment {
            let (name, value) = variable.to_str()?.split_once('=').unwrap_or_default();
            command.env(name, value);
        }
        Ok(command)
    }

    /// Starts it and waits for its end.
    fn once(&mut self) -> Outcome<()> {
        // Neither is worth its time, but `posix_spawn` wants them.
        let (actions, attributes) = (PosixSpawnFileActions::init()?, PosixSpawnAttr::init()?);
        let program = self.arguments[0].as_c_str();
        let began = Instant::now();
        let child = posix_spawn(
            program,
            &actions,
            &attributes,
            &self.arguments,
            &self.environment,
        )?;
        let end = waitpid(child, None)?;
        self.times.push(began.elapsed());
        match end {
            WaitStatus::Exited(_, 0) => Ok(()),
            end => Err(format!("{}: {end:?}", self.name).into()),
        }
    }

    /// The most memory that it has, in KB, the workload's included.
    fn peak(&self) -> Outcome<u64> {
        let this = CString::new(env::current_exe()?.as_os_str().as_bytes())?;
        let mut command = self.command(&this)?;
        command.arg("--peak");
        command.args(
            self.arguments
                .iter()
                .map(|word| OsStr::from_bytes(word.as_bytes())),
        );
        Ok(String::from_utf8(command.output()?.stdout)?
            .trim()
            .parse()?)
    }

    fn median(&mut self) -> f64 {
        self.times.sort();
        self.times[self.times.len() / 2].as_secs_f64() * 1e6
    }
}

fn c_strings<'a>(strings: impl Iterator<Item = &'a str>) -> Outcome<Vec<CString>> {
    Ok(strings.map(CString::new).collect::<Result<_, _>>()?)
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().collect();
    if Path::new(&arguments[0]).file_name() == Some("true".as_ref()) {
        return Ok(());
    }
    if Path::new(&arguments[0]).file_name() == Some("wait".as_ref()) {
        std::thread::sleep(Duration::MAX);
    }
    match arguments.get(1).map(String::as_str) {
        Some("--peak") => return print_peak(&arguments[2..]),
        _ if arguments.iter().any(|word| word == "--bench") => {}
        _ => {
            println!("nothing measured: cargo bench --bench launch does");
            return Ok(());
        }
    }
    let (rounds, builds) = options(&arguments[1..])?;

    let folder = env::temp_dir().join(format!("doorkey-bench-{}", std::process::id()));
    let measured = make_store(&folder)
        .and_then(|()| variants(&folder, &builds))
        .and_then(|variants| measure(variants, rounds));
    fs::remove_dir_all(&folder)?;
    print(measured?, rounds);
    for (label, file) in &builds {
        println!("{label}: {} bytes", fs::metadata(file)?.len());
    }
    Ok(())
}

/// The number of rounds, and the builds of doorkey with their labels.
fn options(arguments: &[String]) -> Outcome<(usize, Vec<(String, String)>)> {
    let (mut rounds, mut builds) = (ROUNDS, vec![("doorkey".to_owned(), DOORKEY.to_owned())]);
    let mut words = arguments.iter().filter(|word| *word != "--bench");
    while let Some(word) = words.next() {
        let value = words.next().ok_or("an option has no value")?;
        match word.as_str() {
            "--rounds" => rounds = value.parse::<usize>()?.max(1),
            "--also" => {
                let (label, file) = value.split_once('=').ok_or("--also takes LABEL=FILE")?;
                builds.push((label.to_owned(), file.to_owned()));
            }
            _ => return Err("the options are --rounds N and --also LABEL=FILE".into()),
        }
    }
    Ok((rounds, builds))
}

/// In `folder`: the workload, and an embedded store with its key.
fn make_store(folder: &Path) -> Outcome<()> {
    fs::create_dir_all(folder)?;
    fs::copy(env::current_exe()?, folder.join("true"))?;
    fs::copy(env::current_exe()?, folder.join("wait"))?;
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
    let (workload, key) = (in_folder("true"), in_folder("key.txt"));
    let store = format!("age:{}", in_folder("secrets"));
    let mut variants = vec![Variant::new("bare", &[&workload], &[])?];
    for init in ["tini", "dumb-init", "catatonit"] {
        let program = find(init).ok_or_else(|| format!("{init} is not installed"))?;
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

fn find(program: &str) -> Option<String> {
    let path = env::var_os("PATH")?;
    let mut files = env::split_paths(&path).map(|folder| folder.join(program));
    Some(
        files
            .find(|file| file.is_file())?
            .to_string_lossy()
            .into_owned(),
    )
}

fn measure(mut variants: Vec<Variant>, rounds: usize) -> Outcome<Vec<Variant>> {
    for variant in &mut variants {
        variant.peak = variant.peak()?;
        variant.idle = variant.idle()?;
        variant.once()?;
        variant.times.clear();
    }
    // Whoever comes after itself finds its pages in the caches: the order is another each round.
    let mut order: Vec<usize> = (0..variants.len()).collect();
    let mut random = 1_usize;
    for _ in 0..rounds {
        for index in (1..order.len()).rev() {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            order.swap(index, (random >> 33) % (index + 1));
        }
        for &index in &order {
            variants[index].once()?;
        }
    }
    Ok(variants)
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

/// Starts the command that the arguments are, and prints the most memory that it had, in KB. The
/// kernel counts the memory of whoever spawned a process as the process's own at first, so what
/// this program has itself is the least that can be shown.
fn print_peak(command: &[String]) -> Outcome<()> {
    let (program, arguments) = command.split_first().ok_or("no command")?;
    let status = Command::new(program).args(arguments).status()?;
    println!("{}", getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss());
    status
        .success()
        .then_some(())
        .ok_or_else(|| "the command failed".into())
}
