//! A group that vanishes from the server is made again from where it stood, and nothing published meanwhile is missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eventbus::AnyEvent;

use crate::ground::{self, LOG, Seen, command, event, events, settled, until};

#[tokio::test]
async fn a_destroyed_group_goes_on_from_where_it_stood() {
    let server = ground::plain().await;
    let bus = ground::bus(&server, "").await;
    let (seen, open) = (Seen::default(), Arc::new(AtomicBool::new(false)));
    let (note, gate) = (seen.handler(), Arc::clone(&open));
    let handler = move |event: AnyEvent, context: eventbus::Context| {
        let (noted, gate) = (note(event, context), Arc::clone(&gate));
        async move {
            while !gate.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            noted.await
        }
    };
    let running = bus.subscribe("g").on_pattern("#", handler).start().await.unwrap();
    bus.publish_all(events(0, 10)).await.unwrap();
    until("some are held", || async { seen.len() >= 10 }).await;
    command(&server, &["XGROUP", "DESTROY", LOG, "g"]).await;
    bus.publish_all(events(10, 20)).await.unwrap();
    until("it was made again", || async { running.health().reopened > 0 }).await;
    open.store(true, Ordering::SeqCst);
    settled(&bus, "g").await;
    for number in 0..20 {
        assert!(seen.has(&format!("evt_{number}")), "{number} is missing of {:?}", seen.ids());
    }
    let again = seen.ids().iter().filter(|id| *id == "evt_3").count();
    assert!(again >= 2, "what was held when the group vanished comes again");
    assert!(running.health().reopened <= 2, "no hot loop");
}

#[tokio::test]
async fn what_was_settled_before_does_not_come_again() {
    let server = ground::plain().await;
    let bus = ground::bus(&server, "").await;
    let seen = Seen::default();
    let running = bus.subscribe("g").on_pattern("#", seen.handler()).start().await.unwrap();
    bus.publish_all(events(0, 100)).await.unwrap();
    settled(&bus, "g").await;
    // The keeper notes how far the group came.
    let meta = "eventbus:{bus/0}:group:g:meta";
    let last = format!("{:?}", command(&server, &["XREVRANGE", LOG, "+", "-", "COUNT", "1"]).await);
    until("it is noted", || async {
        let cursor = command(&server, &["HGET", meta, "cursor"]).await;
        cursor.text().is_some_and(|cursor| last.contains(cursor))
    })
    .await;
    command(&server, &["XGROUP", "DESTROY", LOG, "g"]).await;
    bus.publish(event(100, "k")).await.unwrap();
    until("it goes on", || async { seen.has("evt_100") }).await;
    assert_eq!(seen.len(), 101, "{:?}", running.health());
}

#[tokio::test]
async fn an_emptied_server_is_begun_anew_also_without_a_single_event_before() {
    let server = ground::plain().await;
    let (bus, publisher) = (ground::bus(&server, "").await, ground::bus(&server, "").await);
    let seen = Seen::default();
    bus.subscribe("g").on_pattern("#", seen.handler()).start().await.unwrap();
    server.vanish().await.unwrap();
    publisher.publish_all(events(0, 20)).await.unwrap();
    until("all have come", || async { seen.len() >= 20 }).await;
}
