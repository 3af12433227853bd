//! omniqueue: no confirms, an acknowledgement for every message.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use eventbus::AnyEvent;
use omniqueue::backends::rabbitmq::{
    BasicConsumeOptions, BasicProperties, BasicPublishOptions, ConnectionProperties, FieldTable,
};
use omniqueue::backends::{RabbitMqBackend, RabbitMqConfig, RabbitMqConsumer, RabbitMqProducer};
use tokio::task::JoinHandle;

use crate::contenders::group;
use crate::load::{Contender, Handler, Load, PREFETCH};

const NAME: &str = "omniqueue";
const PERSISTENT: u8 = 2;

pub(crate) struct Omniqueue(Arc<RabbitMqProducer>);

async fn pair(url: &str) -> (RabbitMqProducer, RabbitMqConsumer) {
    let config = RabbitMqConfig {
        uri: url.to_owned(),
        connection_properties: ConnectionProperties::default(),
        publish_exchange: NAME.to_owned(),
        publish_routing_key: NAME.to_owned(),
        publish_options: BasicPublishOptions::default(),
        publish_properties: BasicProperties::default().with_delivery_mode(PERSISTENT),
        consume_queue: NAME.to_owned(),
        consumer_tag: String::new(),
        consume_options: BasicConsumeOptions::default(),
        consume_arguments: FieldTable::default(),
        consume_prefetch_count: Some(PREFETCH),
        requeue_on_nack: false,
    };
    RabbitMqBackend::builder(config).build_pair().await.expect("the broker is there")
}

/// One that only publishes.
async fn producer(url: &str) -> RabbitMqProducer {
    pair(url).await.0
}

async fn send(producer: &RabbitMqProducer, event: &AnyEvent) {
    let json = event.to_json().expect("the events were made of JSON");
    producer.send_raw(&json).await.expect("the broker is there");
}

impl Contender for Omniqueue {
    const QUEUE: &str = NAME;
    const CONFIRMS: bool = false;
    type Member = JoinHandle<()>;

    async fn connect(url: &str) -> Self {
        Self(Arc::new(producer(url).await))
    }

    async fn publish(&self, load: &Load) {
        for event in load.events() {
            send(&self.0, event).await;
        }
    }

    fn send(&self, event: &AnyEvent) -> impl Future<Output = ()> + Send + 'static {
        let (producer, event) = (Arc::clone(&self.0), event.clone());
        async move { send(&producer, &event).await }
    }

    async fn group(url: &str) {
        group(url, NAME).await;
    }

    async fn join(url: &str, handler: impl Handler) -> JoinHandle<()> {
        group(url, NAME).await;
        let (_, mut consumer) = pair(url).await;
        tokio::spawn(async move {
            loop {
                let delivery = consumer.receive().await.expect("the broker is there");
                let event = Bytes::from(delivery.borrow_payload().expect("it has one").to_vec());
                let event = AnyEvent::from_json(event).expect("the events were published so");
                handler(event).await.expect("the handler does not fail");
                delivery.ack().await.map_err(|(error, _)| error).expect("the broker is there");
            }
        })
    }

    async fn leave(member: JoinHandle<()>) {
        member.abort();
        let _ = member.await;
    }

    async fn stop(self) {}
}
