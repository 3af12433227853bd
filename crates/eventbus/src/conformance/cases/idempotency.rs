//! The idempotency guard: claimed, done, free. A duplicate is never run again, and never taken for done too early.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;

use crate::conformance::sample::key;
use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::engine::MemoryStore;
use crate::event::AnyEvent;
use crate::{Claim, ErrorKind, Idempotency, IdempotencyStore, Retry};

/// One store that several processes share, as a server would be.
#[derive(Debug, Clone)]
struct Shared(Arc<MemoryStore>);

#[async_trait]
impl IdempotencyStore for Shared {
    async fn claim(&self, key: &str, lease: Duration) -> crate::Result<Claim> {
        self.0.claim(key, lease).await
    }

    async fn done(&self, key: &str, claim: u64, keep: Duration) -> crate::Result<()> {
        self.0.done(key, claim, keep).await
    }

    async fn free(&self, key: &str, claim: u64) -> crate::Result<()> {
        self.0.free(key, claim).await
    }
}

fn shared() -> Shared {
    Shared(Arc::new(MemoryStore::new(10_000)))
}

fn guard(stage: &Stage, store: &Shared) -> Idempotency {
    Idempotency::new(store.clone()).lease(stage.units(60)).window(stage.units(1000))
}

pub(crate) async fn one_event_published_thrice_has_one_effect(stage: &Stage) {
    let (bus, store) = (stage.bus().await, shared());
    let work = stage.units(2);
    let handler = stage.handler(("g", "m"), move |_, _| Act::Slow(work));
    let subscription =
        bus.subscribe("g").on(handler).idempotent(guard(stage, &store)).timeout(stage.units(30));
    let running =
        subscription.retry(Retry::fixed(stage.units(1)).attempts(20)).start().await.expect("it starts");
    let events = stage.payments(5, 1);
    for event in events.iter().flat_map(|event| [event; 3]) {
        stage.ledger.publishing(event);
        stage.ledger.published(event, &Ok(()));
    }
    let outcomes = join_all((0..3).map(|_| bus.publish_all(&events))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    stage.settled(&bus, "g").await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 5, "one effect each");
    assert_eq!(running.health().acked, 15, "every message is settled");
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_crash_between_effect_and_ack_repeats_the_message_not_the_effect(stage: &Stage) {
    let store = shared();
    let operator = stage.bus().await;
    let (first, process) = stage.process().await;
    let puppet = process.clone();
    // The process dies in the moment its handler has succeeded: its ack is lost with it.
    let handler = stage.handler(("g", "first"), move |_, _| {
        puppet.kill();
        Act::Ack
    });
    let subscription = first.subscribe("g").on(handler).idempotent(guard(stage, &store)).concurrency(1);
    let dying = subscription.timeout(stage.units(30)).start().await.expect("it starts");
    stage.publish(&operator, &stage.payments(1, 1)).await;
    stage.until("it died", || dying.health().state == crate::SubscriptionState::Stopped).await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 1);
    let handler = stage.handler(("g", "second"), |_, _| Act::Ack);
    let subscription =
        operator.subscribe("g").on(handler).idempotent(guard(stage, &store)).timeout(stage.units(30));
    let second = subscription.start().await.expect("it starts");
    stage.settled(&operator, "g").await;
    assert_eq!(second.health().acked, 1, "the message came again and was acknowledged");
    assert_eq!(stage.ledger.ended("g", End::Acked), 1, "without a second effect");
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_crash_without_a_guard_repeats_the_effect_once(stage: &Stage) {
    let operator = stage.bus().await;
    let (first, process) = stage.process().await;
    let puppet = process.clone();
    let handler = stage.handler(("g", "first"), move |_, _| {
        puppet.kill();
        Act::Ack
    });
    let dying = first.subscribe("g").on(handler).concurrency(1).start().await.expect("it starts");
    stage.publish(&operator, &stage.payments(1, 1)).await;
    stage.until("it died", || dying.health().state == crate::SubscriptionState::Stopped).await;
    let handler = stage.handler(("g", "second"), |_, _| Act::Ack);
    operator.subscribe("g").on(handler).start().await.expect("it starts");
    stage.settled(&operator, "g").await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 2);
    stage.ledger.check(&Bounds::strict().duplicates(1));
}

