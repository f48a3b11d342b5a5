//! Values go one way: none is in an answer, in what is printed, or in memory after its request.

use nix::unistd::Pid;
use support::bao::App;
use support::search;
use support::strays::{Needle, strays};
use support::trace::{Memory, stays_asleep};

use crate::place::{Console, own};

const CANARIES: [&str; 6] = [
    "Kq7Wm2Zt9Rx4Lc6Vb1Np",
    "Hs3Yd8Jf5Gk0Xe7Pu2Ta",
    "Bn6Vc1Mx9Zl4Qw8Er3Ty",
    "Ui5Op0As7Df2Gh9Jk4Lz",
    "Xc8Vb3Nm6Qp1Wo4Ei7Ru",
    "Ty2Gh5Bn9Uj0Mk3Il6Op",
];

/// Sends values in every way that there is, good and bad; gives all that was answered.
fn ask_everything(console: &Console) -> Vec<u8> {
    let session = console.session();
    let [created, updated, file, spec, refused, large] = CANARIES;
    let large = large.repeat(3_000);
    let file = format!("A={file}\nB='{file}'\n");
    let (both, one) = (
        format!("{{\"create\":[\"A\",\"B\"]}}\n{file}"),
        format!("{{\"create\":[\"A\"]}}\n{file}"),
    );
    let broken = format!("A='{}\nB C\n", CANARIES[2]);
    let no_name = format!("{}\n{}=1\n", CANARIES[2], CANARIES[2].replace('K', "-"));
    let spec = format!(
        "env:\n  - name: A\n    value: {spec}\n  - name: B\n    value: secret:team/a\n  - name: C\n    value: ${{secret:{spec}\n"
    );
    let no_spec = format!("env: {}: {{", CANARIES[3]);
    let requests: &[(&str, &str)] = &[
        ("POST /api/write?scope=team&name=a&how=create", created),
        ("POST /api/write?scope=team&name=a&how=create", created),
        ("POST /api/write?scope=team&name=a&how=update", updated),
        ("POST /api/write?scope=team&name=b&how=update", refused),
        ("POST /api/write?scope=team&name=9&how=create", refused),
        ("POST /api/write?scope=nowhere&name=b&how=create", refused),
        ("POST /api/write?scope=team&name=large&how=create", &large),
        ("POST /api/write?scope=team&name=large&how=update", &large),
        ("POST /api/plan?scope=team", &file),
        ("POST /api/plan?scope=team", &broken),
        ("POST /api/plan?scope=team", &no_name),
        ("POST /api/import?scope=team", &both),
        ("POST /api/import?scope=team", &one),
        ("POST /api/import?scope=team", &file),
        ("POST /api/check?path=env", &spec),
        ("POST /api/check?path=env", &no_spec),
        ("GET /api/state", ""),
        ("GET /api/scope?scope=team", ""),
        ("GET /api/overview", ""),
        ("GET /api/holders?name=a", ""),
        ("GET /api/readers", ""),
        ("POST /api/delete?scope=team&name=large", ""),
    ];
    let mut answers = Vec::new();
    for (line, body) in requests {
        let answer = console.ask(&session, line, body.as_bytes());
        for (name, value) in &answer.headers {
            answers.extend(format!("{name}: {value}\n").into_bytes());
        }
        answers.extend(&answer.body);
    }
    answers
}

#[track_caller]
fn is_kept(console: &Console) {
    let answers = ask_everything(console);
    assert_eq!(search::found(&answers, &CANARIES), [""; 0], "answers");
    assert_eq!(
        search::found(console.log().as_bytes(), &CANARIES),
        [""; 0],
        "log"
    );
    let process = Pid::from_raw(console.id().cast_signed());
    stays_asleep(process);
    let needle = |canary: &&str| Needle {
        label: canary.to_string(),
        bytes: canary.as_bytes().to_vec(),
        variables: vec![],
    };
    let needles: Vec<_> = CANARIES.iter().map(needle).collect();
    let found = strays(&Memory::of(process), &needles, &Default::default());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_value_stays_with_a_folder() {
    let own = own();
    is_kept(&own);
    assert_eq!(
        own.place.reveal("team", "a").unwrap(),
        CANARIES[1].as_bytes()
    );
    assert_eq!(
        own.place.reveal("team", "B").unwrap(),
        CANARIES[2].as_bytes()
    );
}

#[test]
fn no_value_stays_with_a_server() {
    let app = App::new();
    let console = Console::start(&app.place, app.operator("console --log-level debug"));
    is_kept(&console);
    assert_eq!(app.get("team")["a"], CANARIES[1]);
}
