//! Starting processes again and again, and what that takes. Every round starts each variant once,
//! in a new order, so that a busy machine is busy for all of them alike; what counts are the
//! ratios within one run. A time is from just before the spawn to the end of the process.
//!
//! The workload is the measuring program itself under the name `true`, which ends at once: static,
//! as small as Rust makes it, and the same for all. Under the name `wait` it never ends.

use std::error::Error;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use nix::fcntl::OFlag;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// The build that is measured: the released one, where `benches/run` says which that is.
pub const DOORKEY: &str = match option_env!("DOORKEY_UNDER_TEST") {
    Some(path) => path,
    None => env!("CARGO_BIN_EXE_doorkey"),
};

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
pub struct Variant {
    pub name: String,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    times: Vec<Duration>,
    /// The most memory that it has, in KB, the workload's included.
    pub peak: u64,
    /// What of it stays beside the workload, in KB of memory.
    pub idle: Option<u64>,
}

impl Variant {
    pub fn new(name: &str, command: &[&str], variables: &[String]) -> Outcome<Self> {
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
    fn measure_idle(&self) -> Outcome<Option<u64>> {
        let mut command = self.command(&self.arguments[0])?;
        let waits = self.arguments.iter().skip(1).map(|word| {
            let word = OsStr::from_bytes(word.as_bytes());
            match Path::new(word).file_name() {
                Some(name) if name == "true" => Path::new(word).with_file_name("wait").into(),
                _ => word.to_owned(),
            }
        });
        // A group of its own, of which nothing is left.
        let mut child = command.args(waits).process_group(0).spawn()?;
        let group = Pid::from_raw(child.id().try_into()?);
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
        let _ = killpg(group, Signal::SIGKILL);
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
    pub fn once(&mut self) -> Outcome<()> {
        // Neither is worth its time, but `posix_spawn` wants them.
        let (mut actions, attributes) = (PosixSpawnFileActions::init()?, PosixSpawnAttr::init()?);
        // A check prints a table.
        actions.add_open(1, "/dev/null", OFlag::O_WRONLY, Mode::empty())?;
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

    fn measure_peak(&self) -> Outcome<u64> {
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

    /// The median time, in microseconds.
    pub fn median(&mut self) -> f64 {
        self.times.sort();
        self.times[self.times.len() / 2].as_secs_f64() * 1e6
    }
}

fn c_strings<'a>(strings: impl Iterator<Item = &'a str>) -> Outcome<Vec<CString>> {
    Ok(strings.map(CString::new).collect::<Result<_, _>>()?)
}

/// What a measuring program is to do: measure, with these options.
pub struct Task {
    pub rounds: usize,
    /// Builds of doorkey, each with its label.
    pub builds: Vec<(String, String)>,
}

impl Task {
    /// Reads the arguments. `None` where something else was to be done, which is then done.
    pub fn new(rounds: usize) -> Outcome<Option<Self>> {
        let arguments: Vec<String> = env::args().collect();
        if Path::new(&arguments[0]).file_name() == Some("true".as_ref()) {
            return Ok(None);
        }
        if Path::new(&arguments[0]).file_name() == Some("wait".as_ref()) {
            std::thread::sleep(Duration::MAX);
        }
        match arguments.get(1).map(String::as_str) {
            Some("--peak") => return print_peak(&arguments[2..]).map(|()| None),
            _ if arguments.iter().any(|word| word == "--bench") => {}
            _ => {
                println!("nothing measured: cargo bench does");
                return Ok(None);
            }
        }
        let builds = vec![("doorkey".to_owned(), DOORKEY.to_owned())];
        let mut task = Task { rounds, builds };
        let mut words = arguments[1..].iter().filter(|word| *word != "--bench");
        while let Some(word) = words.next() {
            let value = words.next().ok_or("an option has no value")?;
            match word.as_str() {
                "--rounds" => task.rounds = value.parse::<usize>()?.max(1),
                "--also" => {
                    let (label, file) = value.split_once('=').ok_or("--also takes LABEL=FILE")?;
                    task.builds.push((label.to_owned(), file.to_owned()));
                }
                _ => return Err("the options are --rounds N and --also LABEL=FILE".into()),
            }
        }
        Ok(Some(task))
    }

    /// Measures all of them.
    pub fn measure(&self, mut variants: Vec<Variant>) -> Outcome<Vec<Variant>> {
        for variant in &mut variants {
            variant.peak = variant.measure_peak()?;
            variant.idle = variant.measure_idle()?;
            variant.once()?;
            variant.times.clear();
        }
        // Whoever comes after itself finds its pages in the caches: the order is another each
        // round.
        let mut order: Vec<usize> = (0..variants.len()).collect();
        let mut random = 1_usize;
        for _ in 0..self.rounds {
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

    /// Copies the builds into a folder.
    pub fn install(&mut self, folder: &Path) -> Outcome<()> {
        for (label, file) in &mut self.builds {
            let copy = folder.join(&*label);
            let size = copy_whole(Path::new(file), &copy)?;
            println!("{label}: {size} bytes");
            *file = copy.to_string_lossy().into_owned();
        }
        println!();
        Ok(())
    }
}

/// Copies a program in one piece; gives its size. What is written in small pieces, as a linker does,
/// lies in the page cache in small pieces as well, and takes a fifth longer to start.
pub fn copy_whole(file: &Path, copy: &Path) -> Outcome<usize> {
    let contents = fs::read(file)?;
    fs::write(copy, &contents)?;
    fs::set_permissions(copy, fs::metadata(file)?.permissions())?;
    Ok(contents.len())
}

/// Puts this program into a folder, under these names; gives the path of the first.
pub fn copies(folder: &Path, names: &[&str]) -> Outcome<String> {
    for name in names {
        copy_whole(&env::current_exe()?, &folder.join(name))?;
    }
    Ok(folder.join(names[0]).to_string_lossy().into_owned())
}

/// A program's file, found as a shell finds it.
pub fn find(program: &str) -> Outcome<String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut files = env::split_paths(&path).map(|folder| folder.join(program));
    let file = files.find(|file| file.is_file());
    let file = file.ok_or_else(|| format!("{program} is not installed"))?;
    Ok(file.to_string_lossy().into_owned())
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
