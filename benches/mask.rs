//! What masking takes of a launch with many or large values, and of a stream: a pipeline through
//! `doorkey run --init --mask`, side by side with the same through `cat`.
//!
//! `sh benches/run` runs this. Options: `--rounds N`, as for the start of a program, of which here
//! is done one for [`STARTS`]; and `--also LABEL=FILE` (repeatable) for further builds of doorkey.
//!
//! The text is this program's own output under the name `print`, which is doorkey's workload and
//! has 50 values in its environment; under the name `drain` this program reads what comes out.

mod measure;

use std::io::{Read, Write};
use std::path::Path;
use std::{env, fs, io};

use measure::{Outcome, Task, Variant, copies, find};

const ROUNDS: usize = 400;
const STARTS: usize = 80;
const VALUES: usize = 50;
const TOTAL: usize = 1 << 30;

/// The length of a value that begins with spaces.
const LONG: usize = 64 * 1024;

/// The length of what values have in common.
const PREFIX: usize = 2_000;

/// What is printed again and again until it is [`TOTAL`] bytes.
const TEXTS: [&str; 3] = ["log lines", "spaces", "one prefix"];

/// The number of PEM keys of a launch, and of lines in each.
const KEYS: usize = 20;
const KEY_LINES: usize = 26;

/// The number of values of [`LONG`] bytes of a launch.
const LARGE: usize = 300;

