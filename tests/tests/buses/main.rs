//! The webhook bridge on a bus of its own broker: what another program publishes there reaches a receiver.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test helper that fails is a test that fails")]

mod bridge;
mod receiver;
mod whole_loop;

use std::time::Duration;

use eventbus::EventBus;
use eventbus::conformance::{AppendOnly, Broker, RabbitMq, Redis, Server};
use eventbus::payment_kit::{CustomerSubscriptionRenewed, Subscription};
use rusqlite::Connection;

use bridge::{Rig, until};

/// Another program on the same bus.
async fn publisher(url: &str) -> EventBus {
    // The bridge of this process has made its transports known.
    EventBus::connect(url).await.unwrap()
}

async fn publish(bus: &EventBus, id: &str) {
    let object = Subscription { id: id.to_owned(), ..Subscription::default() };
    bus.publish(CustomerSubscriptionRenewed::new(object)).await.unwrap();
}

/// Messages in the bridge's hands, and those it has acked.
fn messages(rig: &Rig) -> (u64, u64) {
    let health = rig.bridge.bus().health();
    (health.subscriptions[0].running, health.subscriptions[0].acked)
}

async fn is_delivered_and_acked_after_the_commit(url: &str) {
    let mut rig = Rig::start(url).await;
    let bus = publisher(url).await;
    publish(&bus, "sub_1").await;
    assert!(rig.receiver.next().await.contains("sub_1"));
    until("the first is acked", async || messages(&rig) == (0, 1)).await;

    let other = Connection::open(rig.folder.path().join("bridge.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    publish(&bus, "sub_2").await;
    until("the bridge has the second", async || messages(&rig).0 == 1).await;
    assert_eq!(messages(&rig), (1, 1), "nothing can be stored, so nothing is acked");
    other.execute_batch("COMMIT").unwrap();
    assert!(rig.receiver.next().await.contains("sub_2"));
    until("the second is acked", async || messages(&rig) == (0, 2)).await;
    bus.shutdown(Duration::from_secs(5)).await;
    rig.bridge.stop().await;
}

async fn survives_an_outage<B: Broker>(server: &Server<B>, url: &str) {
    let mut rig = Rig::start(url).await;
    assert_eq!(rig.ready().await, 200);
    server.kill();
    until("the bridge says that the bus is gone", async || rig.ready().await == 503).await;
    server.restart().await.unwrap();
    until("the bridge is ready again", async || rig.ready().await == 200).await;
    let bus = publisher(url).await;
    publish(&bus, "sub_3").await;
    assert!(rig.receiver.next().await.contains("sub_3"));
    bus.shutdown(Duration::from_secs(5)).await;
    rig.bridge.stop().await;
}

#[tokio::test]
async fn on_redis() {
    let server = Server::start(Redis::new().append_only(AppendOnly::Always)).await.unwrap();
    is_delivered_and_acked_after_the_commit(&server.url()).await;
    survives_an_outage(&server, &server.url()).await;
}

#[tokio::test]
async fn on_rabbitmq() {
    let server = Server::start(RabbitMq::new()).await.unwrap();
    is_delivered_and_acked_after_the_commit(&server.url()).await;
    survives_an_outage(&server, &server.url()).await;
}
