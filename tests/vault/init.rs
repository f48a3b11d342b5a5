//! `run --init` with a server: the supervisor has neither the values that were fetched nor the
//! token that they were fetched with.

use std::collections::BTreeMap;
use std::fs;

use nix::unistd::Pid;
use serde_json::{Map, Value};
use support::bao::App;
use support::strays::{Needle, strays};
use support::trace::Memory;

const REFERENCES: usize = 100;

/// A value that nobody else has in memory, the same in each run.
fn value(number: usize) -> String {
    let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut out = format!("{number}-");
    for _ in 0..24 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        out.push(char::from(b'a' + (state >> 59) as u8 % 26));
    }
    out
}

#[test]
fn the_supervisor_of_a_fetch_holds_nothing() {
    let app = App::alone();
    let members = (0..REFERENCES).map(|number| (format!("n{number}"), Value::from(value(number))));
    app.put("team", members.collect::<Map<_, _>>().into());
    let script = "[ ${#V99} = 27 ] && touch began; until [ -e go ]; do sleep 0.01; done; exit 6";
    let mut run = app.run("run -q --init --").args(["sh", "-c", script]);
    for number in 0..REFERENCES {
        run = run.env(format!("V{number}"), format!("secret:n{number}"));
    }
    let mut child = run.command.spawn().unwrap();
    while !app.place.path("began").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::yield_now();
    }
    let needle = |label: String, text: &str| Needle {
        label,
        bytes: text.as_bytes().to_vec(),
        variables: vec![],
    };
    let mut needles = vec![needle("the token".to_owned(), &app.token)];
    needles.extend((0..REFERENCES).map(|number| needle(format!("n{number}"), &value(number))));
    let memory = Memory::of(Pid::from_raw(child.id() as i32));
    assert!(!memory.mappings.is_empty());
    let found = strays(&memory, &needles, &BTreeMap::new());
    assert!(found.is_empty(), "{}", found.join("\n"));
    // The workload itself has them, so that what is searched for is what is there.
    let workload = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    let workload = Pid::from_raw(workload.trim().parse().unwrap());
    let found = strays(&Memory::of(workload), &needles, &BTreeMap::new());
    assert!(found.len() >= REFERENCES, "{}", found.join("\n"));
    assert!(found.iter().all(|found| !found.contains("the token")));
    app.place.write("go", "");
    assert_eq!(child.wait().unwrap().code(), Some(6));
}
