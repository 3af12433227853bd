//! The bus, with the settings it has by default.

use std::sync::Arc;
use std::time::Duration;

use eventbus::{AnyEvent, BusConfig, EventBus, HandlerResult};
use eventbus_redis::{RedisConfig, RedisTransport};
use futures::future::join_all;

use crate::load::{Contender, GROUP, How, Load};
use crate::tally::Tally;

pub(crate) struct Ours(EventBus);

async fn bus(url: &str) -> EventBus {
    let transport = RedisTransport::connect(RedisConfig::new(url)).await.expect("the server is there");
    EventBus::new(Arc::new(transport), BusConfig::default())
}

async fn subscribe<R>(bus: &EventBus, handler: impl Fn(AnyEvent) -> R + Send + Sync + 'static)
where
    R: Future<Output = HandlerResult> + Send + 'static,
{
    bus.subscribe(GROUP).on(handler).start().await.expect("the transport can do this");
}

async fn close(bus: EventBus) {
    let report = bus.shutdown(Duration::from_secs(10)).await;
    assert!(report.is_complete(), "{report:?}");
}

impl Contender for Ours {
    const STREAM: &str = "eventbus:{bus/0}:log";
    type Member = EventBus;

    async fn connect(url: &str) -> Self {
        Self(bus(url).await)
    }

    async fn publish(&self, load: &Load) {
        match load.how {
            How::Batches(size) | How::Rounds(size) => {
                for batch in load.batches(size) {
                    self.0.publish_all(batch).await.expect("the server is there");
                }
            }
            How::Callers(callers) => {
                let share = load.share(callers);
                let call = |caller| {
                    let (bus, (pool, part)) = (self.0.clone(), share(caller));
                    tokio::spawn(async move {
                        for number in part {
                            bus.publish(&pool[number % pool.len()]).await.expect("the server is there");
                        }
                    })
                };
                let calls: Vec<_> = (0..callers).map(call).collect();
                join_all(calls).await.into_iter().for_each(|call| call.expect("callers do not panic"));
            }
        }
    }

    async fn group(url: &str) {
        let bus = bus(url).await;
        subscribe(&bus, |_| std::future::ready(Ok(()))).await;
        close(bus).await;
    }

    async fn join(url: &str, tally: &'static Tally) -> EventBus {
        let bus = bus(url).await;
        subscribe(&bus, tally.handler(0)).await;
        bus
    }

    async fn leave(member: EventBus) {
        close(member).await;
    }

    async fn stop(self) {
        close(self.0).await;
    }
}
