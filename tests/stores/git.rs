//! A store in git, with git itself: line ends that it changes, and conflicts that it leaves.

use std::fs;

use support::{Ended, Place};

/// A shell's script in the folder, with git as a user of this name, and the key in `own.key`.
fn git(place: &Place, script: &str) -> Ended {
    let set = "export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t\n\
        export DOORKEY_KEY_FILE=\"$HOME/../own.key\" DOORKEY_QUIET=1\n\
        git config --global init.defaultBranch main\n";
    place.shell(&format!("{set}{script}")).ok()
}

/// A store in git, and its key `own`.
fn store() -> (Place, String) {
    let (place, own) = Place::with_own_key();
    git(
        &place,
        "git init -q .; git add secrets; git commit -qm made",
    );
    (place, own)
}

fn warning(file: &str) -> String {
    format!(
        "doorkey: warning: git may take the store's files for text and damage them; put the line \"*.age binary\" into {file}\n"
    )
}

const SOUND: &str = "doorkey: age:secrets is sound: 0 secrets in 0 scopes\n";

#[test]
fn a_new_store_tells_git_what_it_is() {
    let (place, _) = store();
    let attributes = place.path("secrets/.gitattributes");
    assert_eq!(fs::read_to_string(&attributes).unwrap(), "*.age binary\n");
    place.with("own", "store check").gives(0, "", SOUND);
    let ended = git(
        &place,
        "git check-attr text diff merge -- secrets/team/a.age",
    );
    assert_eq!(ended.out().matches(": unset").count(), 3, "{}", ended.out());

    // Without the line: it is offered, and helps.
    fs::remove_file(&attributes).unwrap();
    let warned = warning("secrets/.gitattributes") + SOUND;
    place.with("own", "store check").gives(0, "", &warned);
    let lines: &[(&str, &str, bool)] = &[
        ("secrets/.gitattributes", "*.age text\n", false),
        ("secrets/.gitattributes", "# *.age binary\n", false),
        ("secrets/.gitattributes", "*.png binary\n", false),
        ("secrets/.gitattributes", "*.txt text\n*.age binary\n", true),
        ("secrets/.gitattributes", "*.age -text\r\n", true),
        (".gitattributes", "secrets/**/*.age -text -diff\n", true),
        (".gitattributes", "* -text\n", true),
        ("../.gitattributes", "*.age binary\n", false),
    ];
    for (file, text, is_told) in lines {
        let file = place.write(file, text);
        let said = if *is_told { SOUND } else { &warned };
        place.with("own", "store check").gives(0, "", said);
        fs::remove_file(file).unwrap();
    }
    // A store that no git keeps needs no line.
    fs::remove_dir_all(place.path(".git")).unwrap();
    place.with("own", "store check").gives(0, "", SOUND);

    // Attributes that are there already stay as they are.
    place.write("new/.gitattributes", "*.txt text\n");
    place
        .doorkey(["store", "init", "new", "-q", "--key-file", "own.key"])
        .ok();
    let kept = fs::read_to_string(place.path("new/.gitattributes")).unwrap();
    assert_eq!(kept, "*.txt text\n");
}

