//! What these tests stand on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventbus::conformance::VirtualHost;
use eventbus::{AnyEvent, EventBus, Result, Subscription};
use eventbus_amqp::{AmqpConfig, AmqpTransport};
use lapin::{Channel, Connection, ConnectionProperties};

/// How long something that must happen is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn host() -> VirtualHost {
    VirtualHost::start(&[]).await.expect("RabbitMQ starts")
}

pub(crate) async fn bus(url: &str) -> Result<EventBus> {
    let transport = AmqpTransport::connect(AmqpConfig::parse(url)?).await?;
    Ok(EventBus::new(Arc::new(transport), eventbus::BusConfig::new()))
}

/// Another program: a plain client.
pub(crate) async fn client(host: &VirtualHost) -> (Connection, Channel) {
    let connection =
        Connection::connect(&host.url(), ConnectionProperties::default()).await.expect("it lets guests in");
    let channel = connection.create_channel().await.expect("it has channels");
    (connection, channel)
}

/// What a group was handed.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<AnyEvent>>>);

impl Seen {
    pub(crate) async fn by(&self, bus: &EventBus, group: &str) -> Subscription {
        let seen = self.clone();
        let handler = move |event: AnyEvent| {
            seen.push(event);
            async { Ok(()) }
        };
        bus.subscribe(group).on(handler).start().await.expect("it starts")
    }

    pub(crate) fn push(&self, event: AnyEvent) {
        self.0.lock().expect("nobody panicked").push(event);
    }

    pub(crate) fn events(&self) -> Vec<AnyEvent> {
        self.0.lock().expect("nobody panicked").clone()
    }

    pub(crate) async fn until(&self, count: usize) -> Vec<AnyEvent> {
        until("the events have come", async || self.events().len() >= count).await;
        self.events()
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !so().await {
        assert!(tokio::time::Instant::now() < end, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An event as JSON.
pub(crate) fn json(id: &str, kind: &str) -> String {
    format!(
        r#"{{"id":"{id}","type":"{kind}","source":"shop","livemode":true,"object_id":"par_1",
        "created_at":"2026-01-31T12:00:00.000Z","data":{{"object":{{"id":"par_1"}}}}}}"#
    )
}

/// An event of a key.
pub(crate) fn keyed(id: &str, key: &str) -> AnyEvent {
    AnyEvent::from_json(json(id, "parcel.shipped").replace("par_1", key)).expect("it is an event")
}

pub(crate) fn event(id: &str) -> AnyEvent {
    AnyEvent::from_json(json(id, "parcel.shipped")).expect("it is an event")
}
