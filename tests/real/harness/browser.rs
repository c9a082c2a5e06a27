//! A real browser without a window: Chromium, driven over a pipe with its DevTools protocol.

use super::wait_for;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// Far above what an answer takes on a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// One browser with one page; it ends when dropped, and by itself when the test process dies and the pipe closes.
pub struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    next: u64,
    /// What went wrong in the page: exceptions, errors of the console, what a policy blocked.
    faults: Vec<String>,
    _profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Browser {
    pub fn start() -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let program = std::env::var("TRUEUP_CHROMIUM").unwrap_or_else(|_| "chromium".into());
        // Its protocol is spoken on the descriptors 3 and 4; nothing but loopback is resolved.
        let mut child = Command::new("sh")
            .args(["-c", r#"exec "$@" 3<&0 4>&1 >/dev/null 2>&1"#, "browser", &program])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server", "--hide-scrollbars"])
            .args(["--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh runs");
        let commands = child.stdin.take().expect("it is piped");
        let mut answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let (say, messages) = channel();
        thread::spawn(move || {
            let mut text = Vec::new();
            while answers.read_until(0, &mut text).is_ok_and(|n| n > 0) {
                text.pop();
                let Ok(message) = serde_json::from_slice(&text) else { return };
                text.clear();
                if say.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self { child, commands, messages, session: None, next: 0, faults: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let session = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }))["sessionId"].as_str().map(str::to_owned);
        browser.session = session;
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, json!({}));
        }
        browser
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.ask(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// An error is what the page is not able to answer now.
    fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.next += 1;
        let id = self.next;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let sent = self.commands.write_all(format!("{message}\0").as_bytes()).and_then(|()| self.commands.flush());
        sent.expect("Chromium runs; install the package `chromium`");
        loop {
            match self.messages.recv_timeout(LONG) {
                Ok(message) if message["id"] == id => {
                    return if message["error"].is_null() { Ok(message["result"].clone()) } else { Err(message["error"].clone()) };
                }
                Ok(event) => self.heard(&event),
                Err(RecvTimeoutError::Disconnected) => panic!("Chromium ended; is the package `chromium` installed?"),
                Err(RecvTimeoutError::Timeout) => panic!("Chromium does not answer {method}"),
            }
        }
    }

    fn heard(&mut self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.faults.push(params["exceptionDetails"].to_string()),
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => self.faults.push(params["entry"].to_string()),
            Some("Runtime.consoleAPICalled") if params["type"] == "error" => self.faults.push(params["args"].to_string()),
            _ => {}
        }
    }

    /// What went wrong since it was asked last.
    pub fn faults(&mut self) -> Vec<String> {
        // Events that came before this answer are read with it.
        self.eval("0");
        std::mem::take(&mut self.faults)
    }

    /// Goes to a page; on return it is loaded.
    pub fn open(&mut self, url: &str) {
        let answer = self.call("Page.navigate", json!({ "url": url }));
        assert!(answer["errorText"].is_null(), "{url}: {answer}");
        self.until(&format!("document.readyState === 'complete' && location.href.startsWith({})", json!(url.split('?').next())));
    }

    /// The value of an expression in the page.
    pub fn eval(&mut self, script: &str) -> Value {
        let answer = self.call("Runtime.evaluate", json!({ "expression": script, "returnByValue": true, "awaitPromise": true }));
        assert!(answer["exceptionDetails"].is_null(), "{script}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Waits until an expression holds in the page, whichever page that is by then.
    pub fn until(&mut self, script: &str) {
        // While a page goes and the next comes there is none to ask.
        let held = wait_for(LONG, || self.ask("Runtime.evaluate", json!({ "expression": script, "returnByValue": true })).is_ok_and(|answer| answer["result"]["value"] == true));
        assert!(held, "`{script}` does not hold in\n{}", self.eval("document.body.innerText"));
    }

    /// The window's size in CSS pixels.
    pub fn size(&mut self, width: u32, height: u32) {
        self.call("Emulation.setDeviceMetricsOverride", json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }));
    }

    pub fn dark(&mut self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        self.call("Emulation.setEmulatedMedia", json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] }));
    }

    /// Saves a picture of the whole page.
    pub fn screenshot(&mut self, path: &Path) {
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true }));
        let bytes = STANDARD.decode(picture["data"].as_str().expect("it is text")).expect("it is base64");
        std::fs::write(path, bytes).expect("the folder is writable");
    }
}
