//! A cluster of three nodes that are killed one after the other: quorum queues carry on, nothing confirmed is lost.
//!
//! `CONFORMANCE_LONG=1` kills every node three times, with more events.
#![allow(clippy::print_stdout, reason = "what the long form saw goes to standard output")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use eventbus::conformance::{RabbitCluster, RabbitMq};
use eventbus::{AnyEvent, ErrorKind, EventBus};
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties};

use crate::ground::{bus, event, json, until};

/// Who publishes at once.
const PUBLISHERS: usize = 8;

/// How often each event was handled.
#[derive(Clone, Default)]
struct Handled(Arc<Mutex<HashMap<String, usize>>>);

impl Handled {
    async fn by(&self, bus: &EventBus) {
        let handled = self.clone();
        let handler = move |event: AnyEvent| {
            *handled.0.lock().expect("nobody panicked").entry(event.id().to_string()).or_default() += 1;
            async { Ok(()) }
        };
        bus.subscribe("g").on(handler).start().await.expect("it starts");
    }

    fn count(&self) -> usize {
        self.0.lock().expect("nobody panicked").len()
    }

    fn calls(&self) -> usize {
        self.0.lock().expect("nobody panicked").values().sum()
    }
}

/// What was published so far.
#[derive(Default)]
struct Published {
    confirmed: Mutex<Vec<String>>,
    unknown: AtomicUsize,
    ended: AtomicBool,
}

impl Published {
    fn count(&self) -> usize {
        self.confirmed.lock().expect("nobody panicked").len()
    }

    /// Publishes one event after the other, each again with its id until it is confirmed.
    async fn by(&self, bus: &EventBus, number: usize) {
        for turn in 0.. {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            let event = event(&format!("evt_{number}_{turn}"));
            while let Err(error) = bus.publish(&event).await {
                assert!(matches!(error.kind(), ErrorKind::Unknown | ErrorKind::NotSent), "{error}");
                self.unknown.fetch_add(1, Ordering::SeqCst);
            }
            self.confirmed.lock().expect("nobody panicked").push(event.id().to_string());
        }
    }
}

/// Kills nodes in turn; while one is down, and once it is back, so many more events are confirmed and handled.
async fn kill(
    cluster: &RabbitCluster,
    kills: usize,
    more: usize,
    (published, handled): (&Published, &Handled),
) {
    let go_on = async || {
        let (confirmed, seen) = (published.count() + more, handled.count() + more);
        until("the work goes on", async || published.count() >= confirmed && handled.count() >= seen).await;
    };
    go_on().await;
    for turn in 0..kills {
        let node = &cluster.nodes()[turn % cluster.nodes().len()];
        let since = Instant::now();
        node.kill();
        go_on().await;
        println!("kill {turn}: {more} more events without the node after {:?}", since.elapsed());
        node.restart().await.expect("it starts again");
        go_on().await;
    }
    published.ended.store(true, Ordering::SeqCst);
}

/// The URL of one node with the others behind it.
fn url(cluster: &RabbitCluster, first: usize) -> String {
    let nodes = cluster.nodes();
    let others = [1, 2].map(|next| nodes[(first + next) % nodes.len()].port());
    format!("{}?nodes=127.0.0.1:{},127.0.0.1:{}", nodes[first].url(), others[0], others[1])
}

/// The node that dies is the one on which everything was made, and by way of which it is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_scheduled_outlives_a_node() {
    let cluster = RabbitCluster::start(RabbitMq::new(), 3).await.expect("RabbitMQ starts");
    let keeper = bus(&url(&cluster, 0)).await.expect("it is there");
    let [planned, soon, taken_back] = ["evt_planned", "evt_soon", "evt_taken_back"].map(event);
    keeper.publish_in(Duration::from_secs(5), &planned).await.expect("it is scheduled");
    keeper.publish_in(Duration::from_secs(300), &taken_back).await.expect("it is scheduled");
    let other = bus(&url(&cluster, 1)).await.expect("it is there");
    let handled = Handled::default();
    handled.by(&other).await;
    cluster.nodes()[0].kill();
    for bus in [&keeper, &other] {
        until("something can be scheduled", async || {
            bus.publish_in(Duration::from_secs(1), &soon).await.is_ok()
        })
        .await;
    }
    until("both have come", async || handled.count() >= 2).await;
    assert!(other.cancel(taken_back.id()).await.expect("it is answered"), "it was there");
    until("no trouble is left", async || {
        [&keeper, &other].iter().all(|bus| bus.health().troubles.is_empty())
    })
    .await;
}

