//! From a published event to a verified request at a real receiver, over a real store, also across a crash.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test helper that fails is a test that fails")]

mod backup;
mod bus;
#[allow(dead_code, reason = "shared; not all of it is needed here")]
mod caller;
mod dns;
mod health;
mod ledger;
mod names;
mod order;
mod peers;
mod probes;
mod process;
mod receiver;
mod retention;
mod rig;
mod stop;

use eventbus::payment_kit::{CustomerSubscriptionRenewed, Subscription};
use http::StatusCode;
use serde_json::{Value, json};
use webhook_bridge::{Bridge, Config};

use caller::Caller;
use process::Process;
use receiver::{Receiver, verify};

pub(crate) const EVENT: &str = r#"{"id":"evt_1","livemode":false,"type":"checkout.session.completed","source":"payment-kit","data":{"object":{"id":"cs_1","amount_total":"12.50","n":1.0}},"object_id":"cs_1","object_type":"CheckoutSession","created_at":"2026-01-01T00:00:00.000Z"}"#;

async fn bridge(folder: &tempfile::TempDir, receiver: &Receiver) -> (Bridge, Caller) {
    bridge_to(folder, &[receiver]).await
}

async fn bridge_to(folder: &tempfile::TempDir, receivers: &[&Receiver]) -> (Bridge, Caller) {
    let listen = "127.0.0.1:0".parse().unwrap();
    let targets = receivers.iter().map(|receiver| receiver.target()).collect();
    let config = Config::new().data(folder.path()).listen(listen).allow_targets(targets);
    let bridge = Bridge::start(config).await.unwrap();
    let key = bridge.fresh_keys()[0].reveal().to_owned();
    let caller = Caller::new(bridge.address(), key);
    (bridge, caller)
}

fn wish(receiver: &Receiver, events: &[&str]) -> Value {
    json!({ "url": receiver.url(), "enabled_events": events, "schedule": [1, 1, 1, 1] })
}

#[tokio::test]
async fn an_event_of_the_bus_is_delivered_and_signed() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let (bridge, caller) = bridge(&folder, &receiver).await;
    let (status, endpoint) = caller.post("/v1/endpoints", wish(&receiver, &["customer.#"]).to_string()).await;
    assert_eq!(status, StatusCode::CREATED, "{endpoint}");

    let object = Subscription { id: "sub_1".into(), ..Subscription::default() };
    let receipt = bridge.bus().publish(CustomerSubscriptionRenewed::new(object)).await.unwrap();
    let request = receiver.next().await;
    request.answer(StatusCode::OK);

    verify(&request, endpoint["secret"].as_str().unwrap());
    assert_eq!(request.header("webhook-id"), receipt.id().as_str());
    assert_eq!(request.header("webhook-sequence"), "1");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["data"]["object"]["id"], "sub_1");
    bridge.stop().await;
}

#[tokio::test]
async fn a_body_goes_out_byte_for_byte_to_whoever_wants_it_and_once() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let (bridge, caller) = bridge(&folder, &receiver).await;
    let (_, endpoint) =
        caller.post("/v1/endpoints", wish(&receiver, &["checkout.session.completed"]).to_string()).await;
    caller.post("/v1/endpoints", wish(&receiver, &["refund.*"]).to_string()).await;

    let (status, first) = caller.post("/v1/events", EVENT.to_owned()).await;
    assert_eq!((status, &first["deliveries"]), (StatusCode::ACCEPTED, &json!(1)));
    let (status, again) = caller.post("/v1/events", EVENT.to_owned()).await;
    assert_eq!((status, &again["duplicate"]), (StatusCode::OK, &json!(true)));

    let request = receiver.next().await;
    request.answer(StatusCode::NO_CONTENT);
    assert_eq!(request.body, EVENT.as_bytes());
    verify(&request, endpoint["secret"].as_str().unwrap());
    bridge.stop().await;
    assert!(receiver.is_empty(), "one event, one request");
}

#[tokio::test]
async fn a_failed_attempt_is_made_again_with_the_same_id() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let (bridge, caller) = bridge(&folder, &receiver).await;
    caller.post("/v1/endpoints", wish(&receiver, &["*"]).to_string()).await;
    caller.post("/v1/events", EVENT.to_owned()).await;

    let first = receiver.next().await;
    first.answer(StatusCode::INTERNAL_SERVER_ERROR);
    let second = receiver.next().await;
    second.answer(StatusCode::OK);
    assert_eq!((first.header("webhook-attempt"), second.header("webhook-attempt")), ("1", "2"));
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_eq!(first.body, second.body);
    bridge.stop().await;
}

