//! Other programs publish and consume.

use eventbus::Select;
use eventbus::transport::Reason;
use futures::StreamExt as _;
use lapin::BasicProperties;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};

use crate::ground::{Seen, bus, client, event, host, json, until};

#[tokio::test]
async fn a_body_and_a_routing_key_are_an_event() {
    let host = host().await;
    let bus = bus(&host.url()).await.unwrap();
    let seen = Seen::default();
    seen.by(&bus, "g").await;
    let (_connection, channel) = client(&host).await;
    let options = BasicPublishOptions::default();
    let route = || "shop.parcel.shipped".into();
    let body = json("evt_1", "parcel.shipped");
    let published =
        channel.basic_publish("bus".into(), route(), options, body.as_bytes(), BasicProperties::default());
    published.await.unwrap();
    let named = BasicProperties::default().with_message_id("evt_2".into()).with_timestamp(1_769_860_800);
    channel.basic_publish("bus".into(), route(), options, br#"{"weight": 3}"#, named).await.unwrap();
    let events = seen.until(2).await;
    assert_eq!(events[0].to_json().unwrap(), body, "byte for byte");
    assert_eq!((events[0].id().as_str(), events[0].livemode()), ("evt_1", true));
    let (id, kind, source) = (events[1].id(), events[1].event_type(), events[1].source());
    assert_eq!((id.as_str(), kind.as_str(), source.as_str()), ("evt_2", "parcel.shipped", "shop"));
    assert_eq!((events[1].time().as_millis(), events[1].livemode()), (1_769_860_800_000, false));
    assert_eq!(events[1].to_json().unwrap(), br#"{"weight": 3}"#.as_slice());
}

#[tokio::test]
async fn what_is_no_event_becomes_a_dead_letter_and_the_subscription_goes_on() {
    let host = host().await;
    let bus = bus(&host.url()).await.unwrap();
    let seen = Seen::default();
    let running = seen.by(&bus, "g").await;
    let (_connection, channel) = client(&host).await;
    for body in [b"\xff\xfe\x00 not JSON".as_slice(), br#"{"an": "object"}"#, b""] {
        let published = channel.basic_publish(
            "bus".into(),
            "anything".into(),
            BasicPublishOptions::default(),
            body,
            BasicProperties::default(),
        );
        published.await.unwrap();
    }
    bus.publish(&event("evt_1")).await.unwrap();
    assert_eq!(seen.until(1).await[0].id().as_str(), "evt_1");
    let queue = bus.dead_letters("g").unwrap();
    until("they are dead letters", async || queue.list(Select::all(), 10).await.unwrap().len() == 3).await;
    let letters = queue.list(Select::all(), 10).await.unwrap();
    assert!(letters.iter().all(|letter| letter.reason == Reason::Undecodable));
    assert_eq!(letters[0].raw().unwrap(), b"\xff\xfe\x00 not JSON".as_slice());
    assert!(running.health().is_healthy());
}

#[tokio::test]
async fn any_client_reads_what_the_bus_publishes() {
    let host = host().await;
    let bus = bus(&host.url()).await.unwrap();
    let (_connection, channel) = client(&host).await;
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("theirs".into(), options, FieldTable::default()).await.unwrap();
    let (queue, key) = ("theirs".into(), "shop.#".into());
    let bound =
        channel.queue_bind(queue, "bus".into(), key, QueueBindOptions::default(), FieldTable::default());
    bound.await.unwrap();
    bus.publish(&event("evt_1")).await.unwrap();
    let options = BasicConsumeOptions::default();
    let consumed = channel.basic_consume("theirs".into(), "them".into(), options, FieldTable::default());
    let message = consumed.await.unwrap().next().await.unwrap().unwrap();
    assert_eq!(message.routing_key.as_str(), "shop.parcel.shipped");
    assert_eq!(message.data, json("evt_1", "parcel.shipped").into_bytes());
    let properties = message.properties;
    let text = |value: &Option<lapin::types::ShortString>| value.as_ref().map(ToString::to_string);
    assert_eq!(text(properties.message_id()).as_deref(), Some("evt_1"));
    assert_eq!(text(properties.kind()).as_deref(), Some("parcel.shipped"));
    assert_eq!(text(properties.app_id()).as_deref(), Some("shop"));
    assert_eq!(text(properties.content_type()).as_deref(), Some("application/json"));
    assert_eq!((*properties.timestamp(), *properties.delivery_mode()), (Some(1_769_860_800), Some(2)));
    let headers = properties.headers().as_ref().unwrap().inner();
    assert_eq!(headers.get("livemode"), Some(&AMQPValue::Boolean(true)));
    assert_eq!(headers.get("key"), Some(&AMQPValue::LongString("par_1".into())));
    assert_eq!(headers.get("timestamp_in_ms"), Some(&AMQPValue::LongLongInt(1_769_860_800_000)));
}
