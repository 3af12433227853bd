//! What somebody does with a browser: looks, clicks, types. Everything is waited for in the page itself, at each change of it.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};

use crate::driver::Driver;

/// The name by which WebDriver hands an element on.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Runs a function at every change of the page until it gives something; what can be seen is what a person can act on.
const WAIT: &str = "
    const [source, given, done] = arguments;
    const look = new Function('seen', 'words', 'given', source);
    const seen = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.disabled;
    const words = (element) => (element.getAttribute('aria-label') || element.innerText || '').trim();
    const watch = new MutationObserver(() => check());
    function check() {
        const found = look(seen, words, given);
        if (found) { watch.disconnect(); clearTimeout(late); done(found); }
        return found;
    }
    const late = setTimeout(() => { watch.disconnect(); done({ late: document.body.innerText }); }, 20000);
    if (!check()) watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });";

pub(crate) struct Browser(Driver);

impl Browser {
    pub(crate) async fn open(url: &str) -> Self {
        let browser = Self(Driver::start().await);
        browser.go(url).await;
        browser
    }

    pub(crate) async fn go(&self, url: &str) {
        self.0.post("/url", &json!({ "url": url })).await;
    }

    /// What a function in the page gives, once it gives something.
    pub(crate) async fn wait(&self, source: &str, given: &str) -> Value {
        let found = self.0.post("/execute/async", &json!({ "script": WAIT, "args": [source, given] })).await;
        assert!(
            found.get("late").is_none(),
            "not there: {given:?} {source}\n{}",
            found["late"].as_str().unwrap()
        );
        found
    }

    /// What a function in the page gives now.
    pub(crate) async fn run(&self, source: &str) -> Value {
        self.0.post("/execute/sync", &json!({ "script": source, "args": [] })).await
    }

    /// Waits until this can be read.
    pub(crate) async fn see(&self, text: &str) {
        self.wait("return document.body.innerText.includes(given)", text).await;
    }

    /// Clicks on a button or a link, by its words.
    pub(crate) async fn click(&self, name: &str) {
        let source = "return [...document.querySelectorAll('dialog[open]')].concat(document).flatMap(
            (within) => [...within.querySelectorAll('a, button, summary')]).find((one) => seen(one) && words(one) === given)";
        self.act(&self.wait(source, name).await, "click", &json!({})).await;
    }

    /// Clicks on a box or whatever else has this label.
    pub(crate) async fn tick(&self, label: &str) {
        let field = self.field(label).await;
        self.act(&field, "click", &json!({})).await;
    }

    /// Writes into the field of this label, whatever it held.
    pub(crate) async fn write(&self, label: &str, text: &str) {
        let field = self.field(label).await;
        self.act(&field, "clear", &json!({})).await;
        self.act(&field, "value", &json!({ "text": text })).await;
    }

    async fn field(&self, label: &str) -> Value {
        let source = "for (const within of [...document.querySelectorAll('dialog[open]')].concat(document)) {
            const label = [...within.querySelectorAll('label')].find((one) => seen(one) && words(one).split('\\n')[0] === given);
            if (label && label.control && seen(label.control)) return label.control;
        }";
        self.wait(source, label).await
    }

    async fn act(&self, element: &Value, what: &str, body: &Value) {
        let id = element[ELEMENT].as_str().unwrap_or_else(|| panic!("{what}: no element but {element}"));
        self.0.post(&format!("/element/{id}/{what}"), body).await;
    }

    /// Presses keys, as they come.
    pub(crate) async fn press(&self, keys: &str) {
        let strokes = keys.chars().flat_map(|key| {
            let key = key.to_string();
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        });
        let strokes: Vec<_> = strokes.collect();
        self.0
            .post("/actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": strokes }] }))
            .await;
    }

    /// The words of what has the focus.
    pub(crate) async fn focused(&self) -> String {
        let source = "const at = document.activeElement;
            if (at === document.body || at.id === 'main') return '';
            return (at.labels?.[0]?.innerText ?? at.getAttribute('aria-label') ?? at.innerText).trim().split('\\n')[0]";
        self.run(source).await.as_str().unwrap_or_default().to_owned()
    }

    /// Goes on with Tab until what has these words has the focus.
    pub(crate) async fn reach(&self, name: &str) {
        let mut seen = Vec::new();
        while seen.len() < 60 {
            self.press("\u{E004}").await;
            let focused = self.focused().await;
            if focused == name {
                return;
            }
            seen.push(focused);
        }
        panic!("{name} is not reached by Tab: {seen:?}");
    }

    /// A page this wide, light or dark.
    pub(crate) async fn dress(&self, width: u32, scheme: &str) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.0.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.0.devtools("Emulation.setEmulatedMedia", scheme).await;
    }

    /// A picture of the whole page, in the folder for what tests write.
    pub(crate) async fn picture(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("dashboard");
        std::fs::create_dir_all(&folder).unwrap();
        let asked = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.0.devtools("Page.captureScreenshot", asked).await;
        let bytes = STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// The cookies that the page's requests have.
    pub(crate) async fn cookies(&self) -> Value {
        self.0.call(Method::GET, "/cookie", &Value::Null).await
    }

    /// What the console has that is not the status of an answer, and every address that was asked for something.
    pub(crate) async fn complaints(&self) -> (Vec<String>, Vec<String>) {
        let log = self.0.post("/se/log", &json!({ "type": "browser" })).await;
        let complaints = log.as_array().unwrap().iter().filter(|entry| entry["source"] != "network");
        let complaints = complaints.map(|entry| entry["message"].to_string()).collect();
        let log = self.0.post("/se/log", &json!({ "type": "performance" })).await;
        let asked = log.as_array().unwrap().iter().filter_map(|entry| {
            let entry: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let sent = entry["message"]["method"] == "Network.requestWillBeSent";
            sent.then(|| entry["message"]["params"]["request"]["url"].as_str().map(str::to_owned)).flatten()
        });
        (complaints, asked.collect())
    }
}
