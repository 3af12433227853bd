//! Order per key: events of a key reach the group in order, also across failure; other keys flow.

use std::time::Duration;

use crate::conformance::sample::key;
use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::engine::OnDeadLetter;
use crate::event::AnyEvent;
use crate::transport::{Order, Reason, Settlement};
use crate::{Retry, Select, SubscriptionState};

const HELD: OnDeadLetter = OnDeadLetter::HoldKey;

pub(crate) async fn a_thousand_keys_keep_their_order_at_once(stage: &Stage) {
    let bus = stage.bus().await;
    let (unit, seed) = (stage.pace.unit, stage.seed);
    // Handlers take times that a seed decides, so that they end in another order than they begin.
    let script = move |event: &AnyEvent, _| match mixed(event, seed) % 4 {
        0 => Act::Ack,
        other => Act::Slow(unit / 100 * other as u32),
    };
    let handler = stage.handler(("g", "m"), script);
    bus.subscribe("g").on(handler).order(Order::PerKey).concurrency(16).start().await.expect("it starts");
    // Eight keys at a time in turn, so that several events of a key are handed out together.
    for block in 0..125 {
        let event = |number| stage.payment(&format!("acct_{}", block * 8 + number % 8));
        stage.publish(&bus, &(0..32).map(event).collect::<Vec<_>>()).await;
    }
    stage.settled(&bus, "g").await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 4000);
    stage.ledger.check(&Bounds::strict().ordered(HELD));
}

/// A number that event and seed decide.
fn mixed(event: &AnyEvent, seed: u64) -> u64 {
    let sum = event
        .id()
        .as_str()
        .bytes()
        .fold(seed, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    sum ^ (sum >> 17)
}

pub(crate) async fn no_sibling_overtakes_across_retries(stage: &Stage) {
    let bus = stage.bus().await;
    let seed = stage.seed;
    let script = move |event: &AnyEvent, attempt| match mixed(event, seed) % 5 {
        0 if attempt == 1 => Act::Fail,
        1 if attempt <= 3 => Act::Fail,
        2 if attempt == 1 => Act::Panic,
        3 => Act::Slow(Duration::from_millis(3)),
        _ => Act::Ack,
    };
    let handler = stage.handler(("g", "m"), script);
    let retry = Retry::exponential(stage.units(1)..=stage.units(4)).attempts(8);
    bus.subscribe("g").on(handler).order(Order::PerKey).retry(retry).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(40, 10)).await;
    stage.settled(&bus, "g").await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 400);
    stage.ledger.check(&Bounds::strict().ordered(HELD));
}

pub(crate) async fn other_keys_flow_while_one_is_held(stage: &Stage) {
    let bus = stage.bus().await;
    let script = |event: &AnyEvent, attempt| match key(event) {
        Some("acct_0") if attempt == 1 => Act::Fail,
        _ => Act::Ack,
    };
    let handler = stage.handler(("g", "m"), script);
    let retry = Retry::fixed(stage.units(10));
    bus.subscribe("g").on(handler).order(Order::PerKey).retry(retry).start().await.expect("it starts");
    let since = tokio::time::Instant::now();
    stage.publish(&bus, &stage.payments(5, 3)).await;
    stage.until("the other keys are through", || stage.ledger.ended("g", End::Acked) == 12).await;
    assert!(since.elapsed() < stage.units(10), "they did not wait for the held key");
    let backlog = bus.backlog("g").await.expect("it is told").expect("the group exists");
    assert_eq!((backlog.waiting, backlog.parked, backlog.held_keys), (1, 2, 1));
    stage.settled(&bus, "g").await;
    stage.ledger.check(&Bounds::strict().ordered(HELD));
}

