//! Specs and env files in the shapes that people have, in `tests/data/manifests`. The table
//! `tests/data/manifests.txt` says for each what `check` finds, and what `env` makes of it.

use std::fmt::Write;
use std::path::Path;

use support::{Place, Run};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

fn doorkey(place: &Place, arguments: &[&str]) -> Run {
    let run = place.doorkey(arguments).without("PATH").without("HOME");
    run.arg("--clear-env")
        .arg(format!("--store=dir:{}", place.path("store").display()))
        .dir(Path::new(DATA).join("manifests"))
        .env("HOST_NAME", "h")
        .env("API_SERVICE_HOST", "10.0.0.1")
        .env("DB_HOST", "db.example")
        .env("FROM_SECRET", "given")
}

/// The lines of standard error, with the store's name as the table has it.
fn said(place: &Place, err: &str) -> String {
    let store = place.path("store").display().to_string();
    err.replace("doorkey: ", "").replace(&store, "store")
}

/// The rows of a check, each with its place.
fn checked(place: &Place, option: &str, file: &str) -> String {
    let end = doorkey(place, &["check", "--names", "--json", option, file]).end();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&end.out()).unwrap();
    let mut out = String::new();
    for row in rows {
        let text = |key: &str| row[key].as_str().map(str::to_owned);
        if let Some(file) = text("file") {
            let container = text("container").unwrap();
            write!(out, "{file}:{} {container} ", row["line"]).unwrap();
        }
        let reference = text("reference").unwrap_or_else(|| "-".to_owned());
        let [variable, status] = ["variable", "status"].map(|key| text(key).unwrap());
        writeln!(out, "{variable} {reference} {status}").unwrap();
    }
    out + &said(place, &end.err())
}

#[test]
fn each_file_is_read_as_the_table_says() {
    let place = Place::new();
    place.write("store/db_password", "p w");
    place.write("store/api_key", "k");
    place.write("store/smtp", r#"{"user":"u","password":"a/b"}"#);
    let table = std::fs::read_to_string(Path::new(DATA).join("manifests.txt")).unwrap();
    let mut files = Vec::new();
    for block in table.split("== ").skip(1) {
        let (file, meant) = block.split_once('\n').unwrap();
        let is_env_file = file.ends_with(".env");
        let option = if is_env_file { "--env-file" } else { "--spec" };
        let mut found = checked(&place, option, file);
        for line in meant.lines().filter(|line| line.starts_with("$ env")) {
            writeln!(found, "{line}").unwrap();
            let mut run = doorkey(&place, &["env", "-q", option, file]);
            let more = line["$ env".len()..].trim_start();
            if let Some(path) = more.strip_prefix("--spec-path ") {
                run = run.args(["--spec-path", &path.replace("\\t", "\t")]);
            } else if !more.is_empty() {
                run = run.arg(more);
            }
            let end = run.end();
            found += &(end.out() + &said(&place, &end.err()));
        }
        assert_eq!(found, meant, "{file}");
        files.push(file.to_owned());
    }
    let there = std::fs::read_dir(Path::new(DATA).join("manifests")).unwrap();
    let mut there: Vec<String> = there
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.sort();
    assert_eq!(files, there);
    assert!(files.len() >= 60);
}
