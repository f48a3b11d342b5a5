//! `[env]` and `env-file` of `doorkey.toml`: what the workload gets, and what a file that nobody
//! named can't give it.

use support::{Place, Run};

fn place(config: &str) -> Place {
    let place = Place::new();
    place.write("plain/token", "t");
    place.write("doorkey.toml", config);
    place
}

fn run(place: &Place, words: &[&str]) -> Run {
    let run = place.doorkey(["run", "-q"]).args(words);
    run.args(["--", "/usr/bin/env"])
        .without("PATH")
        .without("HOME")
}

const CONFIG: &str = "\
store = 'dir:plain'
env-file = ['a.env', 'sub/b.env']
[env]
TOKEN = 'secret:token'
B = 'config'
C = 'config'
D = 'config'
E = 'config'
";

#[test]
fn variables_with_their_references() {
    let place = place(CONFIG);
    place.write("a.env", "A=a.env\nB=a.env\nX=a.env\n");
    place.write("sub/b.env", "X=b.env\n");
    place.write("own.env", "C=own.env\nD=own.env\nE=own.env\n");
    place.write(
        "spec.yaml",
        "env:\n- {name: D, value: spec}\n- {name: E, value: spec}\n",
    );
    let own = ["--env-file=own.env", "--spec=spec.yaml", "--env=E=option"];
    run(&place, &own).env("B", "inherited").gives(
        0,
        "B=config\nA=a.env\nX=b.env\nC=own.env\nD=spec\nE=option\nTOKEN=t\n",
        "",
    );
    // Files are beside the configuration, wherever doorkey starts.
    std::fs::create_dir(place.path("deep")).unwrap();
    let deeper = run(&place, &[]).dir(place.path("deep"));
    deeper.gives(
        0,
        "A=a.env\nB=config\nX=b.env\nC=config\nD=config\nE=config\nTOKEN=t\n",
        "",
    );
}

#[test]
fn a_found_file_sets_nothing_by_which_programs_run_code() {
    let place = place("[env]\nA = 'b'\nBASH_ENV = 'canary'\n");
    let only = "counts only in a file that --config or DOORKEY_CONFIG names";
    run(&place, &[]).fails(
        125,
        &format!(
            "doorkey: error: {}:3:1: a variable by which programs run code {only}\n",
            place.path("doorkey.toml").display()
        ),
    );
    let named = ["--config", "doorkey.toml"];
    run(&place, &named).gives(0, "A=b\nBASH_ENV=canary\n", "");
    place.write("doorkey.toml", "env-file = 'x.env'\n");
    place.write("x.env", "A=b\nBASH_ENV=canary\n");
    run(&place, &[]).fails(
        125,
        &format!(
            "doorkey: error: {}:2:1: programs run code by this variable; it counts only if --config or \
             DOORKEY_CONFIG names doorkey.toml\n",
            place.path("x.env").display()
        ),
    );
    run(&place, &named).gives(0, "A=b\nBASH_ENV=canary\n", "");
    // What others can change is not read.
    place.write("x.env", "A=b\n");
    use std::os::unix::fs::PermissionsExt;
    let all = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(place.path("x.env"), all).unwrap();
    let err = run(&place, &[]).end().err();
    assert!(
        err.contains("x.env: not obeyed, as it belongs to user"),
        "{err}"
    );
    run(&place, &named).gives(0, "A=b\n", "");
}

#[test]
fn faults_say_where() {
    for (config, at, what) in [
        ("[env]\nA = 1\n", "2:5", "a string is wanted here"),
        ("env = 'A=b'\n", "1:7", "a table is wanted here"),
        ("env-file = [1]\n", "1:13", "a string is wanted here"),
        (
            "[env]\n'A=B' = 'c'\n",
            "2:1",
            "a variable's name is not empty, and has no = and no NUL in it",
        ),
    ] {
        let place = place(config);
        let file = place.path("doorkey.toml");
        let fault = format!("doorkey: error: {}:{at}: {what}\n", file.display());
        run(&place, &[]).fails(125, &fault);
    }
    let place = place("env-file = 'none.env'\n");
    let fault = format!(
        "doorkey: error: can't read {}: no such file or directory\n",
        place.path("none.env").display()
    );
    run(&place, &[]).fails(125, &fault);
}
