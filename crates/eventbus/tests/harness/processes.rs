//! Consumers in processes of their own, and the cases about them, on a transport between processes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eventbus::conformance::{CASES, Child, Consumer, End, Harness, Ledger, Work, run};
use eventbus::local::{LocalConfig, LocalTransport};
use eventbus::transport::{Publishing, Transport, WhenFull};
use eventbus::{AnyEvent, Result};

use crate::relay::{Client, serve};
use crate::{PATIENCE, exists, until};

async fn connect(url: String) -> Result<Arc<dyn Transport>> {
    Ok(Arc::new(Client::new(&url)))
}

eventbus::conformance_child!(connect);

#[derive(Debug)]
struct Relay {
    url: String,
}

impl Relay {
    async fn start() -> Self {
        let server = LocalTransport::new(LocalConfig::new()).expect("the bounds are above 0");
        Self { url: serve(server).await.to_string() }
    }
}

#[async_trait]
impl Harness for Relay {
    async fn connect(&self) -> Result<Arc<dyn Transport>> {
        connect(self.url.clone()).await
    }

    fn child(&self) -> Option<Child> {
        Some(Child::new("processes::conformance_child", &self.url))
    }
}

#[test]
fn every_case_about_processes_passes_on_a_transport_that_keeps_its_promises() {
    for case in CASES.iter().filter(|case| case.theme == "processes") {
        // The server works on while the case waits for a process.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(async { run(Arc::new(Relay::start().await), &case.title(), None).await });
    }
}

async fn publish(relay: &Relay, ledger: &Ledger, count: u32) -> Vec<AnyEvent> {
    let events: Vec<AnyEvent> = (0..count).map(event).collect();
    events.iter().for_each(|event| ledger.publishing(event));
    let publishing = Publishing { deadline: PATIENCE, when_full: WhenFull::Wait };
    let outcomes = relay.connect().await.expect("it connects").publish(&events, publishing).await;
    events.iter().zip(&outcomes).for_each(|(event, outcome)| ledger.published(event, outcome));
    events
}

fn event(number: u32) -> AnyEvent {
    let body = format!(
        r#"{{"id":"evt_{number}","livemode":false,"type":"a.b","source":"shop","data":{{"object":{{}}}},"created_at":"2026-01-01T00:00:00.000Z"}}"#
    );
    AnyEvent::from_json(body).expect("the body is an event")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_child_did_is_in_the_ledger_and_what_it_held_is_cut() {
    let (relay, ledger) = (Relay::start().await, Ledger::new(0));
    let holds = Consumer::new("g").concurrency(2).prefetch(2).work(Work::Hold);
    let child = relay.child().unwrap().start(&holds, (&ledger, "holds")).await.unwrap();
    let pid = child.pid();
    publish(&relay, &ledger, 3).await;
    until("it holds two", || ledger.started("g") == 2).await;
    child.kill();
    assert!(!exists(pid));
    assert_eq!((ledger.started("g"), ledger.ended("g", End::Cut)), (2, 2));
    let child = relay.child().unwrap().start(&Consumer::new("g"), (&ledger, "works")).await.unwrap();
    until("the rest is done", || ledger.ended("g", End::Acked) == 3).await;
    child.end(PATIENCE).await.unwrap();
    let told = ledger.summary();
    assert_eq!((told.published, told.confirmed, told.unknown), (3, 3, 0));
    assert_eq!((told.handled, told.duplicates, told.cut), (3, 0, 2));
    assert!(told.slowest_return > Duration::ZERO, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_cannot_start_says_why() {
    let child = Child::new("processes::no_such_test", "0");
    let error = child.start(&Consumer::new("g"), (&Ledger::new(0), "m")).await.unwrap_err().to_string();
    assert!(error.contains("running 0 tests"), "{error}");
    let ledger = Ledger::new(0);
    let error =
        Child::new("processes::conformance_child", "1").start(&Consumer::new("g"), (&ledger, "m")).await;
    assert!(error.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_dies_with_its_value() {
    let (relay, ledger) = (Relay::start().await, Ledger::new(0));
    let child = relay.child().unwrap().start(&Consumer::new("g"), (&ledger, "m")).await.unwrap();
    let pid = child.pid();
    child.stop();
    assert!(exists(pid));
    drop(child);
    assert!(!exists(pid));
}
