//! What a launch, an interval and a renewal cost a server, counted in its audit log: the numbers in
//! `docs/src/stores/leases.md`.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;
use support::Run;
use support::lending::{Lending, PASSWORD, USER};
use support::watched::{Watched, until};

const LOGIN: &str = "update auth/approle/login";
const GIVEN_UP: &str = "update auth/token/revoke-self";
const LENT: &str = "read database/creds/app";
const TOKEN: &str = "update auth/token/renew-accessor";
const MAY: &str = "update sys/capabilities-self";
const BACK: &str = "update sys/leases/revoke/database";
const RENEWED: &str = "update sys/leases/renew";

/// What allows the token that a lease hangs on to be made longer.
const ACCESSOR: &str = "path \"auth/token/renew-accessor\" { capabilities = [\"update\"] }";

/// How often each request was made.
type Counts = BTreeMap<String, usize>;

struct Costs(Lending);

impl Costs {
    fn new() -> Self {
        let lending = Lending::new();
        let place = &lending.app.place;
        place.write("secret-id", &lending.secret);
        place.write("token", lending.app.admin.token("lent"));
        let reads = support::lending::READS;
        let kv = format!(
            "path \"{}/*\" {{ capabilities = [\"read\"] }}",
            lending.app.mount
        );
        let back =
            "path \"sys/leases/revoke/database/creds/app/*\" { capabilities = [\"update\"] }";
        let policy = format!("{reads}\n{kv}\n{back}");
        lending.app.admin.policy("lent", &policy);
        Costs(lending)
    }

    /// A document of KV.
    fn document(&self) -> String {
        format!("{}/data/app/team", self.0.app.mount)
    }

    fn reads(&self) -> String {
        format!("read {}", self.document())
    }

    fn doorkey(&self, words: &str, by: &str) -> Run {
        let run = self
            .0
            .app
            .place
            .doorkey(format!("run -q {words}").split_whitespace());
        let run = run.env("VAULT_ADDR", self.0.app.bao.address());
        match by {
            "token" => run.env("VAULT_TOKEN_FILE", self.0.app.place.path("token")),
            _ => run
                .env("VAULT_AUTH_METHOD", "approle")
                .env("VAULT_ROLE_ID", &self.0.role)
                .env("VAULT_SECRET_ID_FILE", self.0.app.place.path("secret-id")),
        }
    }

    /// With a value of KV.
    fn kept(&self, words: &str, by: &str) -> Run {
        let place = format!("vault:{}#k", self.document());
        self.doorkey(words, by).env("V", place)
    }

    /// With a user that the server makes.
    fn lent(&self, words: &str) -> Run {
        let run = self.doorkey(words, "approle");
        run.env("PGUSER", USER).env("PGPASSWORD", PASSWORD)
    }

    /// What was asked since a mark.
    fn counts(&self, mark: usize) -> Counts {
        let mut counts = Counts::new();
        for request in self.0.app.bao.requests(mark) {
            let path = request.split("/creds/app/").next().unwrap();
            *counts.entry(path.to_owned()).or_default() += 1;
        }
        counts
    }

    /// Since a mark this was asked, and nothing else. The last revocation isn't waited for.
    #[track_caller]
    fn asked(&self, mark: usize, all: &[(&str, usize)]) {
        let total = |counts: &Counts| counts.values().sum::<usize>();
        let all = all.iter().map(|(name, count)| ((*name).to_owned(), *count));
        let all: Counts = all.collect();
        until("all of it", || total(&self.counts(mark)) >= total(&all));
        sleep(Duration::from_millis(100));
        assert_eq!(self.counts(mark), all);
    }

    fn of(&self, mark: usize, request: &str) -> usize {
        let requests = self.0.app.bao.requests(mark);
        requests.iter().filter(|one| *one == request).count()
    }

    /// What is asked in at least so many intervals, and in how many.
    fn watched(&self, by: &str, least: usize) -> (usize, Counts) {
        let run = self.kept("--watch 100ms", by);
        let mut watched = Watched::start(run.args(["--", "sh", "-c", "echo in; exec sleep 1000"]));
        watched.shows("in");
        sleep(Duration::from_millis(300));
        let mark = self.0.app.bao.mark();
        until("the intervals", || self.of(mark, &self.reads()) >= least);
        watched.send(libc::SIGTERM);
        assert_eq!(watched.end().0, 143);
        sleep(Duration::from_millis(500));
        let counts = self.counts(mark);
        (counts[&self.reads()], counts)
    }
}