#[tokio::test]
async fn what_was_accepted_arrives_after_the_bridge_was_killed() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let mut process = Process::start(folder.path(), &receiver.target_text()).await;
    let caller = process.caller();
    let (_, endpoint) = caller.post("/v1/endpoints", wish(&receiver, &["*"]).to_string()).await;
    let (status, _) = caller.post("/v1/events", EVENT.to_owned()).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let first = receiver.next().await;
    process.kill().await;
    drop(first);

    let process = Process::start(folder.path(), &receiver.target_text()).await;
    let second = receiver.next().await;
    second.answer(StatusCode::OK);
    assert_eq!((second.header("webhook-id"), second.header("webhook-attempt")), ("evt_1", "2"));
    verify(&second, endpoint["secret"].as_str().unwrap());

    process.stop().await;
    let process = Process::start(folder.path(), &receiver.target_text()).await;
    process.stop().await;
    assert!(receiver.is_empty(), "what was delivered stays so");
}

#[tokio::test]
async fn an_endpoint_that_hangs_with_a_backlog_does_not_hold_up_another() {
    let folder = tempfile::tempdir().unwrap();
    let (mut hanging, mut other) = (Receiver::start().await, Receiver::start().await);
    let (_bridge, caller) = bridge_to(&folder, &[&hanging, &other]).await;
    caller.post("/v1/endpoints", wish(&hanging, &["a.b"]).to_string()).await;
    caller.post("/v1/endpoints", wish(&other, &["checkout.#"]).to_string()).await;
    for number in 0..50 {
        let event =
            EVENT.replace("evt_1", &format!("evt_{number}_b")).replace("checkout.session.completed", "a.b");
        assert_eq!(caller.post("/v1/events", event).await.0, StatusCode::ACCEPTED);
    }
    let mut unanswered = Vec::new();
    while unanswered.len() < 8 {
        unanswered.push(hanging.next().await);
    }
    caller.post("/v1/events", EVENT.to_owned()).await;
    other.next().await.answer(StatusCode::OK);
    assert!(hanging.is_empty(), "no more than its share is under way");
}

#[tokio::test]
async fn an_endpoint_that_asks_for_it_is_left_alone_with_all_it_is_owed() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let (bridge, caller) = bridge(&folder, &receiver).await;
    let mut wish = wish(&receiver, &["*"]);
    wish["max_in_flight"] = json!(1);
    caller.post("/v1/endpoints", wish.to_string()).await;
    for id in ["evt_1", "evt_2"] {
        caller.post("/v1/events", EVENT.replace("evt_1", id)).await;
    }
    let first = receiver.next().await;
    let began = std::time::Instant::now();
    let wait = [(http::header::RETRY_AFTER, http::HeaderValue::from_static("3"))];
    first.answer_with(StatusCode::SERVICE_UNAVAILABLE, wait.into_iter().collect());
    receiver.next().await.answer(StatusCode::OK);
    receiver.next().await.answer(StatusCode::OK);
    assert!(began.elapsed() >= std::time::Duration::from_millis(2900), "neither came early");
    bridge.stop().await;
}

#[tokio::test]
async fn modes_and_keys_are_walls() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let (bridge, caller) = bridge(&folder, &receiver).await;
    let live = Caller::new(bridge.address(), bridge.fresh_keys()[1].reveal().to_owned());
    let (_, endpoint) = caller.post("/v1/endpoints", wish(&receiver, &["*"]).to_string()).await;
    let path = format!("/v1/endpoints/{}", endpoint["id"].as_str().unwrap());

    assert_eq!(caller.get(&path).await.0, StatusCode::OK);
    assert_eq!(live.get(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(live.get("/v1/endpoints").await.1["count"], 0);
    assert_eq!(live.post("/v1/events", EVENT.to_owned()).await.0, StatusCode::FORBIDDEN);
    assert_eq!(
        live.post("/v1/endpoints", wish(&receiver, &["*"]).to_string()).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let nobody = Caller::new(bridge.address(), "whb_test_0".into());
    assert_eq!(nobody.get("/v1/endpoints").await.0, StatusCode::UNAUTHORIZED);
    assert!(caller.get(&path).await.1.get("secret").is_none(), "shown once");
    assert_eq!(caller.get("/v1/nothing").await.1["type"], "urn:webhook-bridge:not-found");
    bridge.stop().await;
}

#[tokio::test]
async fn a_target_that_is_not_public_is_refused_with_the_rule() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let (bridge, caller) = bridge(&folder, &receiver).await;
    for url in [
        "http://127.0.0.1:1/",
        "http://0x7f.1/",
        "http://2130706433:9/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/",
    ] {
        let wish = json!({ "url": url, "enabled_events": ["*"] });
        let (status, problem) = caller.post("/v1/endpoints", wish.to_string()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{url}");
        assert!(problem["detail"].as_str().unwrap().starts_with("url: "), "{url}: {problem}");
    }
    bridge.stop().await;
}
