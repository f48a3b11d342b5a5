//! Shared parts of the tests of clouds.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;

use support::faulty::Faulty;
use support::{DOORKEY, Ended, Place, Run, bao, executable};

/// A launch has its value after it waited for a metadata service, and said how to end that.
#[track_caller]
pub fn has_waited(ended: &Ended, machine: &str, ends: &str) {
    let said = ended.err();
    let got = (ended.code(), ended.out());
    assert_eq!(got, (0, "canary-value\n".to_owned()), "{said}");
    let line = said.lines().find(|line| line.contains("waiting for"));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains(machine) && line.ends_with(ends), "{line}");
}

/// A launch as FROM scratch: a read-only root, the place's `root`, with nothing but doorkey added to
/// it, a numeric user, no home, and this environment alone.
#[track_caller]
pub fn in_a_bare_root(place: &Place, environment: &[(&str, &str)]) {
    let root = place.path("root");
    for folder in ["proc", "dev"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    executable(&root.join("doorkey"), &fs::read(DOORKEY).unwrap(), 0o755);
    let script = "mount --bind . . && cd \"$PWD\" && mount -t proc proc proc && \
                  mount --rbind /dev dev && mount -o remount,ro,bind . && ! touch x 2>/dev/null && \
                  exec chroot --userspec=65534:65534 . /doorkey run -q -- /doorkey --version";
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", script])
        .current_dir(&root)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .envs(environment.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(output.stdout.starts_with(b"doorkey "));
}

/// With `--watch`, a token is shown, and the one that replaces it. A form `shows` a token behind
/// these words.
pub fn shows_both(
    mut run: Run,
    front: &Faulty,
    shows: &str,
    replaced: (&str, &str, impl FnOnce()),
) {
    let (first, second, replace) = replaced;
    let mut child = run.command.spawn().unwrap();
    let has = |token: &str| {
        let word = format!("{shows}{token}");
        let forms = front.requests();
        let mut forms = forms.iter().map(|one| String::from_utf8_lossy(&one.body));
        forms.any(|form| form.contains(&word)).then_some(())
    };
    bao::wait("the first token is shown", || has(first));
    replace();
    bao::wait("the second token is shown", || has(second));
    // SAFETY: it takes no pointer, and the child is not waited for yet.
    unsafe { libc::kill(child.id().cast_signed(), libc::SIGTERM) };
    child.wait().unwrap();
}

/// Does something 300 times at once.
pub fn three_hundred(launch: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 0..300 {
            scope.spawn(&launch);
        }
    });
}
