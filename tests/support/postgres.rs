//! A real PostgreSQL as a process of the test, ended with it, that OpenBao makes users of.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::Place;
use crate::bao::{Admin, free_port, spawn, wait};

/// A server, which trusts whoever is its superuser, and asks all others for their passwords.
pub struct Postgres {
    /// `HOST:PORT`.
    pub port: u16,
    /// Its clients, wherever Debian puts them.
    pub bin: PathBuf,
    /// Where its data are, until it ends.
    _place: Place,
    child: Child,
}

/// The folder of the newest version's programs.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("`sh .ci/test` installs PostgreSQL");
    let mut versions: Vec<_> = versions.map(|entry| entry.unwrap().path()).collect();
    versions.sort();
    versions.pop().expect("a version").join("bin")
}

/// A command as a user that PostgreSQL runs as: never root.
fn command(program: PathBuf) -> Command {
    // SAFETY: it takes nothing.
    if unsafe { libc::geteuid() } != 0 {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            "--",
        ])
        .arg(program);
    command
}

impl Postgres {
    /// An empty one.
    pub fn new() -> Self {
        let (place, bin) = (Place::new(), programs());
        let data = place.path("data");
        fs::create_dir(&data).unwrap();
        let owner = Command::new("chown").arg("postgres").arg(&data).status();
        // Where we are not root it is ours.
        drop(owner);
        let made = command(bin.join("initdb"))
            .args([
                "-U",
                "root",
                "-A",
                "scram-sha-256",
                "--no-sync",
                "--no-locale",
                "-E",
                "UTF8",
            ])
            .args(["--pwfile=/dev/stdin", "-D"])
            .arg(&data)
            .current_dir("/")
            .stdin(Stdio::from(
                fs::File::open(place.write("password", "root")).unwrap(),
            ))
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = free_port();
        let log = fs::File::create(place.path("log")).unwrap();
        let mut server = command(bin.join("postgres"));
        server
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ])
            .args(["-c", "fsync=off", "-p", &port.to_string(), "-D"])
            .arg(&data)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = spawn(server);
        let postgres = Postgres {
            port,
            bin,
            _place: place,
            child,
        };
        wait("PostgreSQL answers", || {
            let answer = postgres
                .client("root", "root")
                .args(["-c", "select 1"])
                .output();
            answer.unwrap().status.success().then_some(())
        });
        postgres
    }

    /// `psql` as a user.
    pub fn client(&self, user: &str, password: &str) -> Command {
        let mut client = Command::new(self.bin.join("psql"));
        client
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", user])
            .args(["-d", "postgres", "-tAqX"])
            .env("PGPASSWORD", password)
            .stdin(Stdio::null());
        client
    }

    /// What a query gives to the superuser.
    pub fn ask(&self, query: &str) -> String {
        let answer = self.client("root", "root").arg("-c").arg(query).output();
        let answer = answer.unwrap();
        assert!(
            answer.status.success(),
            "{}",
            String::from_utf8_lossy(&answer.stderr)
        );
        String::from_utf8(answer.stdout).unwrap().trim().to_owned()
    }

    /// How many users OpenBao has made that are still there.
    pub fn users(&self) -> usize {
        let count = self.ask("select count(*) from pg_roles where rolname like 'v-%'");
        count.parse().unwrap()
    }

    /// Has OpenBao make users of it at `database/creds/app`, for so many seconds, and for so many
    /// at most.
    pub fn serve(&self, admin: &Admin, seconds: u64, most: u64) {
        admin.write("sys/mounts/database", json!({"type": "database"}));
        let url = format!(
            "postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        );
        admin.write(
            "database/config/main",
            json!({
                "plugin_name": "postgresql-database-plugin", "allowed_roles": "*",
                "connection_url": url, "username": "root", "password": "root",
            }),
        );
        self.role(admin, "app", seconds, most);
    }

    /// One more role.
    pub fn role(&self, admin: &Admin, name: &str, seconds: u64, most: u64) {
        let make = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';";
        admin.write(
            &format!("database/roles/{name}"),
            json!({
                "db_name": "main", "creation_statements": make,
                "default_ttl": format!("{seconds}s"), "max_ttl": format!("{most}s"),
            }),
        );
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its processes end with it.
        let _ = Command::new("kill")
            .args(["-QUIT", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}
