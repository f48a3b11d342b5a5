//! The README's own commands are run as they are written.

use std::fs;
use std::path::Path;
use std::process::Command;

use support::Place;

/// The text of the first block of a language after a heading.
fn block(heading: &str, language: &str) -> String {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, section) = readme.split_once(&format!("\n## {heading}\n")).unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let (_, block) = section.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// The heading of the first launch.
const LAPTOP: &str = "Sixty seconds on a laptop";

#[test]
fn the_first_launch_works_as_it_is_written() {
    let place = Place::new();
    // The store is named by the README's own line, not by the test.
    let run = place.shell(&block(LAPTOP, "sh")).without("DOORKEY_STORE");
    let ended = run.ok();
    let printed = block(LAPTOP, "text");
    let line = |text: &str| {
        let rows = text.lines().map(str::trim_end);
        rows.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line(&ended.out()), line(&printed));
    let stderr = ended.err();
    let said: Vec<_> = stderr.lines().collect();
    assert_eq!(said.len(), 6, "{stderr}");
    let key = place.path("home/.config/doorkey/key.txt");
    assert!(said[0].starts_with("doorkey: age:secrets is made, readable for age1"));
    for (at, line) in [
        (
            1,
            format!(
                "the key is {}: keep a copy, without it no value can be read again",
                key.display()
            ),
        ),
        (
            2,
            "db_password is generated in team of age:secrets".to_owned(),
        ),
        (
            3,
            "db_password is generated in project/web of age:secrets".to_owned(),
        ),
        (4, "db_password: project/web now shadows team".to_owned()),
    ] {
        assert_eq!(said[at], format!("doorkey: {line}"));
    }
    assert!(said[5].starts_with("doorkey: 1 reference"), "{stderr}");
    place.on("store check -q").gives(0, "", "");
}

#[test]
fn the_same_by_line_after_line() {
    // Somebody types each line; what one exports is there for the next.
    let place = Place::new();
    let commands = block(LAPTOP, "sh");
    let mut before = String::new();
    let mut count = 0;
    for line in commands.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with("export ") {
            before += line;
            before += "\n";
        }
        place
            .shell(&format!("{before}{line}"))
            .without("DOORKEY_STORE")
            .ok();
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn every_store_has_a_row() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, stores) = readme.split_once("\n## Stores\n").unwrap();
    let (table, _) = stores.split_once("\n## ").unwrap();
    // A kind without a place is no store.
    let stores = doorkey::stores::KINDS.iter();
    for kind in stores.filter(|kind| !kind.place.is_empty()) {
        let form = format!("| [`{}:{}`", kind.schemes[0], kind.place);
        assert!(table.contains(&form), "{form}");
    }
}

/// `Dockerfile.example` copies what a build of the program needs, and cargo's own files name.
#[test]
fn the_first_stage_of_the_example_has_what_a_build_needs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = Place::new();
    let file = fs::read_to_string(root.join("Dockerfile.example")).unwrap();
    let copied = file.lines().filter_map(|line| line.strip_prefix("COPY "));
    fs::create_dir_all(place.path("src")).unwrap();
    for copied in copied.filter(|words| !words.starts_with("--from")) {
        let mut words: Vec<_> = copied.split(' ').collect();
        let to = place.path("src").join(words.pop().unwrap());
        let mut copy = Command::new("cp");
        copy.arg("-r").args(words).arg(to).current_dir(root);
        assert!(copy.status().unwrap().success(), "{copied}");
    }
    let read = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(place.path("src"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{said}");
    let metadata: serde_json::Value = serde_json::from_slice(&read.stdout).unwrap();
    let targets = metadata["packages"][0]["targets"].as_array().unwrap();
    let builds = |target: &serde_json::Value| target["kind"][0] == "custom-build";
    assert_eq!(
        targets.iter().any(builds),
        root.join("build.rs").exists(),
        "{targets:?}"
    );
}
