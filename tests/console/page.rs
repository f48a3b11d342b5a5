//! The page in a browser, as a person uses it: on a folder and on a real server.

use serde_json::{Value, json};
use support::Place;
use support::bao::App;

use crate::browser::{Browser, ENTER, ESCAPE, SPACE, TAB};
use crate::place::{Console, own};

/// A store that the page is tried on: the command line beside it reads a value.
trait Beside {
    fn value(&self, scope: &str, name: &str) -> Option<String>;
}

impl Beside for Place {
    fn value(&self, scope: &str, name: &str) -> Option<String> {
        let value = self.reveal(scope, name)?;
        Some(String::from_utf8(value).unwrap())
    }
}

impl Beside for App {
    fn value(&self, scope: &str, name: &str) -> Option<String> {
        let words = format!("secret get {name} --reveal --{}", scope.replace('/', " "));
        let ended = self.operator(&words).end();
        (ended.code() == 0).then(|| ended.out())
    }
}

/// Shows a scope's page, by its link.
fn visit<'b>(browser: &'b Browser, scope: &str, title: &str) -> &'b Browser {
    browser.click(&format!("nav a[href='#/scope/{scope}']"));
    browser.until(&format!(
        "!document.getElementById('scope').hidden && document.getElementById('scope-title').textContent === '{title}'"
    ));
    // What is under the mouse stays there from then on.
    browser.until("document.activeElement.id === 'main'")
}

/// Chooses a project or cluster in the overview.
fn choose(kind: &str, id: &str) -> String {
    format!("{kind}.value = '{id}'; {kind}.dispatchEvent(new Event('change', {{bubbles: true}}))")
}

fn rows(browser: &Browser, table: &str) -> Value {
    browser.js(&format!(
        "return [...document.querySelectorAll('#{table} tr')].filter((one) => !one.hidden)
            .map((one) => [...one.children].map((cell) => cell.innerText.replace(/\\s+/g, ' ').trim()))"
    ))
}

/// The names that a scope's page lists.
fn names(browser: &Browser) -> Vec<String> {
    let rows = rows(browser, "scope-rows");
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row[0].as_str().unwrap().to_owned())
        .collect()
}

