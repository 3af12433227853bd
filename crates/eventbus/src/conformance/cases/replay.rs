//! Replay: a new group may start in the past; one that exists goes on where it stands.

use std::slice::from_ref;

use tokio::time::sleep;

use crate::ErrorKind;
use crate::conformance::member::ids;
use crate::conformance::sample::outside;
use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::event::{AnyEvent, EventId, Filter, Timestamp};
use crate::transport::{Order, Start, SubscriptionSpec, Transport};

/// A group that wants everything from somewhere on; with order per key where the transport keeps it.
fn starting(stage: &Stage, transport: &dyn Transport, group: &str, start: Start) -> SubscriptionSpec {
    let order = if transport.capabilities().key_order { Order::PerKey } else { Order::None };
    SubscriptionSpec { order, start, ..stage.spec(group) }
}

/// The group has to get everything that is published from here on, although it is created later.
fn owe(stage: &Stage, group: &str) {
    stage.ledger.group(group, &[Filter::all()]);
}

/// Joins a new group: exactly these events come, in order, for the first time.
async fn gets(stage: &Stage, transport: &dyn Transport, spec: &SubscriptionSpec, events: &[AnyEvent]) {
    let mut member = stage.join(transport, spec, "m").await;
    let mut got = Vec::new();
    while got.len() < events.len() {
        // One by one: a member that left may have given them back, and then each waits for the one before it.
        let messages = member.take(1).await;
        assert!(messages.iter().all(|message| message.attempt == 1 && message.history.is_none()));
        member.ack(&messages).await;
        got.extend(ids(&messages));
    }
    assert_eq!(got, names(events), "{:?}", spec.start);
    member.hears_nothing().await;
}

fn names(events: &[AnyEvent]) -> Vec<String> {
    events.iter().map(|event| event.id().to_string()).collect()
}

fn unknown() -> Start {
    Start::Event(EventId::new("evt_of_nobody").expect("the id is legal"))
}

