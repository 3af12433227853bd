//! Full queues: publishing waits unless it was asked to do otherwise, and loss is told to the number.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::event::AnyEvent;
use crate::transport::{Order, Overflow};
use crate::{BusConfig, ErrorKind, EventBus, Retry, SubscriptionBuilder};

fn small(subscription: SubscriptionBuilder, capacity: usize) -> SubscriptionBuilder {
    let capacity = NonZeroUsize::new(capacity).expect("cases use capacities above 0");
    subscription.capacity(capacity).concurrency(1).prefetch(1)
}

pub(crate) async fn publishing_waits_for_room_and_loses_nothing(stage: &Stage) {
    let bus = stage.bus().await;
    let each = stage.units(1);
    let handler = stage.handler(("g", "m"), move |_, _| Act::Slow(each));
    small(bus.subscribe("g").on(handler), 4).start().await.expect("it starts");
    let since = Instant::now();
    stage.publish(&bus, &stage.payments(2, 6)).await;
    assert!(since.elapsed() >= stage.units(7), "twelve do not fit into four before eight are done");
    let backlog = bus.backlog("g").await.expect("it is told").expect("the group exists");
    assert!(backlog.unsettled() <= 4, "{backlog:?}");
    stage.settled(&bus, "g").await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 12);
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn waiting_for_room_ends_at_the_deadline(stage: &Stage) {
    let deadline = stage.units(3);
    let bus = EventBus::new(stage.transport().await, BusConfig::new().publish_deadline(deadline));
    let handler = stage.handler(("g", "m"), |_, _| Act::Hang);
    small(bus.subscribe("g").on(handler).no_timeout(), 2).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(1, 2)).await;
    let (late, since) = (stage.payment("k"), Instant::now());
    stage.ledger.publishing(&late);
    let outcome = bus.publish(&late).await;
    stage.ledger.published(&late, &outcome);
    assert_eq!(outcome.expect_err("there is no room").kind(), ErrorKind::Full);
    let took = since.elapsed();
    assert!(took >= deadline && took <= deadline + stage.pace.slack, "{took:?}");
    stage.ledger.check(&Bounds::strict().unfinished());
}

