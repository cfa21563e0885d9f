//! One page of a browser, driven over its own wire: JSON messages on a web socket.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use tungstenite::{Message, WebSocket, client};

use crate::chromium::Process;

/// Longer than anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_mins(1);

/// Time between two looks at what is waited for.
const PACE: &str = "50";

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    last_id: u64,
    trouble: Vec<String>,
    /// Last, so that the wire is closed first.
    _process: Process,
}

impl Page {
    /// Opens an address over the wire of a browser.
    pub(crate) fn open(process: Process, wire: &str, address: &str) -> Self {
        let place = wire.trim_start_matches("ws://").split('/').next().unwrap();
        let stream = TcpStream::connect(place).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let (socket, _) = client(wire, stream).unwrap();
        let mut page = Self {
            socket,
            session: None,
            last_id: 0,
            trouble: Vec::new(),
            _process: process,
        };
        let target = page.call("Target.createTarget", &json!({"url": "about:blank"}));
        let target = json!({"targetId": target["targetId"], "flatten": true});
        let attached = page.call("Target.attachToTarget", &target);
        page.session = attached["sessionId"].as_str().map(ToOwned::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            page.call(&format!("{domain}.enable"), &json!({}));
        }
        page.resize(1280, 900);
        page.call("Page.navigate", &json!({"url": address}));
        page
    }

    /// Waits until an expression is true on the page.
    pub(crate) fn until(&mut self, expression: &str) {
        let limit = LIMIT.as_millis();
        let waiting = format!(
            "new Promise((done) => {{ const start = performance.now(); const look = () => {{ \
             let is = false; try {{ is = Boolean({expression}); }} catch {{ }} \
             if (is || performance.now() - start > {limit}) done(is); \
             else setTimeout(look, {PACE}); }}; look(); }})"
        );
        // A page that is being opened forgets what it was asked; then it is asked again.
        let start = Instant::now();
        let mut is = Value::Null;
        while is.is_null() && start.elapsed() < LIMIT {
            is = self.evaluate(&waiting);
        }
        assert_eq!(is, json!(true), "{expression} on\n{}", self.shown());
    }

    /// The text that an expression gives.
    pub(crate) fn text(&mut self, expression: &str) -> String {
        self.evaluate(expression)
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Chooses a member in the ring, as a click does.
    pub(crate) fn choose(&mut self, name: &str) {
        let click = format!(
            "[...document.querySelectorAll('#ring .member[data-id]')].find((one) => \
             one.getAttribute('aria-label').startsWith('{name},')).dispatchEvent(new \
             MouseEvent('click', {{ bubbles: true }}))"
        );
        self.evaluate(&click);
        self.until(&format!(
            "document.querySelector('#chosen h3').textContent === '{name}'"
        ));
    }

    /// Unfolds the evidence of the newest removal.
    pub(crate) fn open_the_evidence(&mut self) {
        self.evaluate("document.querySelector('#timeline details').open = true");
        self.until(
            "document.querySelector('#timeline details p').innerText.includes('accused by')",
        );
    }

    /// Presses a key.
    pub(crate) fn key(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", &json!({"type": kind, "key": key}));
        }
    }

    /// Makes the page so wide and high.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.call("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Everything that went wrong on the page so far: errors, and words on its console.
    pub(crate) fn trouble(&mut self) -> Vec<String> {
        // The answer comes behind whatever was told before it.
        self.evaluate("0");
        self.trouble.clone()
    }

    fn shown(&mut self) -> String {
        let text = self.text("document.body.innerText");
        format!("{text}\n{:?}", self.trouble)
    }

    fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
        });
        self.call("Runtime.evaluate", &asked)["result"]["value"].clone()
    }

    /// Asks for something and waits for the answer; an error is an answer without a result.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.last_id += 1;
        let mut asked = json!({"id": self.last_id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            asked["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(asked.to_string())).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().unwrap() else {
                continue;
            };
            let told: Value = serde_json::from_str(&text).unwrap();
            if told["id"] == json!(self.last_id) {
                return told["result"].clone();
            }
            self.note(&told);
        }
    }

    fn note(&mut self, told: &Value) {
        let told_of = &told["params"];
        let is_trouble = match told["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                let kind = told_of["type"].as_str();
                matches!(kind, Some("error" | "warning" | "assert"))
            }
            Some("Log.entryAdded") => {
                let level = told_of["entry"]["level"].as_str();
                matches!(level, Some("error" | "warning"))
            }
            _ => false,
        };
        if is_trouble {
            self.trouble.push(told_of.to_string());
        }
    }
}