async fn client(url: &str) -> Channel {
    let connection = Connection::connect(url, ConnectionProperties::default());
    connection.await.expect("it lets guests in").create_channel().await.expect("it has channels")
}

/// A broker refuses what a channel sends to a queue for as long as a node is down, when the channel's first message to it
/// came before the broker knew that another node leads the queue now. One of many queues is hit by that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_due_when_a_node_dies_does_not_wait_for_it() {
    const QUEUES: u64 = 30;
    let cluster = RabbitCluster::start(RabbitMq::new(), 3).await.expect("RabbitMQ starts");
    let keeper = bus(&url(&cluster, 1)).await.expect("it is there");
    assert!(!keeper.cancel(event("evt_unknown").id()).await.expect("it is answered"), "nobody knows it");
    let (leads, lives) = (client(&cluster.nodes()[0].url()).await, client(&cluster.nodes()[1].url()).await);
    for number in 0..QUEUES {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let (name, key) = (format!("q{number}"), format!("shop.parcel.of_{number}"));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        leads.queue_declare(name.clone().into(), options, arguments).await.unwrap();
        let bound = lives.queue_bind(
            name.into(),
            "bus".into(),
            key.into(),
            Default::default(),
            FieldTable::default(),
        );
        bound.await.unwrap();
    }
    let count = async |number: u64| {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let looked = lives.queue_declare(format!("q{number}").into(), options, FieldTable::default());
        looked.await.expect("it is there").message_count()
    };
    for number in 0..QUEUES {
        let json = json(&format!("evt_{number}"), &format!("parcel.of_{number}"));
        let delay = Duration::from_millis(1000 + 30 * number);
        keeper.publish_in(delay, &AnyEvent::from_json(json).unwrap()).await.expect("it is scheduled");
    }
    until("the first has come", async || count(0).await > 0).await;
    cluster.nodes()[0].kill();
    for number in 0..QUEUES {
        until("it has come", async || count(number).await > 0).await;
    }
    until("no trouble is left", async || keeper.health().troubles.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_killed_and_nothing_confirmed_is_lost() {
    let long = std::env::var_os("CONFORMANCE_LONG").is_some();
    let (kills, more) = if long { (9, 3000) } else { (1, 100) };
    let cluster = RabbitCluster::start(RabbitMq::new(), 3).await.expect("RabbitMQ starts");
    let consumer = bus(&url(&cluster, 0)).await.expect("it is there");
    let publisher = bus(&url(&cluster, 1)).await.expect("it is there");
    let (published, handled) = (Published::default(), Handled::default());
    handled.by(&consumer).await;
    let publishing = (0..PUBLISHERS).map(|number| published.by(&publisher, number));
    let killing = kill(&cluster, kills, more, (&published, &handled));
    tokio::join!(futures::future::join_all(publishing), killing);
    let confirmed = published.count();
    until("everything confirmed is handled", async || handled.count() >= confirmed).await;
    until("no trouble is left", async || {
        consumer.health().troubles.is_empty() && publisher.health().troubles.is_empty()
    })
    .await;
    let seen = handled.0.lock().expect("nobody panicked").clone();
    let lost = published
        .confirmed
        .lock()
        .expect("nobody panicked")
        .iter()
        .filter(|id| !seen.contains_key(*id))
        .count();
    assert_eq!(lost, 0, "of {confirmed} confirmed");
    println!(
        "{kills} kills: {confirmed} confirmed, {} outcomes unknown or not sent, {} handled, {} more than once",
        published.unknown.load(Ordering::SeqCst),
        handled.count(),
        handled.calls() - handled.count(),
    );
}
