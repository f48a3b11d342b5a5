//! A real browser, headless, driven over WebDriver.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use support::Place;
use support::bao::{http, spawn, wait};

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys as WebDriver writes them.
pub const TAB: &str = "\u{e004}";
pub const ENTER: &str = "\u{e007}";
pub const ESCAPE: &str = "\u{e00c}";
pub const SPACE: &str = " ";

/// A browser with one window.
pub struct Browser {
    driver: Child,
    at: String,
    session: String,
    place: Place,
}

impl Browser {
    /// Starts one. Like a browser anywhere, it may also hold other pages' windows.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// Starts one with more options.
    pub fn with(options: &[&str]) -> Self {
        let place = Place::new();
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdout(Stdio::piped());
        command.stderr(Stdio::null());
        let mut driver = spawn(command);
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.ok()?;
            let (_, port) = line.split_once("successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        // Whatever else it says is read, so that it never waits.
        std::thread::spawn(move || lines.for_each(drop));
        let mut browser = Browser {
            driver,
            at: format!("127.0.0.1:{}", port.expect("chromedriver's port")),
            session: String::new(),
            place,
        };
        let profile = browser.place.path("profile").display().to_string();
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--window-size=1280,900".to_owned(),
            format!("--user-data-dir={profile}"),
        ];
        if nix::unistd::Uid::effective().is_root() {
            arguments.push("--no-sandbox".to_owned());
        }
        arguments.extend(options.iter().map(|&option| option.to_owned()));
        let always = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let made = browser.ask("POST", "", json!({"capabilities": {"alwaysMatch": always}}));
        browser.session = format!("/{}", made["sessionId"].as_str().expect("a session"));
        browser
    }

    /// Asks the driver, whatever comes back.
    fn try_ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let body = match method {
            "POST" => body.to_string().into_bytes(),
            _ => vec![],
        };
        let path = format!("/session{}{path}", self.session);
        let json = [("Content-Type", "application/json")];
        let answer = http::request(&self.at, method, &path, &json, &body).expect("it answers");
        let value = answer.json()["value"].take();
        match answer.status {
            200 => Ok(value),
            _ => Err(value),
        }
    }

    /// Asks the driver.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.try_ask(method, path, &body);
        answer.unwrap_or_else(|why| panic!("{method} {path}: {}: {}", why["error"], why["message"]))
    }

    /// Follows a link, as if it was typed.
    #[track_caller]
    pub fn go(&self, url: &str) -> &Self {
        self.ask("POST", "/url", json!({"url": url}));
        self
    }

    /// The address of the page.
    pub fn url(&self) -> String {
        self.ask("GET", "/url", Value::Null)
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Runs a script's body in the page; gives what it returns.
    #[track_caller]
    pub fn js(&self, script: &str) -> Value {
        self.with_arguments(script, json!([]))
    }

    /// The same with arguments.
    #[track_caller]
    pub fn with_arguments(&self, script: &str, arguments: Value) -> Value {
        let body = json!({"script": script, "args": arguments});
        self.ask("POST", "/execute/sync", body)
    }

    /// Runs a script's body that awaits; gives what it returns.
    #[track_caller]
    pub fn awaits(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             (async () => {{ {script} }})().then(done, (why) => done(String(why)));"
        );
        let body = json!({"script": script, "args": []});
        self.ask("POST", "/execute/async", body)
    }

    /// Waits until an expression of the page is true.
    #[track_caller]
    pub fn until(&self, expression: &str) -> &Self {
        let script = format!("return Boolean({expression})");
        wait(expression, || self.js(&script).as_bool()?.then_some(()));
        self
    }

    /// Waits until an element, by its id, shows a text.
    #[track_caller]
    pub fn says(&self, id: &str, text: &str) -> &Self {
        let text = Value::from(text);
        let found = format!("document.getElementById('{id}').innerText.includes({text})");
        self.until(&found)
    }

    /// The first element that fits.
    #[track_caller]
    fn element(&self, css: &str) -> String {
        let body = json!({"using": "css selector", "value": css});
        let found = self.ask("POST", "/element", body);
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Clicks on an element, which must be seen.
    #[track_caller]
    pub fn click(&self, css: &str) -> &Self {
        let element = self.element(css);
        self.ask("POST", &format!("/element/{element}/click"), json!({}));
        self
    }

    /// Types into an element.
    #[track_caller]
    pub fn types(&self, css: &str, text: &str) -> &Self {
        let element = self.element(css);
        let path = format!("/element/{element}/value");
        self.ask("POST", &path, json!({"text": text}));
        self
    }

    /// Presses keys, wherever the focus is.
    #[track_caller]
    pub fn press(&self, keys: &str) -> &Self {
        let presses = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
        });
        let actions =
            json!([{"type": "key", "id": "keys", "actions": presses.collect::<Vec<_>>()}]);
        self.ask("POST", "/actions", json!({"actions": actions}));
        self
    }

    /// The text that an element shows.
    #[track_caller]
    pub fn text(&self, id: &str) -> String {
        let text = self.js(&format!("return document.getElementById('{id}').innerText"));
        text.as_str().unwrap().to_owned()
    }

    /// Sends a command of the browser's own protocol.
    #[track_caller]
    pub fn command(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.ask("POST", "/goog/cdp/execute", body)
    }

    /// What the page looks like, as PNG.
    pub fn picture(&self) -> Vec<u8> {
        let picture = self.ask("GET", "/screenshot", Value::Null);
        BASE64_STANDARD.decode(picture.as_str().unwrap()).unwrap()
    }

    /// What the browser's own console has said since it was last asked.
    pub fn complaints(&self) -> Vec<String> {
        let body = json!({"type": "browser"});
        let entries = self.ask("POST", "/se/log", body);
        let entries = entries.as_array().unwrap().iter();
        entries
            .map(|one| one["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Drops a file with this text on an element, as a person does with the mouse.
    #[track_caller]
    pub fn drops(&self, id: &str, name: &str, text: &str) -> &Self {
        let file = self.place.write(name, text);
        let at = self.js(&format!(
            "const field = document.getElementById('{id}');
             field.scrollIntoView({{block: 'center'}});
             const box = field.getBoundingClientRect();
             return [box.x + box.width / 2, box.y + box.height / 2]"
        ));
        for kind in ["dragEnter", "dragOver", "drop"] {
            let data = json!({
                "items": [], "files": [file.display().to_string()], "dragOperationsMask": 1,
            });
            let event = json!({"type": kind, "x": at[0], "y": at[1], "data": data});
            self.command("Input.dispatchDragEvent", event);
        }
        self
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let path = format!("/session{}", self.session);
        let _ = http::request(&self.at, "DELETE", &path, &[], b"");
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
