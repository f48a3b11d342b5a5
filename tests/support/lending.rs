//! OpenBao with a database that it makes users of, and a role that may have them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use serde_json::json;

use crate::Run;
use crate::bao::{App, wait};
use crate::postgres::Postgres;

/// A server with users of a database, and AppRole `web`, which may read them.
pub struct Lending {
    /// The server.
    pub app: App,
    /// The database.
    pub postgres: Postgres,
    /// The role's id.
    pub role: String,
    /// Its secret id.
    pub secret: String,
}

/// Where a user's name is.
pub const USER: &str = "vault:database/creds/app#username";
/// Where the password is.
pub const PASSWORD: &str = "vault:database/creds/app#password";

/// What the role may do beside what all may.
pub const READS: &str = r#"path "database/creds/*" { capabilities = ["read"] }"#;

impl Lending {
    /// The server that the tests of this file share; leases are counted, so that one test at a time
    /// has it.
    pub fn shared() -> (Arc<Self>, MutexGuard<'static, ()>) {
        static SHARED: Mutex<Weak<Lending>> = Mutex::new(Weak::new());
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let lending = shared.upgrade().unwrap_or_else(|| Arc::new(Self::new()));
        *shared = Arc::downgrade(&lending);
        (lending, turn)
    }

    /// A server of its own.
    pub fn new() -> Self {
        let (app, postgres) = (App::alone(), Postgres::new());
        postgres.serve(&app.admin, 3600, 7200);
        let reads = format!(
            "{READS}\npath \"{}/*\" {{ capabilities = [\"read\"] }}",
            app.mount
        );
        app.admin.policy("lent", &reads);
        let (role, secret) = app.admin.approle("approle", "lent");
        app.put("team", json!({"k": "v"}));
        Lending {
            app,
            postgres,
            role,
            secret,
        }
    }

    /// doorkey with the first user of the database in its environment, by AppRole.
    pub fn run(&self, words: &str) -> Run {
        self.by(&format!("{words} --auth approle"))
            .env("VAULT_ROLE_ID", &self.role)
            .env("VAULT_SECRET_ID", &self.secret)
    }

    /// The same, without anything to log in with.
    pub fn by(&self, words: &str) -> Run {
        let run = self.app.place.doorkey(words.split_whitespace());
        run.env("VAULT_ADDR", self.app.bao.address())
            .env("PGUSER", USER)
            .env("PGPASSWORD", PASSWORD)
    }

    /// How many leases there are.
    pub fn leases(&self) -> usize {
        let answer =
            self.app
                .admin
                .ask("LIST", "sys/leases/lookup/database/creds/app", &json!(null));
        let list = answer.unwrap().json();
        list["data"]["keys"].as_array().map_or(0, Vec::len)
    }

    /// Takes all of them back.
    pub fn clear(&self) {
        self.app.admin.write(
            "sys/leases/revoke-prefix/database/creds/app",
            json!({"sync": true}),
        );
        wait("no lease", || {
            (self.leases() + self.postgres.users() == 0).then_some(())
        });
    }

    /// The words of a workload that logs in to the database.
    pub fn logs_in(&self) -> [String; 3] {
        let psql = self.postgres.bin.join("psql");
        let port = self.postgres.port;
        let script = format!(
            "echo \"$PGUSER\"; {} -h 127.0.0.1 -p {port} -d postgres -tAqX -c 'select 7'",
            psql.display()
        );
        ["sh".to_owned(), "-c".to_owned(), script]
    }
}
