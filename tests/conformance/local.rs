//! Stores that are folders, or memory.

use std::cell::RefCell;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::stores::Subject;
use support::{Place, Run};

/// The program with these stores and `mem`: this one.
fn with_mem(place: &Place) -> Run {
    let own = place.path("doorkey");
    if !own.exists() {
        symlink(std::env::current_exe().unwrap(), &own).unwrap();
    }
    let mut run = place.doorkey([""; 0]);
    let home = place.path("home");
    run.command = std::process::Command::new(own);
    run.command.env_clear().current_dir(place.path(""));
    run.env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", home)
}

pub struct Mem {
    place: Place,
    secrets: RefCell<String>,
    denied: RefCell<String>,
}

impl Mem {
    pub fn new() -> Self {
        Mem {
            place: Place::new(),
            secrets: RefCell::default(),
            denied: RefCell::default(),
        }
    }
}

impl Subject for Mem {
    fn place(&self) -> &Place {
        &self.place
    }

    fn store(&self) -> String {
        format!("mem:{}", self.denied.borrow())
    }

    fn run(&self) -> Run {
        let run = with_mem(&self.place).env("MEM", self.secrets.borrow().as_str());
        run.env("DOORKEY_STORE", self.store())
    }

    fn put(&self, scope: &str, name: &str, value: &[u8]) {
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        *self.secrets.borrow_mut() += &format!("{scope}/{name}={hex} ");
    }

    fn deny(&self, scope: &str) {
        *self.denied.borrow_mut() = format!("?deny={scope}");
    }

    fn unreachable(&self) -> (Run, String) {
        let run = self.run().env("DOORKEY_STORE", "mem:gone");
        (run, "mem:gone".to_owned())
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        let secrets = self.secrets.borrow();
        let values = secrets.split(' ').filter_map(|one| one.split_once('='));
        let values = values.map(|(_, hex)| ("what MEM holds", hex.to_owned()));
        values.collect()
    }
}

pub struct Dir(pub Place);

impl Subject for Dir {
    fn place(&self) -> &Place {
        &self.0
    }

    fn store(&self) -> String {
        "dir:plain".to_owned()
    }

    fn run(&self) -> Run {
        self.0
            .doorkey([""; 0])
            .env("DOORKEY_STORE", "dir:plain")
            .unprivileged(&self.0)
    }

    fn put(&self, scope: &str, name: &str, value: &[u8]) {
        self.0.write(&format!("plain/{scope}/{name}"), value);
    }

    fn deny(&self, scope: &str) {
        let folder = self.0.path(&format!("plain/{scope}"));
        fs::set_permissions(folder, Permissions::from_mode(0o000)).unwrap();
    }

    fn unreachable(&self) -> (Run, String) {
        let run = self.run().env("DOORKEY_STORE", "dir:gone");
        (run, "dir:gone".to_owned())
    }
}

pub struct Age(Place);

impl Age {
    pub fn new() -> Self {
        Age(Place::with_store())
    }

    fn key(&self) -> String {
        let file = fs::read_to_string(self.0.path("home/.config/doorkey/key.txt")).unwrap();
        let key = file
            .lines()
            .find(|line| line.starts_with("AGE-SECRET-KEY-"));
        key.unwrap().to_owned()
    }
}

impl Subject for Age {
    fn place(&self) -> &Place {
        &self.0
    }

    fn store(&self) -> String {
        "age:secrets".to_owned()
    }

    fn run(&self) -> Run {
        self.0.on("").env("DOORKEY_KEY", self.key())
    }

    fn put(&self, scope: &str, name: &str, value: &[u8]) {
        self.0.set(scope, name, value);
    }

    fn deny(&self, scope: &str) {
        // For somebody else's key from now on.
        let other = self.0.key("other");
        self.0.write(
            &format!("secrets/{scope}/recipients.txt"),
            format!("{other}\n"),
        );
        for entry in fs::read_dir(self.0.path(&format!("secrets/{scope}"))).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            if let Some(name) = file.strip_suffix(".age") {
                self.0.set(scope, name, "of somebody else");
            }
        }
    }

    fn unreachable(&self) -> (Run, String) {
        let run = self.run().env("DOORKEY_STORE", "age:gone");
        (run, "age:gone".to_owned())
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        let key = self.key();
        vec![("the key", key["AGE-SECRET-KEY-1".len()..].to_owned())]
    }
}
