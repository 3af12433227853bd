//! What is published later: by whom, and what of it outlives whom.

use std::time::Duration;

use eventbus::conformance::{Fault, Faults as _, Proxy, VirtualHost};
use eventbus::{AnyEvent, ErrorKind, EventBus};
use lapin::BasicProperties;
use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueBindOptions};
use lapin::types::{AMQPValue, FieldTable};
use tokio::time::{Instant, sleep_until};

use crate::ground::{Seen, bus, client, event, host, json, until};

const QUEUE: &str = "bus/#later";

fn events(count: usize) -> Vec<AnyEvent> {
    (0..count).map(|number| event(&format!("evt_{number}"))).collect()
}

fn ids(events: &[AnyEvent]) -> Vec<&str> {
    events.iter().map(|event| event.id().as_str()).collect()
}

/// Another bus on the same virtual host, that the proxy's faults do not reach.
async fn other(host: &VirtualHost, query: &str) -> (Proxy, EventBus) {
    let proxy = Proxy::start(host.node().port()).expect("it finds a port");
    let url = host.node().broker().url(proxy.port(), host.name());
    let bus = bus(&format!("{url}?{query}")).await.expect("it lets guests in");
    (proxy, bus)
}

/// A bus that has planned before, so that delays begin at once.
async fn planner(url: &str) -> EventBus {
    let bus = bus(url).await.expect("it lets guests in");
    assert!(!bus.cancel(event("evt_unknown").id()).await.expect("it is answered"), "nobody knows it");
    bus
}

#[tokio::test]
async fn another_takes_over_from_a_keeper_that_vanished() {
    let host = host().await;
    let keeper = planner(&format!("{}?heartbeat=1s", host.url())).await;
    let planned = events(40);
    let (since, delay) = (Instant::now(), Duration::from_secs(4));
    for event in &planned {
        keeper.publish_in(delay, event).await.unwrap();
    }
    let (_proxy, other) = other(&host, "heartbeat=1s").await;
    let seen = Seen::default();
    seen.by(&other, "g").await;
    assert!(keeper.cancel(planned[7].id()).await.unwrap());
    host.half_open().await;
    let came = seen.until(39).await;
    assert!(since.elapsed() >= delay);
    let expected: Vec<_> = planned.iter().filter(|event| event.id() != planned[7].id()).cloned().collect();
    assert_eq!(ids(&came), ids(&expected), "in order, once, and not what was taken back");
}

#[tokio::test]
async fn a_keeper_that_closes_loses_and_doubles_nothing() {
    let host = host().await;
    let keeper = bus(&host.url()).await.unwrap();
    keeper.publish_in(Duration::from_secs(1), &event("evt_first")).await.unwrap();
    let (_proxy, other) = other(&host, "heartbeat=1s").await;
    let seen = Seen::default();
    seen.by(&other, "g").await;
    let planned = events(300);
    for (number, event) in planned.iter().enumerate() {
        other.publish_in(Duration::from_millis(1000 + 3 * number as u64), event).await.unwrap();
    }
    until("some have come", async || seen.events().len() > 50).await;
    keeper.shutdown(Duration::from_secs(10)).await;
    until("the last has come", async || {
        seen.events().last().is_some_and(|last| last.id() == planned[299].id())
    })
    .await;
    let came = seen.events();
    let mut expected = vec!["evt_first"];
    expected.extend(ids(&planned));
    let mut known = ids(&came);
    known.retain(|id| *id != "evt_first");
    assert_eq!(known, expected[1..], "each once, in order");
}

#[tokio::test]
async fn what_was_taken_back_stays_so_when_the_broker_is_killed() {
    let host = VirtualHost::start(&[Fault::Kill]).await.unwrap();
    let bus = bus(&host.url()).await.unwrap();
    let seen = Seen::default();
    seen.by(&bus, "g").await;
    let planned = events(40);
    for event in &planned {
        bus.publish_in(Duration::from_secs(12), event).await.unwrap();
    }
    let cancelled = futures::future::join_all(planned[..20].iter().map(|event| bus.cancel(event.id()))).await;
    host.kill().await;
    assert!(cancelled.into_iter().all(|cancelled| cancelled.unwrap()));
    host.restart().await;
    assert!(!bus.cancel(planned[3].id()).await.unwrap(), "it was taken back before");
    until("the others have come", async || seen.events().len() >= 20).await;
    let last = event("evt_last");
    bus.publish_in(Duration::from_secs(1), &last).await.unwrap();
    let came = seen.until(21).await;
    assert_eq!(ids(&came[..20]), ids(&planned[20..]));
    assert_eq!(came[20].id(), last.id());
}

#[tokio::test]
async fn whoever_plans_an_event_again_has_it_once() {
    let host = host().await;
    let bus = bus(&host.url()).await.unwrap();
    let (_proxy, other) = other(&host, "").await;
    let seen = Seen::default();
    seen.by(&bus, "g").await;
    let again = AnyEvent::from_json(json("evt_1", "parcel.returned")).unwrap();
    // The first plan's time is far enough that a slow disk has the second one before it.
    bus.publish_in(Duration::from_secs(5), &event("evt_1")).await.unwrap();
    other.publish_in(Duration::from_secs(6), &again).await.unwrap();
    bus.publish_in(Duration::from_secs(7), &event("evt_2")).await.unwrap();
    let came = seen.until(2).await;
    assert_eq!(ids(&came), ["evt_1", "evt_2"]);
    assert_eq!(came[0].event_type().as_str(), "parcel.returned", "the later plan counts");
}

