//! omniqueue: a pool of connections, a command for every message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use eventbus::AnyEvent;
use futures::StreamExt as _;
use futures::future::join_all;
use omniqueue::QueueProducer as _;
use omniqueue::backends::redis::{RedisConfig, RedisConnectionManager};
use omniqueue::backends::{RedisBackend, RedisConsumer, RedisProducer};
use redis::Value;
use tokio::task::JoinHandle;

use crate::load::{Contender, GROUP, How, Load};
use crate::server::connect;
use crate::tally::Tally;

const STREAM: &str = "omniqueue";

type Producer = RedisProducer<RedisConnectionManager>;
type Consumer = RedisConsumer<RedisConnectionManager>;

/// Consumers need different names.
static NUMBER: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Omniqueue(Arc<Producer>);

async fn pair(url: &str) -> (Producer, Consumer) {
    let config = RedisConfig {
        dsn: url.to_owned(),
        max_connections: 16,
        reinsert_on_nack: false,
        queue_key: STREAM.to_owned(),
        delayed_queue_key: format!("{STREAM}:delayed"),
        delayed_lock_key: format!("{STREAM}:lock"),
        consumer_group: GROUP.to_owned(),
        consumer_name: NUMBER.fetch_add(1, Ordering::Relaxed).to_string(),
        payload_key: "event".to_owned(),
        ack_deadline_ms: 60_000,
        dlq_config: None,
        sentinel_config: None,
    };
    RedisBackend::builder(config).build_pair().await.expect("the server is there")
}

async fn send(producer: &Producer, event: &AnyEvent) {
    let json = event.to_json().expect("the events were made of JSON");
    producer.send_bytes(&json).await.expect("the server is there");
}

impl Contender for Omniqueue {
    const STREAM: &str = STREAM;
    type Member = JoinHandle<()>;

    async fn connect(url: &str) -> Self {
        Self(Arc::new(pair(url).await.0))
    }

    async fn publish(&self, load: &Load) {
        match load.how {
            How::Batches(size) | How::Rounds(size) => {
                for batch in load.batches(size) {
                    let all =
                        futures::stream::iter(batch).map(|event| async move { send(&self.0, &event).await });
                    all.buffer_unordered(16).collect::<()>().await;
                }
            }
            How::Callers(callers) => {
                let share = load.share(callers);
                let call = |caller| {
                    let (producer, (pool, part)) = (Arc::clone(&self.0), share(caller));
                    tokio::spawn(async move {
                        for number in part {
                            send(&producer, &pool[number % pool.len()]).await;
                        }
                    })
                };
                let calls: Vec<_> = (0..callers).map(call).collect();
                join_all(calls).await.into_iter().for_each(|call| call.expect("callers do not panic"));
            }
        }
    }

    async fn group(url: &str) {
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(STREAM).arg(GROUP).arg("0").arg("MKSTREAM");
        // Another member may have made it.
        let _ = create.query_async::<Value>(&mut connect(url).await).await;
    }

    async fn join(url: &str, tally: &'static Tally) -> JoinHandle<()> {
        Self::group(url).await;
        let (_, mut consumer) = pair(url).await;
        tokio::spawn(async move {
            let handler = tally.handler(0);
            loop {
                let batch = consumer.receive_all(256, Duration::from_secs(1)).await.expect("it is there");
                let handled = batch.into_iter().map(async |delivery| {
                    let event = Bytes::from(delivery.borrow_payload().expect("it has one").to_vec());
                    handler(AnyEvent::from_json(event).expect("the events were published so"))
                        .await
                        .expect("the handler does not fail");
                    delivery.ack().await.map_err(|(error, _)| error).expect("the server is there");
                });
                join_all(handled).await;
            }
        })
    }

    async fn leave(member: JoinHandle<()>) {
        member.abort();
        let _ = member.await;
    }

    async fn stop(self) {}
}
