//! What is written to the embedded store stays there: the order of the system calls that make it
//! so, and a writer that is killed before each single one of them.

use std::fs::{self, File};
use std::os::fd::AsRawFd;

use support::trace::{Begin, Tracee};
use support::{DOORKEY, Place};

/// What puts a file into its place: a link, where nothing is there yet.
const RENAMES: [i64; 3] = [libc::SYS_renameat, libc::SYS_renameat2, libc::SYS_linkat];

fn is_rename(call: i64) -> bool {
    #[cfg(target_arch = "x86_64")]
    if call == libc::SYS_rename {
        return true;
    }
    RENAMES.contains(&call)
}

/// A writer of the file `value` to a name, stopped before its first instruction.
fn writer(place: &Place, scope: &[&str]) -> Tracee {
    let value = File::open(place.path("value")).unwrap();
    let descriptor = value.as_raw_fd();
    let store = format!("--store=age:{}", place.path("secrets").display());
    let words = [DOORKEY, "secret", "set", "name", &store, "--raw", "-q"];
    Begin::new(words.iter().chain(scope)).start(|| {
        // SAFETY: it takes two numbers; the new process owns its descriptors.
        nix::errno::Errno::result(unsafe { libc::dup2(descriptor, 0) }).map(drop)
    })
}

/// What the store has under the name.
fn get(place: &Place) -> Vec<u8> {
    let run = place
        .run(["-q", "--", "printenv", "V"])
        .env("V", "secret:name");
    let mut value = run.ok().output.stdout;
    assert_eq!(value.pop(), Some(b'\n'));
    value
}

fn place(value: &[u8]) -> Place {
    let place = Place::with_store();
    place.set("team", "name", b"old ".repeat(12_000));
    place.write("value", value);
    place
}

#[test]
fn the_file_is_synced_then_renamed_then_its_folder_is_synced() {
    let place = place(b"new");
    let mut tracee = writer(&place, &["--project", "new"]);
    let mut calls = Vec::new();
    while let Some((number, arguments)) = tracee.next_call() {
        let what = match number {
            libc::SYS_fsync | libc::SYS_fdatasync => {
                let link = format!("/proc/{}/fd/{}", tracee.pid, arguments[0]);
                let path = fs::read_link(link).unwrap();
                let name = path.file_name().unwrap().to_str().unwrap();
                let name = if name.ends_with(" (deleted)") {
                    "the new file"
                } else {
                    name
                };
                format!("sync {name}")
            }
            call if is_rename(call) => "rename".to_owned(),
            _ => continue,
        };
        calls.push(what);
    }
    assert_eq!(tracee.finish(), 0);
    // The folders that were made are synced in those above them first.
    let expected = [
        "sync secrets",
        "sync project",
        "sync the new file",
        "rename",
        "sync new",
    ];
    assert_eq!(calls, expected);
}

#[test]
fn killed_before_any_system_call_it_leaves_the_old_value_or_the_new() {
    let old = b"old ".repeat(12_000);
    let new = b"new ".repeat(12_000);
    let place = place(&new);
    let (mut moment, mut replaced) = (0, false);
    loop {
        let mut tracee = writer(&place, &["--team"]);
        let mut renamed = false;
        let mut ended = false;
        for _ in 0..=moment {
            match tracee.next_call() {
                None => ended = true,
                // Killed before the call, so only what came before it counts.
                Some((call, _)) if is_rename(call) => renamed = true,
                Some(_) => {}
            }
            if ended {
                break;
            }
        }
        if !ended {
            tracee.kill();
        }
        let found = get(&place);
        if !renamed {
            assert!(found == old, "before the {moment}th call: the old value");
        } else {
            assert!(
                found == old || found == new,
                "at the {moment}th call: one of both"
            );
        }
        if found == new {
            replaced = true;
            place.set("team", "name", &old);
        }
        if ended {
            break;
        }
        moment += 1;
    }
    assert!(
        replaced && moment > 10,
        "it was killed before {moment} calls"
    );
    let entries = fs::read_dir(place.path("secrets/team")).unwrap();
    assert_eq!(
        entries.count(),
        1,
        "nothing is left behind after a whole write"
    );
}
