//! Texts that are filled in and are JSON, YAML or TOML: no value breaks them. And those that `run`
//! fills in for its command.

use std::fs;
use std::os::unix::fs::MetadataExt;

use support::{Place, Run};

/// A value that no format takes as it is.
const AWKWARD: &str = "canary \"a\": 'b' # c\nd: [e]\n\tf \\ \u{7f}é";

fn place() -> Place {
    let place = Place::with_store();
    place.set("team", "awkward", AWKWARD);
    place.set("team", "more", "canary\", \"admin\": \"yes");
    place.set("team", "word", "a-word");
    place.set("team", "number", "5432");
    place.set("team", "bytes", b"\xff");
    place.set("team", "lines", "one\n  two: 2\n\nthree");
    place
}

fn render(place: &Place, files: &str) -> Run {
    place.on(&format!("render {files}"))
}

const BREAKS: &str = "around it; in double quotes |json makes it fit, in a block of YAML |indent:N";

#[test]
fn json_makes_a_value_fit() {
    let place = place();
    place.write(
        "a.json",
        r#"{"a": "<${secret:awkward|json}>", "b": ${secret:number}}"#,
    );
    let json = render(&place, "a.json").ok().json();
    assert_eq!(json["a"], format!("<{AWKWARD}>"));
    assert_eq!(json["b"], 5432);
    place.write(
        "a.toml",
        "a = \"${secret:awkward|json}\"\nb = ${secret:number}\n",
    );
    let toml: toml::Table = render(&place, "a.toml").ok().out().parse().unwrap();
    assert_eq!(toml["a"].as_str(), Some(AWKWARD));
    // Debian's own YAML says what a program reads.
    place.write(
        "a.yaml",
        "a: \"${secret:awkward|json}\"\nb:\n    c: |\n      ${secret:lines|indent:6}\n",
    );
    let yaml = render(&place, "a.yaml").ok().out();
    assert!(
        yaml.ends_with("|\n      one\n        two: 2\n\n      three\n"),
        "{yaml}"
    );
    let said = "doorkey: error: a.json:1:7: secret:bytes: json: the value from team is not UTF-8\n";
    place.write("a.json", "{\"a\":\"${secret:bytes|json}\"}");
    render(&place, "a.json").fails(1, said);
    for (filter, column) in [
        ("indent", 18),
        ("indent:", 18),
        ("indent:0", 18),
        ("indent:100", 18),
    ] {
        place.write("a.txt", format!("${{secret:word|{filter}}}"));
        let ended = render(&place, "a.txt").end();
        let said = "indent needs a number of blanks from 1 to 99, as indent:4";
        let err = ended.err();
        assert!(
            ended.code() == 1 && err.contains(said),
            "{filter} {column}: {err}"
        );
    }
}

#[test]
fn a_value_that_breaks_its_file_is_a_fault() {
    let place = place();
    let fine = [
        ("a.json", "{\"a\": \"${secret:word}\"}"),
        ("a.yaml", "a: ${secret:word} # x\n"),
    ];
    for (name, text) in fine {
        place.write(name, text);
        render(&place, name).ok();
    }
    for (name, text, faults) in [
        (
            "a.json",
            "{\n\"a\": \"${secret:awkward}\",\n\"b\": \"${secret:word}\"}",
            &["2:7: secret:awkward"][..],
        ),
        (
            "a.json",
            "{\"a\": \"${secret:more}\", \"b\": \"${secret:awkward}\"}",
            &["1:8: secret:more", "1:31: secret:awkward"],
        ),
        ("a.yml", "a: ${secret:awkward}\n", &["1:4: secret:awkward"]),
        (
            "a.yaml",
            "a: |\n  ${secret:lines}\n",
            &["2:3: secret:lines"],
        ),
        (
            "a.toml",
            "a = '${secret:awkward}'\n",
            &["1:6: secret:awkward"],
        ),
        (
            "config.yaml.tmpl",
            "a: [\"${secret:more}\"]\n",
            &["1:6: secret:more"],
        ),
        (
            "config.json.in",
            "[\"${secret:more}\"]",
            &["1:3: secret:more"],
        ),
    ] {
        place.write(name, text);
        let format = match name {
            name if name.contains("json") => "JSON",
            name if name.contains("toml") => "TOML",
            _ => "YAML",
        };
        let lines = faults.iter().map(|fault| {
            format!("doorkey: error: {name}:{fault}: the value breaks the {format} {BREAKS}\n")
        });
        let lines: String = lines.collect();
        render(&place, name).fails(1, &lines);
        render(&place, &format!("{name} out")).fails(1, &lines);
        assert!(!place.path("out").exists());
    }
    // OUT's name counts as well, and before IN's.
    place.write("a.conf", "{\"a\": \"${secret:more}\"}");
    render(&place, "a.conf").ok();
    let ended = render(&place, "a.conf out.json").end();
    assert!(
        ended.code() == 1 && ended.err().contains("a.conf:1:8: "),
        "{}",
        ended.err()
    );
    place.write("b.json", "a: \"${secret:word}\"\n");
    render(&place, "b.json out.yaml").ok();
    let said = "doorkey: error: b.json:1:1: this is no JSON, whatever the references give\n";
    render(&place, "b.json").fails(1, said);
}

