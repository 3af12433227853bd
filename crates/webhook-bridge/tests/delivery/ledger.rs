//! Killed under load, again and again: a ledger of what was accepted against what arrived.

use std::collections::HashMap;
use std::time::Duration;

use http::StatusCode;
use tokio::sync::mpsc;

use crate::caller::Caller;
use crate::process::Process;
use crate::receiver::Receiver;
use crate::{EVENT, wish};

const KILLS: usize = 3;
/// What an endpoint has under way at most: what a kill can interrupt.
const IN_FLIGHT: usize = 8;

/// How often each event arrived.
struct Ledger {
    arrived: HashMap<String, usize>,
    arrivals: mpsc::UnboundedReceiver<String>,
}

impl Ledger {
    /// Answers whatever comes, and tells which event it was.
    fn start(mut receiver: Receiver) -> Self {
        let (tell, arrivals) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let request = receiver.wait().await;
                let id = request.header("webhook-id").to_owned();
                request.answer(StatusCode::OK);
                let _ = tell.send(id);
            }
        });
        Self { arrived: HashMap::new(), arrivals }
    }

    async fn next(&mut self) {
        let next = tokio::time::timeout(Duration::from_secs(30), self.arrivals.recv()).await;
        *self.arrived.entry(next.expect("an arrival within 30 s").unwrap()).or_default() += 1;
    }
}

/// Publishes one event after the other until the bridge is gone; gives those that were accepted.
async fn publish(caller: Caller, round: usize) -> Vec<String> {
    let mut accepted = Vec::new();
    loop {
        let id = format!("evt_{round}_{}", accepted.len());
        match caller.publish(EVENT.replace("evt_1", &id)).await {
            Some(StatusCode::ACCEPTED) => accepted.push(id),
            Some(status) => panic!("{id} was answered {status}"),
            None => return accepted,
        }
    }
}

#[tokio::test]
async fn nothing_accepted_is_lost_by_kills_and_only_what_was_under_way_comes_twice() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let (target, wish) = (receiver.target_text(), wish(&receiver, &["*"]).to_string());
    let mut ledger = Ledger::start(receiver);
    let mut process = Process::start(folder.path(), &target).await;
    assert_eq!(process.caller().post("/v1/endpoints", wish).await.0, StatusCode::CREATED);

    let mut accepted = Vec::new();
    for round in 0..KILLS {
        let publishing = tokio::spawn(publish(process.caller(), round));
        for _ in 0..rand::random_range(1..60) {
            ledger.next().await;
        }
        process.kill().await;
        accepted.extend(publishing.await.unwrap());
        process = Process::start(folder.path(), &target).await;
    }
    while accepted.iter().any(|id| !ledger.arrived.contains_key(id)) {
        ledger.next().await;
    }
    process.stop().await;
    while let Ok(id) = ledger.arrivals.try_recv() {
        *ledger.arrived.entry(id).or_default() += 1;
    }
    let again: usize = ledger.arrived.values().map(|times| times - 1).sum();
    assert!(again <= KILLS * IN_FLIGHT, "{again} came again");
}
