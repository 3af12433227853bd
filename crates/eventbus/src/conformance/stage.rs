//! Where a case plays: processes on one server, events to publish, handlers that follow a script, and waiting.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::child::{ChildProcess, Consumer};
use super::harness::{Harness, Pace};
use super::ledger::{End, Handling, Ledger};
use super::member::Member;
use super::puppet::Puppet;
use super::sample::Payment;
use crate::bus::{BatchError, BusConfig, EventBus};
use crate::engine::{Context, HandlerError, HandlerResult};
use crate::error::Result;
use crate::event::{AnyEvent, EventBuilder, Filter, IntoEvent as _};
use crate::transport::{
    Backlog, Group, Mode, Order, Publishing, Start, SubscriptionSpec, Transport, WhenFull,
};

/// What a case has in hand.
pub(super) struct Stage {
    pub(super) harness: Arc<dyn Harness>,
    pub(super) ledger: Ledger,
    pub(super) pace: Pace,
    pub(super) seed: u64,
    /// Whether cases that have one take their long form: `CONFORMANCE_LONG=1`.
    pub(super) long: bool,
    numbers: AtomicU64,
    random: AtomicU64,
}

/// What a handler does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Succeeds.
    Ack,
    /// Succeeds after a while.
    Slow(Duration),
    /// Fails; it will be tried again.
    Fail,
    /// Fails; it was the last attempt.
    Last,
    /// Fails for good.
    GiveUp,
    /// Fails and names its delay.
    After(Duration),
    /// Panics.
    Panic,
    /// Never comes back.
    Hang,
}

impl Stage {
    pub(super) fn new(harness: Arc<dyn Harness>, seed: u64) -> Self {
        let (mut pace, long) = (harness.pace(), long());
        if long {
            (pace.patience, pace.longest) = (pace.patience * 10, pace.longest.max(LONGEST));
        }
        let (numbers, random) = (AtomicU64::new(0), AtomicU64::new(seed));
        Self { harness, ledger: Ledger::new(seed), pace, seed, long, numbers, random }
    }

    /// This many units of time.
    pub(super) fn units(&self, count: u32) -> Duration {
        self.pace.unit * count
    }

    /// A view of the server.
    pub(super) async fn transport(&self) -> Arc<dyn Transport> {
        self.harness.connect().await.expect("the harness connects")
    }

    /// A bus of a process of its own, as far as the transport knows processes.
    pub(super) async fn bus(&self) -> EventBus {
        EventBus::new(self.transport().await, BusConfig::new())
    }

    /// A bus of a process that can be killed.
    pub(super) async fn process(&self) -> (EventBus, Puppet) {
        let puppet = Puppet::new(self.transport().await);
        (EventBus::new(Arc::new(puppet.clone()), BusConfig::new()), puppet)
    }

    /// Starts a consumer as a process of its own; its member has this name.
    pub(super) async fn child(&self, consumer: &Consumer, name: &str) -> ChildProcess {
        let child = self.harness.child().expect("the case needs a process of its own");
        child.start(consumer, (&self.ledger, name)).await.expect("the child starts")
    }

    /// A fresh event of this key.
    pub(super) fn payment(&self, key: &str) -> AnyEvent {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let payment = Payment { account: key.to_owned(), number, amount: format!("{number}.10") };
        let id = format!("evt_{:016x}{number:08}", self.seed);
        EventBuilder::<Payment>::new(payment).id(id).into_event().expect("the event breaks no rule")
    }

    /// Fresh events: `each` of each of the keys, keys in turn.
    pub(super) fn payments(&self, keys: usize, each: usize) -> Vec<AnyEvent> {
        (0..keys * each).map(|index| self.payment(&format!("acct_{}", index % keys))).collect()
    }

    /// Publishes events one by one and writes them down; all must be stored.
    pub(super) async fn publish(&self, bus: &EventBus, events: &[AnyEvent]) {
        for event in events {
            self.ledger.publishing(event);
            let outcome = bus.publish(event).await;
            self.ledger.published(event, &outcome);
            outcome.expect("the event is stored");
        }
    }