#[test]
fn of_a_launch_and_of_an_interval() {
    let costs = Costs::new();
    let read = costs.reads();
    let launch = |run: Run, all: &[(&str, usize)]| {
        let mark = costs.0.app.bao.mark();
        run.args(["--", "true"]).ok();
        costs.asked(mark, all);
    };
    // An errand that the end interrupts is not whole.
    let near = |count: Option<&usize>, intervals: usize| {
        count.is_some_and(|count| count.abs_diff(intervals) <= 1)
    };
    launch(costs.kept("", "token"), &[(&read, 1)]);
    let (_, hour) = costs.watched("token", 20);
    assert_eq!(hour.len(), 1, "{hour:?}");

    let three = [(&*read, 1), (LOGIN, 1), (GIVEN_UP, 1)];
    launch(costs.kept("", "approle"), &three);
    let (intervals, hour) = costs.watched("approle", 20);
    assert_eq!(hour.len(), 3, "{hour:?}");
    assert!(
        [LOGIN, GIVEN_UP]
            .iter()
            .all(|one| near(hour.get(*one), intervals)),
        "{hour:?}"
    );

    // What is lent lives on with its token.
    launch(costs.lent(""), &[(LENT, 1), (LOGIN, 1)]);
    // With a supervisor it is given back.
    let five = [(LENT, 1), (LOGIN, 2), (BACK, 1), (GIVEN_UP, 1)];
    launch(costs.lent("--init"), &five);

    let batch = json!({"token_type": "batch"});
    costs.0.app.admin.write("auth/approle/role/web", batch);
    launch(costs.kept("", "approle"), &[(&read, 1), (LOGIN, 1)]);
    let (intervals, hour) = costs.watched("approle", 20);
    assert_eq!(hour.len(), 2, "{hour:?}");
    assert!(near(hour.get(LOGIN), intervals), "{hour:?}");
}

#[test]
fn of_a_lease_that_is_kept() {
    let costs = Costs::new();
    let postgres = &costs.0.postgres;
    let mark = || costs.0.app.bao.mark();
    let supervised = |words: &str, script: &str| {
        let run = costs.lent(&format!("--init {words}"));
        let script = format!("echo in; {script} exec sleep 1000");
        let mut watched = Watched::start(run.args(["--", "sh", "-c", &script]));
        watched.shows("in");
        watched
    };
    let ends = |watched: Watched| {
        let before = costs.of(0, GIVEN_UP);
        watched.send(libc::SIGTERM);
        assert_eq!(watched.end().0, 143);
        until("the last revocation", || costs.of(0, GIVEN_UP) > before);
    };
    postgres.role(&costs.0.app.admin, "app", 3, 3600);
    let watched = supervised("", "");
    let began = mark();
    until("three renewals", || costs.of(began, GIVEN_UP) == 3);
    // The first one asks whether the token can be made longer as well, which is denied.
    let renewals = [(LOGIN, 3), (RENEWED, 3), (GIVEN_UP, 3), (TOKEN, 1)];
    costs.asked(began, &renewals);
    ends(watched);

    // It can't be renewed beyond its first end: a launch, a renewal that shows it, and eight more.
    postgres.role(&costs.0.app.admin, "app", 4, 4);
    let began = mark();
    let mut watched = supervised("", "");
    watched.shows("in");
    let once = [(RENEWED, 1), (TOKEN, 1), (MAY, 1), (BACK, 1)];
    let all = [&once[..], &[(LOGIN, 5), (LENT, 2), (GIVEN_UP, 3)]].concat();
    costs.asked(began, &all);
    ends(watched);
    // One that gets a signal keeps the old one until that ends: two more.
    std::fs::create_dir(costs.0.app.place.path("files")).unwrap();
    let began = mark();
    let words = "--on-change signal:HUP --allow-disk --files files -eF=vault:database/creds/app#password|file";
    let watched = supervised(
        words,
        "trap : HUP; trap 'exit 143' TERM; while :; do sleep 0.1; done;",
    );
    let all = [
        (LOGIN, 3),
        (LENT, 2),
        (RENEWED, 1),
        (TOKEN, 1),
        (GIVEN_UP, 1),
    ];
    costs.asked(began, &all);
    ends(watched);

    // With the policy the token is made longer each time.
    let policy = format!("{}\n{ACCESSOR}", support::lending::READS);
    costs.0.app.admin.policy("lent", &policy);
    postgres.role(&costs.0.app.admin, "app", 3, 3600);
    let watched = supervised("", "");
    let began = mark();
    until("two renewals", || costs.of(began, GIVEN_UP) == 2);
    let renewals = [(LOGIN, 2), (RENEWED, 2), (GIVEN_UP, 2), (TOKEN, 2)];
    costs.asked(began, &renewals);
    ends(watched);
}
