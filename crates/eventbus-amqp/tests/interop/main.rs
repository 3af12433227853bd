//! Programs in other languages on the same bus, both ways: what they get of ours, and what we make of theirs.

mod python;

use std::sync::Arc;
use std::time::Duration;

use eventbus::conformance::VirtualHost;
use eventbus::payment_kit::{CustomerSubscriptionRenewed, Subscription};
use eventbus::transport::{Body, DeadLetter};
use eventbus::{AnyEvent, BusConfig, Event, EventBus, EventKind as _, HandlerError, Key, Select, Timestamp};
use eventbus_amqp::{AmqpConfig, AmqpTransport};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use python::{Python, body};

/// The exchange of a bus by its default name.
const EXCHANGE: &str = "bus";
/// Where the events of these tests go.
const KEY: &str = "payment-kit.customer.subscription.renewed";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const PATIENCE: Duration = Duration::from_secs(30);

async fn bus() -> (VirtualHost, EventBus) {
    let host = VirtualHost::start(&[]).await.expect("RabbitMQ starts");
    let transport = AmqpTransport::connect(AmqpConfig::new(host.url())).await.expect("RabbitMQ is there");
    (host, EventBus::new(Arc::new(transport), BusConfig::default()))
}

fn renewed() -> Event<CustomerSubscriptionRenewed> {
    let object =
        Subscription { id: "sub_1".to_owned(), status: Some("active".into()), ..Subscription::default() };
    let event = CustomerSubscriptionRenewed::new(object).id("evt_1").livemode(true);
    let event = event.trace(TRACE.parse().expect("it is legal"));
    event.time(Timestamp::from_millis(1_767_323_045_678)).build().expect("id and key are legal")
}

/// Handles renewed subscriptions, and says which.
async fn renewals(bus: &EventBus) -> UnboundedReceiver<(AnyEvent, Subscription)> {
    let (tell, told) = unbounded_channel();
    let handler = move |event: Event<CustomerSubscriptionRenewed>| {
        let said = tell.send((event.as_any().clone(), event.object().clone()));
        async move { said.map_err(HandlerError::permanent) }
    };
    bus.subscribe("entitlements").on(handler).start().await.expect("the transport can do this");
    told
}

async fn next<T>(told: &mut UnboundedReceiver<T>) -> T {
    timeout(PATIENCE, told.recv()).await.expect("it comes in time").expect("the handler lives")
}

/// The dead letters, as soon as there are so many.
async fn dead(bus: &EventBus, count: usize) -> Vec<DeadLetter> {
    let letters = bus.dead_letters("entitlements").expect("the name is legal");
    let listed = async {
        loop {
            let listed = letters.list(Select::all(), 10).await.expect("they can be listed");
            if listed.len() >= count {
                return listed;
            }
        }
    };
    timeout(PATIENCE, listed).await.expect("they come in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn another_language_gets_what_is_published() {
    let (host, bus) = bus().await;
    let event = renewed();
    let mut python = Python::consume(&host.url(), EXCHANGE, "payment-kit.customer.#", 1);
    bus.publish(&event).await.expect("RabbitMQ is there");
    let message = python.message();
    assert_eq!(body(&message), event.as_any().to_json().expect("it can be encoded"));
    let headers = &message["headers"];
    assert_eq!(headers["timestamp_in_ms"], 1_767_323_045_678_i64);
    assert_eq!((&headers["livemode"], &headers["key"]), (&json!(true), &json!("sub_1")));
    assert!(headers["traceparent"].as_str().is_some_and(|trace| trace[3..35] == TRACE[3..35]), "{headers}");
    for (name, value) in [
        ("key", json!(KEY)),
        ("message_id", json!("evt_1")),
        ("type", json!("customer.subscription.renewed")),
        ("app_id", json!("payment-kit")),
        ("timestamp", json!(1_767_323_045)),
        ("content_type", json!("application/json")),
        ("delivery_mode", json!(2)),
    ] {
        assert_eq!(message[name], value, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_handler_gets_what_another_language_publishes() {
    let (host, bus) = bus().await;
    let mut told = renewals(&bus).await;
    let json = renewed().as_any().to_json().expect("it can be encoded");
    let mut python = Python::publisher(&host.url(), EXCHANGE);
    let time = 1_767_323_045_678_i64;
    let headers = json!({"timestamp_in_ms": time, "livemode": true, "key": "other", "traceparent": TRACE});
    let whole = json!({
        "message_id": "evt_7", "type": CustomerSubscriptionRenewed::TYPE, "app_id": "payment-kit",
        "timestamp": 1_767_323_045, "content_type": "application/json", "delivery_mode": 2, "headers": headers,
    });
    python.publish(KEY, &json, &whole);
    let (event, object) = next(&mut told).await;
    // What travels beside the body counts.
    assert_eq!((event.id().as_str(), event.key().map(Key::as_str)), ("evt_7", Some("other")));
    assert_eq!((event.time().as_millis(), event.livemode()), (1_767_323_045_678, true));
    assert!(event.trace().is_some_and(|known| known.trace_id() == TRACE[3..35]), "{:?}", event.trace());
    assert_eq!((object.id.as_str(), event.to_json().expect("it came so")), ("sub_1", json));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_form_alone_is_an_event() {
    let (host, bus) = bus().await;
    let mut told = renewals(&bus).await;
    let json = renewed().as_any().to_json().expect("it can be encoded");
    Python::publisher(&host.url(), EXCHANGE).publish(KEY, &json, &json!({}));
    let (event, object) = next(&mut told).await;
    assert_eq!((event.id().as_str(), object.id.as_str()), ("evt_1", "sub_1"));
    assert_eq!((event.time().as_millis(), event.livemode()), (1_767_323_045_678, true));
    assert_eq!(event.to_json().expect("it came so"), json);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_a_dead_letter_with_its_bytes_and_the_next_one_is_handled() {
    let (host, bus) = bus().await;
    let mut told = renewals(&bus).await;
    let json = renewed().as_any().to_json().expect("it can be encoded");
    let mut python = Python::publisher(&host.url(), EXCHANGE);
    let foreign: [(&[u8], Value); 4] = [
        (b"\x00\xff\xfe no text", json!({})),
        (b"<renewed id='sub_1'/>", json!({"content_type": "application/xml", "message_id": "42"})),
        (b"", json!({"headers": {"key": 7, "livemode": "perhaps", "nested": {"list": [1, null, "x"]}}})),
        (br#"{"id":"evt_1"}"#, json!({"headers": {"timestamp_in_ms": "soon"}, "priority": 3})),
    ];
    for (bytes, properties) in &foreign {
        python.publish(KEY, bytes, properties);
    }
    python.publish(KEY, &json, &json!({}));
    assert_eq!(next(&mut told).await.1.id, "sub_1");
    let letters = dead(&bus, foreign.len()).await;
    let raw = |letter: &DeadLetter| letter.raw().expect("the bytes are there").to_vec();
    let mut kept: Vec<Vec<u8>> = letters.iter().map(raw).collect();
    let mut sent: Vec<Vec<u8>> = foreign.iter().map(|(bytes, _)| bytes.to_vec()).collect();
    kept.sort();
    sent.sort();
    assert_eq!(kept, sent);
    assert!(letters.iter().any(|letter| matches!(letter.body, Body::Undecodable(_))));
    assert!(told.try_recv().is_err(), "only the event was handled");
}
