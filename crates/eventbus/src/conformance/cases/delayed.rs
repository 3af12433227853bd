//! Delayed publishing: not before its time, in order, and taken back until then.

use tokio::time::Instant;

use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::event::{AnyEvent, Timestamp};
use crate::{ErrorKind, EventBus};

/// Publishes an event later and writes it down.
async fn later(stage: &Stage, bus: &EventBus, units: u32, event: &AnyEvent) {
    stage.ledger.publishing(event);
    let outcome = bus.publish_in(stage.units(units), event).await;
    stage.ledger.published(event, &outcome);
    outcome.expect("the event is kept");
}

pub(crate) async fn events_come_at_their_time_and_in_its_order(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    bus.subscribe("g").on(handler).start().await.expect("it starts");
    let since = Instant::now();
    let delays = [10, 0, 3, 1, 10, 5];
    let events = stage.payments(1, delays.len());
    for (event, delay) in events.iter().zip(delays) {
        later(stage, &bus, delay, event).await;
    }
    stage.until("all have come", || stage.ledger.ended("g", End::Acked) == delays.len()).await;
    for (event, delay) in events.iter().zip(delays) {
        let took = stage.ledger.starts("g", event.id())[0].0 - since;
        let asked = stage.units(delay);
        assert!(took >= asked && took <= asked + stage.pace.slack, "{took:?} instead of {asked:?}");
    }
    let order = [1, 3, 2, 5, 0, 4].map(|index| events[index].id().clone());
    assert_eq!(stage.ledger.acked("g"), order, "by time, and as they were published where that is the same");
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn an_event_waits_for_hours(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    bus.subscribe("g").on(handler).start().await.expect("it starts");
    let (since, hour) = (Instant::now(), std::time::Duration::from_secs(3600));
    let (one, two) = (stage.payment("k"), stage.payment("k"));
    for (event, hours) in [(&two, 2), (&one, 1)] {
        stage.ledger.publishing(event);
        let outcome = bus.publish_in(hour * hours, event).await;
        stage.ledger.published(event, &outcome);
    }
    stage.until("both have come", || stage.ledger.ended("g", End::Acked) == 2).await;
    for (event, hours) in [(&one, 1), (&two, 2)] {
        let took = stage.ledger.starts("g", event.id())[0].0 - since;
        assert!(took >= hour * hours && took <= hour * hours + stage.pace.slack, "{took:?}");
    }
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_cancelled_event_never_comes(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    bus.subscribe("g").on(handler).start().await.expect("it starts");
    let events = stage.payments(1, 4);
    for event in &events {
        later(stage, &bus, 2, event).await;
    }
    for index in [1, 3] {
        assert!(bus.cancel(events[index].id()).await.expect("it is taken back"));
        stage.ledger.cancelled(&events[index]);
        assert!(!bus.cancel(events[index].id()).await.expect("it is gone already"));
    }
    stage.until("the others have come", || stage.ledger.ended("g", End::Acked) == 2).await;
    assert!(!bus.cancel(events[0].id()).await.expect("it was published"), "what was published is a fact");
    assert!(!bus.cancel(stage.payment("k").id()).await.expect("nobody knows it"));
    stage.silence().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn an_event_of_the_past_comes_at_once(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    bus.subscribe("g").on(handler).start().await.expect("it starts");
    let event = stage.payment("k");
    stage.ledger.publishing(&event);
    let since = Instant::now();
    let outcome = bus.publish_at(Timestamp::from_millis(0), &event).await;
    stage.ledger.published(&event, &outcome);
    stage.settled(&bus, "g").await;
    stage.until("it has come", || stage.ledger.ended("g", End::Acked) == 1).await;
    assert!(stage.ledger.starts("g", event.id())[0].0 - since <= stage.pace.slack);
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_group_gets_what_becomes_due_after_its_first_subscription(stage: &Stage) {
    let bus = stage.bus().await;
    // The publication is when the time has come: who subscribes until then gets it.
    let event = stage.payment("k");
    bus.publish_in(stage.units(15), &event).await.expect("the event is kept");
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    bus.subscribe("g").on(handler).start().await.expect("it starts");
    stage.ledger.publishing(&event);
    stage.ledger.published(&event, &Ok(()));
    stage.until("it has come", || stage.ledger.ended("g", End::Acked) == 1).await;
    stage.silence().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_delay_without_end_is_refused(stage: &Stage) {
    let bus = stage.bus().await;
    let forever = bus.publish_in(std::time::Duration::MAX, &stage.payment("k")).await;
    let kind = forever.expect_err("nobody waits for ever").kind();
    assert!(matches!(kind, ErrorKind::Refused | ErrorKind::Invalid), "{kind:?}");
}
