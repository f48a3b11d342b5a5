//! `--store dir:…` from outside: folders of plain files as Docker and Kubernetes mount them, and
//! what leads out of them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use support::{Place, Run};

/// A flat folder of secrets, and something outside of it.
fn place() -> Place {
    let place = Place::new();
    place.write("plain/a", "a-value");
    place.write("plain/tls.crt", "certificate\n");
    place.write("outside/a", "canary");
    place
}

fn print(place: &Place, options: &[&str], reference: &str) -> Run {
    let run = place
        .doorkey(["run", "-q", "--store", "dir:plain"])
        .args(options);
    run.args(["printenv", "X"])
        .env("X", format!("secret:{reference}"))
}

/// What is said of `X`.
fn fault(name: &str, cause: &str) -> String {
    format!("doorkey: error: X: secret:{name}: {cause}\n")
}

#[test]
fn a_flat_folder_is_the_teams() {
    let place = place();
    place.write("plain/kubernetes.io/serviceaccount/token", "x");
    print(&place, &[], "a").gives(0, "a-value\n", "");
    print(&place, &["-p", "web", "--cluster", "eu"], "a").gives(0, "a-value\n", "");
    print(&place, &[], "team/tls.crt").gives(0, "certificate\n\n", "");
    print(&place, &["-p", "web"], "project/a").fails(
        125,
        &fault(
            "project/a",
            "not found in project/web of dir:plain; it is in team, where the reference does not look",
        ),
    );
    print(&place, &[], "project/a").fails(
        125,
        &fault(
            "project/a",
            "no project is in force; give --project ID or DOORKEY_PROJECT",
        ),
    );
    // A folder beside the secrets is none of them.
    let all = place.doorkey([
        "run",
        "-q",
        "--store",
        "dir:plain",
        "--all",
        "--clear-env",
        "/usr/bin/env",
    ]);
    all.without("PATH")
        .without("HOME")
        .gives(0, "a=a-value\ntls.crt=certificate\n\n", "");
    print(&place, &[], "kubernetes.io").fails(
        125,
        &fault(
            "kubernetes.io",
            "team of dir:plain: corrupt: it is no regular file; restore it or set it again",
        ),
    );
}

#[test]
fn folders_of_scopes() {
    let place = Place::new();
    place.write("plain/team/a", "team");
    place.write("plain/cluster/eu/a", "cluster");
    place.write("plain/project/web/a", "project");
    place.write("plain/flat", "not in a scope");
    print(&place, &[], "a").gives(0, "team\n", "");
    print(&place, &["--cluster", "eu"], "a").gives(0, "cluster\n", "");
    print(&place, &["--cluster", "eu", "-p", "web"], "a").gives(0, "project\n", "");
    print(&place, &[], "flat").fails(
        125,
        &fault(
            "flat",
            "not found in team of dir:plain; create it, or allow its absence with '?'",
        ),
    );
}

#[test]
fn newlines_at_the_end() {
    let place = place();
    for (contents, trimmed) in [
        ("x", "x"),
        ("x\n", "x"),
        ("x\n\n", "x\n"),
        ("x\r\n", "x\r"),
        ("\nx ", "\nx "),
        ("\n", ""),
        ("", ""),
    ] {
        place.write("plain/a", contents);
        print(&place, &[], "a").gives(0, &format!("{contents}\n"), "");
        print(&place, &["--trim-newline"], "a").gives(0, &format!("{trimmed}\n"), "");
    }
}

/// As the kubelet writes a volume: the files are links through `..data`, which it swaps.
#[test]
fn a_projected_volume() {
    let place = Place::new();
    place.write("plain/..2024_05_01/a", "old");
    place.write("plain/..2024_05_02/a", "new");
    let data = place.path("plain/..data");
    symlink("..2024_05_01", &data).unwrap();
    symlink("..data/a", place.path("plain/a")).unwrap();
    print(&place, &[], "a").gives(0, "old\n", "");
    fs::remove_file(&data).unwrap();
    symlink("..2024_05_02", &data).unwrap();
    print(&place, &[], "a").gives(0, "new\n", "");
    let all = place.doorkey([
        "run",
        "-q",
        "--store",
        "dir:plain",
        "--all",
        "--clear-env",
        "/usr/bin/env",
    ]);
    all.without("PATH").without("HOME").gives(0, "a=new\n", "");
    // The mount itself may be a link.
    symlink("plain", place.path("mount")).unwrap();
    let run = place.doorkey(["run", "-q", "--store", "dir:mount", "printenv", "X"]);
    run.env("X", "secret:a").gives(0, "new\n", "");
}

