//! A private RabbitMQ, and what it says of what was done to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use eventbus::conformance::{RabbitMq, RabbitMqServer, Server};

/// The node, for all runs.
#[derive(Clone)]
pub(crate) struct Broker(Arc<RabbitMqServer>);

/// A virtual host, for one run.
pub(crate) struct Host {
    broker: Broker,
    name: String,
    pub(crate) url: String,
}

impl Broker {
    pub(crate) async fn start() -> Self {
        let node = Server::start(RabbitMq::new()).await;
        Self(Arc::new(node.expect("RabbitMQ starts")))
    }

    async fn ask(&self, code: &str) -> String {
        self.0.evaluate(code).await.expect("the node answers")
    }
}

impl Host {
    pub(crate) async fn new(broker: &Broker) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let name = format!("run-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        broker.0.add_virtual_host(&name).await.expect("the node answers");
        let url = broker.0.broker().url(broker.0.port(), &name);
        Self { broker: broker.clone(), name, url }
    }

    /// How many messages a quorum queue holds, handed out or not.
    pub(crate) async fn messages(&self, queue: &str) -> usize {
        let name = format!(r#"rabbit_misc:r(<<"{}">>, queue, <<"{queue}">>)"#, self.name);
        let code = format!(
            "{{ok, Queue}} = rabbit_amqqueue:lookup({name}),
            {{ok, {{_, Count}}, _}} = ra:local_query(amqqueue:get_pid(Queue), fun rabbit_fifo:query_messages_total/1),
            Count."
        );
        self.broker.ask(&code).await.parse().expect("it is a count")
    }

    /// Waits until everything in a queue is acknowledged.
    pub(crate) async fn acknowledged(&self, queue: &str) {
        while self.messages(queue).await > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Removes it.
    pub(crate) async fn end(self) {
        self.broker.ask(&format!(r#"rabbit_vhost:delete(<<"{}">>, <<"bench">>)."#, self.name)).await;
    }
}
