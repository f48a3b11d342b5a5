//! A `doorkey.toml` of somebody else's in a container: one of an image, and one of the host's.

use std::fs;
use std::os::unix::fs::chown;

use crate::podman::{BUILD, Image, KEPT, done, podman};
use support::{DOORKEY, Place, executable};

const WAYS: &str = "if you trust it, name it with --config or DOORKEY_CONFIG, mount it read-only, or \
    chown and chmod it";

/// An image with `COPY --chown`, and a folder of the host's mounted into a container.
#[test]
fn in_containers() {
    let place = Place::within(KEPT);
    let name = place
        .path("")
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
        + "-trust";
    executable(
        &place.path("image/doorkey"),
        &fs::read(DOORKEY).unwrap(),
        0o755,
    );
    place.write("image/doorkey.toml", "store = 'dir:/plain'\n");
    place.write(
        "image/Dockerfile",
        "FROM scratch\nCOPY doorkey /\nCOPY --chown=1000:1000 doorkey.toml /app/\nWORKDIR /app\n\
         ENTRYPOINT [\"/doorkey\"]\n",
    );
    let mut words = vec!["build"];
    words.extend(BUILD);
    let context = place.path("image").display().to_string();
    words.extend(["--tag", &name, &context]);
    done(words);
    let image = Image(name);
    let host = place.write("host/doorkey.toml", "store = 'dir:/plain'\n");
    chown(&host, Some(1000), Some(1000)).unwrap();
    let mount = format!("--volume={}:/app", place.path("host").display());
    let read_only = format!("{mount}:ro");
    let check = |options: &[&str]| {
        let mut command = podman(["run", "--rm", "--network=none"]);
        let output = command
            .args(options)
            .args([&*image.0, "env", "-e", "A=secret:a?"])
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap(), err)
    };
    let refused = format!(
        "doorkey: error: /app/doorkey.toml: not obeyed, as it belongs to user 1000 (we are user 0); \
         {WAYS}\n"
    );
    // That it is obeyed shows by its store being looked for.
    let obeyed = "dir:/plain: there is no store there";
    for (options, is_obeyed) in [
        (&[][..], false),
        (&["--user=1000"], true),
        (&["--read-only"], true),
        (&["--env=DOORKEY_CONFIG=/app/doorkey.toml"], true),
        (&[&*mount], false),
        (&[&*mount, "--user=1000"], true),
        (&[&*read_only], true),
    ] {
        let (code, err) = check(options);
        assert_eq!(code, 1, "{options:?}: {err}");
        match is_obeyed {
            true => assert!(err.contains(obeyed), "{options:?}: {err}"),
            false => assert_eq!(err, refused, "{options:?}"),
        }
    }
}
