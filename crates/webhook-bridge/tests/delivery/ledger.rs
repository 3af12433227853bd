//! Killed under load, again and again: a ledger of what was accepted against what arrived.
//!
//! `WEBHOOK_BRIDGE_KILLS=100` is the long form.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::join_all;
use http::StatusCode;
use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::caller::Caller;
use crate::process::Process;
use crate::receiver::Receiver;
use crate::{EVENT, wish};

const KILLS: usize = 3;
/// Who publishes at the same time, and who receives.
pub(crate) const PUBLISHERS: usize = 4;
pub(crate) const ENDPOINTS: usize = 3;
/// What an endpoint has under way at most: what a kill can interrupt.
const IN_FLIGHT: usize = 8;
/// How long a bridge lives at most while events are published.
const LIFE: Duration = Duration::from_millis(400);

fn kills() -> usize {
    std::env::var("WEBHOOK_BRIDGE_KILLS").map_or(KILLS, |text| text.parse().unwrap())
}

/// What arrived: of which event, at which endpoint, by which attempt.
type Arrival = (String, usize, u32);

/// How often each delivery arrived: event and endpoint.
pub(crate) struct Ledger {
    arrived: HashMap<(String, usize), Vec<u32>>,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
}

impl Ledger {
    /// Answers whatever comes, and tells which delivery it was.
    pub(crate) fn start(receivers: Vec<Receiver>) -> Self {
        let (tell, arrivals) = mpsc::unbounded_channel();
        for (number, mut receiver) in receivers.into_iter().enumerate() {
            let tell = tell.clone();
            tokio::spawn(async move {
                loop {
                    let request = receiver.wait().await;
                    let attempt = request.header("webhook-attempt").parse().unwrap();
                    let _ = tell.send((request.header("webhook-id").to_owned(), number, attempt));
                    request.answer(StatusCode::OK);
                }
            });
        }
        Self { arrived: HashMap::new(), arrivals }
    }

    fn note(&mut self, (id, endpoint, attempt): Arrival) {
        self.arrived.entry((id, endpoint)).or_default().push(attempt);
    }

    /// Waits for another one.
    pub(crate) async fn next(&mut self) {
        let arrival = self.arrivals.recv().await.unwrap();
        self.note(arrival);
    }

    /// Notes what has arrived so far.
    pub(crate) fn catch_up(&mut self) {
        while let Ok(arrival) = self.arrivals.try_recv() {
            self.note(arrival);
        }
    }

    pub(crate) fn misses(&self, id: &str) -> bool {
        (0..ENDPOINTS).any(|endpoint| !self.arrived.contains_key(&(id.to_owned(), endpoint)))
    }
}

/// Publishes one event after the other until the bridge is gone; gives those that were accepted.
pub(crate) async fn publish(caller: Caller, name: String) -> Vec<String> {
    let mut accepted = Vec::new();
    for number in 0.. {
        let id = format!("evt_{name}_{number}");
        match caller.publish(EVENT.replace("evt_1", &id)).await {
            Some(StatusCode::ACCEPTED) => accepted.push(id),
            Some(status) => panic!("{id} was answered {status}"),
            None => break,
        }
    }
    accepted
}

/// One life of the bridge: it is killed at any moment under load. Gives what it accepted.
async fn life(process: &mut Process, round: usize, ledger: &mut Ledger) -> Vec<String> {
    let publishers = (0..PUBLISHERS).map(|number| {
        let caller = process.caller();
        tokio::spawn(publish(caller, format!("{round}_{number}")))
    });
    let publishers: Vec<_> = publishers.collect();
    let until = tokio::time::Instant::now() + LIFE.mul_f64(rand::random());
    while let Ok(arrival) = tokio::time::timeout_at(until, ledger.arrivals.recv()).await {
        ledger.note(arrival.unwrap());
    }
    process.kill().await;
    join_all(publishers).await.into_iter().flat_map(Result::unwrap).collect()
}

/// The rows as they are in the file: events, deliveries, and what should not be there: deliveries that are not delivered,
/// and attempts that failed by anything but a kill.
fn rows(folder: &std::path::Path) -> (usize, usize, usize) {
    let connection = Connection::open(folder.join("bridge.sqlite")).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get(0)).unwrap();
    (
        count("SELECT count(*) FROM event"),
        count("SELECT count(*) FROM (SELECT DISTINCT event_no, endpoint_no FROM delivery)"),
        count(
            "SELECT (SELECT count(*) FROM delivery WHERE state != 2)
             + (SELECT count(*) FROM delivery WHERE first_trouble != 'interrupted' OR first_status != 200)
             + (SELECT count(*) FROM attempt WHERE trouble != 'interrupted' OR status != 200)",
        ),
    )
}

/// Until nothing that was stored is owed any more: what was interrupted four times, one after the other, waits for up to
/// four minutes.
pub(crate) async fn settle(folder: &std::path::Path) {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let all_delivered = async {
        while rows(folder).2 > 0 {
            looks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(300), all_delivered)
        .await
        .expect("all delivered within five minutes");
}

#[tokio::test]
async fn nothing_accepted_is_lost_by_kills_and_only_what_was_under_way_comes_twice() {
    let (folder, kills) = (tempfile::tempdir().unwrap(), kills());
    let receivers = join_all((0..ENDPOINTS).map(|_| Receiver::start())).await;
    let targets: Vec<_> = receivers.iter().map(Receiver::target_text).collect();
    let mut process = Process::start(folder.path(), &targets.join(",")).await;
    for receiver in &receivers {
        let wish = wish(receiver, &["*"]).to_string();
        assert_eq!(process.caller().post("/v1/endpoints", wish).await.0, StatusCode::CREATED);
    }
    let mut ledger = Ledger::start(receivers);
    let mut accepted = Vec::new();
    for round in 0..kills {
        accepted.extend(life(&mut process, round, &mut ledger).await);
        process = Process::start(folder.path(), &targets.join(",")).await;
    }
    settle(folder.path()).await;
    process.stop().await;
    ledger.catch_up();

    let lost: Vec<_> = accepted.iter().filter(|id| ledger.misses(id)).collect();
    assert!(lost.is_empty(), "accepted and lost: {lost:?}");
    let again = repeated(&ledger);
    assert!(again <= kills * ENDPOINTS * IN_FLIGHT, "{again} came again");
    let (events, deliveries, wrong) = rows(folder.path());
    assert_eq!(deliveries, events * ENDPOINTS, "a row for each, and no second one");
    assert_eq!(wrong, 0, "what was stored is delivered, and tried again only after a kill");
    let most = ledger.arrived.values().map(Vec::len).max().unwrap_or_default();
    println!(
        "{kills} kills: {} accepted, {events} stored, {deliveries} delivered, {again} again, one at most {most} times",
        accepted.len()
    );
}

/// How many attempts there were too many; none of them was made twice.
pub(crate) fn repeated(ledger: &Ledger) -> usize {
    for (delivery, attempts) in &ledger.arrived {
        let mut once = attempts.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), attempts.len(), "{delivery:?}: one request for each attempt: {attempts:?}");
    }
    ledger.arrived.values().map(|attempts| attempts.len() - 1).sum()
}