pub(crate) async fn a_dead_letter_holds_its_key_until_it_is_redriven(stage: &Stage) {
    let bus = stage.bus().await;
    let mended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = std::sync::Arc::clone(&mended);
    let script = move |event: &AnyEvent, attempt| match key(event) {
        Some("acct_1") if !flag.load(std::sync::atomic::Ordering::SeqCst) => {
            if attempt < 2 {
                Act::Fail
            } else {
                Act::Last
            }
        }
        _ => Act::Ack,
    };
    let handler = stage.handler(("g", "m"), script);
    let retry = Retry::fixed(stage.units(1)).attempts(2);
    bus.subscribe("g").on(handler).order(Order::PerKey).retry(retry).start().await.expect("it starts");
    let events = stage.payments(3, 4);
    stage.publish(&bus, &events).await;
    stage.backlog(&bus, "g", |backlog| backlog.dead == 1 && backlog.unsettled() == 3).await;
    stage.silence().await;
    // What is published while the key is held waits at the end of it.
    let late = stage.payment("acct_1");
    stage.publish(&bus, std::slice::from_ref(&late)).await;
    stage.silence().await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 8, "nothing of the key went on");
    mended.store(true, std::sync::atomic::Ordering::SeqCst);
    stage.ledger.redriven("g", &events[1]);
    bus.dead_letters("g")
        .expect("the name is legal")
        .redrive(Select::all())
        .run()
        .await
        .expect("it redrives");
    stage.settled(&bus, "g").await;
    assert_eq!(stage.ledger.acked("g").last(), Some(late.id()));
    stage.ledger.check(&Bounds::strict().ordered(HELD));
}

pub(crate) async fn a_key_may_go_on_without_its_dead_letter(stage: &Stage) {
    let bus = stage.bus().await;
    let seed = stage.seed;
    let script = move |event: &AnyEvent, attempt| match mixed(event, seed) % 3 {
        0 if attempt < 2 => Act::Fail,
        0 => Act::Last,
        1 => Act::Slow(Duration::from_millis(2)),
        _ => Act::Ack,
    };
    let handler = stage.handler(("g", "m"), script);
    let retry = Retry::fixed(stage.units(1)).attempts(2);
    let subscription = bus.subscribe("g").on(handler).order(Order::PerKey).on_dead_letter(OnDeadLetter::Skip);
    subscription.retry(retry).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(10, 10)).await;
    stage.settled(&bus, "g").await;
    let over = stage.ledger.ended("g", End::Acked) + stage.ledger.ended("g", End::Dead);
    assert_eq!(over, 100);
    stage.ledger.check(&Bounds::strict().ordered(OnDeadLetter::Skip));
}

pub(crate) async fn order_survives_members_that_join_and_leave(stage: &Stage) {
    let (one, two) = (stage.bus().await, stage.bus().await);
    let seed = stage.seed;
    let work = move |event: &AnyEvent, attempt: u32| match mixed(event, seed) % 6 {
        0 if attempt == 1 => Act::Fail,
        other => Act::Slow(Duration::from_millis(other * 3)),
    };
    let start = async |bus: &crate::EventBus, name: &str| {
        let handler = stage.handler(("g", name), work);
        let subscription =
            bus.subscribe("g").on(handler).order(Order::PerKey).retry(Retry::fixed(stage.units(1)));
        subscription.start().await.expect("it starts")
    };
    let first = start(&one, "first").await;
    stage.publish(&one, &stage.payments(20, 5)).await;
    let second = start(&two, "second").await;
    first.stop(stage.units(5)).await;
    stage.publish(&one, &stage.payments(20, 5)).await;
    let third = start(&one, "third").await;
    stage.publish(&two, &stage.payments(20, 5)).await;
    second.stop(stage.units(5)).await;
    stage.settled(&one, "g").await;
    third.stop(stage.units(5)).await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 300);
    stage.ledger.check(&Bounds::strict().ordered(HELD));
}

pub(crate) async fn order_survives_a_member_that_crashes(stage: &Stage) {
    let operator = stage.bus().await;
    let work = |_: &AnyEvent, attempt: u32| {
        if attempt == 1 { Act::Slow(Duration::from_millis(40)) } else { Act::Ack }
    };
    let mut processes = Vec::new();
    for name in ["first", "second", "third"] {
        let (bus, process) = stage.process().await;
        let handler = process.living(stage.handler(("g", name), work));
        let subscription = bus.subscribe("g").on(handler).order(Order::PerKey).concurrency(4);
        processes.push((name, process, subscription.start().await.expect("it starts")));
    }
    stage.publish(&operator, &stage.payments(10, 6)).await;
    for (name, process, running) in processes.drain(..2) {
        stage.until("it works", || stage.ledger.ended("g", End::Acked) >= 8).await;
        process.kill();
        stage.ledger.crash("g", name);
        stage.until("it is gone", || running.health().state == SubscriptionState::Stopped).await;
    }
    stage.settled(&operator, "g").await;
    let duplicates = stage.harness.duplicates_per_cut() * 2;
    stage.ledger.check(&Bounds::strict().ordered(HELD).duplicates(duplicates).unseen_attempts(120));
}

