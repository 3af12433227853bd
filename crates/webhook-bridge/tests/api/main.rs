//! The native API against a running bridge and a real receiver.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test helper that fails is a test that fails")]

#[allow(dead_code, reason = "the dashboard's tests need more of it")]
mod client;
mod document;
mod groups;
mod gstable;
#[path = "../delivery/receiver.rs"]
#[allow(dead_code, reason = "the deliveries' tests need more of it")]
mod receiver;
mod search;
mod stream;
mod walls;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use webhook_bridge::{Bridge, Config};

use client::Client;
use receiver::{Receiver, verify};

const EVENT: &str = r#"{"id":"evt_1","livemode":false,"type":"checkout.session.completed","source":"payment-kit","data":{"object":{"id":"cs_1"}},"created_at":"2026-01-01T00:00:00.000Z"}"#;

/// A bridge, a caller with its test key, and a receiver that it may call.
struct Scene {
    bridge: Bridge,
    client: Client,
    receiver: Receiver,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn start() -> Self {
        Self::with(Config::new()).await
    }

    async fn with(config: Config) -> Self {
        let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
        let config = config.data(folder.path()).listen("127.0.0.1:0".parse().unwrap());
        let bridge = Bridge::start(config.allow_targets(vec![receiver.target()])).await.unwrap();
        let client = Client::new(bridge.address(), bridge.fresh_keys()[0].reveal());
        Self { bridge, client, receiver, _folder: folder }
    }

    /// An endpoint at the receiver that wants everything; gives its path and itself.
    async fn endpoint(&self, schedule: &[u64]) -> (String, Value) {
        let wish = json!({ "url": self.receiver.url(), "enabled_events": ["*"], "schedule": schedule });
        let (status, endpoint) = self.client.post("/v1/endpoints", &wish).await;
        assert_eq!(status, StatusCode::CREATED, "{endpoint}");
        (format!("/v1/endpoints/{}", endpoint["id"].as_str().unwrap()), endpoint)
    }

    async fn publish(&self, id: &str) {
        let event = serde_json::from_str(&EVENT.replace("evt_1", id)).unwrap();
        let (status, published) = self.client.post("/v1/events", &event).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{published}");
    }

    /// Waits until a delivery is in this state: an answer is stored after it was given.
    async fn delivery(&self, id: &str, state: &str) -> Value {
        let found = async {
            loop {
                let (_, delivery) = self.client.get(&format!("/v1/deliveries/{id}")).await;
                if delivery["state"] == state {
                    return delivery;
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), found).await.expect(state)
    }
}

#[tokio::test]
async fn an_endpoint_is_updated_paused_resumed_and_deleted() {
    let mut scene = Scene::start().await;
    let (path, made) = scene.endpoint(&[1]).await;
    let change = json!({ "description": "ours", "metadata": { "a": 1 }, "ordering": "key" });
    let (status, changed) = scene.client.send(Method::PATCH, &path, &change).await;
    assert_eq!(
        (status, &changed["description"], &changed["url"]),
        (StatusCode::OK, &json!("ours"), &made["url"])
    );
    assert!(changed.get("secret").is_none(), "shown once");
    let (_, found) = scene.client.get(&path).await;
    let well = json!({ "held_until": null, "failing_since": null });
    assert_eq!((&found["ordering"], &found["health"]), (&json!("key"), &well));

    let (_, paused) = scene.client.post(&format!("{path}/pause"), &Value::Null).await;
    assert_eq!((&paused["status"], &paused["disabled_reason"]), (&json!("disabled"), &json!("paused")));
    scene.publish("evt_1").await;
    let (_, told) = scene
        .client
        .get(&format!("/v1/events/evt_1/explain?endpoint={}", made["id"].as_str().unwrap()))
        .await;
    assert_eq!(told["list"][0]["reason"], "paused");
    assert!(scene.receiver.is_empty());
    let (_, resumed) = scene.client.post(&format!("{path}/resume"), &Value::Null).await;
    assert_eq!(resumed["status"], "enabled");
    scene.receiver.next().await.answer(StatusCode::OK);

    let (status, deleted) = scene.client.send(Method::DELETE, &path, &Value::Null).await;
    assert_eq!((status, &deleted["id"]), (StatusCode::OK, &made["id"]));
    assert_eq!(scene.client.get(&path).await.0, StatusCode::NOT_FOUND);
    let event = serde_json::from_str(&EVENT.replace("evt_1", "evt_2")).unwrap();
    assert_eq!(scene.client.post("/v1/events", &event).await.1["deliveries"], 0);
    scene.bridge.stop().await;
}

#[tokio::test]
async fn endpoints_are_listed_by_cursor() {
    let scene = Scene::start().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(scene.endpoint(&[]).await.1["id"].clone());
    }
    made.reverse();
    let (_, first) = scene.client.get("/v1/endpoints?limit=2").await;
    let next = first["next"].as_str().unwrap();
    let (_, second) = scene.client.get(&format!("/v1/endpoints?limit=2&cursor={next}")).await;
    let both = [&first, &second].map(|page| page["list"].as_array().unwrap().clone()).concat();
    assert_eq!(both.iter().map(|one| one["id"].clone()).collect::<Vec<_>>(), made);
    assert_eq!((&second["next"], &second["count"]), (&Value::Null, &json!(3)));
    scene.bridge.stop().await;
}

