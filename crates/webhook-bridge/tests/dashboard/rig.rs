//! A bridge, a receiver that it may call, and a browser at its dashboard.

use http::StatusCode;
use serde_json::{Value, json};
use webhook_bridge::model::ApiKey;
use webhook_bridge::{Bridge, Config};

use crate::browser::Browser;
use crate::client::Client;
use crate::receiver::Receiver;

pub(crate) struct Rig {
    pub(crate) bridge: Bridge,
    pub(crate) receiver: Receiver,
    pub(crate) browser: Browser,
    /// The API with the key of the test mode.
    pub(crate) api: Client,
    /// The same of the live mode.
    pub(crate) live: Client,
    _folder: tempfile::TempDir,
}

impl Rig {
    pub(crate) async fn start() -> Self {
        let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
        let config = Config::new().data(folder.path()).listen("127.0.0.1:0".parse().unwrap());
        let bridge = Bridge::start(config.allow_targets(vec![receiver.target()])).await.unwrap();
        let api = Client::new(bridge.address(), bridge.fresh_keys()[0].reveal());
        let live = Client::new(bridge.address(), bridge.fresh_keys()[1].reveal());
        let browser = Browser::open(&format!("http://{}/", bridge.address())).await;
        Self { bridge, receiver, browser, api, live, _folder: folder }
    }

    /// With the key of the test mode used.
    pub(crate) async fn signed_in() -> Self {
        let rig = Self::start().await;
        rig.sign_in(&rig.bridge.fresh_keys()[0]).await;
        rig
    }

    pub(crate) async fn sign_in(&self, key: &ApiKey) {
        self.browser.write("API key", key.reveal()).await;
        self.browser.click("Sign in").await;
        self.browser.see("Sign out").await;
    }

    /// Goes to a view, by loading the page anew: an address that differs in its end only loads nothing.
    pub(crate) async fn view(&self, view: &str) {
        let fresh: u32 = rand::random();
        self.browser.go(&format!("http://{}/dashboard?{fresh}#/{view}", self.bridge.address())).await;
    }

    /// An endpoint at the receiver, made by the API.
    pub(crate) async fn endpoint(&self, wish: Value) -> Value {
        let mut wish = wish;
        if wish.get("url").is_none() {
            wish["url"] = self.receiver.url().into();
        }
        let (status, made) = self.api.post("/v1/endpoints", &wish).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made
    }

    /// The page asked for nothing elsewhere, broke no rule of its policy, and nothing in it threw.
    pub(crate) async fn end(self) {
        let (complaints, asked) = self.browser.complaints().await;
        assert!(complaints.is_empty(), "{complaints:?}");
        let own = format!("http://{}/", self.bridge.address());
        // The browser's own pages are in it too.
        let near = [&own, "data:", "chrome:", "about:"];
        let foreign: Vec<_> =
            asked.iter().filter(|url| !near.iter().any(|start| url.starts_with(start))).collect();
        assert!(asked.iter().any(|url| url.starts_with(&own)) && foreign.is_empty(), "{foreign:?}");
        drop(self.browser);
        self.bridge.stop().await;
    }
}

/// Publishes an event with one of both keys; it is of that key's mode.
pub(crate) async fn publish(api: &Client, id: &str, event_type: &str) {
    let livemode = api.get("/v1/session").await.1["livemode"].clone();
    let event = json!({ "id": id, "livemode": livemode, "type": event_type, "source": "payment-kit",
        "data": { "object": { "id": "in_1", "amount": "1200" } }, "created_at": "2026-01-01T00:00:00Z" });
    assert_eq!(api.post("/v1/events", &event).await.0, StatusCode::ACCEPTED);
}
