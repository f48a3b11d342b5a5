//! `run --mask` against the printers of many languages: what is left of a value in their output.
//! Which printer writes a form that is found is a table of `docs/src/mask-forms.md`, held here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::printed::{kinds, left};
use support::Place;

/// The place of the table.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/src/mask-forms.md");
const PRINTERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/supervise/printers");
/// The Go that `.ci/test` brings where there is none.
const GO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/go/bin/go");

/// Number of values.
const COUNT: usize = 200;

#[track_caller]
fn compiled(mut command: Command) {
    let status = command.status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?}");
}

/// The Go that is new enough for `log/slog`.
fn go() -> PathBuf {
    let version = Command::new("go").args(["env", "GOVERSION"]).output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let minor = version.ok().and_then(|version| {
        let minor = version.strip_prefix("go1.")?.split(['.', '\n']).next()?;
        minor.parse::<u32>().ok()
    });
    match minor {
        Some(21..) => "go".into(),
        _ => GO.into(),
    }
}

/// Languages, each with the words that run its printers.
fn printers(place: &Place) -> Vec<(&'static str, Vec<String>)> {
    let script = |name: &str| format!("{PRINTERS}/{name}");
    let built = |name: &str| place.path(name).display().to_string();
    let mut rustc = Command::new("rustc");
    rustc.args([
        "--edition=2024",
        &script("printers.rs"),
        "-o",
        &built("rust"),
    ]);
    compiled(rustc);
    let mut build = Command::new(go());
    build.args(["build", "-o", &built("go"), &script("printers.go")]);
    compiled(build);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let jq = script("printers.jq");
    vec![
        ("Shells", words(&["bash", &script("bash.sh")])),
        (
            "Shells in C",
            words(&["env", "LOCALE=C", "IN= in C", "bash", &script("bash.sh")]),
        ),
        ("Python", words(&["python3", &script("printers.py")])),
        ("Node", words(&["node", &script("printers.js")])),
        ("Go", words(&[&built("go")])),
        ("Rust", words(&[&built("rust")])),
        ("Perl", words(&["perl", &script("printers.pl")])),
        ("jq", words(&["jq", "-rnf", &jq, "--args"])),
    ]
}

/// Splits output into what each printer wrote of each value.
fn records(out: &[u8]) -> Vec<(String, String, &[u8])> {
    const SIGN: &[u8] = b"=-=-=";
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(found) = out[at..].windows(SIGN.len()).position(|it| it == SIGN) {
        places.push(at + found);
        at += found + SIGN.len();
    }
    let mut records = Vec::new();
    for pair in places.chunks(2) {
        let [from, to] = pair else {
            panic!("a mark without its end");
        };
        let mark = std::str::from_utf8(&out[from + SIGN.len()..*to]).unwrap();
        let (printer, name) = mark.rsplit_once(' ').unwrap();
        let next = places.iter().find(|place| *place > to);
        let end = next.map_or(out.len(), |next| next - 1);
        records.push((printer.into(), name.into(), &out[to + SIGN.len() + 1..end]));
    }
    records
}

#[test]
fn the_table_of_printers() {
    support::default_signals();
    let place = Place::new();
    let kinds = kinds();
    let mut values = Vec::new();
    for at in 0..COUNT {
        let kind = &kinds[at % kinds.len()];
        let value = (kind.value)(at);
        place.write(&format!("plain/v{at}"), &value.text);
        values.push((kind.name, value));
    }
    let (mut found, mut examples) = (BTreeMap::new(), BTreeMap::new());
    for (language, words) in printers(&place) {
        let run = place.doorkey(["run", "--store=dir:plain", "--mask", "-q", "--"]);
        let mut run = run.args(&words).env("PATH", std::env::var("PATH").unwrap());
        for at in 0..COUNT {
            run = run.env(format!("V{at}"), format!("secret:v{at}"));
            run = run.arg(format!("V{at}"));
        }
        let out = run.ok().output.stdout;
        let records = records(&out);
        assert!(records.len() > COUNT, "{language}: {}", records.len());
        for (printer, name, record) in records {
            let (kind, value) = &values[name[1..].parse::<usize>().unwrap()];
            let cells: &mut BTreeMap<&str, bool> = found.entry(printer.clone()).or_default();
            let is_clean = cells.entry(kind).or_insert(true);
            if let Some(left) = left(value, record) {
                *is_clean = false;
                examples
                    .entry((printer, *kind))
                    .or_insert_with(|| (name, left, record.to_vec()));
            }
        }
    }
    let table = table(
        &found,
        &kinds.iter().map(|kind| kind.name).collect::<Vec<_>>(),
    );
    let page = fs::read_to_string(TABLE).unwrap_or_default();
    let known: BTreeSet<&str> = page.lines().filter(|line| line.starts_with('|')).collect();
    let new: Vec<&str> = table.lines().filter(|line| !known.contains(line)).collect();
    let lines = page.lines().filter(|line| line.starts_with('|')).count();
    if new.is_empty() && lines == table.lines().count() {
        return;
    }
    for ((printer, kind), (name, left, record)) in examples {
        let record = String::from_utf8_lossy(&record[..record.len().min(400)]).into_owned();
        println!("{printer} of {kind}, {name}: {left:?} in {record}");
    }
    let told = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mask-forms");
    fs::write(&told, &table).unwrap();
    panic!(
        "{TABLE} has another table than {}:\n{}",
        told.display(),
        new.join("\n")
    );
}

/// Makes the table: a line for the printers of a language that are alike.
fn table(found: &BTreeMap<String, BTreeMap<&str, bool>>, kinds: &[&str]) -> String {
    let mut lines: BTreeMap<(String, Vec<&str>), Vec<&str>> = BTreeMap::new();
    for (printer, cells) in found {
        let (language, printer) = printer.split_once(": ").unwrap_or(("Tools", printer));
        let cells = kinds.iter().map(|kind| match cells.get(kind) {
            Some(true) => "yes",
            Some(false) => "no",
            None => "–",
        });
        let line = lines
            .entry((language.to_owned(), cells.collect()))
            .or_default();
        line.push(printer);
    }
    let mut table = format!(
        "| printers | {} |\n|---|{}\n",
        kinds.join(" | "),
        "---|".repeat(kinds.len())
    );
    for ((language, cells), printers) in lines {
        let printers: Vec<_> = printers
            .iter()
            .map(|it| format!("`{}`", it.replace('|', "\\|")))
            .collect();
        table += &format!(
            "| {language}: {} | {} |\n",
            printers.join(", "),
            cells.join(" | ")
        );
    }
    table
}
