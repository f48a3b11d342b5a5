//! `|file` in real containers FROM scratch: a read-only root, a numeric user, no capability and no
//! network; becoming the workload, and staying above it with `--init`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use crate::podman;
use crate::podman::{Container, Image, KEPT, LOCKED, only_child};
use support::Place;
use support::workload;

const VALUE: &str = "canary-e2b90d57a1f6";

/// A store and its key, an image, and a folder of the host of which nothing is on a disk.
struct Fixture {
    place: Place,
    image: Image,
    shared: Place,
}

impl Fixture {
    fn new() -> Self {
        let place = Place::within(KEPT);
        let mut init = place.doorkey(["store", "init", "secrets", "-q", "--key-file", "key.txt"]);
        init.command.env("HOME", place.path(""));
        init.ok();
        place.set("team", "db_password", VALUE);
        // Mounted for a user who is not its owner.
        let mode = fs::Permissions::from_mode(0o444);
        fs::set_permissions(place.path("key.txt"), mode).unwrap();
        let name = place.path("");
        let name = name.file_name().unwrap().to_str().unwrap();
        let image = Image(format!("localhost/{name}-files"));
        podman::build_example(&place, &image.0);
        let shared = Place::within("/dev/shm");
        fs::create_dir(shared.path("files")).unwrap();
        chown(shared.path("files"), Some(65534), Some(65534)).unwrap();
        Fixture {
            place,
            image,
            shared,
        }
    }

    /// Starts a container with this workload, this reference, and more options for podman.
    fn start(&self, init: bool, workload: &str, reference: &str, more: &[&str]) -> Container {
        let path = |inside: &str| self.place.path(inside).display().to_string();
        let program = std::env::current_exe().unwrap().display().to_string();
        let mount = |from: &str, to: &str| format!("--volume={from}:{to}:ro");
        let mut words: Vec<String> = LOCKED.map(str::to_owned).into();
        words.extend(more.iter().map(|&word| word.to_owned()));
        words.push(mount(&path("key.txt"), "/run/secrets/key"));
        words.push(mount(&path("secrets"), "/secrets"));
        words.push(mount(&program, "/workload"));
        words.push(format!("--env=DB_PASSWORD_FILE={reference}"));
        words.push(format!("--env={}={workload}", workload::WORKLOAD));
        words.extend(init.then(|| "--env=DOORKEY_INIT=1".to_owned()));
        words.push(self.image.0.clone());
        words.push("/workload".to_owned());
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Container::start(
            &format!("doorkey-files-{}-{count}", std::process::id()),
            words,
        )
    }

    /// podman's options for files in the shared folder.
    fn in_folder(&self) -> [String; 2] {
        let shared = self.shared.path("files");
        [
            format!("--volume={}:/run/files", shared.display()),
            "--env=DOORKEY_FILES=/run/files".to_owned(),
        ]
    }

    fn left(&self) -> Vec<(String, u32, u32)> {
        let entries = fs::read_dir(self.shared.path("files")).unwrap();
        let each = entries.map(|entry| {
            let entry = entry.unwrap();
            let status = entry.metadata().unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, status.mode() & 0o777, status.uid())
        });
        each.collect()
    }
}

/// Whether a file of the container's own, or of all that podman keeps of it, has the value.
fn is_kept(container: &Container) -> bool {
    let tar = Place::within(KEPT);
    let file = tar.path("export.tar").display().to_string();
    podman::done(["export", "--output", &file, &container.name]);
    let exported = fs::read(file).unwrap();
    assert!(exported.len() > 1_000_000, "the image is in it");
    let holds = |bytes: &[u8]| bytes.windows(VALUE.len()).any(|at| at == VALUE.as_bytes());
    let inspected = podman::done(["inspect", &container.name]);
    holds(&exported) || holds(inspected.as_bytes())
}