#[tokio::test]
async fn both_secrets_sign_while_they_overlap_and_one_after() {
    let mut scene = Scene::start().await;
    let (path, made) = scene.endpoint(&[]).await;
    let (_, rotated) =
        scene.client.post(&format!("{path}/rotate_secret"), &json!({ "overlap_seconds": 600 })).await;
    assert_eq!(rotated["list"].as_array().unwrap().len(), 2);
    scene.publish("evt_1").await;
    let mut request = scene.receiver.next().await;
    request.answer(StatusCode::OK);
    let signatures: Vec<_> = request.header("webhook-signature").split(' ').map(str::to_owned).collect();
    assert_eq!(signatures.len(), 2, "one by each");
    for (signature, secret) in signatures.iter().zip([&rotated["secret"], &made["secret"]]) {
        request.headers.insert("webhook-signature", signature.parse().unwrap());
        verify(&request, secret.as_str().unwrap());
    }

    let (_, last) =
        scene.client.post(&format!("{path}/rotate_secret"), &json!({ "overlap_seconds": 0 })).await;
    let (_, listed) = scene.client.get(&format!("{path}/secrets")).await;
    assert_eq!((listed["list"].as_array().unwrap().len(), &listed["list"][0]["version"]), (1, &json!(3)));
    assert!(listed.get("secret").is_none());
    scene.publish("evt_2").await;
    let request = scene.receiver.next().await;
    request.answer(StatusCode::OK);
    verify(&request, last["secret"].as_str().unwrap());
    scene.bridge.stop().await;
}

#[tokio::test]
async fn where_a_request_has_one_signature_nobody_is_promised_two() {
    let scene = Scene::start().await;
    let wish = json!({ "url": scene.receiver.url(), "enabled_events": ["*"], "signature": "payment-kit" });
    let (status, made) = scene.client.post("/v1/endpoints", &wish).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let path = format!("/v1/endpoints/{}/rotate_secret", made["id"].as_str().unwrap());
    let (status, refused) = scene.client.post(&path, &json!({ "overlap_seconds": 60 })).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("has one signature"), "{refused}");
    let (_, rotated) = scene.client.post(&path, &json!({})).await;
    assert_eq!(rotated["list"].as_array().unwrap().len(), 1, "{rotated}");
    scene.bridge.stop().await;
}

