//! A call of the bridge's API: one connection, one request, one answer.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;
use tokio::time::timeout;
use url::{Host, Url};
use webhook_bridge::model::Mode;

use super::exchange::{Trouble, exchange, host, target};
use super::failure::Failure;

/// The longest a call may take.
const LONGEST: Duration = Duration::from_secs(30);

/// Which bridge is called, as whom, and how its answer is shown.
#[derive(Args)]
#[command(next_help_heading = "The bridge")]
pub(super) struct Client {
    /// Where the bridge is
    #[arg(
        long = "url",
        value_name = "URL",
        global = true,
        env = "WEBHOOK_BRIDGE_URL",
        default_value = "http://127.0.0.1:8440"
    )]
    bridge: Url,
    /// An API key, which also says the mode; `serve` prints one of each when it first starts
    #[arg(long, global = true, value_name = "KEY", env = "WEBHOOK_BRIDGE_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Print exactly what the API answers
    #[arg(long, global = true)]
    json: bool,
}

/// That somebody means it.
#[derive(Args, Clone, Copy)]
pub(super) struct Live {
    /// Publish a made-up event that is live: whoever gets it takes it for money
    #[arg(long)]
    pub(super) live: bool,
}

/// What the API answered.
pub(super) struct Answer {
    text: String,
    pub(super) value: Value,
}

impl Client {
    /// What is printed: the answer as it came, or what `show` makes of it for people.
    pub(super) fn show(&self, answer: &Answer, show: impl FnOnce(&Value) -> String) -> String {
        if self.json { format!("{}\n", answer.text.trim_end()) } else { show(&answer.value) }
    }

    /// The mode of the key, as far as it says.
    pub(super) fn mode(&self) -> Mode {
        Mode::from(self.api_key.as_ref().is_some_and(|key| key.starts_with("whb_live_")))
    }

    /// The mode of the key, for an event that was made up: not a live one by accident.
    pub(super) fn deliberate(&self, live: Live) -> Result<Mode, Failure> {
        let text =
            "the key is for live events, and whoever gets one takes it for money: use a test key, or --live";
        match self.mode() {
            mode if mode.is_live() && !live.live => Err(Failure::Usage(text.to_owned())),
            mode => Ok(mode),
        }
    }

    pub(super) fn wants_json(&self) -> bool {
        self.json
    }

    pub(super) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Answer, Failure> {
        let mut url = self.at(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.call(Method::GET, url, Bytes::new()).await
    }

    /// Posts bytes as they are.
    pub(super) async fn raw(&self, path: &[&str], body: Vec<u8>) -> Result<Answer, Failure> {
        self.call(Method::POST, self.at(path)?, body.into()).await
    }

    pub(super) async fn post(&self, path: &[&str], body: &Value) -> Result<Answer, Failure> {
        self.send(Method::POST, path, body).await
    }

    pub(super) async fn send(&self, method: Method, path: &[&str], body: &Value) -> Result<Answer, Failure> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.call(method, self.at(path)?, body.into()).await
    }

    fn at(&self, path: &[&str]) -> Result<Url, Failure> {
        let mut url = self.bridge.clone();
        let known = matches!(url.scheme(), "http" | "https") && url.has_host();
        let unfit = || Failure::Usage(format!("{}: must be such as http://127.0.0.1:8440", self.bridge));
        url.path_segments_mut()
            .ok()
            .filter(|_| known)
            .ok_or_else(unfit)?
            .pop_if_empty()
            .push("v1")
            .extend(path);
        Ok(url)
    }

    async fn call(&self, method: Method, url: Url, body: Bytes) -> Result<Answer, Failure> {
        let request = self.request(method, &url, body)?;
        let (head, body) = self.ask(&url, request).await?.into_parts();
        let value = serde_json::from_slice(&body);
        match value {
            Ok(value) if head.status.is_success() => {
                Ok(Answer { text: String::from_utf8_lossy(&body).into_owned(), value })
            }
            Ok(Value::Object(problem)) if problem.contains_key("title") => {
                Err(refused(head.status, &problem))
            }
            _ => Err(Failure::Failed(format!("{}: {}, and no answer of a bridge", self.bridge, head.status))),
        }
    }

    /// Asks for what needs no key.
    pub(super) async fn look(&self, path: &str) -> Result<Response<Bytes>, Failure> {
        let mut url = self.at(&[])?;
        url.set_path(path);
        let request = Request::get(target(&url)).header(HOST, host(&url)).body(Full::default());
        let request = request.map_err(|error| Failure::Usage(error.to_string()))?;
        self.ask(&url, request).await
    }

    async fn ask(&self, url: &Url, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Failure> {
        let late = |_| Trouble::from(format!("no answer within {} s", LONGEST.as_secs()));
        let answered = timeout(LONGEST, exchange(url, request)).await.map_err(late).and_then(|answer| answer);
        answered
            .map_err(|error| Failure::Unreachable(format!("{}: no bridge was reached: {error}", self.bridge)))
    }

    /// Whether the bridge runs on this machine, as far as its URL says.
    pub(super) fn is_local(&self) -> bool {
        match self.bridge.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    pub(super) fn has_key(&self) -> bool {
        self.api_key.is_some()
    }

    /// The URL of the bridge.
    pub(super) fn name(&self) -> &str {
        self.bridge.as_str().trim_end_matches('/')
    }

    fn request(&self, method: Method, url: &Url, body: Bytes) -> Result<Request<Full<Bytes>>, Failure> {
        let missing = "an API key is needed: --api-key, or WEBHOOK_BRIDGE_KEY; `webhook-bridge serve` prints \
                       one when it first starts";
        let key = self.api_key.as_deref().ok_or_else(|| Failure::Usage(missing.to_owned()))?;
        let request = Request::builder()
            .method(method)
            .uri(target(url))
            .header(HOST, host(url))
            .header(AUTHORIZATION, format!("Bearer {}", key.trim()))
            .header(CONTENT_TYPE, "application/json");
        let unfit = |_| Failure::Usage("--api-key: has characters that no key has".to_owned());
        request.body(Full::new(body)).map_err(unfit)
    }
}

fn refused(status: StatusCode, problem: &serde_json::Map<String, Value>) -> Failure {
    let text = |field| problem.get(field).and_then(Value::as_str).unwrap_or_default();
    let said = format!("{}: {}", text("title"), text("detail"));
    if status.is_client_error() { Failure::Refused(said) } else { Failure::Failed(said) }
}
