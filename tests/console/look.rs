//! What the page looks like, and to whom: axe-core, large text, many names, and the pictures of the
//! documentation.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::Place;

use crate::browser::Browser;
use crate::place::{Console, Own, own};

const VIEWS: [&str; 5] = [
    "overview",
    "scope/team",
    "scope/project/web",
    "check",
    "readers",
];

/// Shows a page, and waits until it has its content.
fn show(browser: &Browser, view: &str) {
    let name = view.split('/').next().unwrap();
    browser.js(&format!("location.hash = '#/{view}'"));
    browser.until(&format!(
        "!document.getElementById('{name}').hidden && document.querySelector('nav [aria-current]')?.hash === '#/{view}'"
    ));
    if name == "scope" || name == "overview" {
        browser.until(&format!(
            "document.getElementById('{name}-count').textContent"
        ));
    }
}

fn scheme(browser: &Browser, scheme: &str, motion: &str) {
    let features = json!({"features": [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": motion},
    ]});
    browser.command("Emulation.setEmulatedMedia", features);
}

/// Everything that axe-core finds, in words.
#[track_caller]
fn axe(browser: &Browser) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = root.join("target/axe/node_modules/axe-core/axe.min.js");
    let script = fs::read_to_string(script).expect("axe-core is needed (sh .ci/axe)");
    browser.js(&script);
    let found = browser.awaits(
        "const { violations } = await axe.run(document, { resultTypes: ['violations'] });
         return violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html} ${node.failureSummary}`));",
    );
    let found = found.as_array().unwrap_or_else(|| panic!("{found}")).iter();
    found.map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// A store with names as people have them.
fn store() -> Own {
    let place = Place::with_store();
    for (scope, names) in [
        (
            "team",
            "db_password log_level_token smtp_password smtp_user sentry_dsn",
        ),
        ("cluster/eu", "db_password registry_token smtp_password"),
        ("cluster/us", "db_password registry_token"),
        ("project/shop", "db_password stripe_key"),
        ("project/web", "db_password session_key tls_key"),
    ] {
        for name in names.split(' ') {
            place.set(scope, name, "a value of some length");
        }
    }
    let own = place.key("own");
    place
        .on("store recipient add --project web -q")
        .arg(own)
        .ok();
    let run = place.on("console --project web --cluster eu");
    let console = Console::start(&place, run);
    Own { console, place }
}

#[test]
fn axe_finds_nothing() {
    let own = store();
    let browser = own.browse();
    for colours in ["light", "dark"] {
        scheme(&browser, colours, "reduce");
        for view in VIEWS {
            show(&browser, view);
            assert_eq!(axe(&browser), [""; 0], "{view}, {colours}");
        }
        show(&browser, "scope/team");
        browser
            .click("#write-button")
            .says("name-error", "a name is");
        browser.types("#text", "smtp_user=1").click("#plan-button");
        browser.until("!document.getElementById('plan').hidden");
        assert_eq!(
            axe(&browser),
            [""; 0],
            "faults and names to store, {colours}"
        );
        browser
            .click("button[aria-label='Delete smtp_user']")
            .says("delete-after", "Afterwards");
        assert_eq!(axe(&browser), [""; 0], "a dialog, {colours}");
        browser.click("#delete-cancel");
        browser
            .click("button[aria-label='New cluster']")
            .until("document.querySelector('#new[open]')");
        assert_eq!(axe(&browser), [""; 0], "another dialog, {colours}");
        browser.js("document.getElementById('new').close()");
        show(&browser, "overview");
    }
    browser.click("#end").says("closed", "You have ended it.");
    assert_eq!(axe(&browser), [""; 0], "the end");
}

/// At 200 %, and on a small screen, nothing is cut off but what can be scrolled in its table.
#[test]
fn large_text_fits() {
    let own = store();
    let browser = own.browse();
    for (width, height) in [(640, 450), (320, 640)] {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 2, "mobile": false});
        browser.command("Emulation.setDeviceMetricsOverride", metrics);
        for view in VIEWS {
            show(&browser, view);
            let cut = "return [...document.querySelectorAll('body *')].filter((one) =>
                one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('.table') && one.id !== 'skip'
            ).map((one) => one.outerHTML.slice(0, 80))";
            assert_eq!(browser.js(cut), json!([]), "{view} at {width}");
            assert_eq!(
                browser.js("return document.documentElement.scrollWidth <= innerWidth"),
                true
            );
        }
    }
}

#[test]
fn reduced_motion_has_none() {
    let own = own();
    let browser = own.browse();
    let moving = "return [...document.querySelectorAll('*')].filter((one) => {
        const style = getComputedStyle(one);
        return style.transitionDuration !== '0s' || style.animationName !== 'none';
    }).length";
    scheme(&browser, "light", "reduce");
    assert_eq!(browser.js(moving), 0);
    scheme(&browser, "light", "no-preference");
    assert_ne!(browser.js(moving), 0, "what is looked for is there");
}

#[test]
fn two_thousand_names() {
    let place = Place::with_store();
    let names = (0..2_000).map(|number| format!("name_{number:04}=value\n"));
    place.write("many", names.collect::<String>());
    place.on("secret import many --team -q --yes").ok();
    let console = Console::start(&place, place.on("console"));
    let browser = console.browse();
    browser.says("overview-count", "2000 names");
    show(&browser, "scope/team");
    browser.says("scope-count", "2000 names");
    browser
        .types("#find-scope", "_1234")
        .says("scope-count", "1 of 2000 names");
    let seen = "return [...document.querySelectorAll('#scope-rows tr')].filter((one) => one.offsetHeight).length";
    assert_eq!(browser.js(seen), 1);
    browser
        .click("button[aria-label='Delete name_1234']")
        .click("#delete-button");
    browser
        .says("said", "name_1234 is removed from team of")
        .says("scope-count", "0 of 1999 names");
    assert_eq!(place.reveal("team", "name_1234"), None);
}

/// The folder for pictures: the documentation's, if the variable asks for it.
fn pictures() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = match std::env::var_os("DOORKEY_PICTURES") {
        Some(_) => root.join("docs/src/images"),
        None => PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pictures"),
    };
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn pictures_of_the_documentation() {
    let own = store();
    let browser = own.browse();
    let metrics = |height: u32| json!({"width": 1100, "height": height, "deviceScaleFactor": 1, "mobile": false});
    browser.command(
        "Emulation.setTimezoneOverride",
        json!({"timezoneId": "UTC"}),
    );
    let folder = pictures();
    let mut seen: Vec<Value> = Vec::new();
    for colours in ["light", "dark"] {
        scheme(&browser, colours, "reduce");
        for (view, name) in VIEWS
            .iter()
            .zip(["overview", "team", "scope", "check", "readers"])
        {
            show(&browser, view);
            if *view == "overview" {
                browser.until("document.querySelector('.shadowed')");
            }
            browser.js("document.activeElement.blur()");
            browser.command(
                "Emulation.setDeviceMetricsOverride",
                metrics(if *view == "overview" { 820 } else { 1060 }),
            );
            let picture = browser.picture();
            assert!(picture.starts_with(b"\x89PNG"));
            // Two of them are shown in the documentation, the others are for whoever changes it.
            let is_shown = ["overview", "scope"].contains(&name);
            let to = if is_shown {
                folder.clone()
            } else {
                PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            };
            fs::write(to.join(format!("console-{name}-{colours}.png")), picture).unwrap();
            seen.push(browser.js("return getComputedStyle(document.body).backgroundColor"));
        }
    }
    assert_ne!(seen[0], seen[VIEWS.len()], "light and dark differ");
}
