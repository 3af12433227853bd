//! sea-streamer: one task pipelines what is sent, consumers of one group share a stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eventbus::AnyEvent;
use futures::future::{join_all, try_join_all};
use sea_streamer_redis::{
    AutoCommit, AutoStreamReset, RedisConnectOptions, RedisConsumer, RedisConsumerOptions, RedisProducer,
    RedisStreamer,
};
use sea_streamer_types::{
    Buffer as _, Consumer as _, ConsumerGroup, ConsumerMode, ConsumerOptions as _, Message as _,
    Producer as _, StreamKey, Streamer as _,
};
use tokio::task::JoinHandle;

use crate::load::{Contender, GROUP, How, Load};
use crate::tally::Tally;

const STREAM: &str = "sea";

pub(crate) struct SeaStreamer(RedisProducer);

async fn streamer(url: &str) -> RedisStreamer {
    let uri = url.parse().expect("the URL is legal");
    RedisStreamer::connect(uri, RedisConnectOptions::default()).await.expect("the server is there")
}

fn stream() -> StreamKey {
    StreamKey::new(STREAM).expect("the name is legal")
}

fn json(event: &AnyEvent) -> Bytes {
    event.to_json().expect("the events were made of JSON")
}

impl Contender for SeaStreamer {
    const STREAM: &str = STREAM;
    type Member = JoinHandle<()>;

    async fn connect(url: &str) -> Self {
        let producer = streamer(url).await.create_producer(stream(), Default::default()).await;
        Self(producer.expect("the server is there"))
    }

    async fn publish(&self, load: &Load) {
        match load.how {
            How::Batches(size) | How::Rounds(size) => {
                for batch in load.batches(size) {
                    let sent = batch.iter().map(|event| self.0.send(&json(event)[..]).expect("it lives"));
                    try_join_all(sent).await.expect("the server is there");
                }
            }
            How::Callers(callers) => {
                let share = load.share(callers);
                let call = |caller| {
                    let (producer, (pool, part)) = (self.0.clone(), share(caller));
                    tokio::spawn(async move {
                        for number in part {
                            let sent =
                                producer.send(&json(&pool[number % pool.len()])[..]).expect("it lives");
                            sent.await.expect("the server is there");
                        }
                    })
                };
                let calls: Vec<_> = (0..callers).map(call).collect();
                join_all(calls).await.into_iter().for_each(|call| call.expect("callers do not panic"));
            }
        }
    }

    async fn group(_: &str) {}

    async fn join(url: &str, tally: &'static Tally) -> JoinHandle<()> {
        let mut options = RedisConsumerOptions::new(ConsumerMode::LoadBalanced);
        options.set_consumer_group(ConsumerGroup::new(GROUP)).expect("groups are possible");
        options.set_auto_stream_reset(AutoStreamReset::Earliest).set_auto_commit(AutoCommit::Rolling);
        options.set_batch_size(256).set_mkstream(true);
        // Consumers are named by the millisecond.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let consumer: RedisConsumer =
            streamer(url).await.create_consumer(&[stream()], options).await.expect("the server is there");
        let consumer = Arc::new(consumer);
        tokio::spawn(async move {
            let handler = tally.handler(0);
            while let Ok(message) = consumer.next().await {
                let event = Bytes::copy_from_slice(message.message().as_bytes());
                handler(AnyEvent::from_json(event).expect("the events were published so"))
                    .await
                    .expect("the handler does not fail");
                consumer.ack(&message).expect("it lives");
            }
        })
    }

    /// It acknowledges the last ones only seconds later, and says nothing then; that is not held against it.
    async fn acknowledged(_: &str) {}

    async fn leave(member: JoinHandle<()>) {
        member.abort();
        let _ = member.await;
    }

    async fn stop(self) {}
}
