//! Queues that are deleted under a member, and alarms.

use std::time::{Duration, Instant};

use eventbus::conformance::{Fault, VirtualHost};
use eventbus::{AnyEvent, BusConfig, ErrorKind, EventBus};
use eventbus_amqp::{AmqpConfig, AmqpTransport};
use lapin::BasicProperties;
use lapin::options::{
    BasicGetOptions, BasicNackOptions, BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;

use crate::ground::{Seen, bus, client, event, host, json, until};

#[tokio::test]
async fn a_queue_that_was_deleted_is_made_again_and_told() {
    let host = host().await;
    let bus = bus(&host.url()).await.unwrap();
    let seen = Seen::default();
    let running = seen.by(&bus, "g").await;
    bus.publish(&event("evt_1")).await.unwrap();
    seen.until(1).await;
    let (_connection, channel) = client(&host).await;
    channel.queue_delete("bus/g".into(), QueueDeleteOptions::default()).await.unwrap();
    until("the group is joined again", async || running.health().reopened == 1).await;
    bus.publish(&event("evt_2")).await.unwrap();
    assert_eq!(seen.until(2).await[1].id().as_str(), "evt_2");
    assert_eq!(running.health().reopened, 1, "once");
}

#[tokio::test]
async fn a_group_whose_queue_vanished_waits_until_the_new_one_is_safe() {
    let host = host().await;
    let bus = bus(&host.url()).await.unwrap();
    let seen = Seen::default();
    seen.by(&bus, "g").await.stop(Duration::from_secs(1)).await;
    let (_connection, channel) = client(&host).await;
    channel.queue_delete("bus/g".into(), QueueDeleteOptions::default()).await.unwrap();
    let begun = Instant::now();
    seen.by(&bus, "g").await;
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "a broker that is killed now forgets it: {:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn what_was_left_half_done_is_done_by_the_next_member() {
    let host = host().await;
    let bus = bus(&host.url()).await.unwrap();
    let join = async |pattern: &str| {
        let subscription = bus.subscribe("g").on_pattern(pattern, |_: AnyEvent| async { Ok(()) });
        subscription.start().await.unwrap().stop(Duration::from_secs(1)).await;
    };
    join("parcel.shipped").await;
    // A member wrote down that it wants something else, and was lost before it was so.
    let (_connection, channel) = client(&host).await;
    let record = channel.basic_get("bus/g/what".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    let text = String::from_utf8(record.delivery.data.clone()).unwrap().replace("shipped", "lost");
    record.delivery.acker.nack(BasicNackOptions { requeue: true, multiple: false }).await.unwrap();
    let options = BasicPublishOptions::default();
    let (route, properties) = ("bus/g/what".into(), BasicProperties::default());
    channel.basic_publish("".into(), route, options, text.as_bytes(), properties).await.unwrap();
    join("parcel.lost").await;
    bus.publish(&event("evt_1")).await.unwrap();
    bus.publish(&AnyEvent::from_json(json("evt_2", "parcel.lost")).unwrap()).await.unwrap();
    let there = channel.basic_get("bus/g".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    assert_eq!(
        there.delivery.properties.message_id().as_ref().unwrap().as_str(),
        "evt_2",
        "evt_1 is unwanted"
    );
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let looked = channel.queue_declare("bus/g/what".into(), options, FieldTable::default()).await.unwrap();
    assert_eq!(looked.message_count(), 1, "one record is left");
}

#[tokio::test]
async fn an_alarm_shows_and_publishing_fails_at_its_deadline() {
    let host = VirtualHost::start(&[Fault::Kill]).await.unwrap();
    let transport = AmqpTransport::connect(AmqpConfig::parse(&host.url()).unwrap()).await.unwrap();
    let config = BusConfig::new().publish_deadline(Duration::from_secs(1));
    let bus = EventBus::new(std::sync::Arc::new(transport), config);
    let seen = Seen::default();
    seen.by(&bus, "g").await;
    host.node().raise_alarm().await.unwrap();
    // The broker says so to whoever publishes; what it had read before, it takes.
    let first = bus.publish(&event("evt_1")).await.map_or_else(|error| Some(error.kind()), |_| None);
    assert!(matches!(first, None | Some(ErrorKind::Unknown | ErrorKind::NotSent)), "{first:?}");
    until("it shows", async || {
        bus.health().troubles.iter().any(|trouble| trouble.contains("accepts no events"))
    })
    .await;
    let second = bus.publish(&event("evt_2")).await.expect_err("it is not sent");
    assert_eq!(second.kind(), ErrorKind::NotSent, "{second}");
    host.node().clear_alarm().await.unwrap();
    until("it is over", async || bus.health().troubles.is_empty()).await;
    bus.publish(&event("evt_3")).await.unwrap();
    until("it goes on", async || seen.events().iter().any(|event| event.id().as_str() == "evt_3")).await;
}
