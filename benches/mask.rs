//! What masking takes of a stream: a pipeline through `doorkey run --init --mask`, side by side
//! with the same through `cat`.
//!
//! `sh benches/run` runs this. Options: `--rounds N` (of each; 5 unless told), and `--also
//! LABEL=FILE` (repeatable) for further builds of doorkey.
//!
//! The text is this program's own output under the name `print`; what comes out is read by this
//! program. Each doorkey runs it as its workload, with 50 values in its environment.

mod measure;

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io};

use measure::{DOORKEY, Outcome, Task, find};

const ROUNDS: usize = 5;
const VALUES: usize = 50;
const TOTAL: usize = 1 << 30;

/// The length of a value that begins with spaces.
const LONG: usize = 64 * 1024;

/// What is printed again and again until it is [`TOTAL`] bytes.
const TEXTS: [&str; 2] = ["log lines", "spaces"];

/// How many spaces a value has at its front, for each of those measurements.
const SPACES: [usize; 2] = [9, LONG - 1];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().collect();
    if Path::new(&arguments[0]).file_name() == Some("print".as_ref()) {
        return print_again_and_again(&arguments[1]);
    }
    let Some(mut task) = Task::new(ROUNDS)? else {
        return Ok(());
    };
    let folder = env::temp_dir().join(format!("doorkey-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    task.install(&folder)?;
    let measured = prepare(&folder).and_then(|()| measure(&folder, &task));
    fs::remove_dir_all(&folder)?;
    show(&measured?, task.rounds);
    Ok(())
}

/// A pipeline, and what it took each time.
struct Pipeline {
    name: String,
    text: &'static str,
    /// The shell's words, `print` and its argument the last of them.
    script: String,
    variables: Vec<(String, String)>,
    times: Vec<Duration>,
}

/// In `folder`: the values, each a file; the texts; and the program that prints them.
fn prepare(folder: &Path) -> Outcome<()> {
    let values = folder.join("values");
    fs::create_dir_all(&values)?;
    for index in 0..VALUES {
        fs::write(values.join(format!("secret_{index}")), value(index))?;
    }
    for spaces in SPACES {
        let end: String = (0..).map(|index| value(index)).flat_map(|value| value.into_bytes())
            .map(char::from).take(LONG - spaces).collect();
        fs::write(values.join(format!("spaces_{spaces}")), " ".repeat(spaces) + &end)?;
    }
    let mut lines = String::new();
    for number in 0..100_000 {
        let noise = mixed(number);
        lines += &format!(
            "2026-01-02T03:04:{:02}.{:06}Z level=info method=GET path=/api/v1/users/{number} \
             status=200 duration_ms={} trace_id={noise:016x}\n",
            number / 1_000 % 60,
            noise % 1_000_000,
            noise % 997,
        );
        // One in a thousand has a value in it, as it is or in hexadecimal.
        let of = value(number / 1_000 % VALUES);
        match number % 2_000 {
            0 => lines += &format!("connecting with password={of}\n"),
            1_000 => {
                let digits = of.bytes().map(|byte| format!("{byte:02x}"));
                lines += &format!("token {}\n", digits.collect::<String>());
            }
            _ => {}
        }
    }
    fs::write(folder.join(TEXTS[0]), lines)?;
    fs::write(folder.join(TEXTS[1]), " ".repeat(1 << 20))?;
    fs::copy(env::current_exe()?, folder.join("print"))?;
    Ok(())
}

/// Some 12 to 48 letters and digits.
fn value(index: usize) -> String {
    let count = 12 + index % 37;
    let digits = (0..).map(|part| format!("{:016x}", mixed(index * 100 + part + 7)));
    let digits: String = digits.take(3).collect();
    digits[..count].to_owned()
}

/// A number that looks like any other.
fn mixed(number: usize) -> u64 {
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ mixed >> 32
}

fn print_again_and_again(file: &str) -> Outcome<()> {
    let text = fs::read(file)?;
    let mut out = io::stdout().lock();
    let mut rest = TOTAL;
    while rest > 0 {
        let count = rest.min(text.len());
        for part in text[..count].chunks(64 * 1024) {
            out.write_all(part)?;
        }
        rest -= count;
    }
    Ok(())
}

fn measure(folder: &Path, task: &Task) -> Outcome<Vec<Pipeline>> {
    let print = folder.join("print").to_string_lossy().into_owned();
    let pipeline = |name: &str, text: &'static str, before: &str, after: &str| Pipeline {
        name: name.to_owned(),
        text,
        script: format!("{before} '{print}' '{}' {after}", folder.join(text).display()),
        variables: Vec::new(),
        times: Vec::new(),
    };
    let cat = format!("| {}", find("cat")?);
    let mut pipelines: Vec<_> = TEXTS
        .map(|text| pipeline("cat", text, "", &cat))
        .into();
    for (label, program) in &task.builds {
        let before = format!("'{program}' run --quiet --init --mask --");
        let masks = |name: &str, text, extra: Option<String>| {
            let mut one = pipeline(&format!("{label}{name}"), text, &before, "");
            let store = format!("dir:{}", folder.join("values").display());
            one.variables.push(("DOORKEY_STORE".into(), store));
            let names = (0..VALUES).map(|index| format!("secret_{index}"));
            for name in names.chain(extra) {
                let reference = format!("secret:{name}");
                one.variables.push((name.to_uppercase(), reference));
            }
            one
        };
        pipelines.push(masks(", 50 values", TEXTS[0], None));
        for spaces in SPACES {
            let name = format!(", and one of 64 KiB with {spaces} spaces at its front");
            let value = format!("spaces_{spaces}");
            pipelines.push(masks(&name, TEXTS[1], Some(value)));
        }
    }
    for _ in 0..task.rounds {
        for pipeline in &mut pipelines {
            pipeline.once()?;
        }
    }
    Ok(pipelines)
}

impl Pipeline {
    /// Runs it and reads what comes out.
    fn once(&mut self) -> Outcome<()> {
        let mut command = Command::new("sh");
        command.args(["-c", &self.script]).stdout(Stdio::piped());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let began = Instant::now();
        let mut child = command.spawn()?;
        let mut out = child.stdout.take().ok_or("no output")?;
        let (mut buffer, mut all) = (vec![0; 1 << 18], 0);
        loop {
            match out.read(&mut buffer)? {
                0 => break,
                count => all += count,
            }
        }
        let status = child.wait()?;
        self.times.push(began.elapsed());
        // A placeholder may be shorter or longer than a value; most of the text is neither.
        match status.success() && all.abs_diff(TOTAL) < TOTAL / 100 {
            true => Ok(()),
            false => Err(format!("{}: {status}, {all} bytes", self.name).into()),
        }
    }

    /// The median time, in seconds.
    fn median(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort();
        times[times.len() / 2].as_secs_f64()
    }
}

fn show(pipelines: &[Pipeline], rounds: usize) {
    println!("Medians of {rounds} rounds of 1 GiB.\n");
    println!("| pipeline | text | GB/s | time, cat = 1 | time, cat of log lines = 1 |");
    println!("|---|---|--:|--:|--:|");
    for pipeline in pipelines {
        let cat = pipelines.iter().find(|other| other.text == pipeline.text);
        let (time, cat) = (pipeline.median(), cat.map_or(0.0, Pipeline::median));
        let (name, text) = (&pipeline.name, pipeline.text);
        println!(
            "| {name} | {text} | {:.2} | {:.2} | {:.2} |",
            TOTAL as f64 / 1e9 / time,
            time / cat,
            time / pipelines[0].median(),
        );
    }
    println!();
}