pub(crate) async fn a_transport_holds_the_key_of_a_waiting_message(stage: &Stage) {
    let transport = stage.transport().await;
    let mut spec = stage.spec("g");
    spec.order = Order::PerKey;
    let mut member = stage.join(&*transport, &spec, "m").await;
    let events = [stage.payment("a"), stage.payment("a"), stage.payment("b"), stage.payment("a")];
    stage.store(&*transport, &events).await;
    let first = member.take(1).await.remove(0);
    assert_eq!(first.event.id(), events[0].id());
    let failure = first.failure(Reason::Transient, "later");
    member.apply(&first, Settlement::RetryAfter { delay: stage.units(3), failure }).await;
    let other = member.take(1).await.remove(0);
    assert_eq!(other.event.id(), events[2].id(), "the other key flows");
    member.apply(&other, Settlement::Ack).await;
    let again = member.take(1).await.remove(0);
    assert_eq!((again.event.id(), again.attempt), (events[0].id(), 2));
    let failure = again.failure(Reason::Permanent, "for good");
    member.apply(&again, Settlement::DeadLetter { failure, hold: true }).await;
    let dead = transport.dead_letters(&spec.group);
    let letters = dead.list(None, 10).await.expect("it lists");
    assert!(letters.len() == 1 && letters[0].holds_key);
    let backlog = transport.backlog(&spec.group).await.expect("it is told").expect("the group exists");
    assert_eq!((backlog.dead, backlog.held_keys, backlog.unsettled()), (1, 1, 2));
    stage.ledger.redriven("g", &events[0]);
    assert!(dead.redrive(letters[0].id).await.expect("it is there"));
    assert!(!dead.redrive(letters[0].id).await.expect("it is not there any more"));
    for expected in [0, 1, 3] {
        let message = member.take(1).await.remove(0);
        assert_eq!(message.event.id(), events[expected].id());
        member.apply(&message, Settlement::Ack).await;
    }
    member.hears_nothing().await;
    stage.ledger.check(&Bounds::strict().ordered(HELD));
}

pub(crate) async fn a_returned_message_keeps_its_place_in_its_key(stage: &Stage) {
    let transport = stage.transport().await;
    let mut spec = stage.spec("g");
    spec.order = Order::PerKey;
    let mut first = stage.join(&*transport, &spec, "first").await;
    let events = [stage.payment("a"), stage.payment("a"), stage.payment("a")];
    stage.store(&*transport, &events).await;
    let message = first.take(1).await.remove(0);
    first.apply(&message, Settlement::Return).await;
    first.crash();
    let mut second = stage.join(&*transport, &spec, "second").await;
    for event in &events {
        let message = second.take(1).await.remove(0);
        assert_eq!((message.event.id(), message.attempt), (event.id(), 1));
        second.apply(&message, Settlement::Ack).await;
    }
    stage.ledger.check(&Bounds::strict().ordered(HELD));
}

pub(crate) async fn without_order_a_key_holds_up_nothing(stage: &Stage) {
    let bus = stage.bus().await;
    let events = stage.payments(1, 5);
    let first = events[0].id().clone();
    let script = move |event: &AnyEvent, attempt| match *event.id() == first && attempt == 1 {
        true => Act::Fail,
        false => Act::Ack,
    };
    let handler = stage.handler(("g", "m"), script);
    bus.subscribe("g").on(handler).retry(Retry::fixed(stage.units(5))).start().await.expect("it starts");
    stage.publish(&bus, &events[..3]).await;
    stage.backlog(&bus, "g", |backlog| backlog.waiting == 1 && backlog.unsettled() == 1).await;
    stage.publish(&bus, &events[3..]).await;
    stage.until("its siblings went on", || stage.ledger.ended("g", End::Acked) == 4).await;
    stage.settled(&bus, "g").await;
    assert_eq!(stage.ledger.acked("g").last(), Some(events[0].id()));
    stage.ledger.check(&Bounds::strict());
}