#[tokio::test]
async fn a_test_event_goes_to_its_endpoint_alone() {
    let mut scene = Scene::start().await;
    let (path, made) = scene.endpoint(&[]).await;
    scene.endpoint(&[]).await;
    let (status, tested) = scene.client.post(&format!("{path}/test"), &Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{tested}");
    let request = scene.receiver.next().await;
    request.answer(StatusCode::OK);
    assert_eq!(request.header("webhook-id"), tested["event"].as_str().unwrap());
    verify(&request, made["secret"].as_str().unwrap());
    scene.delivery(tested["delivery"].as_str().unwrap(), "succeeded").await;
    let (_, listed) =
        scene.client.get(&format!("/v1/deliveries?event={}", tested["event"].as_str().unwrap())).await;
    assert_eq!(listed["list"].as_array().unwrap().len(), 1);
    scene.bridge.stop().await;
}

#[tokio::test]
async fn what_was_given_up_is_sent_again_one_or_all_since() {
    let mut scene = Scene::start().await;
    let (path, made) = scene.endpoint(&[]).await;
    let id = made["id"].as_str().unwrap();
    for event in ["evt_1", "evt_2", "evt_3"] {
        scene.publish(event).await;
        scene.receiver.next().await.answer(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let (_, listed) = scene.client.get(&format!("/v1/deliveries?endpoint={id}")).await;
    let ids: Vec<_> =
        listed["list"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    for id in &ids {
        scene.delivery(id, "exhausted").await;
    }

    let (status, _) = scene.client.post(&format!("/v1/deliveries/{}/resend", ids[0]), &Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let again = scene.receiver.next().await;
    again.answer(StatusCode::OK);
    assert_eq!((again.header("webhook-id"), again.header("webhook-attempt")), ("evt_3", "2"));
    scene.delivery(&ids[0], "succeeded").await;

    let since = json!({ "since": "2026-01-01T00:00:00Z", "dry_run": true });
    let (_, counted) = scene.client.post(&format!("{path}/recover"), &since).await;
    assert_eq!(counted, json!({ "deliveries": 2, "next": null }));
    let since = json!({ "since": "2026-01-01T00:00:00Z" });
    let (_, recovered) = scene.client.post(&format!("{path}/recover"), &since).await;
    assert_eq!(recovered, json!({ "deliveries": 2, "next": null }));
    for _ in &ids[1..] {
        scene.receiver.next().await.answer(StatusCode::OK);
    }
    for id in &ids[1..] {
        scene.delivery(id, "succeeded").await;
    }
    scene.bridge.stop().await;
}

#[tokio::test]
async fn deliveries_and_attempts_are_listed_by_filter_and_cursor() {
    let mut scene = Scene::start().await;
    let (_, made) = scene.endpoint(&[]).await;
    let id = made["id"].as_str().unwrap();
    for (event, status) in
        [("evt_1", StatusCode::OK), ("evt_2", StatusCode::BAD_GATEWAY), ("evt_3", StatusCode::OK)]
    {
        scene.publish(event).await;
        scene.receiver.next().await.answer(status);
    }
    let (_, all) = scene.client.get(&format!("/v1/deliveries?endpoint={id}")).await;
    for (one, state) in all["list"].as_array().unwrap().iter().zip(["succeeded", "exhausted", "succeeded"]) {
        scene.delivery(one["id"].as_str().unwrap(), state).await;
    }

    let events = |list: &Value| {
        let list = list["list"].as_array().unwrap();
        list.iter().map(|one| one["event"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (query, expected) in [
        ("", vec!["evt_3", "evt_2", "evt_1"]),
        ("&state=succeeded", vec!["evt_3", "evt_1"]),
        ("&state=exhausted", vec!["evt_2"]),
        ("&type=refund.created", vec![]),
        ("&since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z", vec![]),
    ] {
        let (_, listed) = scene.client.get(&format!("/v1/deliveries?endpoint={id}{query}")).await;
        assert_eq!(events(&listed), expected, "{query}");
    }
    for (path, expected) in [
        (format!("/v1/attempts?endpoint={id}"), vec!["evt_3", "evt_2", "evt_1"]),
        (format!("/v1/attempts?endpoint={id}&status=failed"), vec!["evt_2"]),
        (format!("/v1/deliveries/{}/attempts", all["list"][0]["id"].as_str().unwrap()), vec!["evt_3"]),
    ] {
        assert_eq!(events(&scene.client.get(&path).await.1), expected, "{path}");
    }
    for list in ["deliveries", "attempts"] {
        let (mut path, mut seen) = (format!("/v1/{list}?endpoint={id}&limit=1"), Vec::new());
        loop {
            let (_, page) = scene.client.get(&path).await;
            seen.extend(events(&page));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/{list}?endpoint={id}&limit=1&cursor={next}");
        }
        assert_eq!(seen, ["evt_3", "evt_2", "evt_1"], "{list}");
    }
    scene.bridge.stop().await;
}

#[tokio::test]
async fn publishing_with_a_key_is_done_once() {
    let mut scene = Scene::start().await;
    scene.endpoint(&[]).await;
    let (status, first) = scene.client.publish("key", EVENT).await;
    assert_eq!((status, &first["deliveries"]), (StatusCode::ACCEPTED, &json!(1)));
    assert_eq!(scene.client.publish("key", EVENT).await, (status, first));
    let (status, problem) = scene.client.publish("key", &EVENT.replace("cs_1", "cs_2")).await;
    assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:webhook-bridge:conflict")));
    let (status, again) = scene.client.publish("another key", EVENT).await;
    assert_eq!((status, &again["duplicate"]), (StatusCode::OK, &json!(true)));
    scene.receiver.next().await.answer(StatusCode::OK);
    scene.bridge.stop().await;
    assert!(scene.receiver.is_empty());
}

#[tokio::test]
async fn what_may_not_be_meant_is_warned_of_and_what_cannot_be_is_a_problem() {
    let scene = Scene::start().await;
    let wish = |events: &[&str]| json!({ "url": scene.receiver.url(), "enabled_events": events });
    let (status, made) = scene.client.post("/v1/endpoints", &wish(&["refund.created", "shop.sold"])).await;
    assert_eq!(
        (status, &made["warnings"]),
        (StatusCode::CREATED, &json!(["enabled_events: shop.sold is in no catalogue"]))
    );
    let path = format!("/v1/endpoints/{}", made["id"].as_str().unwrap());
    for (method, path, body, status) in [
        (Method::POST, "/v1/endpoints", json!({ "url": "https://example.com/" }), 422),
        (Method::POST, "/v1/endpoints", json!({ "colour": "red" }), 422),
        (Method::PATCH, path.as_str(), json!({ "secret": "whsec_x" }), 422),
        (Method::GET, "/v1/endpoints?limit=0", Value::Null, 422),
        (Method::GET, "/v1/endpoints?colour=red", Value::Null, 422),
        (Method::GET, "/v1/deliveries/dlv_1_1", Value::Null, 404),
        // One more than a store can number.
        (Method::GET, "/v1/deliveries/dlv_1_9223372036854775808", Value::Null, 404),
        (Method::POST, "/v1/deliveries/dlv_1_18446744073709551615/resend", Value::Null, 404),
        (Method::GET, "/v1/deliveries?endpoint=we_1&cursor=9223372036854775808_0", Value::Null, 422),
        (Method::GET, "/v1/deliveries?cursor=1_9223372036854775808", Value::Null, 422),
        (Method::GET, "/v1/attempts?endpoint=we_1&cursor=9223372036854775808_1", Value::Null, 422),
        (Method::GET, "/v1/deliveries/x", Value::Null, 404),
        (Method::POST, "/v1/deliveries/dlv_1_1/resend", Value::Null, 404),
        (Method::GET, "/v1/events/evt_1/explain?endpoint=we_0", Value::Null, 404),
        (Method::DELETE, "/v1/events", Value::Null, 405),
    ] {
        let (answered, problem) = scene.client.send(method, path, &body).await;
        assert_eq!(
            (answered.as_u16(), problem["status"].as_u64()),
            (status, Some(u64::from(status))),
            "{path}: {problem}"
        );
    }
    scene.bridge.stop().await;
}

#[tokio::test]
async fn what_is_sent_again_stands_in_line_with_its_key() {
    let mut scene = Scene::start().await;
    let wish = json!({
        "url": scene.receiver.url(), "enabled_events": ["*"], "schedule": [], "ordering": "key",
    });
    scene.client.post("/v1/endpoints", &wish).await;
    let event = |id: &str| -> Value {
        let mut event: Value = serde_json::from_str(&EVENT.replace("evt_1", id)).unwrap();
        event["object_id"] = json!("cs_1");
        event
    };
    scene.client.post("/v1/events", &event("evt_1")).await;
    scene.receiver.next().await.answer(StatusCode::INTERNAL_SERVER_ERROR);
    let (_, listed) = scene.client.get("/v1/deliveries?event=evt_1").await;
    let id = listed["list"][0]["id"].as_str().unwrap();
    scene.delivery(id, "exhausted").await;

    scene.client.post("/v1/events", &event("evt_2")).await;
    let second = scene.receiver.next().await;
    let resend = format!("/v1/deliveries/{id}/resend");
    let (status, again) = scene.client.post(&resend, &Value::Null).await;
    assert_eq!((status, &again["state"]), (StatusCode::ACCEPTED, &json!("waiting")));
    assert_eq!(scene.client.post(&resend, &Value::Null).await.0, StatusCode::CONFLICT);
    assert!(scene.receiver.is_empty());
    second.answer(StatusCode::OK);
    let again = scene.receiver.next().await;
    again.answer(StatusCode::OK);
    assert_eq!((again.header("webhook-id"), again.header("webhook-attempt")), ("evt_1", "2"));
    scene.bridge.stop().await;
}

#[tokio::test]
async fn nobody_overwrites_what_somebody_else_changed() {
    let scene = Scene::start().await;
    let (path, _) = scene.endpoint(&[]).await;
    let seen = scene.client.tag(&path).await;
    let describe = |text: &str| json!({ "description": text });
    let first = scene.client.change(&path, &seen, &describe("mine")).await;
    assert_eq!((first.0, &first.1["description"]), (StatusCode::OK, &json!("mine")));
    let (status, problem) = scene.client.change(&path, &seen, &describe("yours")).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(problem["type"], "urn:webhook-bridge:outdated");
    let seen = scene.client.tag(&path).await;
    assert_eq!(scene.client.change(&path, &seen, &describe("yours")).await.0, StatusCode::OK);
    scene.bridge.stop().await;
}

#[tokio::test]
async fn an_endpoint_signed_as_gstable_gets_events_of_gstable_only() {
    let mut scene = Scene::start().await;
    let wish = |source: Value| {
        let url = scene.receiver.url();
        json!({ "url": url, "enabled_events": ["*"], "signature": "gstable", "source": source })
    };
    let (status, problem) = scene.client.post("/v1/endpoints", &wish(json!("shop"))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let (_, made) = scene.client.post("/v1/endpoints", &wish(Value::Null)).await;
    assert_eq!(made["source"], "gstable");
    let (_, published) = scene.client.post("/v1/events", &serde_json::from_str(EVENT).unwrap()).await;
    assert_eq!(published["deliveries"], 0);
    let id = made["id"].as_str().unwrap();
    let (_, told) = scene.client.get(&format!("/v1/events/evt_1/explain?endpoint={id}")).await;
    assert_eq!(told["list"][0]["reason"], "other_source");
    scene.client.post(&format!("/v1/endpoints/{id}/test"), &Value::Null).await;
    let request = scene.receiver.next().await;
    request.answer(StatusCode::OK);
    assert!(!request.header("x-gstable-signature").is_empty());
    scene.bridge.stop().await;
}

/// Bytes are bytes: neither spaces nor the spelling of numbers change, and each event of a batch is its own.
#[tokio::test]
async fn what_was_published_is_shown_byte_for_byte() {
    let scene = Scene::start().await;
    let odd = |id: &str| EVENT.replace("evt_1", id).replace("\"cs_1\"", "\"cs_1\",  \"amount\": 1.50e1");
    let body = format!("[ {} ,{}]", odd("evt_1"), odd("evt_2"));
    let (status, batch) = scene.client.text("/v1/events/batch", ("application/json", &body)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{batch}");
    let lines = format!("{}\n\n{}\n", odd("evt_3"), odd("evt_4"));
    let (status, batch) = scene.client.text("/v1/events/batch", ("application/x-ndjson", &lines)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{batch}");
    for id in ["evt_1", "evt_2", "evt_3", "evt_4"] {
        assert_eq!(scene.client.bytes(&format!("/v1/events/{id}/body")).await, odd(id));
        let shown = scene.client.bytes(&format!("/v1/events/{id}")).await;
        assert!(std::str::from_utf8(&shown).unwrap().contains("\"cs_1\",  \"amount\": 1.50e1"));
    }
    scene.bridge.stop().await;
}