/// How many spaces a value has at its front, for each of those measurements.
const SPACES: [usize; 2] = [9, LONG - 1];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().collect();
    match Path::new(&arguments[0]).file_name() {
        Some(name) if name == "print" => return print_again_and_again(&arguments[1]),
        Some(name) if name == "drain" => return drain(),
        _ => {}
    }
    let Some(mut task) = Task::new(ROUNDS)? else {
        return Ok(());
    };
    let folder = env::temp_dir().join(format!("doorkey-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    task.install(&folder)?;
    let measured = prepare(&folder).and_then(|()| measure(&folder, &mut task));
    fs::remove_dir_all(&folder)?;
    measured
}

fn measure(folder: &Path, task: &mut Task) -> Outcome<()> {
    show_launches(task.measure(keys(folder, &task.builds)?)?, task.rounds);
    task.rounds = task.rounds.div_ceil(STARTS);
    show_launches(task.measure(large(folder, &task.builds)?)?, task.rounds);
    show(task.measure(variants(folder, &task.builds)?)?, task.rounds);
    Ok(())
}

/// In `folder`: the values, each a file; the texts; and the programs at both ends.
fn prepare(folder: &Path) -> Outcome<()> {
    let values = folder.join("values");
    fs::create_dir_all(&values)?;
    for index in 0..VALUES {
        fs::write(values.join(format!("secret_{index}")), value(index))?;
    }
    for spaces in SPACES {
        let value = " ".repeat(spaces) + &value(0).repeat(LONG);
        fs::write(values.join(format!("spaces_{spaces}")), &value[..LONG])?;
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
    fs::write(folder.join(TEXTS[0]), &lines)?;
    fs::write(folder.join(TEXTS[1]), " ".repeat(1 << 20))?;
    let references = (0..VALUES).map(|index| format!("secret_{index}=secret:secret_{index}\n"));
    fs::write(folder.join("references"), references.collect::<String>())?;
    // Values that begin alike, and their beginning, again and again and cut anywhere.
    let prefix = lines.get(..PREFIX).unwrap_or_default().replace('\n', " ");
    let mut beginnings = String::new();
    for index in 0..2_000 {
        let cut = PREFIX - mixed(index) as usize % (PREFIX / 2);
        beginnings += &prefix[..cut];
        beginnings += "\n";
    }
    fs::write(folder.join(TEXTS[2]), beginnings)?;
    for index in 0..VALUES {
        let value = prefix.clone() + &value(index);
        fs::write(values.join(format!("alike_{index}")), value)?;
    }
    for index in 0..KEYS {
        let line = |at| value(37 * at + 36) + &value(at)[..12] + "+/+/";
        let lines: Vec<String> = (0..KEY_LINES)
            .map(|at| line(index * KEY_LINES + at))
            .collect();
        let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
        let key = format!("{begin}\n{}\n{end}\n", lines.join("\n"));
        fs::write(values.join(format!("key_{index}")), key)?;
    }
    for index in 0..LARGE {
        let text: String = (0..LONG / 16)
            .map(|at| format!("{:016x}", mixed(index * LONG + at)))
            .collect();
        fs::write(values.join(format!("large_{index}")), text)?;
    }
    copies(folder, &["print", "drain", "true", "wait"]).map(drop)
}

/// The launches with keys, without masking and with it.
fn keys(folder: &Path, builds: &[(String, String)]) -> Outcome<Vec<Variant>> {
    let references: Vec<_> = (0..KEYS)
        .map(|at| format!("KEY_{at}=secret:key_{at}"))
        .collect();
    launches(folder, builds, &format!("{KEYS} PEM keys"), &references)
}

/// The launches with large values, which are files.
fn large(folder: &Path, builds: &[(String, String)]) -> Outcome<Vec<Variant>> {
    let references: Vec<_> = (0..LARGE)
        .map(|at| format!("LARGE_{at}=secret:large_{at}|file"))
        .collect();
    launches(
        folder,
        builds,
        &format!("{LARGE} values of 64 KiB"),
        &references,
    )
}

fn launches(
    folder: &Path,
    builds: &[(String, String)],
    name: &str,
    references: &[String],
) -> Outcome<Vec<Variant>> {
    let program = folder.join("true").to_string_lossy().into_owned();
    let store = format!("DOORKEY_STORE=dir:{}", folder.join("values").display());
    let variables = [&[store], references].concat();
    let mut variants = Vec::new();
    for (label, doorkey) in builds {
        for (way, options) in [
            ("--init", &["--init"][..]),
            ("--mask", &["--init", "--mask"]),
        ] {
            let words = [&[doorkey, "run", "--quiet"], options, &["--", &program]].concat();
            variants.push(Variant::new(
                &format!("{name}: {label} {way}"),
                &words,
                &variables,
            )?);
        }
    }
    Ok(variants)
}

fn show_launches(mut variants: Vec<Variant>, rounds: usize) {
    println!("Medians of {rounds} launches.\n");
    println!("| launch | ms | peak memory, KB |");
    println!("|---|--:|--:|");
    for variant in &mut variants {
        let median = variant.median() / 1e3;
        println!("| {} | {median:.1} | {} |", variant.name, variant.peak);
    }
    println!();
}

/// Some 12 to 48 hexadecimal digits.
fn value(index: usize) -> String {
    let count = 12 + index % 37;
    let digits = (0..3).map(|part| format!("{:016x}", mixed(index * 100 + part + 7)));
    digits.collect::<String>()[..count].to_owned()
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

/// Reads all there is, which is about as much as was printed: placeholders differ in length from
/// what they stand for.
fn drain() -> Outcome<()> {
    let (mut stdin, mut buffer, mut all) = (io::stdin().lock(), vec![0; 256 * 1024], 0);
    loop {
        match stdin.read(&mut buffer)? {
            0 => break,
            count => all += count,
        }
    }
    match all.abs_diff(TOTAL) < TOTAL / 100 {
        true => Ok(()),
        false => Err(format!("{all} bytes have come out").into()),
    }
}

/// Every pipeline, `cat` with each of the texts first.
fn variants(folder: &Path, builds: &[(String, String)]) -> Outcome<Vec<Variant>> {
    let file = |name: &str| format!("'{}'", folder.join(name).display());
    let (shell, cat, print, drain) = (find("sh")?, find("cat")?, file("print"), file("drain"));
    let variant = |name: &str, script: &str, variables: &[String]| {
        Variant::new(name, &[&shell, "-c", script], variables)
    };
    let mut variants = Vec::new();
    for text in TEXTS {
        let script = format!("{print} {} | {cat} | {drain}", file(text));
        variants.push(variant(&format!("{text}: cat"), &script, &[])?);
    }
    for (label, program) in builds {
        let mut masked = |name: &str, text: &str, extra: Vec<String>| {
            let of_run = "run --quiet --init --mask --";
            let script = format!("'{program}' {of_run} {print} {} | {drain}", file(text));
            let names = (0..VALUES).map(|index| format!("secret_{index}"));
            let store = format!("DOORKEY_STORE=dir:{}", folder.join("values").display());
            let references = names
                .chain(extra)
                .map(|name| format!("{name}=secret:{name}"));
            let variables: Vec<_> = [store].into_iter().chain(references).collect();
            let name = format!("{text}: {label}, {VALUES} values{name}");
            variants.push(variant(&name, &script, &variables)?);
            Outcome::Ok(())
        };
        masked("", TEXTS[0], Vec::new())?;
        for spaces in SPACES {
            let name = format!(", one of 64 KiB with {spaces} spaces in front");
            masked(&name, TEXTS[1], vec![format!("spaces_{spaces}")])?;
        }
        let alike = (0..VALUES).map(|index| format!("alike_{index}"));
        masked(", as many with one prefix", TEXTS[2], alike.collect())?;
        let script = format!(
            "{print} {} | '{program}' redact --quiet --env-file {} | {drain}",
            file(TEXTS[0]),
            file("references")
        );
        let store = format!("DOORKEY_STORE=dir:{}", folder.join("values").display());
        let name = format!("{}: {label} redact, {VALUES} values", TEXTS[0]);
        variants.push(variant(&name, &script, &[store])?);
    }
    Ok(variants)
}

fn show(mut variants: Vec<Variant>, rounds: usize) {
    let medians: Vec<f64> = variants.iter_mut().map(Variant::median).collect();
    println!("Medians of {rounds} rounds of 1 GiB.\n");
    println!("| pipeline | GB/s | cat of log lines = 1 | peak memory, KB |");
    println!("|---|--:|--:|--:|");
    for (variant, median) in variants.iter().zip(&medians) {
        println!(
            "| {} | {:.2} | {:.2} | {} |",
            variant.name,
            TOTAL as f64 / 1e3 / median,
            median / medians[0],
            variant.peak
        );
    }
    println!();
}