/// Every path of the page. The store has `db_password` in all three scopes, `smtp_user` in the
/// team's.
fn every_path(browser: &Browser, beside: &impl Beside, store: &str) {
    assert_eq!(browser.text("store"), store);
    assert!(
        !browser.url().contains('#'),
        "the token is out of the address"
    );

    // The overview says which scope wins.
    browser.says("overview-head", "team");
    assert_eq!(browser.text("overview-head"), "Name\tteam");
    browser.js(&choose("project", "web"));
    browser.says("overview-head", "project/web");
    browser.js(&choose("cluster", "eu"));
    browser.says("overview-head", "cluster/eu");
    browser.until("document.querySelectorAll('.shadowed').length === 2");
    let expected = json!([
        [
            "db_password",
            "db_password shadowed by project/web",
            "db_password shadowed by project/web",
            "wins"
        ],
        ["smtp_user", "wins", "–", "–"],
    ]);
    assert_eq!(rows(browser, "overview-rows"), expected);
    browser
        .types("#find-overview", "SMTP")
        .says("overview-count", "1 of 2 names");

    // A new secret, of several lines.
    visit(browser, "project/web", "Project web");
    browser.types("#name", "tls_key");
    browser.js("value.value = 'one\\ntwo\\n'");
    browser
        .click("#write-button")
        .says("said", "tls_key is created in project/web of");
    assert_eq!(
        beside.value("project/web", "tls_key").as_deref(),
        Some("one\ntwo")
    );
    assert_eq!(
        browser.js("return [value.value, document.getElementById('name').value]"),
        json!(["", ""])
    );
    assert_eq!(names(browser), ["db_password", "tls_key"]);

    // A fault stands beside its field, which has the focus; the value is gone.
    browser
        .types("#name", "tls_key")
        .types("#value", "again")
        .click("#write-button");
    browser.says("name-error", "it exists already");
    assert_eq!(browser.js("return [document.activeElement.id, document.activeElement.getAttribute('aria-invalid'), value.value]"), json!(["name", "true", ""]));
    browser
        .click("#write-button")
        .says("value-error", "the value is empty");
    assert_eq!(browser.text("name-error"), "");

    // An update, with the newline that is otherwise dropped.
    browser.click("button[aria-label='Update tls_key']");
    browser.says("write-title", "Update tls_key");
    assert_eq!(
        browser.js("return [document.getElementById('name').readOnly, document.activeElement.id]"),
        json!([true, "value"])
    );
    browser.js("value.value = 'three\\n'; raw.checked = true");
    browser
        .click("#write-button")
        .says("said", "tls_key is updated in project/web of");
    assert_eq!(
        beside.value("project/web", "tls_key").as_deref(),
        Some("three\n")
    );

    // A dialog that is cancelled deletes nothing.
    browser.click("button[aria-label='Delete db_password']");
    browser.says("delete-what", "db_password is removed from project/web.");
    let after =
        "Afterwards the name of cluster/eu wins in a launch there; in any other, the team's wins.";
    browser.says("delete-after", after);
    browser
        .click("#delete-cancel")
        .until("!document.querySelector('dialog[open]')");
    browser
        .click("button[aria-label='Delete db_password']")
        .press(ESCAPE);
    browser.until("!document.querySelector('dialog[open]')");
    assert_eq!(
        beside.value("project/web", "db_password").as_deref(),
        Some("value")
    );
    browser
        .click("button[aria-label='Delete db_password']")
        .click("#delete-button");
    browser.says("said", "db_password is removed from project/web of");
    assert_eq!(beside.value("project/web", "db_password"), None);
    assert_eq!(names(browser), ["tls_key"]);

    // A dropped file: its names, one of them skipped, and then one button.
    visit(browser, "team", "Team");
    browser.drops(
        "text",
        "dropped.env",
        "smtp_user=new\nADDED='a\nb'\nLEFT=x\nEMPTY=\n",
    );
    browser.until("!document.getElementById('plan').hidden");
    let plan = "return [...document.querySelectorAll('#plan-rows li')].map((one) => one.innerText.replace(/\\s+/g, ' ').trim())";
    assert_eq!(
        browser.js(plan),
        json!([
            "smtp_user overwrite",
            "ADDED create",
            "LEFT create",
            "EMPTY skipped"
        ])
    );
    // A name without a value can't be chosen.
    assert_eq!(
        browser.js("return document.getElementById('plan-3').disabled"),
        true
    );
    browser.click("#plan-2");
    assert_eq!(browser.js(plan)[2], "LEFT skipped");
    assert_eq!(browser.text("import-button"), "Store 2 names");
    assert_eq!(
        beside.value("team", "smtp_user").as_deref(),
        Some("value"),
        "not yet"
    );
    browser
        .click("#import-button")
        .says("said", "2 stored in team of");
    assert_eq!(beside.value("team", "smtp_user").as_deref(), Some("new"));
    assert_eq!(beside.value("team", "ADDED").as_deref(), Some("a\nb"));
    assert_eq!(beside.value("team", "LEFT"), None);
    assert_eq!(beside.value("team", "EMPTY"), None);
    assert_eq!(browser.js("return text.value"), "");
    // A pasted one, with a fault in it.
    browser.types("#text", "9A=1").click("#plan-button");
    browser.says("text-error", "the text:1:1: 9A: a new name is letters");

    // A new scope is there with its first secret.
    browser
        .click("button[aria-label='New project']")
        .types("#id", "..")
        .press(ENTER);
    browser.says("id-error", "an id is letters");
    browser.js("document.getElementById('id').value = ''");
    browser.types("#id", "shop").press(ENTER);
    browser.says("scope-title", "Project shop");
    browser
        .types("#name", "first")
        .types("#value", "value")
        .press(TAB);
    browser
        .click("#write-button")
        .says("said", "first is created in project/shop of");
    assert_eq!(
        beside.value("project/shop", "first").as_deref(),
        Some("value")
    );

    // A spec is checked.
    browser
        .click("nav a[href='#/check']")
        .until("!document.getElementById('check').hidden");
    let spec = "env:\n  - name: DB\n    value: secret:db_password\n  - name: GONE\n    value: secret:smtp_usr\n";
    browser.drops("spec", "spec.yaml", spec);
    browser.until("spec.value.length > 0");
    browser.js("document.getElementById('check-cluster').value = 'eu'");
    browser
        .click("#check-form .primary")
        .says("check-faults", "did you mean smtp_user (team)?");
    let expected = json!([
        ["DB", "secret:db_password", "cluster/eu", "team", "exists"],
        ["GONE", "secret:smtp_usr", "–", "–", "missing"],
    ]);
    assert_eq!(rows(browser, "check-rows"), expected);

    // What was done, the last thing first.
    let done = browser.text("done");
    let done: Vec<_> = done.lines().filter(|line| line.contains(" of ")).collect();
    let [first, .., last] = &done[..] else {
        panic!("{done:?}")
    };
    assert!(
        first.contains("first is created in project/shop") && last.contains("tls_key is created")
    );
    assert_eq!(done.len(), 5, "{done:?}");

    // The page stays with its session when it is loaded again.
    browser.js("location.reload()");
    browser.until("document.readyState === 'complete' && !document.getElementById('nav').hidden");
    assert_eq!(browser.text("done").matches("tls_key").count(), 2);
    assert_eq!(browser.js("return document.cookie"), "");
    // Faults are answers with a status, which the browser notes; nothing else is wrong.
    let complaints = browser.complaints();
    let others = complaints.iter().filter(|one| {
        !one.contains("status of 422") && !one.contains("status of 502") && !one.contains("favicon")
    });
    assert_eq!(others.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn every_path_on_a_folder() {
    let own = own();
    let browser = own.browse();
    every_path(&browser, &own.place, "age:secrets");
    // Who can read: the store's list, and a scope's own.
    let other = own.place.key("other");
    let add = own
        .place
        .on("store recipient add --project web --name alice -q");
    add.arg(&other).ok();
    browser
        .click("nav a[href='#/readers']")
        .says("reader-lists", "project/web, by a list of its own");
    let named = format!("alice: {other}");
    assert_eq!(browser.text("reader-lists").matches(&named).count(), 1);
    assert_eq!(browser.text("reader-lists").matches("age1").count(), 3);
}

#[test]
fn every_path_on_a_server() {
    let app = App::new();
    for document in ["cluster/eu", "project/web"] {
        app.put(document, json!({"db_password": "value"}));
    }
    app.put(
        "team",
        json!({"db_password": "value", "smtp_user": "value"}),
    );
    let console = Console::start(&app.place, app.operator("console"));
    let browser = console.browse();
    every_path(&browser, &app, &app.store());
    assert_eq!(
        browser.js("return document.getElementById('readers-link').hidden"),
        true
    );
}

/// The focus comes to each thing that can be used, and each can be used by keys.
#[test]
fn by_keyboard_alone() {
    let own = own();
    let browser = own.browse();
    let focus = || {
        browser.js("const on = document.activeElement; return on.id || on.getAttribute('aria-label') || on.textContent")
    };
    let tab_to = |what: &str| {
        for _ in 0..60 {
            if focus() == what {
                return;
            }
            browser.press(TAB);
        }
        panic!("the focus never comes to {what}");
    };
    assert_eq!(
        browser.js("return document.querySelector('a, button, input').id"),
        "skip"
    );
    browser.js("document.getElementById('skip').focus()");
    tab_to("Team");
    browser.js("document.getElementById('skip').focus()");
    browser.press(ENTER);
    assert_eq!(focus(), "main");
    browser.js("document.getElementById('skip').focus()");
    tab_to("Team");
    browser.press(ENTER).says("scope-title", "Team");
    browser.until("document.activeElement.id === 'main'");
    browser.press(TAB);
    assert_eq!(focus(), "name", "the form comes first");
    browser.press("added").press(TAB).press("value");
    tab_to("raw");
    browser.press(SPACE).press(TAB);
    assert_eq!(focus(), "write-button");
    browser
        .press(ENTER)
        .says("said", "added is created in team of");
    browser.until("document.activeElement.id === 'name'");
    tab_to("Update added");
    browser.press(ENTER).says("write-title", "Update added");
    assert_eq!(focus(), "value");
    browser.press("new");
    tab_to("write-button");
    browser
        .press(SPACE)
        .says("said", "added is updated in team of");
    assert_eq!(own.place.value("team", "added").as_deref(), Some("new"));
    browser.until("document.activeElement.id === 'name'");
    tab_to("Delete added");
    browser
        .press(ENTER)
        .until("document.querySelector('dialog[open]')");
    // Whoever presses Enter twice has deleted nothing.
    assert_eq!(focus(), "delete-cancel");
    browser
        .press(ENTER)
        .until("!document.querySelector('dialog[open]')");
    assert_eq!(focus(), "Delete added");
    browser
        .press(ENTER)
        .until("document.querySelector('dialog[open]')");
    tab_to("delete-button");
    browser
        .press(ENTER)
        .says("said", "added is removed from team of");
    assert_eq!(own.place.value("team", "added"), None);
}

/// Another writer's change is seen when the person comes back to the page.
#[test]
fn a_change_made_elsewhere_shows_on_focus() {
    let own = own();
    let browser = own.browse();
    visit(&browser, "team", "Team");
    browser.until("document.querySelectorAll('#scope-rows tr').length === 2");
    browser.types("#name", "half_typed");
    own.place.set("team", "elsewhere", "value");
    own.place.set("project/new", "first", "value");
    browser.js("dispatchEvent(new Event('focus'))");
    browser
        .says("scope-rows", "elsewhere")
        .says("projects", "new");
    assert_eq!(
        browser.js("return document.getElementById('name').value"),
        "half_typed"
    );
}
