//! `doorkey install`: a copy of the program for other containers, whole and in one step.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use support::{DOORKEY, Place};

/// The copy is this program, for everybody to execute, and nothing else is left beside it.
#[track_caller]
fn is_installed(place: &Place, inside: &str) {
    let path = place.path(inside);
    assert_eq!(fs::read(&path).unwrap(), fs::read(DOORKEY).unwrap());
    let kept = path.symlink_metadata().unwrap();
    assert!(kept.is_file());
    assert_eq!(kept.permissions().mode() & 0o7777, 0o755);
    assert_eq!(hidden(path.parent().unwrap()), [""; 0]);
    let version = Command::new(&path).arg("--version").output().unwrap();
    assert!(version.stdout.starts_with(b"doorkey "));
}

/// Names that begin with a dot: what is written before it is there.
fn hidden(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}

#[test]
fn to_a_path_or_into_a_folder() {
    let place = Place::new();
    fs::create_dir(place.path("shared")).unwrap();
    symlink("shared", place.path("link")).unwrap();
    for (dest, said, there) in [
        ("shared", "shared/doorkey", "shared/doorkey"),
        ("shared/", "shared/doorkey", "shared/doorkey"),
        ("link", "link/doorkey", "shared/doorkey"),
        (
            "shared/entrypoint",
            "shared/entrypoint",
            "shared/entrypoint",
        ),
        ("by itself", "by itself", "by itself"),
    ] {
        let said = format!("doorkey: {said} is installed\n");
        place.doorkey(["install", dest]).gives(0, "", &said);
        is_installed(&place, there);
        fs::remove_file(place.path(there)).unwrap();
    }
    let path = place.path("shared/quiet");
    place.doorkey(["install", "-q"]).arg(path).gives(0, "", "");
    is_installed(&place, "shared/quiet");
}

#[test]
fn whatever_the_umask_and_the_name_it_is_called_by() {
    let place = Place::new();
    let mut run = place.doorkey(["install", "copy"]);
    run.command.arg0("no/such/doorkey");
    // SAFETY: the call takes no pointer.
    let umask = || Ok(unsafe { libc::umask(0o777) }).map(|_| ());
    // SAFETY: it makes only a system call.
    unsafe { run.command.pre_exec(umask) };
    run.ok();
    is_installed(&place, "copy");
}

#[test]
fn what_runs_is_replaced() {
    let place = Place::with_store();
    place.set("team", "name", "value");
    place.doorkey(["install", "copy"]).ok();
    // It stays, as a supervisor, until its input ends.
    let mut running = Command::new(place.path("copy"));
    running.args(["run", "--init", "--", "cat"]);
    let mut running = running.stdin(Stdio::piped()).spawn().unwrap();
    let own = format!("/proc/{}/exe", running.id());
    while fs::read_link(&own).unwrap() != place.path("copy") {
        std::thread::yield_now();
    }
    let open = fs::OpenOptions::new().write(true).open(place.path("copy"));
    assert_eq!(open.unwrap_err().raw_os_error(), Some(libc::ETXTBSY));
    place.doorkey(["install", "copy"]).ok();
    is_installed(&place, "copy");
    // A copy copies itself, also over itself.
    let mut run = place.doorkey(["install", "copy"]);
    run.command = Command::new(place.path("copy"));
    run.command.args(["install", "copy"]);
    run.dir(place.path("")).ok();
    is_installed(&place, "copy");
    drop(running.stdin.take());
    assert!(running.wait().unwrap().success());
}

/// Whoever starts it at any moment finds it whole.
#[test]
fn it_is_there_whole_at_every_moment() {
    let place = Place::new();
    place.doorkey(["install", "copy"]).ok();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                let started = Command::new(place.path("copy")).arg("--version").output();
                assert!(started.unwrap().status.success());
            }
        });
        let writers = [(); 2].map(|()| {
            scope.spawn(|| {
                for _ in 0..20 {
                    place.doorkey(["install", "copy"]).ok();
                }
            })
        });
        let ended: Vec<_> = writers.into_iter().map(|one| one.join()).collect();
        done.store(true, Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });
    is_installed(&place, "copy");
}

#[test]
fn a_link_is_replaced_and_not_followed() {
    let place = Place::new();
    place.write("kept", "kept");
    symlink("kept", place.path("copy")).unwrap();
    place.doorkey(["install", "copy"]).ok();
    is_installed(&place, "copy");
    assert_eq!(fs::read(place.path("kept")).unwrap(), b"kept");
}

#[test]
fn what_can_not_be_written_is_said() {
    let place = Place::new();
    place.write("file", "kept");
    fs::create_dir_all(place.path("full/doorkey")).unwrap();
    let pipe = CString::new(place.path("pipe").into_os_string().into_encoded_bytes()).unwrap();
    // SAFETY: the path is a string.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o644) }, 0);
    for (dest, why) in [
        ("none/doorkey", "none/doorkey: no such file or directory"),
        ("none/", "none/: no such file or directory"),
        ("file/", "file/: not a directory"),
        ("file/doorkey", "file/doorkey: not a directory"),
        ("full", "full/doorkey: is a directory"),
        ("pipe", "pipe: file exists"),
    ] {
        let said = format!("doorkey: error: DEST: can't write {why}\n");
        place.doorkey(["install", dest]).fails(1, &said);
    }
    assert_eq!(fs::read(place.path("file")).unwrap(), b"kept");
    for folder in ["", "full"] {
        assert_eq!(hidden(&place.path(folder)), [""; 0]);
    }
    place.doorkey(["install"]).fails(
        2,
        "doorkey: error: <DEST> is missing; see doorkey install --help\n",
    );
    // Nobody may not write here; root, whom it is for in a user's own folder, may.
    fs::create_dir(place.path("of root")).unwrap();
    let denied = "doorkey: error: DEST: can't write of root/doorkey: permission denied\n";
    let run = place.doorkey(["install", "of root"]).unprivileged(&place);
    run.fails(1, denied);
}

/// A disk that is full leaves what was there, and nothing half.
#[test]
fn a_full_disk_leaves_what_was_there() {
    let place = Place::new();
    fs::create_dir(place.path("small")).unwrap();
    let script = "mount -t tmpfs -o size=64k none small; echo old >small/doorkey; \
                  \"$0\" install small; echo $?; cat small/doorkey; ls -A small";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, DOORKEY]);
    let output = command.current_dir(place.path("")).output().unwrap();
    let full = "doorkey: error: DEST: can't write small/doorkey: no space left on device\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), full);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\nold\ndoorkey\n");
}

/// By the path that the kernel was given, whatever the first argument says.
#[test]
fn without_proc_there_is_the_path() {
    let place = Place::new();
    let script = "umount -l /proc; exec -a no/such \"$0\" install copy";
    let mut command = Command::new("unshare");
    command.args(["--mount", "bash", "-c", script, DOORKEY]);
    let output = command.current_dir(place.path("")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "doorkey: copy is installed\n");
    is_installed(&place, "copy");
}
