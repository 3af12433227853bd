//! A bridge with one endpoint that wants everything.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use webhook_bridge::{Bridge, Config};

use crate::caller::Caller;
use crate::receiver::Receiver;

pub(crate) const EVENT: &str = r#"{"id":"evt_1","livemode":false,"type":"checkout.session.completed","source":"payment-kit","data":{"object":{"id":"cs_1"}},"created_at":"2026-01-01T00:00:00.000Z"}"#;

pub(crate) struct Rig {
    pub(crate) bridge: Bridge,
    pub(crate) caller: Caller,
    pub(crate) receiver: Receiver,
    pub(crate) folder: tempfile::TempDir,
}

impl Rig {
    /// As configured, beside what a test needs.
    pub(crate) async fn start(config: Config) -> Self {
        let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
        let config = config.data(folder.path()).allow_targets(vec![receiver.target()]);
        let bridge = Bridge::start(config.listen("127.0.0.1:0".parse().unwrap())).await.unwrap();
        let caller = Caller::new(bridge.address(), bridge.fresh_keys()[0].reveal().to_owned());
        let wish = json!({ "url": receiver.url(), "enabled_events": ["*"], "schedule": [1, 1, 1] });
        assert_eq!(caller.post("/v1/endpoints", wish.to_string()).await.0, StatusCode::CREATED);
        Self { bridge, caller, receiver, folder }
    }

    pub(crate) async fn publish(&self, id: &str) {
        let (status, answer) = self.caller.post("/v1/events", EVENT.replace("evt_1", id)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    }

    /// What `/metrics` says, once it has such a line.
    pub(crate) async fn metrics(&self, line: &str) -> String {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        let found = async {
            loop {
                looks.tick().await;
                let text = self.caller.text("/metrics").await;
                if text.lines().any(|one| one == line) {
                    return text;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), found).await.expect("the line within 30 s")
    }

    /// Asks until the answer is such.
    pub(crate) async fn until(&self, path: &str, is: impl Fn(StatusCode, &Value) -> bool) {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        let found = async {
            loop {
                looks.tick().await;
                let (status, answer) = self.caller.get(path).await;
                if is(status, &answer) {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), found).await.expect("the answer within 30 s");
    }
}