/// Sixty secrets for ten recipients, as Git for Windows gets them.
#[test]
fn line_ends_stay_as_they_are() {
    let (place, _) = store();
    let keys: Vec<_> = (0..9).map(|n| place.key(&format!("k{n}"))).collect();
    let add = format!("store recipient add -q {}", keys.join(" "));
    place.with("own", &add).ok();
    let dotenv: String = (0..60).map(|n| format!("S{n}=value{n}\n")).collect();
    place.write("some.env", dotenv);
    git(
        &place,
        "doorkey secret import some.env --team
        git add secrets; git commit -qm secrets
        git clone -q -c core.autocrlf=true . clone
        cmp secrets/team/S1.age clone/secrets/team/S1.age
        cd clone; doorkey store check; git diff --exit-code
        echo new | doorkey secret set S1 --team
        git add secrets; git commit -qm again; git push -q origin main:other
        cd ..; git checkout -q other; doorkey store check
        test \"$(doorkey secret get S1 --team --reveal)\" = new
        # The list as Git for Windows has it.
        test $(grep -c \"$(printf '\\r')\" clone/secrets/recipients.txt) -gt 9",
    );

    // As it was: without the line files are damaged, and that is said.
    git(
        &place,
        "git rm -q secrets/.gitattributes; git commit -qm without
        git clone -q -c core.autocrlf=true . damaged",
    );
    let check = place.with("own", "store check -q --store age:damaged/secrets");
    let ended = check.end();
    let said =
        ": corrupt: git took it for text and changed its line ends; restore it or set it again\n";
    assert!(ended.err().contains(said), "{}", ended.err());
    assert_eq!(ended.code(), 1);
}

/// A list and a file of `age -a`, which are text, as a checkout with other line ends has them.
#[test]
fn lists_and_armour_with_other_line_ends() {
    let (place, own) = store();
    let bob = place.key("bob");
    let put = format!(
        "rm secrets/.gitattributes; mkdir secrets/team; printf armoured > value
        age -a -r {own} -r {bob} -o secrets/team/a.age value
        doorkey store recipient add {bob} --name bob
        age -a -r {own} -r {bob} -o secrets/team/a.age value
        git add -A secrets; git commit -qm armour
        git clone -q -c core.autocrlf=true . clone"
    );
    git(&place, &put);
    for file in ["recipients.txt", "team/a.age"] {
        let text = fs::read_to_string(place.path(&format!("clone/secrets/{file}"))).unwrap();
        assert!(text.contains("\r\n"), "{file}");
    }
    let clone = "--store age:clone/secrets";
    let get = place.with("bob", &format!("secret get a -g --reveal {clone}"));
    get.gives(0, "armoured", "");
    let people = place
        .on(&format!("store recipient list {clone}"))
        .ok()
        .out();
    assert_eq!(
        people,
        format!("{own}\t-\tX25519\tall\n{bob}\tbob\tX25519\tall\n")
    );
    place
        .with("own", &format!("store check --fix -q {clone}"))
        .ok();
    place
        .with("own", &format!("store recipient remove bob -q {clone}"))
        .ok();
    let get = place.with("bob", &format!("secret get a -g --reveal {clone}"));
    assert_eq!(get.end().code(), 1);
    place.with("own", &format!("store check -q {clone}")).ok();
}

/// Sets a secret on two branches, so that git takes both files for text, and merges.
fn conflict(place: &Place) {
    git(
        place,
        "text() { until printf %s $1 | doorkey secret set a --team && ! grep -qaP '\\x00' secrets/team/a.age; do :; done; }
        git checkout -qb theirs; text theirs; git add secrets; git commit -qm theirs
        git checkout -q main; text ours; git add secrets; git commit -qm ours
        ! git merge -q theirs 2>&1",
    );
}

/// The secret that both branches set; with the key `own`.
fn reveal_own(place: &Place, side: &str) -> String {
    let get = place.with("own", "secret get a --team --reveal -q").end();
    assert_eq!(get.code(), 0, "{side}: {}", get.err());
    get.out()
}

#[test]
fn a_merge_of_one_secret_leaves_one_side_whole() {
    let (place, _) = store();
    conflict(&place);
    assert_eq!(reveal_own(&place, "ours"), "ours");
    git(
        &place,
        "git checkout -q --theirs secrets/team/a.age; git add secrets; git commit -qm m",
    );
    assert_eq!(reveal_own(&place, "theirs"), "theirs");
}

#[test]
fn conflict_markers_in_a_secret() {
    let (place, _) = store();
    git(
        &place,
        "git rm -q secrets/.gitattributes; git commit -qm without",
    );
    conflict(&place);
    let file = fs::read(place.path("secrets/team/a.age")).unwrap();
    let markers = [
        &b"<<<<<<< HEAD\n"[..],
        b"\n=======\n",
        b"\n>>>>>>> theirs\n",
    ];
    for marker in markers {
        assert!(file.windows(marker.len()).any(|part| part == marker));
    }
    let what = "git left conflict markers in it; run doorkey store check --fix, or take one side whole: git checkout --ours, or --theirs, and its path\n";
    let line = format!("doorkey: error: V: secret:a: team of age:secrets: {what}");
    let run = place.with("own", "run -- true").env("V", "secret:a");
    run.fails(125, &line);
    let check = place.with("own", "store check -q");
    check.fails(1, &format!("doorkey: error: team/a: {what}"));
    let get = place.with("own", "secret get a --team").end();
    assert!(get.err().ends_with(what), "{}", get.err());
    for side in ["ours", "theirs"] {
        git(
            &place,
            &format!("git checkout -q --{side} secrets/team/a.age"),
        );
        assert_eq!(reveal_own(&place, side), side);
    }
}

#[test]
fn conflict_markers_in_a_list() {
    let (place, own) = store();
    let (ann, bob) = (place.key("ann"), place.key("bob"));
    git(
        &place,
        &format!(
            "git checkout -qb theirs; doorkey store recipient add {ann}; git commit -qam ann
            git checkout -q main; doorkey store recipient add {bob}; git commit -qam bob
            ! git merge -q theirs 2>&1"
        ),
    );
    let what = "this is a conflict marker of git's; run doorkey store check --fix, or keep the recipients that count and no marker\n";
    let line = format!("recipients.txt:3:1: {what}");
    let check = place.with("own", "store check -q");
    check.fails(1, &format!("doorkey: error: age:secrets: {line}"));
    let set = place.on("secret set a --team").stdin("x");
    set.fails(
        1,
        &format!("doorkey: error: a in team of age:secrets: {line}"),
    );
    let list = place.on("store recipient list");
    list.fails(1, &format!("doorkey: error: age:secrets: {line}"));
    let add = place.with("own", &format!("store recipient add {ann}"));
    add.fails(1, &format!("doorkey: error: age:secrets: {line}"));
    // Somebody forgets the last marker.
    let text = fs::read_to_string(place.path("secrets/recipients.txt")).unwrap();
    let kept = text.lines().filter(|line| !line.starts_with(['<', '=']));
    let kept: String = kept.map(|line| format!("{line}\n")).collect();
    place.write("secrets/recipients.txt", kept);
    let line = format!("recipients.txt:5:1: {what}");
    let list = place.on("store recipient list");
    list.fails(1, &format!("doorkey: error: age:secrets: {line}"));
    git(&place, "git checkout -q --theirs secrets/recipients.txt");
    let list = place.on("store recipient list");
    let row = |key: &str| format!("{key}\t-\tX25519\tall\n");
    list.gives(0, &(row(&own) + &row(&ann)), "");
}