pub(crate) async fn a_new_group_starts_with_what_is_published_from_now_on(stage: &Stage) {
    let transport = stage.transport().await;
    stage.store(&*transport, &stage.payments(1, 5)).await;
    let mut member = stage.join(&*transport, &starting(stage, &*transport, "late", Start::Now), "m").await;
    let events = stage.payments(1, 3);
    stage.store(&*transport, &events).await;
    let messages = member.take(3).await;
    assert_eq!(ids(&messages), names(&events));
    member.ack(&messages).await;
    member.hears_nothing().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn from_the_beginning_a_group_gets_everything_in_order(stage: &Stage) {
    let transport = stage.transport().await;
    owe(stage, "late");
    let events = stage.payments(1, 20);
    let (unwanted, handled) = events.split_at(5);
    stage.store(&*transport, unwanted).await;
    let mut first = stage.join(&*transport, &stage.spec("first"), "m").await;
    stage.store(&*transport, handled).await;
    let messages = first.take(15).await;
    first.ack(&messages).await;
    // Also what no group wanted, and what all groups have settled.
    gets(stage, &*transport, &starting(stage, &*transport, "late", Start::Beginning), &events).await;
    first.hears_nothing().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn from_an_event_a_group_gets_it_and_what_follows(stage: &Stage) {
    let transport = stage.transport().await;
    let (events, firsts) = (stage.payments(1, 10), [0, 6, 9]);
    for (index, event) in events.iter().enumerate() {
        if firsts.contains(&index) {
            owe(stage, &format!("from_{index}"));
        }
        stage.store(&*transport, from_ref(event)).await;
    }
    for index in firsts {
        let start = Start::Event(events[index].id().clone());
        let spec = starting(stage, &*transport, &format!("from_{index}"), start);
        gets(stage, &*transport, &spec, &events[index..]).await;
    }
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn from_a_time_a_group_gets_what_was_stored_then_or_later(stage: &Stage) {
    let transport = stage.transport().await;
    let dated = |time: i64| {
        let events = stage.payments(1, 5).into_iter();
        events.map(move |event| event.with_envelope(|envelope| envelope.time = Timestamp::from_millis(time)))
    };
    // What the events say of themselves is the opposite of when they are stored.
    let (early, late): (Vec<_>, Vec<_>) = (dated(4_000_000_000_000).collect(), dated(0).collect());
    owe(stage, "ever");
    stage.store(&*transport, &early).await;
    // Far enough from both for a server whose clock differs a little from this one's.
    sleep(stage.units(1)).await;
    let time = Timestamp::now();
    sleep(stage.units(1)).await;
    owe(stage, "since");
    stage.store(&*transport, &late).await;
    gets(stage, &*transport, &starting(stage, &*transport, "since", Start::Time(time)), &late).await;
    let ever = Start::Time(Timestamp::from_millis(0));
    gets(stage, &*transport, &starting(stage, &*transport, "ever", ever), &[early, late].concat()).await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn an_unknown_event_is_not_found_and_makes_no_group(stage: &Stage) {
    let transport = stage.transport().await;
    owe(stage, "late");
    let events = stage.payments(1, 2);
    stage.store(&*transport, &events).await;
    let spec = starting(stage, &*transport, "late", unknown());
    let error = transport.open(&spec).await.expect_err("there is no such event");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(transport.backlog(&spec.group).await.expect("it is told"), None);
    gets(stage, &*transport, &SubscriptionSpec { start: Start::Beginning, ..spec }, &events).await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_group_that_exists_goes_on_where_it_stands(stage: &Stage) {
    let transport = stage.transport().await;
    let mut first = stage.join(&*transport, &starting(stage, &*transport, "g", Start::Now), "first").await;
    let events = stage.payments(1, 4);
    stage.store(&*transport, &events).await;
    let messages = first.take(4).await;
    first.ack(&messages).await;
    drop(first);
    let long_ago = Start::Time(Timestamp::from_millis(0));
    for start in [Start::Beginning, Start::Event(events[1].id().clone()), unknown(), long_ago, Start::Now] {
        let events = stage.payments(1, 2);
        stage.store(&*transport, &events).await;
        gets(stage, &*transport, &starting(stage, &*transport, "g", start), &events).await;
    }
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn of_the_past_too_a_group_gets_only_what_it_wants(stage: &Stage) {
    let transport = stage.transport().await;
    let filters = vec![Filter::new("conformance.payment.*".parse().expect("a pattern"))];
    stage.ledger.group("late", &filters);
    let events = stage.payments(1, 6);
    for event in &events {
        stage.store(&*transport, from_ref(event)).await;
        let other = outside(&format!("{}_other", event.id()), ("conformance", "conformance.refund.made"));
        stage.store(&*transport, &[other]).await;
    }
    let spec = starting(stage, &*transport, "late", Start::Event(events[0].id().clone()));
    gets(stage, &*transport, &SubscriptionSpec { filters, ..spec }, &events).await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn the_past_goes_over_into_the_present_without_a_gap(stage: &Stage) {
    let transport = stage.transport().await;
    owe(stage, "late");
    let events = stage.payments(1, 300);
    let (past, present) = events.split_at(100);
    stage.store(&*transport, past).await;
    let publishing = async {
        for event in present {
            stage.store(&*transport, from_ref(event)).await;
            tokio::task::yield_now().await;
        }
    };
    let spec = starting(stage, &*transport, "late", Start::Beginning);
    tokio::join!(publishing, gets(stage, &*transport, &spec, &events));
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_subscription_says_where_its_group_starts(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("late", "m"), |_, attempt| if attempt == 1 { Act::Fail } else { Act::Ack });
    stage.publish(&bus, &stage.payments(3, 5)).await;
    let retry = crate::Retry::fixed(stage.units(1));
    let late = bus.subscribe("late").on(handler).retry(retry).start_from(Start::Beginning);
    late.start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(3, 5)).await;
    stage.until("the group has all", || stage.ledger.ended("late", End::Acked) >= 30).await;
    stage.settled(&bus, "late").await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn every_instance_of_a_broadcast_starts_there(stage: &Stage) {
    let bus = stage.bus().await;
    let handlers = ["one", "two"].map(|instance| (instance, stage.handler((instance, "m"), |_, _| Act::Ack)));
    stage.publish(&bus, &stage.payments(2, 5)).await;
    for (_, handler) in handlers {
        let instance = bus.subscribe("cache").on(handler).broadcast().start_from(Start::Beginning);
        instance.start().await.expect("it starts");
    }
    stage.publish(&bus, &stage.payments(2, 5)).await;
    for instance in ["one", "two"] {
        stage.until("the instance has all", || stage.ledger.ended(instance, End::Acked) >= 20).await;
    }
    stage.silence().await;
    stage.ledger.check(&Bounds::strict());
}
