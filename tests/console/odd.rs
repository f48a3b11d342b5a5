//! The page when something is unusual: a lost store, large texts, odd addresses, files, an end.

use std::fs;

use serde_json::json;
use support::Place;

use crate::browser::Browser;
use crate::place::{Console, own};

/// Shows a scope's page with its names.
fn visit(browser: &Browser, scope: &str) {
    browser.js(&format!("location.hash = '#/scope/{scope}'"));
    browser.until(&format!(
        "document.querySelector('nav [aria-current]')?.hash === '#/scope/{scope}'"
    ));
    browser.until("document.getElementById('scope-count').textContent");
    browser.until("document.activeElement.id === 'main'");
}

#[test]
fn a_lost_store_is_said_and_comes_back() {
    let own = own();
    let browser = own.browse();
    visit(&browser, "team");
    let (here, away) = (own.place.path("secrets"), own.place.path("away"));
    fs::rename(&here, &away).unwrap();
    browser.js("dispatchEvent(new Event('focus'))");
    browser.says("fault", "age:secrets");
    browser.js("location.reload()");
    browser.until("document.readyState === 'complete'");
    browser.says("fault", "age:secrets");
    fs::rename(&away, &here).unwrap();
    browser.js("dispatchEvent(new Event('focus'))");
    browser
        .says("scope-rows", "smtp_user")
        .until("document.getElementById('fault').textContent === ''");
}

#[test]
fn the_focus_stays_when_the_list_is_made_anew() {
    let own = own();
    let browser = own.browse();
    visit(&browser, "team");
    browser.js("document.querySelector('[aria-label=\"Update smtp_user\"]').focus()");
    own.place.set("team", "another", "value");
    browser.js("dispatchEvent(new Event('focus'))");
    browser.says("scope-rows", "another");
    let focus = "return document.activeElement.ariaLabel";
    assert_eq!(browser.js(focus), "Update smtp_user");
}

#[test]
fn large_texts_are_refused_and_nothing_else_stops() {
    let own = own();
    let browser = own.browse();
    visit(&browser, "team");
    let why = "that is too large: a value is at most 64 KiB, a file 256 KiB";
    for lines in [7_000, 60_000] {
        browser.js(&format!(
            "document.getElementById('name').value = 'large'; value.value = '123456789\\n'.repeat({lines})"
        ));
        browser.click("#write-button").says("write-error", why);
        browser.until("value.value === ''");
    }
    browser
        .types("#value", "small")
        .click("#write-button")
        .says("said", "large is created in team of");

    // Names in such numbers that no address has room for them.
    let names = (0..2_000).map(|number| format!("A_NAME_OF_SOME_LENGTH_{number}=v\n"));
    browser.drops("text", "many.env", &names.collect::<String>());
    browser
        .says("import-button", "Store 2000 names")
        .click("#import-button")
        .says("said", "2000 stored in team of");
    browser.drops("text", "large.env", &"A=1\n".repeat(70_000));
    browser.says("text-error", why);
}

/// A browser makes other line ends of a text in a field.
#[test]
fn a_dropped_file_is_stored_byte_for_byte() {
    let own = own();
    let browser = own.browse();
    visit(&browser, "team");
    browser.drops("text", "dos.env", "DOS='one\r\ntwo'\r\n");
    browser
        .says("import-button", "Store 1 name")
        .click("#import-button")
        .says("said", "1 stored in team of");
    assert_eq!(own.place.reveal("team", "DOS").unwrap(), b"one\r\ntwo");

    browser.drops("value", "certificate", "one\r\ntwo\r\n\r\n");
    browser.until("value.placeholder === 'certificate, 12 bytes'");
    browser.types("#name", "certificate").click("#write-button");
    browser.says("said", "certificate is created in team of");
    let stored = own.place.reveal("team", "certificate").unwrap();
    assert_eq!(stored, b"one\r\ntwo\r\n\r");
    assert_eq!(browser.js("return value.placeholder"), "");
    // What is typed afterwards is what counts.
    browser.drops("value", "other", "of the file");
    browser.until("value.placeholder !== ''");
    browser.types("#name", "typed").types("#value", "by hand");
    browser
        .click("#write-button")
        .says("said", "typed is created in team of");
    assert_eq!(own.place.reveal("team", "typed").unwrap(), b"by hand");
    // A file beside the field is not opened in the page's place.
    browser.drops("scope-title", "beside.env", "A=1\n");
    assert!(browser.url().starts_with(&format!("http://{}", own.host)));
}

