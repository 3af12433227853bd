//! Endpoints that fail or hang, at real receivers: what becomes of them, and that others do not notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use eventbus::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use webhook_bridge::model::{DeliveryKey, DeliveryState, DisabledReason, Ending, Sealed};

use crate::receiver::{Receiver, Request};
use crate::rig::Rig;

const TIMEOUT: Duration = Duration::from_secs(5);

fn wish(word: &'static str) -> HeaderMap {
    [(HeaderName::from_static("webhook-delivery"), HeaderValue::from_static(word))].into_iter().collect()
}

#[tokio::test]
async fn an_endpoint_that_asks_for_it_is_disabled_and_whoever_wants_to_know_is_told() {
    let (rig, mut receiver, mut watcher) = (Rig::start(), Receiver::start().await, Receiver::start().await);
    let id = rig.endpoint(&receiver.url(), "a.b", TIMEOUT).await;
    rig.endpoint(&watcher.url(), "webhook_endpoint.*", TIMEOUT).await;
    rig.publish("evt_1", "a.b", None).await;
    receiver.next().await.answer_with(StatusCode::OK, wish("disable"));

    let told = watcher.next().await;
    told.answer(StatusCode::OK);
    let event: serde_json::Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(event["type"], "webhook_endpoint.disabled");
    let report = &event["data"]["object"];
    assert_eq!((&report["id"], &report["disabled_reason"]), (&id.as_str().into(), &"receiver".into()));
    assert_eq!(rig.standing(&id).await.disabled_reason, Some(DisabledReason::Receiver));
    rig.publish("evt_2", "a.b", None).await;
    rig.stop().await;
    assert!(receiver.is_empty(), "nothing more is sent to it");
}

#[tokio::test]
async fn who_subscribes_to_the_bus_is_told_too_and_nobody_is_told_twice() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let (bridge, caller) = crate::bridge(&folder, &receiver).await;
    let mut told = bridge.bus().subscribe("operators").stream("webhook_endpoint.#").await.unwrap();
    caller
        .post("/v1/endpoints", crate::wish(&receiver, &["checkout.#", "webhook_endpoint.#"]).to_string())
        .await;
    caller.post("/v1/events", crate::EVENT.to_owned()).await;
    receiver.next().await.answer_with(StatusCode::OK, wish("disable"));

    let message = told.next().await.unwrap();
    assert_eq!(message.event().event_type().as_str(), "webhook_endpoint.disabled");
    let event = String::from_utf8(message.event().to_json().unwrap().to_vec()).unwrap();
    message.ack().await.unwrap();
    let (status, answer) = caller.post("/v1/events", event).await;
    assert_eq!((status, &answer["duplicate"]), (StatusCode::OK, &true.into()), "it is stored already");
    bridge.stop().await;
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn a_fault_of_the_bridge_is_charged_to_no_endpoint_and_tried_again_later() {
    let (rig, mut receiver) = (Rig::start(), Receiver::start().await);
    let id = rig.endpoint_with(&receiver.url(), "*", Sealed(vec![1])).await;
    let before = rig.standing(&id).await;
    rig.publish("evt_1", "a.b", None).await;
    let later = Timestamp::now().plus(Duration::from_secs(4));
    while !rig.store.agenda().await.unwrap().iter().any(|(_, due)| *due > later) {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.standing(&id).await, before);
    rig.stop().await;
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn a_delivery_that_an_endpoint_asks_not_to_get_again_ends_and_the_next_goes_on() {
    let (rig, mut receiver) = (Rig::start(), Receiver::start().await);
    let id = rig.endpoint(&receiver.url(), "a.b", TIMEOUT).await;
    rig.publish("evt_1", "a.b", None).await;
    receiver.next().await.answer_with(StatusCode::INTERNAL_SERVER_ERROR, wish("abort-message"));
    rig.publish("evt_2", "a.b", None).await;
    let second = receiver.next().await;
    second.answer(StatusCode::OK);
    assert_eq!(second.header("webhook-id"), "evt_2");
    let key = DeliveryKey { endpoint: rig.standing(&id).await.key, sequence: 1 };
    let state = async || rig.store.state(key).await.unwrap();
    // The second may come before the answer to the first is stored.
    while state().await == Some(DeliveryState::Leased) {
        tokio::task::yield_now().await;
    }
    assert_eq!(state().await, Some(DeliveryState::Failed(Ending::Refused)));
    rig.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_fails_is_left_alone_while_another_is_served() {
    let (rig, mut failing, mut other) = (Rig::start(), Receiver::start().await, Receiver::start().await);
    let id = rig.endpoint(&failing.url(), "a.b", TIMEOUT).await;
    rig.endpoint(&other.url(), "c.d", TIMEOUT).await;
    for number in 0..40 {
        rig.publish(&format!("evt_{number}"), "a.b", None).await;
    }
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let request = failing.wait().await;
            counted.fetch_add(1, Ordering::Relaxed);
            request.answer(StatusCode::INTERNAL_SERVER_ERROR);
        }
    });
    while rig.standing(&id).await.health.rest(Timestamp::now()).is_none() {
        tokio::task::yield_now().await;
    }
    rig.publish("evt_other", "c.d", None).await;
    other.next().await.answer(StatusCode::OK);
    rig.stop().await;
    let asked = asked.load(Ordering::Relaxed);
    assert!((10..10 + 8).contains(&asked), "{asked} requests for 40 deliveries");
}

#[tokio::test]
async fn a_hundred_endpoints_that_hang_do_not_hold_up_another() {
    const HANGING: usize = 100;
    let (rig, mut hanging, mut other) = (Rig::start(), Receiver::start().await, Receiver::start().await);
    for _ in 0..HANGING {
        rig.endpoint(&hanging.url(), "a.b", Duration::from_secs(30)).await;
    }
    rig.endpoint(&other.url(), "c.d", TIMEOUT).await;
    for number in 0..10 {
        rig.publish(&format!("evt_{number}"), "a.b", None).await;
    }
    // All the slots there are for whoever answers soon, and those for whoever does not: nobody answers.
    let mut unanswered: Vec<Request> = Vec::new();
    while unanswered.len() < 256 {
        unanswered.push(hanging.next().await);
    }
    for number in 0..50 {
        let began = Instant::now();
        rig.publish(&format!("evt_other_{number}"), "c.d", None).await;
        other.next().await.answer(StatusCode::OK);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
    // From here on it answers, so that nothing is under way at the end.
    drop((unanswered, hanging));
    rig.stop().await;
}