pub(crate) async fn a_full_group_may_fail_publishing_at_once(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    let running =
        small(bus.subscribe("g").on(handler), 3).overflow(Overflow::Fail).start().await.expect("it starts");
    let other = stage.handler(("other", "m"), |_, _| Act::Ack);
    bus.subscribe("other").on(other).start().await.expect("it starts");
    running.pause();
    let (mut refused, since) = (0, Instant::now());
    for event in stage.payments(1, 10) {
        stage.ledger.publishing(&event);
        let outcome = bus.publish(&event).await;
        stage.ledger.published(&event, &outcome);
        if let Err(error) = outcome {
            assert_eq!(error.kind(), ErrorKind::Full);
            refused += 1;
        }
    }
    assert_eq!(refused, 7, "three fit");
    assert!(since.elapsed() <= stage.pace.slack * 10, "it fails at once");
    running.resume();
    for group in ["g", "other"] {
        stage.settled(&bus, group).await;
        assert_eq!(
            stage.ledger.ended(group, End::Acked),
            3,
            "an event is stored for all of its groups or for none"
        );
    }
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn dropped_events_are_told_to_the_number(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    let subscription = small(bus.subscribe("g").on(handler), 5).overflow(Overflow::DropOldest);
    let running = subscription.start().await.expect("it starts");
    let other = stage.handler(("other", "m"), |_, _| Act::Ack);
    bus.subscribe("other").on(other).start().await.expect("it starts");
    let (mut published, mut latest) = (0, None);
    for _ in 0..20 {
        running.pause();
        stage.until("it is paused", || running.health().running == 0).await;
        let count = 1 + stage.random(17) as usize;
        let events = stage.payments(1, count);
        latest = events.last().map(|event| event.id().clone());
        stage.publish(&bus, &events).await;
        published += count;
        running.resume();
        stage.settled(&bus, "g").await;
    }
    stage.settled(&bus, "other").await;
    let (acked, told) = (stage.ledger.ended("g", End::Acked), stage.ledger.told("g"));
    assert!(told > 0, "seed {}: some were dropped", stage.seed);
    assert_eq!(acked as u64 + told, published as u64, "handled and told make up what was published");
    assert_eq!(running.health().lost, told);
    assert_eq!(stage.ledger.acked("g").last(), latest.as_ref(), "the oldest go, the latest stay");
    assert_eq!((stage.ledger.ended("other", End::Acked), stage.ledger.told("other")), (published, 0));
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn dropped_events_are_told_while_keys_are_held(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, attempt| if attempt == 1 { Act::Fail } else { Act::Ack });
    let subscription =
        bus.subscribe("g").on(handler).order(Order::PerKey).retry(Retry::fixed(stage.units(1)));
    let capacity = NonZeroUsize::new(6).expect("six");
    subscription.capacity(capacity).overflow(Overflow::DropOldest).start().await.expect("it starts");
    for _ in 0..20 {
        stage.publish(&bus, &stage.payments(2, 5)).await;
        tokio::time::sleep(stage.units(1) / 2).await;
    }
    stage.settled(&bus, "g").await;
    // The last drops are told with the next message there is.
    stage.publish(&bus, &[stage.payment("acct_0")]).await;
    stage.settled(&bus, "g").await;
    let (acked, told) = (stage.ledger.ended("g", End::Acked) as u64, stage.ledger.told("g"));
    assert!(told > 0);
    assert_eq!(acked + told, 201);
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn dropping_takes_a_batch_larger_than_the_queue(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    small(bus.subscribe("g").on(handler), 8).overflow(Overflow::DropOldest).start().await.expect("it starts");
    let events = stage.payments(1, 100);
    events.iter().for_each(|event| stage.ledger.publishing(event));
    assert_eq!(bus.publish_all(&events).await.expect("all are accepted"), 100);
    events.iter().for_each(|event| stage.ledger.published(event, &Ok(())));
    stage.settled(&bus, "g").await;
    assert_eq!(stage.ledger.ended("g", End::Acked) as u64 + stage.ledger.told("g"), 100);
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_handler_that_publishes_to_a_full_group_is_told_so(stage: &Stage) {
    let bus = stage.bus().await;
    let outcomes: Arc<Mutex<Vec<Option<ErrorKind>>>> = Arc::default();
    let (publisher, noted) = (bus.clone(), Arc::clone(&outcomes));
    let more: Arc<Mutex<Vec<AnyEvent>>> = Arc::new(Mutex::new(stage.payments(1, 3)));
    let handler = move |_: AnyEvent| {
        let (bus, noted) = (publisher.clone(), Arc::clone(&noted));
        let next = more.lock().expect("nobody panicked").pop();
        async move {
            // Also after the handler has waited for something, when it runs on another task.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            if let Some(next) = next {
                let kind = bus.publish(next).await.err().map(|error| error.kind());
                noted.lock().expect("nobody panicked").push(kind);
            }
            Ok(())
        }
    };
    small(bus.subscribe("g").on(handler), 2).start().await.expect("it starts");
    let since = Instant::now();
    bus.publish_all(stage.payments(1, 2)).await.expect("they fit");
    stage.settled(&bus, "g").await;
    assert!(since.elapsed() < stage.pace.patience / 4, "it did not wait for itself");
    let outcomes = outcomes.lock().expect("nobody panicked");
    assert_eq!(outcomes[0], Some(ErrorKind::Full), "the group was full when its first message was handled");
    assert!(outcomes[1..].contains(&None), "there is room again once one is done: {outcomes:?}");
}

pub(crate) async fn a_slow_group_does_not_slow_its_peers(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("slow", "m"), |_, _| Act::Hang);
    bus.subscribe("slow").on(handler).no_timeout().concurrency(1).start().await.expect("it starts");
    let handler = stage.handler(("fast", "m"), |_, _| Act::Ack);
    bus.subscribe("fast").on(handler).start().await.expect("it starts");
    let since = Instant::now();
    stage.publish(&bus, &stage.payments(10, 200)).await;
    stage.settled(&bus, "fast").await;
    assert!(since.elapsed() < stage.pace.patience / 4, "the fast group waited for nobody");
    assert_eq!(stage.ledger.ended("fast", End::Acked), 2000);
    stage.ledger.check(&Bounds::strict().unfinished());
}

pub(crate) async fn held_keys_and_retries_take_room_too(stage: &Stage) {
    let bus = EventBus::new(stage.transport().await, BusConfig::new().publish_deadline(stage.units(1)));
    let handler = stage.handler(("g", "m"), |_, attempt| if attempt == 1 { Act::Fail } else { Act::Ack });
    let subscription =
        bus.subscribe("g").on(handler).order(Order::PerKey).retry(Retry::fixed(stage.units(20)));
    subscription.capacity(NonZeroUsize::new(6).expect("six")).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(1, 6)).await;
    stage.backlog(&bus, "g", |backlog| backlog.waiting == 1 && backlog.parked == 5).await;
    let late = bus.publish(&stage.payment("k")).await;
    assert_eq!(late.expect_err("what waits and what is parked fills the group").kind(), ErrorKind::Full);
    stage.settled(&bus, "g").await;
    stage.publish(&bus, &stage.payments(1, 1)).await;
    stage.settled(&bus, "g").await;
    stage.ledger.check(&Bounds::strict());
}
