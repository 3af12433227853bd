//! Queues that are deleted under a member, and alarms.

use std::time::Duration;

use eventbus::conformance::{Fault, VirtualHost};
use eventbus::{BusConfig, ErrorKind, EventBus};
use eventbus_amqp::{AmqpConfig, AmqpTransport};
use lapin::options::QueueDeleteOptions;

use crate::ground::{Seen, bus, client, event, host, until};

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