/// A folder in memory, removed when dropped.
fn memory() -> Place {
    Place::within("/dev/shm")
}

fn listed(place: &Place, inside: &str) -> Vec<String> {
    let entries = fs::read_dir(place.path(inside)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn a_launch_fills_files_in() {
    let (place, memory) = (place(), memory());
    place.write("a.yaml.in", "a: ${secret:word}\n");
    place.write("b.conf", "b=${secret:number}\n");
    let [one, two] = ["run/a.yaml", "b.conf"].map(|name| memory.path(name));
    let (one, two) = (one.display(), two.display());
    let options = [
        "-q".to_owned(),
        format!("--render=a.yaml.in:{one}"),
        format!("--render=b.conf:{two}"),
        format!("--files={}", memory.path("run").display()),
        "-eKEY=secret:word|file".to_owned(),
    ];
    let script = format!("cat {one} {two} $KEY; stat -c %a {one}");
    for init in [&["--init"][..], &[]] {
        let run = place.run(&options).args(init).args(["sh", "-c", &script]);
        run.gives(0, "a: a-word\nb=5432\na-word400\n", "");
        let stays = init.is_empty();
        assert_eq!(memory.path("b.conf").exists(), stays);
        let left: &[&str] = if stays { &["KEY", "a.yaml"] } else { &[] };
        assert_eq!(listed(&memory, "run"), left);
    }
    assert_eq!(
        fs::metadata(memory.path("b.conf")).unwrap().mode() & 0o777,
        0o400
    );
    // Where the exec fails, nothing stays.
    let run = place.run(&options).args(["/nothing"]).end();
    assert_eq!((run.code(), listed(&memory, "run")), (127, vec![]));
}

#[test]
fn what_keeps_a_launch_from_filling_them_in() {
    let (place, memory) = (place(), memory());
    place.write(
        "a.json",
        "{\"a\": \"${secret:more}\", \"b\": \"${secret:absent_one}\"}",
    );
    place.write("b.json", "[\"${secret:more}\"]");
    let out = memory.path("a.json");
    let to = |from: &str| format!("--render={from}:{}", out.display());
    let disk = format!("--render=b.json:{}", place.path("b.json").display());
    let place_of = place.path("");
    let disk_said = format!(
        "doorkey: error: {}: it is not on tmpfs, so values would be on a disk; --allow-disk allows that\n",
        place_of.components().as_path().display()
    );
    let usage = "doorkey: error: --render must be IN:OUT, two files\n";
    for (option, said) in [
        (to("a.json"), "doorkey: error: a.json:1:31: secret:absent_one: not found in team of age:secrets; create it, or allow its absence with '?'\n".to_owned()),
        (to("b.json"), format!("doorkey: error: b.json:1:3: secret:more: the value breaks the JSON {BREAKS}\n")),
        (to("no.json"), "doorkey: error: --render: can't read no.json: no such file or directory\n".to_owned()),
        (disk, disk_said + &format!("doorkey: error: b.json:1:3: secret:more: the value breaks the JSON {BREAKS}\n")),
        ("--render=a.json".to_owned(), usage.to_owned()),
        ("--render=-:x".to_owned(), usage.to_owned()),
        ("--render=a.json:".to_owned(), usage.to_owned()),
    ] {
        let ended = place.run(["-q", &option, "true"]).end();
        assert_eq!((ended.code(), ended.err()), (125, said), "{option}");
        assert!(!out.exists());
    }
}