#[tokio::test]
async fn what_is_no_event_is_put_aside_and_told() {
    let host = host().await;
    let bus = bus(&host.url()).await.unwrap();
    let seen = Seen::default();
    seen.by(&bus, "g").await;
    let (_connection, channel) = client(&host).await;
    bus.publish_in(Duration::from_millis(500), &event("evt_1")).await.unwrap();
    for body in [b"not JSON".as_slice(), b""] {
        let options = BasicPublishOptions::default();
        let published =
            channel.basic_publish("".into(), QUEUE.into(), options, body, BasicProperties::default());
        published.await.unwrap();
    }
    seen.until(1).await;
    until("it is told", async || {
        bus.health().troubles.iter().any(|trouble| trouble.contains("2 messages among the scheduled events"))
    })
    .await;
    for body in [b"not JSON".as_slice(), b""] {
        let options = BasicGetOptions { no_ack: true };
        let aside = channel.basic_get(format!("{QUEUE}/foreign").into(), options).await.unwrap().unwrap();
        assert_eq!(aside.delivery.data, body);
    }
    until("all is well again", async || bus.health().troubles.is_empty()).await;
}

#[tokio::test]
async fn what_one_queue_refuses_is_told_and_holds_up_no_other() {
    let host = host().await;
    let bus = bus(&host.url()).await.unwrap();
    let seen = Seen::default();
    seen.by(&bus, "g").await;
    let (_connection, channel) = client(&host).await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(0));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    channel.queue_declare("full".into(), Default::default(), arguments).await.unwrap();
    let key = "shop.parcel.shipped".into();
    let options = QueueBindOptions::default();
    channel.queue_bind("full".into(), "bus".into(), key, options, FieldTable::default()).await.unwrap();
    let (refused, other) =
        (event("evt_refused"), AnyEvent::from_json(json("evt_other", "parcel.returned")).unwrap());
    let since = Instant::now();
    bus.publish_in(Duration::from_millis(1), &refused).await.unwrap();
    bus.publish_in(Duration::from_secs(1), &other).await.unwrap();
    until("it is told", async || {
        bus.health().troubles.iter().any(|trouble| trouble.contains("refuses scheduled events"))
    })
    .await;
    let came = seen.until(7).await;
    assert!(since.elapsed() > Duration::from_secs(4), "each try reaches the others again: {:?}", ids(&came));
    assert_eq!(came.iter().filter(|event| event.id() == other.id()).count(), 1);
    channel.queue_delete("full".into(), Default::default()).await.unwrap();
    until("it has gone", async || bus.health().troubles.is_empty()).await;
    assert!(!bus.cancel(refused.id()).await.unwrap());
}

#[tokio::test]
async fn anybody_takes_back_what_another_planned() {
    let host = host().await;
    let keeper = bus(&host.url()).await.unwrap();
    let planned = events(3);
    for event in &planned {
        keeper.publish_in(Duration::from_secs(10), event).await.unwrap();
    }
    let (_proxy, other) = other(&host, "").await;
    let seen = Seen::default();
    seen.by(&other, "g").await;
    assert!(other.cancel(planned[0].id()).await.unwrap());
    assert!(!keeper.cancel(planned[0].id()).await.unwrap(), "it was taken back already");
    assert!(keeper.cancel(planned[2].id()).await.unwrap());
    other.publish_in(Duration::from_secs(11), &planned[2]).await.unwrap();
    assert_eq!(ids(&seen.until(2).await), ["evt_1", "evt_2"], "what was taken back can be planned again");
    assert!(!other.cancel(planned[1].id()).await.unwrap(), "it was published");
}

#[tokio::test]
async fn no_more_than_the_most_are_planned_and_there_is_room_again() {
    let host = host().await;
    let bus = planner(&format!("{}?scheduled=10", host.url())).await;
    let time = Instant::now() + Duration::from_secs(10);
    let mut planned = Vec::new();
    let full = loop {
        let event = event(&format!("evt_{}", planned.len()));
        match bus.publish_in(time - Instant::now(), &event).await {
            Ok(_) => planned.push(event),
            Err(error) => break error,
        }
        assert!(planned.len() < 1000, "it never is full");
    };
    assert_eq!(full.kind(), ErrorKind::Full, "{full}");
    assert!(planned.len() >= 10, "{}", planned.len());
    until("it is told", async || {
        bus.health().troubles.iter().any(|trouble| trouble.contains("no more are taken"))
    })
    .await;
    for event in &planned[1..] {
        assert!(bus.cancel(event.id()).await.unwrap());
    }
    until("there is room again", async || {
        bus.publish_in(Duration::from_secs(60), &event("evt_again")).await.is_ok()
    })
    .await;
    until("that is told too", async || bus.health().troubles.is_empty()).await;
    sleep_until(time).await;
    assert!(!bus.cancel(planned[0].id()).await.unwrap(), "its time has come");
    assert!(bus.cancel(event("evt_again").id()).await.unwrap());
}

#[tokio::test]
async fn a_queue_that_was_deleted_is_made_again() {
    let host = host().await;
    let bus = bus(&host.url()).await.unwrap();
    let seen = Seen::default();
    seen.by(&bus, "g").await;
    let (_connection, channel) = client(&host).await;
    channel.queue_delete(QUEUE.into(), Default::default()).await.unwrap();
    until("it is there again", async || {
        bus.publish_in(Duration::from_millis(100), &event("evt_1")).await.is_ok()
    })
    .await;
    seen.until(1).await;
}
