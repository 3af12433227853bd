//! The bus, with the settings it has by default but for the prefetch.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use eventbus::{AnyEvent, BusConfig, EventBus};
use eventbus_amqp::{AmqpConfig, AmqpTransport};
use futures::future::join_all;

use crate::load::{Contender, GROUP, Handler, How, Load, PREFETCH};

pub(crate) struct Ours(EventBus);

async fn bus(url: &str) -> EventBus {
    let transport = AmqpTransport::connect(AmqpConfig::new(url)).await.expect("the broker is there");
    EventBus::new(Arc::new(transport), BusConfig::default())
}

async fn subscribe(bus: &EventBus, handler: impl Handler) {
    let group = bus.subscribe(GROUP).prefetch(usize::from(PREFETCH)).on(handler);
    group.start().await.expect("the transport can do this");
}

async fn close(bus: EventBus) {
    let report = bus.shutdown(Duration::from_secs(10)).await;
    assert!(report.is_complete(), "{report:?}");
}

impl Contender for Ours {
    const QUEUE: &str = "bus/group";
    type Member = EventBus;

    async fn connect(url: &str) -> Self {
        Self(bus(url).await)
    }

    async fn publish(&self, load: &Load) {
        match load.how {
            How::Batches(size) => {
                for batch in load.batches(size) {
                    self.0.publish_all(batch).await.expect("the broker is there");
                }
            }
            How::Callers(callers) => {
                let share = load.share(callers);
                let call = |caller| {
                    let (bus, (pool, part)) = (self.0.clone(), share(caller));
                    tokio::spawn(async move {
                        for number in part {
                            bus.publish(&pool[number % pool.len()]).await.expect("the broker is there");
                        }
                    })
                };
                let calls: Vec<_> = (0..callers).map(call).collect();
                join_all(calls).await.into_iter().for_each(|call| call.expect("callers do not panic"));
            }
        }
    }

    fn send(&self, event: &AnyEvent) -> impl Future<Output = ()> + Send + 'static {
        let (bus, event) = (self.0.clone(), event.clone());
        async move {
            bus.publish(event).await.expect("the broker is there");
        }
    }

    async fn group(url: &str) {
        let bus = bus(url).await;
        subscribe(&bus, |_| ready(Ok(()))).await;
        close(bus).await;
    }

    async fn join(url: &str, handler: impl Handler) -> EventBus {
        let bus = bus(url).await;
        subscribe(&bus, handler).await;
        bus
    }

    async fn leave(member: EventBus) {
        close(member).await;
    }

    async fn stop(self) {
        close(self.0).await;
    }
}
