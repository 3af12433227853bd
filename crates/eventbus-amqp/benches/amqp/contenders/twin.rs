//! What a user would write on lapin by hand: up to 1,024 messages that wait for their confirm; one acknowledgement for
//! 250 messages, and for the rest when nothing more comes.

use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use eventbus::AnyEvent;
use futures::future::join_all;
use futures::{FutureExt as _, StreamExt as _};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind, PublisherConfirm,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::load::{Contender, Handler, How, Load, PREFETCH};

/// Its exchange and its queue.
const NAME: &str = "twin";
/// The messages that may wait for their confirm.
const WINDOW: usize = 1_024;
/// The messages that are acknowledged at once.
const ACK: u64 = 250;
/// How long nothing has to come until the rest is acknowledged.
const IDLE: Duration = Duration::from_millis(5);
const PERSISTENT: u8 = 2;

/// A connection and a channel on it.
pub(crate) struct Twin {
    connection: Connection,
    channel: Channel,
}

impl Twin {
    async fn open(url: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default()).await;
        let connection = connection.expect("the broker is there");
        let channel = connection.create_channel().await.expect("the broker is there");
        Self { connection, channel }
    }

    async fn close(self) {
        self.connection.close(200, "done".into()).await.expect("the broker is there");
    }
}

/// Makes a topic exchange and a quorum queue of this name that gets everything.
async fn declare(channel: &Channel, name: &str) {
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let none = FieldTable::default;
    channel.exchange_declare(name.into(), ExchangeKind::Topic, durable, none()).await.expect("it is legal");
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut quorum = none();
    quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channel.queue_declare(name.into(), durable, quorum).await.expect("it is legal");
    let bind = channel.queue_bind(name.into(), name.into(), "#".into(), QueueBindOptions::default(), none());
    bind.await.expect("it is legal");
}

/// Makes an exchange and a queue, and leaves.
pub(crate) async fn group(url: &str, name: &str) {
    let twin = Twin::open(url).await;
    declare(&twin.channel, name).await;
    twin.close().await;
}

/// Sends an event; what it gives comes true when the broker has it.
async fn send(channel: &Channel, event: &AnyEvent) -> PublisherConfirm {
    let body = event.to_json().expect("the events were made of JSON");
    let key = format!("{}.{}", event.source(), event.event_type());
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_message_id(event.id().as_str().into());
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(NAME.into(), key.into(), options, &body, properties).await;
    sent.expect("the broker is there")
}

async fn confirmed(confirm: PublisherConfirm) {
    assert!(confirm.await.expect("the broker is there").is_ack());
}

impl Contender for Twin {
    const QUEUE: &str = NAME;
    type Member = (Connection, JoinHandle<()>);

    async fn connect(url: &str) -> Self {
        let twin = Self::open(url).await;
        declare(&twin.channel, NAME).await;
        twin.channel.confirm_select(ConfirmSelectOptions::default()).await.expect("the broker is there");
        twin
    }

    async fn publish(&self, load: &Load) {
        match load.how {
            How::Batches(_) => {
                let mut waiting = VecDeque::with_capacity(WINDOW);
                for event in load.events() {
                    if waiting.len() == WINDOW
                        && let Some(oldest) = waiting.pop_front()
                    {
                        confirmed(oldest).await;
                    }
                    waiting.push_back(send(&self.channel, event).await);
                }
                for confirm in waiting {
                    confirmed(confirm).await;
                }
            }
            How::Callers(callers) => {
                let share = load.share(callers);
                let call = |caller| {
                    let (channel, (pool, part)) = (self.channel.clone(), share(caller));
                    tokio::spawn(async move {
                        for number in part {
                            confirmed(send(&channel, &pool[number % pool.len()]).await).await;
                        }
                    })
                };
                let calls: Vec<_> = (0..callers).map(call).collect();
                join_all(calls).await.into_iter().for_each(|call| call.expect("callers do not panic"));
            }
        }
    }

    fn send(&self, event: &AnyEvent) -> impl Future<Output = ()> + Send + 'static {
        let (channel, event) = (self.channel.clone(), event.clone());
        async move { confirmed(send(&channel, &event).await).await }
    }

    async fn group(url: &str) {
        group(url, NAME).await;
    }

    async fn join(url: &str, handler: impl Handler) -> Self::Member {
        let Self { connection, channel } = Self::open(url).await;
        declare(&channel, NAME).await;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.expect("the broker is there");
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumer = channel.basic_consume(NAME.into(), "".into(), options, none).await;
        let consumer = consumer.expect("the broker is there");
        (connection, tokio::spawn(consume(channel, consumer, handler)))
    }

    async fn leave((connection, task): Self::Member) {
        task.abort();
        if let Err(error) = task.await {
            assert!(error.is_cancelled(), "{error}");
        }
        connection.close(200, "done".into()).await.expect("the broker is there");
    }

    async fn stop(self) {
        self.close().await;
    }
}

async fn consume(channel: Channel, mut consumer: Consumer, handler: impl Handler) {
    let (mut handled, mut last) = (0, 0);
    while let Some(delivery) = next(&mut consumer).await {
        if let Some(delivery) = delivery {
            let event = AnyEvent::from_json(delivery.data).expect("the events were published so");
            handler(event).await.expect("the handler does not fail");
            (handled, last) = (handled + 1, delivery.delivery_tag);
            if handled < ACK {
                continue;
            }
        }
        if handled > 0 {
            channel.basic_ack(last, BasicAckOptions { multiple: true }).await.expect("the broker is there");
            handled = 0;
        }
    }
}

/// The next message; none within when nothing comes, none at all when nothing will.
async fn next(consumer: &mut Consumer) -> Option<Option<Delivery>> {
    // A timer only for those that must be waited for.
    let delivery = match consumer.next().now_or_never() {
        Some(delivery) => delivery,
        None => match timeout(IDLE, consumer.next()).await {
            Ok(delivery) => delivery,
            Err(_) => return Some(None),
        },
    };
    Some(Some(delivery?.expect("the broker is there")))
}
