//! A copy that has rights of its own, by set-uid, set-gid or capabilities, refuses to run.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use support::{DOORKEY, Place, executable};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The program's own rights are not for whoever may run it.
#[test]
fn a_program_with_rights_of_its_own() {
    let place = Place::new();
    set_mode(&place.path(""), 0o755);
    let copy = |name: &str| {
        executable(&place.path(name), &fs::read(DOORKEY).unwrap(), 0o755);
        place.path(name)
    };
    let (setuid, setgid, capable) = (copy("setuid"), copy("setgid"), copy("capable"));
    let usual = copy("usual");
    chown(&setuid, Some(5), None).unwrap();
    set_mode(&setuid, 0o4755);
    chown(&setgid, None, Some(60)).unwrap();
    set_mode(&setgid, 0o2755);
    capabilities(&capable);
    let run = |file: &Path, user: u32, words: &[&str]| {
        let mut command = Command::new(file);
        command.args(words).uid(user).gid(user).env_clear();
        command.current_dir("/");
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let said = |file: &Path, why: &str| {
        let file = file.display();
        format!(
            "doorkey: error: {file}: {why}, which would hand them to everybody; chmod ug-s {file}, \
             setcap -r {file}\n"
        )
    };
    let other = "this process has another user's or group's rights than whoever has started it";
    let bits = "this program's file is set-uid or set-gid";
    let caps = "this program's file has capabilities";
    for (file, user, why) in [
        (&setuid, 65534, other),
        (&setuid, 0, other),
        (&setuid, 5, bits),
        (&setgid, 65534, other),
        (&setgid, 60, bits),
        (&capable, 65534, caps),
        (&capable, 0, caps),
    ] {
        for (words, code) in [
            (&["run", "/bin/echo", "started"][..], 125),
            (&["run", "--init", "/bin/echo", "started"], 125),
            (&["join", "/bin/echo", "started"], 125),
            (&["env"], 1),
            (&["man"], 1),
            (&["--help"], 1),
        ] {
            let expected = (code, String::new(), said(file, why));
            assert_eq!(run(file, user, words), expected, "{words:?} by {user}");
        }
    }
    let started = (0, "started\n".to_owned(), String::new());
    assert_eq!(
        run(&usual, 65534, &["run", "/bin/echo", "started"]),
        started
    );
}

/// Gives a file a capability, as `setcap cap_dac_read_search+ep` would.
fn capabilities(file: &Path) {
    // From the kernel's linux/capability.h: revision 2 with the effective bit, then permitted and
    // inheritable ones, twice.
    let words: [u32; 5] = [0x0200_0001, 1 << 2, 0, 0, 0];
    let value: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let path = std::ffi::CString::new(file.as_os_str().as_encoded_bytes()).unwrap();
    // SAFETY: all are strings or bytes of this length.
    let done = unsafe {
        let name = c"security.capability".as_ptr();
        libc::setxattr(path.as_ptr(), name, value.as_ptr().cast(), value.len(), 0)
    };
    assert_eq!(done, 0);
}

/// `--user` to oneself is no change, and needs no right. USER and LOGNAME follow where they are set.
#[test]
fn to_be_oneself_needs_no_right() {
    let place = Place::new();
    set_mode(&place.path(""), 0o755);
    let script = "echo $(id -u) $(id -g) $USER $LOGNAME";
    let as_nobody = |user: &str| {
        let run = place.doorkey(["run", "--user", user, "sh", "-c", script]);
        run.env("USER", "root").unprivileged(&place)
    };
    for user in ["nobody", "65534", "nobody:65534", "65534:65534"] {
        as_nobody(user).gives(0, "65534 65534 nobody\n", "");
    }
    let said = "doorkey: error: can't become the user nobody:0: operation not permitted\n";
    as_nobody("nobody:0").fails(125, said);
    // Groups that it has, and may not give up, stay.
    let mut run = place.doorkey(["run", "--user=nobody", "sh", "-c", script]);
    // SAFETY: the calls of this step are safe between fork and exec.
    unsafe {
        run.command.pre_exec(|| {
            let groups: [libc::gid_t; 2] = [60, 65534];
            let set = libc::setgroups(2, groups.as_ptr());
            let both = libc::setgid(60) | libc::setuid(65534);
            match set | both {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    set_mode(&place.path("home"), 0o755);
    run.env("LOGNAME", "x").gives(0, "65534 60 nobody\n", "");
    // A number without an entry is its own name.
    let run = place.doorkey(["run", "--user=4711", "sh", "-c", script]);
    run.env("USER", "root")
        .env("LOGNAME", "root")
        .gives(0, "4711 4711 4711 4711\n", "");
}