    /// Publishes events in batches of this size, each event again with the same id until it is stored, through whatever
    /// happens. A batch of one key would lose its order, so a batch is no larger than there are keys.
    pub(super) async fn insist(&self, bus: &EventBus, events: &[AnyEvent], batch: usize) {
        for batch in events.chunks(batch.max(1)) {
            let mut left = batch.to_vec();
            loop {
                left.iter().for_each(|event| self.ledger.publishing(event));
                let outcome = bus.publish_all(left.clone()).await;
                let told = outcome.as_ref().err().map(BatchError::outcomes);
                left = self.unstored(&left, told);
                if left.is_empty() {
                    break;
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Writes the outcomes of a batch down, all stored when none are told, and returns what has to be published again.
    fn unstored(&self, batch: &[AnyEvent], told: Option<&[Result<()>]>) -> Vec<AnyEvent> {
        let mut left = Vec::new();
        for (index, event) in batch.iter().enumerate() {
            // A batch that was refused whole has one outcome.
            let outcome = told.and_then(|told| told.get(index).or(told.first())).unwrap_or(&Ok(()));
            self.ledger.published(event, outcome);
            if let Err(error) = outcome {
                assert!(error.is_transient(), "an outage is transient: {error:?}");
                left.push(event.clone());
            }
        }
        left
    }

    /// Publishes without a bus.
    pub(super) async fn store(&self, transport: &dyn Transport, events: &[AnyEvent]) {
        events.iter().for_each(|event| self.ledger.publishing(event));
        let publishing = Publishing { deadline: self.pace.patience, when_full: WhenFull::Wait };
        let outcomes = transport.publish(events, publishing).await;
        assert_eq!(outcomes.len(), events.len(), "one outcome per event");
        for (event, outcome) in events.iter().zip(&outcomes) {
            self.ledger.published(event, outcome);
            assert!(outcome.is_ok(), "the event is stored: {outcome:?}");
        }
    }

    /// A group that wants everything.
    pub(super) fn spec(&self, group: &str) -> SubscriptionSpec {
        SubscriptionSpec {
            group: Group::new(group.to_owned()).expect("the name is legal"),
            mode: Mode::Shared,
            ephemeral: false,
            filters: vec![Filter::all()],
            order: Order::None,
            overflow: None,
            capacity: None,
            start: Start::Now,
        }
    }

    /// Joins a group without a bus.
    pub(super) async fn join(
        &self,
        transport: &dyn Transport,
        spec: &SubscriptionSpec,
        name: &str,
    ) -> Member {
        let membership = transport.open(spec).await.expect("the group can be joined");
        let group = match spec.mode {
            Mode::Shared => spec.group.to_string(),
            Mode::Broadcast => format!("{}/{name}", spec.group),
        };
        self.ledger.group(&group, &spec.filters);
        Member::new((group, name.to_owned()), &self.ledger, self.pace, membership)
    }

    /// A handler that writes everything down and does what the script says to an event and its attempt.
    ///
    /// The group of the ledger exists from this call on, so it stands right before the subscription's start.
    pub(super) fn handler<S>(
        &self,
        (group, member): (&str, &str),
        script: S,
    ) -> impl Fn(AnyEvent, Context) -> BoxFuture<'static, HandlerResult> + Send + Sync + 'static
    where
        S: Fn(&AnyEvent, u32) -> Act + Send + Sync + 'static,
    {
        let (ledger, group, member) = (self.ledger.clone(), group.to_owned(), member.to_owned());
        ledger.group(&group, &[Filter::all()]);
        move |event, context| {
            let handling = ledger.begin((&group, &member), &event, context.attempt());
            ledger.lost(&group, &event, context.lost());
            let act = script(&event, context.attempt());
            Box::pin(perform(act, handling))
        }
    }

    /// Waits until something is so, and fails when that takes longer than the patience of the harness.
    pub(super) async fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        self.until_async(what, || std::future::ready(so())).await;
    }

    /// The same for something that takes a call to find out.
    pub(super) async fn until_async<F>(&self, what: &str, mut so: impl FnMut() -> F)
    where
        F: Future<Output = bool>,
    {
        let end = Instant::now() + self.pace.patience;
        let mut pause = Duration::from_millis(1);
        while !so().await {
            assert!(Instant::now() < end, "waited {:?} in vain until {what}", self.pace.patience);
            sleep(pause).await;
            pause = (pause + pause / 4).min(self.pace.unit);
        }
    }

    /// Waits until the backlog of a group is like this, for as long as it moves.
    pub(super) async fn backlog(&self, bus: &EventBus, group: &str, like: impl Fn(Backlog) -> bool) {
        let mut end = Instant::now() + self.pace.patience;
        let (mut pause, mut before) = (Duration::from_millis(1), None);
        loop {
            let backlog = bus.backlog(group).await.expect("the transport tells the backlog");
            let backlog = backlog.expect("the group exists");
            if like(backlog) {
                return;
            }
            if before.replace(backlog) != Some(backlog) {
                end = Instant::now() + self.pace.patience;
            }
            assert!(Instant::now() < end, "the backlog of {group} stays at {backlog:?}; {:?}", bus.health());
            sleep(pause).await;
            pause = (pause + pause / 4).min(self.pace.unit);
        }
    }

    /// Waits until everything in a group is settled.
    pub(super) async fn settled(&self, bus: &EventBus, group: &str) {
        self.backlog(bus, group, |backlog| backlog.unsettled() == 0).await;
    }

    /// Waits for as long as it takes to be sure that nothing more happens.
    pub(super) async fn silence(&self) {
        sleep(self.pace.silence).await;
    }

    /// A random number below `end`, from the seed.
    pub(super) fn random(&self, end: u64) -> u64 {
        // SplitMix64: short, and the same on every platform for a seed.
        let mut word = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % end
    }
}

/// How long a case may take in its long form.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

fn long() -> bool {
    std::env::var_os("CONFORMANCE_LONG").is_some_and(|long| long == "1")
}

/// Does what a script says.
#[expect(clippy::panic, reason = "a handler that panics is what is tested")]
async fn perform(act: Act, handling: Handling) -> HandlerResult {
    let (end, result) = match act {
        Act::Ack => (End::Acked, Ok(())),
        Act::Slow(while_) => {
            sleep(while_).await;
            (End::Acked, Ok(()))
        }
        Act::Fail => (End::Failed, Err(HandlerError::transient("it failed"))),
        Act::Last => (End::Dead, Err(HandlerError::transient("it failed to the last"))),
        Act::GiveUp => (End::Dead, Err(HandlerError::permanent("it failed for good"))),
        Act::After(delay) => (End::Failed, Err(HandlerError::retry_after(delay, "come back later"))),
        Act::Panic => {
            handling.end(End::Failed);
            panic!("the handler panicked as its script says");
        }
        Act::Hang => std::future::pending().await,
    };
    handling.end(end);
    result
}
