//! amqprs: up to 1,024 messages that wait for their confirm, one acknowledgement for 250.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use amqprs::callbacks::ChannelCallback;
use amqprs::channel::{
    BasicAckArguments, BasicConsumeArguments, BasicPublishArguments, BasicQosArguments, Channel,
    ConfirmSelectArguments, ConsumerMessage,
};
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::error::Error;
use amqprs::{Ack, BasicProperties, Cancel, CloseChannel, Nack, Return};
use async_trait::async_trait;
use eventbus::AnyEvent;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::contenders::group;
use crate::load::{Contender, Handler, Load, PREFETCH};

const NAME: &str = "amqprs";
const WINDOW: usize = 1_024;
const ACK: u64 = 250;
const IDLE: Duration = Duration::from_millis(5);

/// A connection, a channel on it, and what it has not confirmed yet.
pub(crate) struct Amqprs {
    connection: Connection,
    channel: Channel,
    waiting: Arc<Waiting>,
}

/// The numbers of what was published and is not confirmed.
#[derive(Default)]
struct Waiting {
    sent: Mutex<(u64, BTreeSet<u64>)>,
    fewer: Notify,
}

impl Waiting {
    fn sent(&self) -> std::sync::MutexGuard<'_, (u64, BTreeSet<u64>)> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn at_most(&self, count: usize) {
        while self.sent().1.len() > count {
            self.fewer.notified().await;
        }
    }
}

struct Callback(Arc<Waiting>);

#[async_trait]
impl ChannelCallback for Callback {
    async fn close(&mut self, _: &Channel, _: CloseChannel) -> Result<(), Error> {
        Ok(())
    }
    async fn cancel(&mut self, _: &Channel, _: Cancel) -> Result<(), Error> {
        Ok(())
    }
    async fn flow(&mut self, _: &Channel, _: bool) -> Result<bool, Error> {
        Ok(true)
    }
    async fn publish_ack(&mut self, _: &Channel, ack: Ack) {
        let (tag, mut sent) = (ack.delivery_tag(), self.0.sent());
        if ack.mutiple() {
            sent.1 = sent.1.split_off(&(tag + 1));
        } else {
            sent.1.remove(&tag);
        }
        self.0.fewer.notify_one();
    }
    async fn publish_nack(&mut self, _: &Channel, _: Nack) {
        unreachable!("the broker has room");
    }
    async fn publish_return(&mut self, _: &Channel, _: Return, _: BasicProperties, _: Vec<u8>) {}
}

async fn open(url: &str) -> Amqprs {
    // amqp://guest:guest@127.0.0.1:PORT/HOST
    let (port, host) = url.rsplit_once(':').and_then(|(_, rest)| rest.split_once('/')).expect("it has both");
    let port = port.parse().expect("it is a number");
    let mut arguments = OpenConnectionArguments::new("127.0.0.1", port, "guest", "guest");
    let connection = Connection::open(arguments.virtual_host(host)).await.expect("the broker is there");
    let channel = connection.open_channel(None).await.expect("the broker is there");
    let waiting = Arc::new(Waiting::default());
    channel.register_callback(Callback(Arc::clone(&waiting))).await.expect("it is open");
    Amqprs { connection, channel, waiting }
}

async fn send(channel: &Channel, waiting: &Waiting, event: &AnyEvent) {
    let json = event.to_json().expect("the events were made of JSON");
    let properties = BasicProperties::default()
        .with_persistence(true)
        .with_content_type("application/json")
        .with_message_id(event.id().as_str())
        .finish();
    let key = format!("{}.{}", event.source(), event.event_type());
    {
        let mut sent = waiting.sent();
        sent.0 += 1;
        let number = sent.0;
        sent.1.insert(number);
    }
    let sent = channel.basic_publish(properties, json.to_vec(), BasicPublishArguments::new(NAME, &key));
    sent.await.expect("the broker is there");
}

impl Contender for Amqprs {
    const QUEUE: &str = NAME;
    type Member = (Connection, JoinHandle<()>);

    async fn connect(url: &str) -> Self {
        let opened = open(url).await;
        opened.channel.confirm_select(ConfirmSelectArguments::default()).await.expect("the broker is there");
        opened
    }

    async fn publish(&self, load: &Load) {
        for event in load.events() {
            self.waiting.at_most(WINDOW - 1).await;
            send(&self.channel, &self.waiting, event).await;
        }
        self.waiting.at_most(0).await;
    }

    fn send(&self, event: &AnyEvent) -> impl Future<Output = ()> + Send + 'static {
        let (channel, waiting, event) = (self.channel.clone(), Arc::clone(&self.waiting), event.clone());
        async move { send(&channel, &waiting, &event).await }
    }

    async fn group(url: &str) {
        group(url, NAME).await;
    }

    async fn join(url: &str, handler: impl Handler) -> Self::Member {
        group(url, NAME).await;
        let Amqprs { connection, channel, .. } = open(url).await;
        let limit = BasicQosArguments::new(0, PREFETCH, false);
        channel.basic_qos(limit).await.expect("the broker is there");
        let consumed = channel.basic_consume_rx(BasicConsumeArguments::new(NAME, "")).await;
        let (_, messages) = consumed.expect("the broker is there");
        (connection, tokio::spawn(consume(channel, messages, handler)))
    }

    async fn leave((connection, task): Self::Member) {
        task.abort();
        let _ = task.await;
        connection.close().await.expect("the broker is there");
    }

    async fn stop(self) {
        self.connection.close().await.expect("the broker is there");
    }
}

async fn consume(channel: Channel, mut messages: UnboundedReceiver<ConsumerMessage>, handler: impl Handler) {
    let (mut handled, mut last) = (0, 0);
    loop {
        let message = match messages.try_recv() {
            Ok(message) => Some(message),
            Err(_) => match timeout(IDLE, messages.recv()).await {
                Ok(Some(message)) => Some(message),
                Ok(None) => return,
                Err(_) => None,
            },
        };
        if let Some(message) = message {
            let event =
                AnyEvent::from_json(message.content.expect("it has one")).expect("it was published so");
            handler(event).await.expect("the handler does not fail");
            (handled, last) = (handled + 1, message.deliver.expect("it has one").delivery_tag());
            if handled < ACK {
                continue;
            }
        }
        if handled > 0 {
            channel.basic_ack(BasicAckArguments::new(last, true)).await.expect("the broker is there");
            handled = 0;
        }
    }
}
