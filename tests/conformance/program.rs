//! A program of the user's own: it has its values in a file, and counts in another.

use std::fs;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use crate::stores::Subject;
use support::{Place, Run, executable};

/// It answers with all that it has, once it has counted itself.
const PROGRAM: &str = r#"#!/bin/sh
cat >request
echo asked >>count
echo 'a line with nothing in it' >&2
cat answer >&2
cat answer
"#;

const GONE: &str = "#!/bin/sh\necho 'nobody is there' >&2\nexit 75\n";

pub struct Program {
    place: Place,
}

impl Program {
    pub fn new() -> Self {
        let place = Place::new();
        executable(&place.path("program"), PROGRAM.as_bytes(), 0o755);
        executable(&place.path("gone"), GONE.as_bytes(), 0o755);
        place.write("answer", json!({"version": 1}).to_string());
        Program { place }
    }

    fn change(&self, change: impl FnOnce(&mut Value)) {
        let file = self.place.path("answer");
        let mut answer = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        change(&mut answer);
        fs::write(file, answer.to_string()).unwrap();
    }
}

impl Subject for Program {
    fn place(&self) -> &Place {
        &self.place
    }

    fn store(&self) -> String {
        "exec:./program".to_owned()
    }

    fn run(&self) -> Run {
        let run = self.place.doorkey([""; 0]);
        run.env("DOORKEY_STORE", self.store())
    }

    fn put(&self, scope: &str, name: &str, value: &[u8]) {
        self.change(|answer| {
            answer["values"][scope][name] = match str::from_utf8(value) {
                Ok(text) => text.into(),
                Err(_) => json!({"base64": BASE64_STANDARD.encode(value)}),
            };
        });
    }

    fn deny(&self, scope: &str) {
        self.change(|answer| answer["denied"] = json!([scope]));
    }

    fn unreachable(&self) -> (Run, String) {
        let store = "exec:./gone";
        (self.run().env("DOORKEY_STORE", store), store.to_owned())
    }

    fn asked(&self, _: usize) -> usize {
        let count = fs::read_to_string(self.place.path("count"));
        count.unwrap_or_default().lines().count()
    }
}
