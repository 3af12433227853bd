//! The end of a transport, while it is used.

use std::time::Duration;

use eventbus::conformance::{Fault, VirtualHost};
use eventbus::transport::{Group, Transport as _};
use eventbus::{BusConfig, ErrorKind, EventBus, Result};
use eventbus_amqp::{AmqpConfig, AmqpTransport};
use futures::future::join_all;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use tokio::sync::mpsc::unbounded_channel;

use crate::ground::{Seen, bus, client, event, host, until};

const LONG: Duration = Duration::from_secs(10);

fn kind<T>(outcome: &Result<T>) -> Result<(), ErrorKind> {
    outcome.as_ref().map(drop).map_err(eventbus::Error::kind)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_before_the_end_is_confirmed() {
    let host = host().await;
    let publisher = bus(&host.url()).await.unwrap();
    let group = bus(&host.url()).await.unwrap();
    Seen::default().by(&group, "g").await.stop(LONG).await;
    publisher.publish(&event("evt_first")).await.unwrap();
    let (tell, mut known) = unbounded_channel();
    let publishing: Vec<_> = (0..1000)
        .map(|number| {
            let (bus, tell) = (publisher.clone(), tell.clone());
            // One event is sent by its caller, several by the task that sends everybody's.
            tokio::spawn(async move {
                let outcomes = match number % 2 {
                    0 => vec![kind(&bus.publish(&event(&format!("evt_{number}"))).await)],
                    _ => {
                        let events = (0..4).map(|part| event(&format!("evt_{number}_{part}")));
                        match bus.publish_all(events).await {
                            Ok(count) => (0..count).map(|_| Ok(())).collect(),
                            Err(error) => error.outcomes().iter().map(kind).collect(),
                        }
                    }
                };
                tell.send(()).expect("somebody counts");
                outcomes
            })
        })
        .collect();
    for _ in 0..50 {
        known.recv().await.expect("many are on their way");
    }
    publisher.shutdown(LONG).await;
    let outcomes: Vec<_> = join_all(publishing)
        .await
        .into_iter()
        .flat_map(|outcomes| outcomes.expect("nobody panicked"))
        .collect();
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(ErrorKind::Closed))),
        "{outcomes:?}"
    );
    let (_connection, channel) = client(&host).await;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let looked = channel.queue_declare("bus/g".into(), options, FieldTable::default()).await.unwrap();
    let confirmed = outcomes.iter().filter(|outcome| outcome.is_ok()).count() + 1;
    assert_eq!(looked.message_count() as usize, confirmed);
}

#[tokio::test]
async fn no_connection_is_left_by_whoever_looks_afterwards() {
    let host = VirtualHost::start(&[Fault::Kill]).await.unwrap();
    let transport = AmqpTransport::connect(AmqpConfig::parse(&host.url()).unwrap()).await.unwrap();
    let bus = EventBus::new(std::sync::Arc::new(transport.clone()), BusConfig::new());
    let (seen, group) = (Seen::default(), Group::new("g").unwrap());
    seen.by(&bus, "g").await;
    bus.publish(&event("evt_1")).await.unwrap();
    seen.until(1).await;
    assert!(bus.shutdown(LONG).await.is_complete());
    assert_eq!(transport.backlog(&group).await.unwrap().unwrap().unsettled(), 0);
    assert!(transport.dead_letters(&group).list(None, 9).await.unwrap().is_empty());
    let none = transport.dead_letters(&Group::new("none").unwrap()).list(None, 9).await;
    assert_eq!(none.expect_err("there is no such group").kind(), ErrorKind::NotFound);
    assert!(transport.forget(&group).await.unwrap());
    until("nobody is connected", async || {
        let count = host.node().evaluate("length(rabbit_networking:connections()).").await.unwrap();
        count.trim() == "0"
    })
    .await;
}
