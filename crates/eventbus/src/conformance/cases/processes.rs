//! Consumers in processes of their own: one that is killed, or stands still, costs no more than what it held.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::conformance::ledger::Seen;
use crate::conformance::sample::key;
use crate::conformance::stage::Stage;
use crate::conformance::{Bounds, ChildProcess, Consumer, End, Invariant, Work};
use crate::engine::OnDeadLetter;
use crate::event::AnyEvent;
use crate::transport::Order;

/// How much later than its lease the loss of a process may be noticed, on a machine that does other things too: as long
/// as a lost broker may be missed.
const SLACK: Duration = Duration::from_secs(5);

/// How many messages a process may hold.
const HELD: usize = 16;

/// The same where it keeps order: with what waits in it behind messages of the same key.
const HELD_ORDERED: usize = HELD * 17;

fn consumer(order: Order, takes: Duration) -> Consumer {
    Consumer::new("g").order(order).prefetch(HELD).work(Work::AckAfter(takes))
}

/// What is allowed when this many processes were lost.
fn lost(stage: &Stage, processes: usize) -> Bounds {
    let unseen = stage.harness.held(HELD) * processes;
    Bounds::strict().duplicates(HELD * processes).unseen_attempts(unseen)
}

pub(crate) async fn what_a_killed_process_held_goes_to_a_peer(stage: &Stage) {
    let bus = stage.bus().await;
    let holds = Consumer::new("g").prefetch(4).concurrency(4).work(Work::Hold);
    let dying = stage.child(&holds, "dying").await;
    let held = stage.payments(4, 1);
    stage.publish(&bus, &held).await;
    stage.until("it holds all of them", || stage.ledger.started("g") == 4).await;
    let peer = stage.child(&Consumer::new("g"), "peer").await;
    stage.publish(&bus, &stage.payments(10, 2)).await;
    stage.until("the peer does the rest", || stage.ledger.ended("g", End::Acked) == 20).await;
    let lease = bus.capabilities().lease.unwrap_or_default();
    let killed = Instant::now();
    dying.kill();
    stage.settled(&bus, "g").await;
    peer.end(stage.pace.patience).await.expect("it ends as it was asked to");
    for event in &held {
        let starts = stage.ledger.starts("g", event.id());
        let (after, attempt) = (starts[1].0 - killed, starts[1].1);
        assert!(after <= lease + stage.pace.slack.max(SLACK), "it came again after {after:?}");
        assert_eq!((starts.len(), attempt), (2, 2));
    }
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn processes_killed_in_mid_stream_lose_nothing(stage: &Stage) {
    let (kills, events) = if stage.long { (200, 1_000_000) } else { (5, 2000) };
    let bus = stage.bus().await;
    let member = consumer(Order::None, Duration::from_millis(1)).concurrency(8);
    let mut children = Vec::new();
    for number in 0..3 {
        children.push(stage.child(&member, &format!("child {number}")).await);
    }
    let events = stage.payments(100, events / 100);
    let publishing = stage.insist(&bus, &events, 100);
    let killing = async {
        for number in 1..=kills {
            let due = events.len() * number / (kills + 1);
            stage.until("work goes on", || stage.ledger.ended("g", End::Acked) >= due).await;
            children.swap_remove(stage.random(3) as usize).kill();
            children.push(stage.child(&member, &format!("child {}", number + 2)).await);
        }
    };
    tokio::join!(publishing, killing);
    stage.settled(&bus, "g").await;
    end(stage, children).await;
    stage.ledger.check(&lost(stage, kills));
}

pub(crate) async fn order_per_key_survives_a_killed_process(stage: &Stage) {
    let bus = stage.bus().await;
    let member = consumer(Order::PerKey, Duration::from_millis(5));
    let mut children = vec![stage.child(&member, "one").await, stage.child(&member, "two").await];
    let events = stage.payments(20, 20);
    let publishing = stage.insist(&bus, &events, 20);
    let killing = async {
        children.swap_remove(at_work(stage, 0).await).kill();
        children.push(stage.child(&member, "three").await);
    };
    tokio::join!(publishing, killing);
    stage.settled(&bus, "g").await;
    end(stage, children).await;
    stage.ledger.check(&lost_ordered());
}

pub(crate) async fn a_process_that_stood_still_hurts_only_what_it_held(stage: &Stage) {
    let bus = stage.bus().await;
    let member = consumer(Order::PerKey, Duration::from_millis(20));
    let children = [stage.child(&member, NAMES[0]).await, stage.child(&member, NAMES[1]).await];
    let events = stage.payments(40, 20);
    let publishing = stage.insist(&bus, &events, 40);
    let stopping = async {
        let still = at_work(stage, HELD).await;
        children[still].stop();
        let (at, before) = (Instant::now(), stage.ledger.ended("g", End::Acked));
        match bus.capabilities().lease {
            Some(lease) => {
                tokio::time::sleep(lease * 2).await;
                let goes_on = || stage.ledger.ended("g", End::Acked) > before + HELD;
                stage.until("its peer does its work", goes_on).await;
            }
            None => tokio::time::sleep(stage.units(10)).await,
        }
        children[still].resume();
        (NAMES[still], at)
    };
    let ((), stopped) = tokio::join!(publishing, stopping);
    stage.settled(&bus, "g").await;
    end(stage, children).await;
    let hurt = hurt(stage, &events, stopped);
    let others = |event: &&AnyEvent| key(event).is_none_or(|key| !hurt.contains(key));
    let others: HashSet<_> = events.iter().filter(others).map(AnyEvent::id).collect();
    for breach in stage.ledger.verify(&lost_ordered()) {
        let own = matches!(breach.invariant, Invariant::OrderPerKey | Invariant::Attempts);
        let excused = own && breach.event.as_ref().is_some_and(|event| !others.contains(event));
        assert!(excused, "{breach}");
    }
}

/// The members of two processes.
const NAMES: [&str; 2] = ["one", "two"];

/// Which of two processes has finished more messages than this first: a transport may give all keys to one of them.
async fn at_work(stage: &Stage, than: usize) -> usize {
    let finished = |name: &str| {
        stage.ledger.seen("g").iter().filter(|seen| seen.member == name && seen.ended.is_some()).count()
    };
    let mut at = 0;
    stage
        .until("one of them works", || {
            let found = NAMES.iter().position(|name| finished(name) > than);
            at = found.unwrap_or(at);
            found.is_some()
        })
        .await;
    at
}

/// What is allowed when a process was lost that keeps order.
fn lost_ordered() -> Bounds {
    let most = HELD_ORDERED;
    Bounds::strict().duplicates(most).unseen_attempts(most).ordered(OnDeadLetter::HoldKey)
}

/// The keys of the messages that the process held when it was stopped: those it was handling, and those that its peer
/// handled as well.
fn hurt(stage: &Stage, events: &[AnyEvent], (still, stopped): (&str, Instant)) -> HashSet<String> {
    let seen = stage.ledger.seen("g");
    let (own, others): (Vec<&Seen>, Vec<&Seen>) = seen.iter().partition(|seen| seen.member == still);
    let others: HashSet<_> = others.iter().map(|seen| &seen.event).collect();
    let held = |seen: &&&Seen| {
        let during = seen.began <= stopped && seen.ended.is_none_or(|ended| ended >= stopped);
        during || others.contains(&seen.event)
    };
    let held: HashSet<_> = own.iter().filter(held).map(|seen| &seen.event).collect();
    assert!(held.len() <= HELD_ORDERED, "it held at most {HELD_ORDERED} messages, not {}", held.len());
    events.iter().filter(|event| held.contains(event.id())).filter_map(key).map(str::to_owned).collect()
}

async fn end(stage: &Stage, children: impl IntoIterator<Item = ChildProcess>) {
    for child in children {
        let ended = timeout(stage.pace.patience, child.end(stage.pace.patience)).await;
        ended.expect("it does not hang").expect("it ends as it was asked to");
    }
}