#[test]
fn links_out_of_the_store_are_refused() {
    let place = place();
    let refused = |scope: &str| format!("{scope} of dir:plain: refused: it leads out of the store");
    for target in ["../outside/a", "/etc/hostname", "../plain/../outside/a"] {
        symlink(target, place.path("plain/link")).unwrap();
        for reference in ["link", "link?", "team/link?text"] {
            let name = reference.split('?').next().unwrap();
            print(&place, &[], reference).fails(125, &fault(name, &refused("team")));
        }
        fs::remove_file(place.path("plain/link")).unwrap();
    }
    // A link to itself never ends.
    symlink("link", place.path("plain/link")).unwrap();
    print(&place, &[], "link").fails(125, &fault("link", &refused("team")));
    // A link inside that leads nowhere is as good as no file.
    symlink("none", place.path("plain/nowhere")).unwrap();
    print(&place, &[], "nowhere?text").gives(0, "text\n", "");
}

/// A scope's folder that leads out of the store is refused: the store does not turn into a flat
/// one, whose secrets would answer in its place.
#[test]
fn a_scope_that_leads_out_is_refused() {
    let place = place();
    place.write("outside/web/a", "canary");
    symlink("../outside", place.path("plain/project")).unwrap();
    print(&place, &["-p", "web"], "a").fails(
        125,
        &fault(
            "a",
            "project/web of dir:plain: refused: it leads out of the store",
        ),
    );
    place.write("scoped/team/a", "team");
    fs::create_dir(place.path("scoped/project")).unwrap();
    symlink("../../outside/web", place.path("scoped/project/web")).unwrap();
    let run = place.doorkey(["run", "-p", "web", "--store", "dir:scoped", "true"]);
    run.env("X", "secret:a?").fails(
        125,
        &fault(
            "a",
            "project/web of dir:scoped: refused: it leads out of the store",
        ),
    );
}

#[test]
fn what_is_no_file_is_refused_without_waiting() {
    let place = place();
    let cause = "team of dir:plain: corrupt: it is no regular file; restore it or set it again";
    nix::unistd::mkfifo(&place.path("plain/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::create_dir(place.path("plain/folder")).unwrap();
    std::os::unix::net::UnixListener::bind(place.path("plain/socket")).unwrap();
    for name in ["pipe", "folder"] {
        print(&place, &["--timeout", "10s"], name).fails(125, &fault(name, cause));
        let check = place.doorkey(["check", "--names", "--store", "dir:plain"]);
        let ended = check.env("X", format!("secret:{name}?")).end();
        assert_eq!((ended.code(), ended.err()), (1, fault(name, cause)));
    }
    assert_eq!(print(&place, &[], "socket?").end().code(), 125);
    let large = "team of dir:plain: larger than 1048576 bytes";
    place.write("plain/large", vec![b'x'; 1024 * 1024 + 1]);
    print(&place, &[], "large").fails(125, &fault("large", large));
}

/// A folder that may be searched but not listed is enough for a name that is known.
#[test]
fn a_folder_that_may_only_be_searched() {
    let place = place();
    let folder = place.path("plain");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o111)).unwrap();
    let run = print(&place, &[], "a").unprivileged(&place);
    run.gives(0, "a-value\n", "");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A scope whose folder can't be read stops the launch, though the team has the name.
#[test]
fn a_denied_folder_does_not_fall_through() {
    let place = Place::new();
    place.write("plain/team/a", "team");
    place.write("plain/project/web/a", "project");
    let folder = place.path("plain/project/web");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
    let denied = "project/web of dir:plain: unreadable: permission denied; plain/project/web is uid 0's, mode 0000, and doorkey runs as uid 65534: run it as uid 0, or chown or chmod that (Kubernetes: fsGroup, defaultMode)";
    for reference in ["a", "a?", "a?text"] {
        print(&place, &["-p", "web"], reference)
            .unprivileged(&place)
            .fails(125, &fault("a", denied));
    }
    let check = place.doorkey(["check", "--names", "--store", "dir:plain", "-p", "web"]);
    let ended = check.env("X", "secret:a").unprivileged(&place).end();
    assert_eq!((ended.code(), ended.err()), (1, fault("a", denied)));
    // Neither is the whole store taken for a flat one when it can't be looked into.
    fs::set_permissions(place.path("plain"), fs::Permissions::from_mode(0o000)).unwrap();
    let run = print(&place, &[], "a?").unprivileged(&place);
    run.fails(
        125,
        &fault("a", "team of dir:plain: unreadable: permission denied; plain is uid 0's, mode 0000, and doorkey runs as uid 65534: run it as uid 0, or chown or chmod that (Kubernetes: fsGroup, defaultMode)"),
    );
    for path in [place.path("plain"), folder] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn stores_that_are_none() {
    let place = place();
    let run = |store: &str| {
        place
            .doorkey(["run", "--store", store, "true"])
            .env("X", "secret:a?")
    };
    run("dir:none").fails(
        125,
        "doorkey: error: dir:none: there is no store there; check the name; the folder has \
         one file a secret, as mounts have\n",
    );
    run("dir:plain/a").fails(
        125,
        "doorkey: error: dir:plain/a: unreadable: not a directory\n",
    );
    let set = place.doorkey(["secret", "set", "s", "--team", "--store", "dir:plain"]);
    set.stdin("canary").fails(
        1,
        "doorkey: error: s in team of dir:plain: doorkey only reads this kind of store\n",
    );
    assert!(!place.path("plain/s").exists());
}
