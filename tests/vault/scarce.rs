//! Where processes or memory are scarce: a container has a limit of both.

use std::os::unix::process::CommandExt;
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use serde_json::json;
use support::faulty;
use support::faulty::Faulty;
use support::{Place, Run};

/// The same as a user who has no other process, and can have no other, nor a thread.
fn alone(run: Run, place: &Place, user: u32) -> Run {
    let mut run = run.unprivileged(place);
    run.command.uid(user).gid(user);
    // SAFETY: it makes one system call.
    unsafe {
        run.command
            .pre_exec(|| setrlimit(Resource::RLIMIT_NPROC, 1, 1).map_err(Into::into));
    }
    run
}

#[test]
fn one_thread_does() {
    let place = Place::with_store();
    let names: Vec<String> = (0..20).map(|number| format!("name_{number}")).collect();
    for name in &names {
        place.set("team", name, format!("value of {name}"));
    }
    std::fs::rename(
        place.path("home/.config/doorkey/key.txt"),
        place.path("key"),
    )
    .unwrap();
    nix::unistd::chown(&place.path("key"), Some(61_001.into()), None).unwrap();
    let run = place.run(["--all", "-q", "--key-file", "key", "--", "/usr/bin/env"]);
    let run = alone(run, &place, 61_001).ok();
    for name in &names {
        let line = format!("{name}=value of {name}\n");
        assert!(run.out().contains(&line), "{}", run.out());
    }
}

/// A server's name is looked for without a thread as well.
#[test]
fn a_name_is_found_without_a_thread() {
    let place = Place::new();
    let hosts = place.write("hosts", "127.0.0.1 vault.test\n");
    let server = Faulty::new(|_| faulty::document(&json!({"a": "found"})));
    let port = server.at.rsplit(':').next().unwrap();
    let address = format!("http://vault.test:{port}");
    let run = place.doorkey(["run", "-q", "--", "/usr/bin/printenv", "A"]);
    let run = run.env("A", "vault:kv/data/app#a");
    let run = run.env("VAULT_ADDR", address).env("VAULT_TOKEN", "t");
    let run = alone(run, &place, 61_002);
    let ended = thread::scope(|scope| {
        // The mounts are this thread's alone, and its children's.
        let machine = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS).expect("root");
            let none = None::<&str>;
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(none, "/", none, private, none).unwrap();
            mount(Some(&hosts), "/etc/hosts", none, MsFlags::MS_BIND, none).unwrap();
            run.ok()
        });
        machine.join().unwrap()
    });
    assert_eq!(ended.out(), "found\n");
}

#[test]
fn too_little_memory_is_one_line() {
    let place = Place::new();
    place.write("template", vec![b'x'; 8 << 20]);
    let mut run = place.doorkey(["render", "template"]);
    // SAFETY: it makes one system call.
    unsafe {
        run.command
            .pre_exec(|| setrlimit(Resource::RLIMIT_AS, 16 << 20, 16 << 20).map_err(Into::into));
    }
    run.fails(
        125,
        "doorkey: error: out of memory: raise the limit of the container or the process\n",
    );
}

/// All that is missing is said. What it was meant to be is looked for as long as that is no work
/// of minutes.
#[test]
fn very_much_is_missing() {
    let place = Place::new();
    let store = place.path("store");
    std::fs::create_dir(&store).unwrap();
    let mut variables = String::new();
    for number in 1000..2000 {
        std::fs::write(store.join(format!("name_{number}")), "value").unwrap();
        variables += &format!("V{number}=secret:nmae_{number}\n");
    }
    place.write("variables", variables);
    let run = place.doorkey(["check", "-q", "--store=dir:store", "--env-file=variables"]);
    let err = run.end().err();
    assert_eq!(err.lines().count(), 1000, "{err}");
    let hinted = |number| err.contains(&format!("did you mean name_{number} "));
    assert!(hinted(1000) && !hinted(1999), "{err}");
}