#[test]
fn in_memory_with_nothing_on_a_disk() {
    let fixture = Fixture::new();
    for init in [false, true] {
        let plain = fixture.start(init, "stay", "secret:db_password", &[]);
        let mut container = fixture.start(init, "stay", "secret:db_password|file", &[]);
        let mut plain = plain;
        for one in [&mut plain, &mut container] {
            one.says("ready");
        }
        let changes = |one: &Container| podman::done(["diff", &one.name]);
        assert_eq!(changes(&container), changes(&plain));
        assert!(!is_kept(&container));
        let first = container.first();
        let workload = if init { only_child(first) } else { first };
        let environ = fs::read_to_string(format!("/proc/{workload}/environ")).unwrap();
        assert!(environ.contains("DB_PASSWORD_FILE=/proc/self/fd/100\0"));
        assert!(!environ.contains(VALUE));
        let descriptors = |process: i32| {
            let entries = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
            let numbers = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut numbers: Vec<u32> = numbers.map(|text| text.parse().unwrap()).collect();
            numbers.sort_unstable();
            numbers
        };
        assert_eq!(descriptors(workload), [0, 1, 2, 100]);
        if init {
            // The supervisor has never had it.
            assert_eq!(descriptors(first), [0, 1, 2]);
        }
        for one in [plain, container] {
            podman::done(["stop", &one.name]);
            assert_eq!(one.end().0, 42);
        }
        let container = fixture.start(init, "files", "secret:db_password|file", &[]);
        let (code, out, err) = container.end();
        let expected = format!(
            "DB_PASSWORD_FILE /proc/self/fd/100 100400 65534:65534 seals 0x2f at 0 write -1 \
             chmod -1 19 bytes {VALUE}\n[0, 1, 2, 100]\n"
        );
        assert_eq!((code, out), (0, expected), "{err}");
        assert!(!err.contains(VALUE));
    }
}

#[test]
fn in_a_folder() {
    let fixture = Fixture::new();
    let [volume, variable] = fixture.in_folder();
    let more = [&*volume, &*variable];
    for init in [false, true] {
        for (left, ..) in fixture.left() {
            fs::remove_file(fixture.shared.path("files").join(left)).unwrap();
        }
        let mut container = fixture.start(init, "stay", "secret:db_password|file", &more);
        container.says("ready");
        assert_eq!(
            fixture.left(),
            [("DB_PASSWORD_FILE".to_owned(), 0o400, 65534)]
        );
        assert!(!is_kept(&container));
        podman::done(["stop", &container.name]);
        assert_eq!(container.end().0, 42);
        let container = fixture.start(init, "files", "secret:db_password|file:db", &more);
        let (code, out, err) = container.end();
        let expected = format!(
            "DB_PASSWORD_FILE /run/files/db 100400 65534:65534 seals 0x1 at 0 write -1 chmod 0 19 \
             bytes {VALUE}\n[0, 1, 2]\n"
        );
        assert_eq!((code, out), (0, expected), "{err}");
    }
    // The container's root is no tmpfs, and can't be written to either.
    let more = ["--env=DOORKEY_FILES=/files"];
    let (code, out, err) = fixture
        .start(false, "files", "secret:db_password|file", &more)
        .end();
    let said = "doorkey: error: /files: it is not on tmpfs, so values would be on a disk; \
                --allow-disk allows that\n";
    assert_eq!((code, out.as_str(), err.as_str()), (125, "", said));
    let more = ["--env=DOORKEY_FILES=/files", "--env=DOORKEY_ALLOW_DISK=1"];
    let (code, out, err) = fixture
        .start(false, "files", "secret:db_password|file", &more)
        .end();
    let said = "doorkey: error: DOORKEY_FILES: can't write to /files: read-only file system";
    assert_eq!(
        (code, out.as_str(), err.lines().last()),
        (125, "", Some(said))
    );
}

/// What the supervisor does when the workload has ended.
#[test]
fn a_folder_is_empty_in_the_end() {
    let fixture = Fixture::new();
    let [volume, variable] = fixture.in_folder();
    let more = [&*volume, &*variable];
    let mut container = fixture.start(true, "stay", "secret:db_password|file", &more);
    container.says("ready");
    assert_eq!(fixture.left().len(), 1);
    podman::done(["stop", &container.name]);
    assert_eq!(container.end().0, 42);
    assert_eq!(fixture.left(), []);
}
