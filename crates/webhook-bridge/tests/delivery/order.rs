//! Order by key, at real receivers.

use std::time::Duration;

use eventbus::transport::Order;
use eventbus::{AnyEvent, Key};
use http::StatusCode;

use crate::receiver::Receiver;
use crate::rig::Rig;

const TIMEOUT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_refund_never_overtakes_its_payment_and_others_do_not_wait() {
    let (rig, mut receiver) = (Rig::start(), Receiver::start().await);
    let id = rig.endpoint(&receiver.url(), "*", TIMEOUT).await;
    rig.store.order(rig.standing(&id).await.key, Order::PerKey).await.unwrap();
    for (event, key) in [("payment-1", "1"), ("refund-1", "1"), ("payment-2", "2"), ("refund-2", "2")] {
        rig.publish(event, "a.b", Some(key)).await;
    }
    let mut seen: Vec<String> = Vec::new();
    while seen.len() < 4 {
        let request = receiver.next().await;
        let event = request.header("webhook-id").to_owned();
        if event == "payment-1" && seen.len() < 2 {
            request.answer(StatusCode::INTERNAL_SERVER_ERROR);
        } else {
            request.answer(StatusCode::OK);
            seen.push(event);
        }
    }
    assert_eq!(seen, ["payment-2", "refund-2", "payment-1", "refund-1"]);
    rig.stop().await;
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn hundreds_of_events_of_many_keys_arrive_in_the_order_of_their_key_though_many_fail() {
    const KEYS: usize = 20;
    const EACH: usize = 15;
    let (rig, mut receiver) = (Rig::start(), Receiver::start().await);
    let id = rig.endpoint(&receiver.url(), "*", TIMEOUT).await;
    rig.store.order(rig.standing(&id).await.key, Order::PerKey).await.unwrap();
    for number in 0..EACH {
        for key in 0..KEYS {
            rig.publish(&format!("{key}-{number}"), "a.b", Some(&key.to_string())).await;
        }
    }
    let (mut next, mut requests) = ([0; KEYS], 0);
    while next != [EACH; KEYS] {
        let request = receiver.next().await;
        let (key, number) = request.header("webhook-id").split_once('-').unwrap();
        let (key, number): (usize, usize) = (key.parse().unwrap(), number.parse().unwrap());
        assert_eq!(number, next[key], "key {key}: all before it arrived, and none twice");
        requests += 1;
        if requests % 23 == 0 {
            request.answer(StatusCode::INTERNAL_SERVER_ERROR);
        } else {
            next[key] += 1;
            request.answer(StatusCode::OK);
        }
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_bus_has_in_order_of_a_key_arrives_in_it() {
    const EVENTS: usize = 2000;
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let (bridge, caller) = crate::bridge(&folder, &receiver).await;
    let wish = serde_json::json!({ "url": receiver.url(), "enabled_events": ["*"], "ordering": "key" });
    assert_eq!(caller.post("/v1/endpoints", wish.to_string()).await.0, StatusCode::CREATED);
    let event = |number: usize| {
        let event = AnyEvent::from_json(crate::EVENT.replace("evt_1", &number.to_string())).unwrap();
        event.with_envelope(|envelope| envelope.key = Some(Key::new(format!("{}", number % 2)).unwrap()))
    };
    bridge.bus().publish_all((0..EVENTS).map(event)).await.unwrap();
    let mut next = [0, 1];
    while next != [EVENTS, EVENTS + 1] {
        let request = receiver.next().await;
        request.answer(StatusCode::OK);
        let number: usize = request.header("webhook-id").parse().unwrap();
        assert_eq!(number, next[number % 2], "all of its key before it have arrived");
        next[number % 2] += 2;
    }
    bridge.stop().await;
}