/// Names that were seen are not stored with another text.
#[test]
fn a_changed_text_is_looked_at_again() {
    let own = own();
    let browser = own.browse();
    visit(&browser, "team");
    browser.types("#text", "A=1").click("#plan-button");
    browser.says("import-button", "Store 1 name");
    browser.types("#text", "2");
    let hidden = "return [document.getElementById('import-button').hidden, document.getElementById('plan').hidden]";
    assert_eq!(browser.js(hidden), json!([true, true]));
}

#[test]
fn odd_addresses_show_something() {
    let own = own();
    let browser = own.browse();
    for hash in ["#/scope/%", "#/scope/galaxy", "#/scope", "#/closed", "#/x"] {
        browser.js(&format!("location.hash = '{hash}'"));
        browser.says("overview-count", "2 names");
    }
    for hash in [
        "#/scope/project/..",
        "#/scope/project",
        "#/scope/project/a/b",
    ] {
        browser.js(&format!("location.hash = '{hash}'"));
        browser.says("fault", "an id is letters");
    }
    // The link once more, in its own tab and in another.
    browser.js(&format!("location.hash = '{}'", own.token));
    browser.says("overview-count", "2 names");
    assert!(!browser.url().contains(&own.token));
    let page = browser.js("return document.body.innerText");
    assert!(!page.as_str().unwrap().contains("undefined"));
}

#[test]
fn a_project_without_a_secret_is_there_if_it_was_asked_for() {
    let own = own();
    let console = Console::start(&own.place, own.place.on("console --project fresh"));
    let browser = console.browse();
    browser.says("projects", "fresh");
    assert_eq!(browser.js("return project.value"), "fresh");
}

#[test]
fn an_end_is_seen_without_a_question() {
    let own = own();
    let browser = own.browse();
    visit(&browser, "team");
    browser.types("#value", "half_typed");
    drop(own.console);
    browser.says("closed-why", "The program does not answer any more.");
    assert_eq!(browser.js("return value.value"), "");
}

/// What a launch gets once a secret is gone.
#[test]
fn the_dialog_says_what_wins_afterwards() {
    let place = Place::with_store();
    for scope in ["team", "cluster/eu", "project/shop", "project/web"] {
        place.set(scope, "db", "value");
    }
    place.set("cluster/us", "alone", "value");
    let console = Console::start(&place, place.on("console"));
    let browser = console.browse();
    let own = "goes on with its own.";
    for (scope, name, words) in [
        (
            "team",
            "db",
            format!(
                "Afterwards there is no db, and a launch that refers to it fails. \
                 A launch in cluster/eu or project/shop or project/web {own}"
            ),
        ),
        (
            "cluster/eu",
            "db",
            format!("Afterwards the team's wins. A launch in project/shop or project/web {own}"),
        ),
        (
            "cluster/us",
            "alone",
            "Afterwards there is no alone, and a launch that refers to it fails.".to_owned(),
        ),
        (
            "project/web",
            "db",
            "Afterwards the name of cluster/eu wins in a launch there; in any other, the team's wins."
                .to_owned(),
        ),
    ] {
        visit(&browser, scope);
        browser.click(&format!("button[aria-label='Delete {name}']"));
        browser.says("delete-after", "Afterwards");
        assert_eq!(browser.text("delete-after"), words, "{scope}");
        browser.click("#delete-cancel");
    }
}
