//! The conformance suite on a real RabbitMQ, through a proxy that breaks, with consumers in processes of their own.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use eventbus::conformance::{Child, Fault, Faults, Harness, Pace, VirtualHost, matrix};
use eventbus::transport::Transport;
use eventbus_amqp::{AmqpConfig, AmqpTransport};

/// One virtual host, made anew for every case.
#[derive(Debug, Default)]
struct OnRabbitMq {
    host: OnceLock<VirtualHost>,
}

impl OnRabbitMq {
    fn url(&self) -> String {
        format!("{}?heartbeat=2s", self.host.get().expect("it was started").url())
    }
}

async fn connect(url: String) -> eventbus::Result<Arc<dyn Transport>> {
    Ok(Arc::new(AmqpTransport::connect(AmqpConfig::parse(&url)?).await?))
}

#[async_trait]
impl Harness for OnRabbitMq {
    async fn start(&self, faults: &[Fault]) {
        let host = VirtualHost::start(faults).await.expect("RabbitMQ starts");
        self.host.set(host).expect("it is started once");
    }

    async fn connect(&self) -> eventbus::Result<Arc<dyn Transport>> {
        connect(self.url()).await
    }

    fn faults(&self) -> Option<&dyn Faults> {
        self.host.get().map(|host| host as &dyn Faults)
    }

    /// A group takes more than a second to make, and a case may make thirty; another makes a thousand subscriptions, one after
    /// another. The cases of a run share a broker and its disk, and one of them sends 200,000 messages through it.
    fn pace(&self) -> Pace {
        Pace { longest: Duration::from_secs(600), slack: Duration::from_secs(1), ..Pace::default() }
    }

    /// Two queues are read: of events, and of what comes again.
    fn held(&self, prefetch: usize) -> usize {
        2 * prefetch
    }

    fn child(&self) -> Option<Child> {
        Some(Child::new("conformance_child", self.url()))
    }
}

eventbus::conformance!(OnRabbitMq::default());

eventbus::conformance_child!(connect);

/// Set `WRITE_CAPABILITIES=1` to write the table instead.
#[tokio::test]
async fn the_written_table_is_what_the_code_says() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/CAPABILITIES.md");
    let table = matrix(&OnRabbitMq::default()).await.expect("RabbitMQ answers");
    let text = format!("{HEAD}\n{table}");
    if std::env::var_os("WRITE_CAPABILITIES").is_some() {
        std::fs::write(file, &text).expect("the file can be written");
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(written == text, "CAPABILITIES.md is not what the code says; write it with WRITE_CAPABILITIES=1");
}

const HEAD: &str = "# What the AMQP transport can do

Written by `tests/conformance.rs` from the code; not edited by hand. Each case is a test of the conformance suite, on
RabbitMQ 3.10 with quorum queues.
";
