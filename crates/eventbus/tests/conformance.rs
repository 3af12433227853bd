//! The conformance suite on the local transport, on paused time.
#![cfg(feature = "conformance")]

mod history;
mod line;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eventbus::conformance::{CASES, Fault, Harness, Pace, matrix, run};
use eventbus::local::{LocalConfig, LocalTransport};
use eventbus::transport::Transport;
use eventbus::{AnyEvent, EventBus, HandlerError, Select, SubscriptionState};

use history::History;
use line::Line;

#[derive(Debug)]
struct Local(LocalTransport);

impl Local {
    fn new() -> Self {
        Self(LocalTransport::new(LocalConfig::new()).expect("the bounds are above 0"))
    }
}

#[async_trait]
impl Harness for Local {
    async fn start(&self, _: &[Fault]) {
        tokio::time::pause();
    }

    async fn connect(&self) -> eventbus::Result<Arc<dyn Transport>> {
        Ok(Arc::new(self.0.clone()))
    }

    fn pace(&self) -> Pace {
        Pace::paused()
    }
}

eventbus::conformance!(Local::new());

/// The cases about outages need a server to break; this one is made of paper.
#[test]
fn outages_are_survived_behind_a_line_that_breaks() {
    for case in CASES.iter().filter(|case| case.theme == "outages") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(run(Arc::new(Line::new()), &case.title(), None));
    }
}

/// The cases about the past need a transport that keeps it; this one does little else.
#[test]
fn the_past_is_replayed_by_a_transport_that_keeps_it() {
    for case in CASES.iter().filter(|case| case.theme == "replay") {
        assert_eq!(case.missing(&History::default().capabilities(), &History::default()), None);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(run(Arc::new(History::default()), &case.title(), None));
    }
}

#[tokio::test(start_paused = true)]
async fn full_dead_letters_lose_nothing_and_say_so() {
    let bus = EventBus::local(LocalConfig::new().dead_letters(1)).unwrap();
    let handler = |_: AnyEvent| async { Err(HandlerError::permanent("no")) };
    let running = bus.subscribe("g").on(handler).start().await.unwrap();
    for number in 0..2 {
        bus.publish(event(number)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let left = bus.backlog("g").await.unwrap().unwrap();
    assert_eq!((left.dead, left.unsettled()), (1, 1));
    assert!(matches!(running.health().state, SubscriptionState::Degraded(_)));
    let dead = bus.dead_letters("g").unwrap();
    for _ in 0..2 {
        assert_eq!(dead.purge(Select::all()).await.unwrap(), 1);
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    let left = bus.backlog("g").await.unwrap().unwrap();
    assert_eq!((left.dead, left.unsettled()), (0, 0));
    assert_eq!(running.health().state, SubscriptionState::Running);
}

/// The last member leaves an ephemeral group while another one joins: whoever has joined gets what comes.
#[test]
fn a_group_does_not_go_from_under_a_member_that_joins() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let bus = EventBus::local(LocalConfig::new()).unwrap();
        for round in 0..2000 {
            let first = bus.subscribe("tail").ephemeral().stream("#").await.unwrap();
            let leaving = tokio::spawn(async move { drop(first) });
            let mut second = bus.subscribe("tail").ephemeral().stream("#").await.unwrap();
            leaving.await.unwrap();
            let published = bus.publish(event(round)).await.unwrap();
            let next = tokio::time::timeout(Duration::from_secs(10), async {
                loop {
                    let message = second.next().await.unwrap();
                    let same = message.event().id() == published.id();
                    message.ack().await.unwrap();
                    if same {
                        break;
                    }
                }
            });
            assert!(
                next.await.is_ok(),
                "round {round}: the second member's group went with the first member"
            );
        }
    });
}

fn event(number: u32) -> AnyEvent {
    let body = format!(
        r#"{{"id":"evt_{number}","livemode":false,"type":"a.b","source":"shop","data":{{"object":{{}}}},"created_at":"2026-01-01T00:00:00.000Z"}}"#
    );
    AnyEvent::from_json(body).expect("the body is an event")
}

/// Set `WRITE_CAPABILITIES=1` to write the table instead.
#[tokio::test]
async fn the_written_table_is_what_the_code_says() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/CAPABILITIES.md");
    let table = matrix(&Local::new()).await.unwrap();
    let text = format!("{HEAD}\n{table}");
    if std::env::var_os("WRITE_CAPABILITIES").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap();
    assert!(written == text, "CAPABILITIES.md is not what the code says; write it with WRITE_CAPABILITIES=1");
}

const HEAD: &str = "# What the local transport can do

Written by `tests/conformance.rs` from the code; not edited by hand. Each case is a test of the conformance suite.
";
