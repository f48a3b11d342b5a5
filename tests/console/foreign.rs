//! Pages of others in a browser beside the console's, and a page whose console is gone.

use std::fs;

use serde_json::json;

use crate::browser::Browser;
use crate::place::{Console, own};

#[test]
fn pages_elsewhere_get_nothing() {
    let mut own = own();
    let browser = own.browse();
    // Another console is a page on another port of the same address.
    let other = Console::start(&own.place, own.place.on("console"));
    let second = other.browse();
    let session = browser.js("return sessionStorage.getItem('session')");
    assert_eq!(
        second.js("return sessionStorage.getItem('session') === null"),
        false
    );
    assert_ne!(
        second.js("return sessionStorage.getItem('session')"),
        session
    );
    second.command("Page.setBypassCSP", json!({"enabled": true}));
    second.js("location.reload()");
    second.until("document.readyState === 'complete' && !document.getElementById('nav').hidden");
    let ask = |path: &str, options: &str| {
        let script = format!(
            "return fetch('http://{}{path}', {options}).then((one) => 'answered ' + one.type + one.status, (why) => why.name)",
            own.host
        );
        second.awaits(&script)
    };
    assert_eq!(ask("/", "{}"), "TypeError");
    let with = format!("{{method: 'POST', headers: {{'doorkey-session': {session}}}}}");
    assert_eq!(
        ask("/api/delete?scope=team&name=smtp_user", &with),
        "TypeError"
    );
    // Without a header of its own it is sent, and refused.
    ask(
        "/api/delete?scope=team&name=smtp_user",
        "{method: 'POST', mode: 'no-cors'}",
    );
    assert_eq!(
        own.place.reveal("team", "smtp_user").as_deref(),
        Some(&b"value"[..])
    );
    // It can't be framed, nor be held by a page that opened it.
    let framed = second.awaits(&format!(
        "const frame = document.createElement('iframe');
         frame.src = 'http://{}/';
         const loaded = new Promise((done) => frame.onload = done);
         document.body.append(frame);
         await loaded;
         try {{ return frame.contentDocument?.title ?? 'closed' }} catch {{ return 'closed' }}",
        own.host
    ));
    assert_eq!(framed, "closed");
    // The link is used up, in another browser as well, and the first one goes on.
    let late = Browser::new();
    late.go(&own.link()).says(
        "closed-why",
        "the link was used already; start another console",
    );
    assert_eq!(browser.awaits("return (await fetch('/api/state', {headers: {'doorkey-session': sessionStorage.getItem('session')}})).status"), 200);
    // Nor does a name lead here that was bound to this address.
    let named = Browser::with(&["--host-resolver-rules=MAP evil.test 127.0.0.1"]);
    let port = own.host.rsplit_once(':').unwrap().1;
    named.go(&format!("http://evil.test:{port}/"));
    assert!(
        named
            .js("return document.body.innerText")
            .as_str()
            .unwrap()
            .contains("this is another host")
    );
    assert!(own.console.runs());
}

#[test]
fn a_page_whose_console_is_gone_says_so() {
    let own = own();
    let browser = own.browse();
    let place = own.place;
    drop(own.console);
    browser.js("location.hash = '#/scope/team'");
    browser.says("closed-why", "The program does not answer any more.");
    assert_eq!(
        browser.js("return document.getElementById('nav').hidden"),
        true
    );
    assert!(fs::exists(place.path("secrets")).unwrap());
}
