//! A browser without a window, spoken to as W3C WebDriver says.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

/// Nothing of its own may be asked of the network, or be left behind.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--force-color-profile=srgb",
    "--window-size=1280,900",
];

/// Chromium with its driver; both end with this.
pub(crate) struct Driver {
    process: Child,
    http: Client<HttpConnector, Full<Bytes>>,
    session: String,
    _profile: tempfile::TempDir,
}

impl Driver {
    pub(crate) async fn start() -> Self {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("chromedriver: tests/brokers installs it");
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let port = line.strip_prefix("ChromeDriver was started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let (profile, http) =
            (tempfile::tempdir().unwrap(), Client::builder(TokioExecutor::new()).build_http());
        let session = format!("http://127.0.0.1:{}/session", port.expect("it starts"));
        let mut driver = Self { process, http, session, _profile: profile };
        let folder = format!("--user-data-dir={}", driver._profile.path().display());
        let flags: Vec<_> = FLAGS.iter().map(|flag| (*flag).to_owned()).chain([folder]).collect();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            // Those of tests are of nobody's authority.
            "acceptInsecureCerts": true,
            "goog:chromeOptions": { "args": flags },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "timeouts": { "script": 30_000 },
        } } });
        let made = driver.call(Method::POST, "", &wanted).await;
        driver.session = format!("{}/{}", driver.session, made["sessionId"].as_str().unwrap());
        driver
    }

    /// A command; what it answers, or a failed test.
    pub(crate) async fn call(&self, method: Method, path: &str, body: &Value) -> Value {
        let text = if method == Method::GET { String::new() } else { body.to_string() };
        let request = Request::builder().method(method).uri(format!("{}{path}", self.session));
        let request = request.header("content-type", "application/json").body(Full::from(text)).unwrap();
        let response = self.http.request(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        assert!(status.is_success(), "{path}: {}", answer["value"]["message"]);
        answer["value"].take()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        self.call(Method::POST, path, body).await
    }

    /// A command of the browser's own protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The browser is of its driver's group.
        if let Some(group) = Pid::from_raw(self.process.id().try_into().unwrap_or_default()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.process.wait();
    }
}