pub(crate) async fn a_duplicate_in_progress_is_deferred_and_not_dropped(stage: &Stage) {
    let (one, two, store) = (stage.bus().await, stage.bus().await, shared());
    let runs = Arc::new(AtomicUsize::new(0));
    for (bus, member) in [(&one, "first"), (&two, "second")] {
        let (counted, work) = (Arc::clone(&runs), stage.units(3));
        // The first run fails late and for good, after the duplicate had come: the duplicate has to do the work.
        let script = move |_: &AnyEvent, _| match counted.fetch_add(1, Ordering::SeqCst) {
            0 => Act::Hang,
            _ => Act::Slow(work),
        };
        let handler = stage.handler(("g", member), script);
        let subscription = bus.subscribe("g").on(handler).idempotent(guard(stage, &store)).concurrency(1);
        subscription.timeout(stage.units(10)).retry(Retry::never()).start().await.expect("it starts");
    }
    let event = stage.payment("k");
    stage.publish(&one, std::slice::from_ref(&event)).await;
    stage.publish(&two, std::slice::from_ref(&event)).await;
    stage.until("the first run has begun", || runs.load(Ordering::SeqCst) == 1).await;
    stage.settled(&one, "g").await;
    assert_eq!((stage.ledger.ended("g", End::Acked), stage.ledger.ended("g", End::Cut)), (1, 1));
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    let dead = one.backlog("g").await.expect("it is told").expect("the group exists").dead;
    assert_eq!(dead, 1, "the first run failed; being deferred is no failure, and is none of its attempts");
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_failed_attempt_is_not_taken_for_done(stage: &Stage) {
    let (bus, store) = (stage.bus().await, shared());
    let script = |event: &AnyEvent, attempt| match (key(event), attempt) {
        (Some("acct_0"), 1) => Act::Fail,
        (Some("acct_1"), 1) => Act::Panic,
        (Some("acct_2"), 1) => Act::Hang,
        (Some("acct_3"), 1 | 2) => Act::Fail,
        _ => Act::Ack,
    };
    let handler = stage.handler(("g", "m"), script);
    let subscription =
        bus.subscribe("g").on(handler).idempotent(guard(stage, &store)).timeout(stage.units(2));
    subscription.retry(Retry::fixed(stage.units(1)).attempts(4)).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(5, 1)).await;
    stage.settled(&bus, "g").await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 5);
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_group_does_not_do_another_groups_work(stage: &Stage) {
    let (bus, store) = (stage.bus().await, shared());
    for group in ["one", "two"] {
        let handler = stage.handler((group, "m"), |_, _| Act::Ack);
        let subscription =
            bus.subscribe(group).on(handler).idempotent(guard(stage, &store)).timeout(stage.units(2));
        subscription.start().await.expect("it starts");
    }
    stage.publish(&bus, &stage.payments(5, 1)).await;
    for group in ["one", "two"] {
        stage.settled(&bus, group).await;
        assert_eq!(stage.ledger.ended(group, End::Acked), 5);
    }
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_claim_that_a_handler_could_outlive_is_refused(stage: &Stage) {
    let bus = stage.bus().await;
    let start = async |timeout: Option<Duration>| {
        let subscription =
            bus.subscribe("g").on(|_: AnyEvent| async { Ok(()) }).idempotent(guard(stage, &shared()));
        let subscription = match timeout {
            Some(timeout) => subscription.timeout(timeout),
            None => subscription.no_timeout(),
        };
        subscription.start().await.map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(start(Some(stage.units(60))).await, Err(ErrorKind::Invalid));
    assert_eq!(start(None).await, Err(ErrorKind::Invalid));
    assert_eq!(start(Some(stage.units(59))).await, Ok(()));
}
