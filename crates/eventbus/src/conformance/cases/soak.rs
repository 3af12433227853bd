//! Everything at once, by a seed: members join, leave, die and pause; handlers fail, panic and give up; dead letters
//! are redriven. At the end every promise must have held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::conformance::puppet::Puppet;
use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::engine::OnDeadLetter;
use crate::event::AnyEvent;
use crate::transport::{Body, Order};
use crate::{EventBus, Retry, Select, Subscription};

const GROUP: &str = "g";
const HOUR: Duration = Duration::from_secs(3600);
const STEPS: usize = 120;
const KEYS: u64 = 25;

pub(crate) async fn everything_at_once_keeps_order_and_loses_nothing(stage: &Stage) {
    let bounds = soak(stage, Order::PerKey).await;
    stage.ledger.check(&bounds.ordered(OnDeadLetter::HoldKey));
}

pub(crate) async fn everything_at_once_loses_nothing_without_order(stage: &Stage) {
    let bounds = soak(stage, Order::None).await;
    stage.ledger.check(&bounds);
}

/// A process with one member of the group.
struct Process {
    name: String,
    puppet: Puppet,
    running: Subscription,
}

/// What is the same for all of them.
struct Plan {
    order: Order,
    /// Handlers have stopped failing.
    mended: Arc<AtomicBool>,
    started: usize,
    killed: usize,
}

async fn soak(stage: &Stage, order: Order) -> Bounds {
    let operator = stage.bus().await;
    let mut plan = Plan { order, mended: Arc::default(), started: 0, killed: 0 };
    let mut processes = vec![start(stage, &mut plan).await, start(stage, &mut plan).await];
    let mut published = 0;
    // Where time cannot be skipped, it is dear.
    let steps = if stage.pace.longest > HOUR { STEPS } else { STEPS / 2 };
    for _ in 0..steps {
        let at = stage.random(processes.len() as u64) as usize;
        match stage.random(10) {
            0 => kill(stage, &mut plan, &processes.swap_remove(at)),
            1 => drop(processes.swap_remove(at).running.stop(stage.units(2)).await),
            2 => processes[at].running.pause(),
            3 => redrive(stage, &operator).await,
            _ => published += publish(stage, &operator).await,
        }
        processes.iter().for_each(|process| {
            if stage.random(3) == 0 {
                process.running.resume();
            }
        });
        while processes.len() < 2 + stage.random(2) as usize {
            processes.push(start(stage, &mut plan).await);
        }
        tokio::time::sleep(Duration::from_millis(stage.random(400))).await;
    }
    plan.mended.store(true, Ordering::SeqCst);
    processes.iter().for_each(|process| process.running.resume());
    finish(stage, &operator).await;
    assert!(stage.ledger.ended(GROUP, End::Acked) >= published, "seed {}", stage.seed);
    let most = stage.harness.duplicates_per_cut() * plan.killed;
    Bounds::strict().duplicates(most).unseen_attempts(most)
}

async fn start(stage: &Stage, plan: &mut Plan) -> Process {
    let (bus, puppet) = stage.process().await;
    plan.started += 1;
    let name = format!("process {}", plan.started);
    let (mended, seed) = (Arc::clone(&plan.mended), stage.seed);
    let handler = stage.handler((GROUP, &name), move |event, attempt| match mended.load(Ordering::SeqCst) {
        true => Act::Ack,
        false => act(event, attempt, seed),
    });
    let handler = puppet.living(handler);
    let retry = Retry::exponential(stage.units(1)..=stage.units(5)).attempts(4);
    let subscription = bus.subscribe(GROUP).on(handler).order(plan.order).concurrency(4).retry(retry);
    Process { name, puppet, running: subscription.start().await.expect("it starts") }
}

/// What a handler does with an attempt: most succeed, some only after a while.
fn act(event: &AnyEvent, attempt: u32, seed: u64) -> Act {
    let sum = event
        .id()
        .as_str()
        .bytes()
        .fold(seed, |sum, byte| sum.wrapping_mul(131).wrapping_add(u64::from(byte)));
    let dice = (sum ^ (sum >> 13)).wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(attempt) * 7);
    match (dice >> 8) % 12 {
        0 | 1 if attempt < 4 => Act::Fail,
        0 | 1 => Act::Last,
        2 if attempt < 4 => Act::Panic,
        3 => Act::GiveUp,
        4..=7 => Act::Slow(Duration::from_millis(dice % 300)),
        _ => Act::Ack,
    }
}

fn kill(stage: &Stage, plan: &mut Plan, process: &Process) {
    plan.killed += 1;
    process.puppet.kill();
    stage.ledger.crash(GROUP, &process.name);
}

async fn publish(stage: &Stage, bus: &EventBus) -> usize {
    let count = 1 + stage.random(20) as usize;
    let events: Vec<AnyEvent> =
        (0..count).map(|_| stage.payment(&format!("k{}", stage.random(KEYS)))).collect();
    stage.publish(bus, &events).await;
    count
}

/// Puts every dead letter back.
async fn redrive(stage: &Stage, bus: &EventBus) {
    let queue = bus.dead_letters(GROUP).expect("the name is legal");
    for letter in queue.list(Select::all(), usize::MAX).await.expect("it lists") {
        if let Body::Event(event) = &letter.body {
            stage.ledger.redriven(GROUP, event);
        }
        let redriven = queue.redrive(Select::id(letter.id)).run().await.expect("it redrives");
        assert_eq!(redriven.redriven, 1, "nobody else redrives");
    }
}

/// Waits until everything is handled, redriving whatever died before the handlers were mended.
async fn finish(stage: &Stage, bus: &EventBus) {
    for _ in 0..100 {
        redrive(stage, bus).await;
        tokio::time::sleep(stage.units(10)).await;
        let left = bus.backlog(GROUP).await.expect("it is told").expect("the group exists");
        if left.unsettled() + left.dead == 0 {
            return;
        }
    }
    stage.settled(bus, GROUP).await;
}
