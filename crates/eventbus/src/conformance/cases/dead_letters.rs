//! Dead letters: nothing that failed for good is lost, and everything about it can be told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::conformance::puppet::Puppet;
use crate::conformance::sample::{Payment, body};
use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::engine::OnDeadLetter;
use crate::event::{AnyEvent, Event, EventKind as _, FromEvent as _};
use crate::transport::{DeadLetter, Order, Reason};
use crate::{BusConfig, DeadLetterQueue, ErrorKind, EventBus, Redriven, Retry, Select};

/// All dead letters of a group.
async fn dead(bus: &EventBus, group: &str) -> Vec<DeadLetter> {
    queue(bus, group).list(Select::all(), usize::MAX).await.expect("it lists")
}

fn queue(bus: &EventBus, group: &str) -> DeadLetterQueue {
    bus.dead_letters(group).expect("the name is legal")
}

pub(crate) async fn a_dead_letter_keeps_the_event_and_its_history(stage: &Stage) {
    let bus = stage.bus().await;
    let script = |_: &_, attempt| if attempt < 12 { Act::Fail } else { Act::Last };
    let handler = stage.handler(("g", "m"), script);
    let retry = Retry::fixed(stage.units(1)).attempts(12);
    bus.subscribe("g").on(handler).retry(retry).start().await.expect("it starts");
    let text = body("evt_1", ("conformance", "conformance.raw"), r#"{ "amount" : 1.10 , "unknown":[ ] }"#);
    let event = AnyEvent::from_json(text.clone()).expect("the body is an event");
    stage.publish(&bus, std::slice::from_ref(&event)).await;
    stage.backlog(&bus, "g", |backlog| backlog.dead == 1 && backlog.unsettled() == 0).await;
    let letters = dead(&bus, "g").await;
    let letter = &letters[0];
    assert_eq!(letter.raw().expect("it has bytes"), text, "byte for byte");
    assert_eq!((letter.reason, letter.attempts, letter.holds_key), (Reason::Transient, 12, false));
    let history = &letter.history;
    assert_eq!(history.count, 12);
    assert_eq!(history.first.as_ref().map(|failure| failure.attempt), Some(1));
    assert_eq!(history.last().map(|failure| failure.attempt), Some(12));
    assert!(history.last().is_some_and(|failure| failure.message.contains("to the last")));
    assert!(history.first.as_ref().is_some_and(|failure| failure.time <= letter.time));
    assert_eq!(
        queue(&bus, "g").inspect(letter.id).await.expect("it lists").map(|same| same.id),
        Some(letter.id)
    );
    assert!(queue(&bus, "g").inspect(letter.id + 1).await.expect("it lists").is_none());
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn poison_is_dead_lettered_once_and_the_next_event_is_handled(stage: &Stage) {
    let bus = stage.bus().await;
    let handled = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = Arc::clone(&handled);
    let handler = move |payment: Event<Payment>| {
        noted.lock().expect("nobody panicked").push(payment.id().to_string());
        async { Ok(()) }
    };
    let started = bus.subscribe("g").on(handler).concurrency(1).start().await.expect("it starts");
    let envelope = |id: &str| {
        let named =
            stage.payment("k").with_envelope(|envelope| envelope.id = id.parse().expect("the id is legal"));
        named.envelope().clone()
    };
    let address = (Payment::SOURCE, Payment::TYPE);
    let poison: [(&str, Bytes); 4] = [
        (
            "evt_wrong_field",
            body("evt_wrong_field", address, r#"{"account":"k","number":"one","amount":"1"}"#),
        ),
        ("evt_no_object", body("evt_no_object", address, "null")),
        ("evt_cut_off", body("evt_cut_off", address, "{}").slice(..60)),
        ("evt_garbage", Bytes::from_static(b"\xff\xfe\x00 not JSON")),
    ];
    for (id, bytes) in &poison {
        let event = AnyEvent::from_wire(envelope(id), bytes.clone());
        bus.publish(event).await.expect("it is stored: nobody parses a body to route it");
        bus.publish(&stage.payment("next")).await.expect("it is stored");
    }
    stage.backlog(&bus, "g", |backlog| backlog.unsettled() == 0).await;
    assert_eq!(handled.lock().expect("nobody panicked").len(), poison.len(), "the next events are handled");
    let letters = dead(&bus, "g").await;
    assert_eq!(letters.len(), poison.len(), "once each");
    for (letter, (id, bytes)) in letters.iter().zip(&poison) {
        assert_eq!((letter.reason, letter.attempts), (Reason::Undecodable, 1), "{id}");
        assert_eq!(letter.raw().expect("it has bytes"), bytes, "{id}: the raw bytes are kept");
        assert!(letter.history.last().is_some_and(|failure| !failure.message.is_empty()), "{id}");
    }
    assert!(started.health().is_healthy());
}

pub(crate) async fn an_event_that_kills_its_member_is_fenced_and_its_siblings_survive(stage: &Stage) {
    let killer = stage.payment("killer");
    let id = killer.id().clone();
    let mut siblings = stage.payments(5, 2);
    siblings.insert(4, killer.clone());
    let operator = stage.bus().await;
    let mut lives = 0;
    loop {
        let (bus, process) = stage.process().await;
        let (puppet, killer, ledger, name) =
            (process.clone(), id.clone(), stage.ledger.clone(), format!("life {lives}"));
        let died = Arc::new(AtomicBool::new(false));
        let dies = Arc::clone(&died);
        let script = move |event: &AnyEvent, _| match *event.id() == killer {
            true => {
                dies.store(true, Ordering::SeqCst);
                puppet.kill();
                ledger.crash("g", &name);
                Act::Hang
            }
            false => Act::Ack,
        };
        let handler = process.living(stage.handler(("g", &format!("life {lives}")), script));
        let retry = Retry::fixed(stage.units(1)).attempts(3);
        let _running = bus.subscribe("g").on(handler).retry(retry).start().await.expect("it starts");
        if lives == 0 {
            stage.publish(&operator, &siblings).await;
        }
        lives += 1;
        assert!(lives <= 10, "the event still kills its members");
        stage
            .until_async("it dies or is done", || async {
                let backlog = operator.backlog("g").await.expect("it is told").expect("the group exists");
                died.load(Ordering::SeqCst) || backlog.unsettled() == 0
            })
            .await;
        if !died.load(Ordering::SeqCst) {
            break;
        }
    }
    let letters = dead(&operator, "g").await;
    let told: Vec<_> =
        letters.iter().map(|letter| (letter.raw().expect("it has bytes"), letter.reason)).collect();
    assert_eq!(
        told,
        [(killer.to_json().expect("it has a body"), Reason::Crashed)],
        "only the killer is fenced off"
    );
    stage.ledger.purged("g", &killer);
    let acked = stage.ledger.acked("g");
    assert!(siblings.iter().all(|event| event.id() == killer.id() || acked.contains(event.id())));
    // A process that dies takes the acks along that it had not sent.
    stage
        .ledger
        .check(&Bounds::strict().duplicates(siblings.len() * lives).unseen_attempts(siblings.len() * lives));
}

pub(crate) async fn redrive_hands_out_one_some_or_all_again(stage: &Stage) {
    let bus = stage.bus().await;
    let mended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&mended);
    let script = move |_: &_, _| if flag.load(Ordering::SeqCst) { Act::Ack } else { Act::GiveUp };
    bus.subscribe("g").on(stage.handler(("g", "m"), script)).start().await.expect("it starts");
    let events = stage.payments(3, 4);
    stage.publish(&bus, &events).await;
    stage.backlog(&bus, "g", |backlog| backlog.dead == 12).await;
    let queue = queue(&bus, "g");
    let letters = dead(&bus, "g").await;
    assert!(letters.windows(2).all(|pair| pair[0].id < pair[1].id), "in order of time");
    // Counted, not touched.
    for (select, matched) in selections(&events) {
        let dry = queue.redrive(select.clone()).dry_run().await.expect("it counts");
        assert_eq!(dry, Redriven { matched, redriven: 0 }, "{select:?}");
    }
    assert_eq!(dead(&bus, "g").await.len(), 12);
    mended.store(true, Ordering::SeqCst);
    events.iter().for_each(|event| stage.ledger.redriven("g", event));
    let one = queue.redrive(Select::id(letters[5].id)).run().await.expect("it redrives");
    assert_eq!(one, Redriven { matched: 1, redriven: 1 });
    stage.settled(&bus, "g").await;
    assert_eq!(stage.ledger.acked("g"), [events[5].id().clone()], "with its own id");
    let again = queue.redrive(Select::id(letters[5].id)).run().await.expect("a second redrive does nothing");
    assert_eq!(again, Redriven::default());
    let some = queue.redrive(Select::all().key("acct_0")).run().await.expect("it redrives");
    assert_eq!(some.redriven, 4);
    let all = queue.redrive(Select::all()).run().await.expect("it redrives");
    assert_eq!(all.redriven, 7);
    stage.settled(&bus, "g").await;
    assert!(dead(&bus, "g").await.is_empty());
    assert!(
        stage.ledger.starts("g", events[5].id()).iter().all(|(_, attempt)| *attempt == 1),
        "as a first attempt"
    );
    assert_eq!(queue.redrive(Select::all()).run().await.expect("nothing is left"), Redriven::default());
    stage.silence().await;
    stage.ledger.check(&Bounds::strict());
}

/// Conditions, with how many of the twelve dead letters each selects.
fn selections(events: &[AnyEvent]) -> [(Select, u64); 8] {
    let id = events[3].id().as_str();
    let own = "conformance.*.made".parse().expect("a pattern");
    let other = "customer.#".parse().expect("a pattern");
    let long_ago = crate::Timestamp::from_millis(0);
    [
        (Select::all(), 12),
        (Select::all().key("acct_1"), 4),
        (Select::all().event(id), 1),
        (Select::all().pattern(own).reason(Reason::Permanent), 12),
        (Select::all().pattern(other), 0),
        (Select::all().reason(Reason::TimedOut), 0),
        (Select::all().since(long_ago).key("acct_2"), 4),
        (Select::all().until(long_ago), 0),
    ]
}

pub(crate) async fn redrive_keeps_to_its_rate(stage: &Stage) {
    let bus = stage.bus().await;
    let mended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&mended);
    let script = move |_: &_, _| if flag.load(Ordering::SeqCst) { Act::Ack } else { Act::GiveUp };
    bus.subscribe("g").on(stage.handler(("g", "m"), script)).start().await.expect("it starts");
    let events = stage.payments(1, 11);
    stage.publish(&bus, &events).await;
    stage.backlog(&bus, "g", |backlog| backlog.dead == 11).await;
    mended.store(true, Ordering::SeqCst);
    events.iter().for_each(|event| stage.ledger.redriven("g", event));
    let queue = queue(&bus, "g");
    let none = queue.redrive(Select::all()).rate(0).run().await.expect_err("a rate of 0 never ends");
    assert_eq!(none.kind(), ErrorKind::Invalid);
    let since = tokio::time::Instant::now();
    assert_eq!(queue.redrive(Select::all()).rate(10).run().await.expect("it redrives").redriven, 11);
    let took = since.elapsed();
    assert!(
        took >= std::time::Duration::from_millis(990),
        "ten per second take a second for eleven: {took:?}"
    );
    assert_eq!(queue.redrive(Select::all()).rate(u32::MAX).run().await.expect("it redrives").redriven, 0);
    stage.settled(&bus, "g").await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn redrive_keeps_the_order_of_a_key(stage: &Stage) {
    for (group, then) in [("hold", OnDeadLetter::HoldKey), ("skip", OnDeadLetter::Skip)] {
        let bus = stage.bus().await;
        let mended = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&mended);
        let script = move |_: &_, _| if flag.load(Ordering::SeqCst) { Act::Ack } else { Act::GiveUp };
        let handler = stage.handler((group, "m"), script);
        let subscription = bus.subscribe(group).on(handler).order(Order::PerKey).on_dead_letter(then);
        let running = subscription.start().await.expect("it starts");
        let events = stage.payments(3, 5);
        stage.publish(&bus, &events).await;
        let died = if then == OnDeadLetter::HoldKey { 3 } else { 15 };
        stage.backlog(&bus, group, |backlog| backlog.dead == died && backlog.unsettled() == 15 - died).await;
        mended.store(true, Ordering::SeqCst);
        events.iter().for_each(|event| stage.ledger.redriven(group, event));
        let redriven = queue(&bus, group).redrive(Select::all()).run().await.expect("it redrives").redriven;
        assert_eq!(redriven, died);
        stage.settled(&bus, group).await;
        for key in 0..3 {
            let of_key =
                |id: &&crate::EventId| events.iter().skip(key).step_by(3).any(|event| event.id() == *id);
            let acked: Vec<_> = stage.ledger.acked(group).iter().filter(of_key).cloned().collect();
            let published: Vec<_> =
                events.iter().skip(key).step_by(3).map(|event| event.id().clone()).collect();
            assert_eq!(acked, published, "{group}");
        }
        running.stop(stage.units(1)).await;
        bus.forget(group).await.expect("it is forgotten");
    }
    stage.ledger.check(&Bounds::strict().unfinished());
}

pub(crate) async fn purged_dead_letters_are_gone(stage: &Stage) {
    let bus = stage.bus().await;
    bus.subscribe("g").on(stage.handler(("g", "m"), |_, _| Act::GiveUp)).start().await.expect("it starts");
    let events = stage.payments(2, 3);
    stage.publish(&bus, &events).await;
    stage.backlog(&bus, "g", |backlog| backlog.dead == 6).await;
    events.iter().for_each(|event| stage.ledger.settled("g", event));
    let queue = queue(&bus, "g");
    assert_eq!(queue.purge(Select::all().key("acct_0")).await.expect("it purges"), 3);
    assert_eq!(dead(&bus, "g").await.len(), 3);
    assert_eq!(queue.purge(Select::all()).await.expect("it purges"), 3);
    assert_eq!(queue.purge(Select::all()).await.expect("nothing is left"), 0);
    assert_eq!(queue.redrive(Select::all()).run().await.expect("nothing is left"), Redriven::default());
    stage.silence().await;
    assert_eq!(stage.ledger.ended("g", End::Dead), 6);
    stage.ledger.check(&Bounds::strict());
    let nowhere = bus.dead_letters("nowhere").expect("the name is legal").list(Select::all(), 1).await;
    assert_eq!(nowhere.expect_err("there is no such group").kind(), ErrorKind::NotFound);
}

pub(crate) async fn a_key_held_by_a_dead_letter_goes_on_after_a_purge(stage: &Stage) {
    let bus = stage.bus().await;
    let events = stage.payments(2, 4);
    let first = events[0].id().clone();
    let script = move |event: &AnyEvent, _| if *event.id() == first { Act::GiveUp } else { Act::Ack };
    let handler = stage.handler(("g", "m"), script);
    bus.subscribe("g").on(handler).order(Order::PerKey).start().await.expect("it starts");
    stage.publish(&bus, &events).await;
    stage.backlog(&bus, "g", |backlog| backlog.dead == 1 && backlog.unsettled() == 3).await;
    let letter = &dead(&bus, "g").await[0];
    assert!(letter.holds_key);
    let held = bus.backlog("g").await.expect("it is told").expect("the group exists");
    assert_eq!((held.parked, held.held_keys), (3, 1));
    stage.silence().await;
    stage.ledger.purged("g", &events[0]);
    assert_eq!(queue(&bus, "g").purge(Select::id(letter.id)).await.expect("it purges"), 1);
    stage.settled(&bus, "g").await;
    assert_eq!(bus.backlog("g").await.expect("it is told").expect("the group exists").held_keys, 0);
    stage.ledger.check(&Bounds::strict().ordered(OnDeadLetter::HoldKey));
}

pub(crate) async fn bytes_that_are_no_event_do_not_end_a_subscription(stage: &Stage) {
    let odd = |event: &AnyEvent| event.id().as_str().ends_with(['1', '3', '5', '7', '9']);
    let bus = EventBus::new(Arc::new(Puppet::garbling(stage.transport().await, odd)), BusConfig::new());
    for (group, order) in [("g", Order::None), ("ordered", Order::PerKey)] {
        let handler = stage.handler((group, "m"), |_, _| Act::Ack);
        let running = bus.subscribe(group).on(handler).order(order).start().await.expect("it starts");
        let events = stage.payments(2, 5);
        stage.publish(&bus, &events).await;
        stage.settled(&bus, group).await;
        assert_eq!(stage.ledger.ended(group, End::Acked), 5);
        let letters = dead(&bus, group).await;
        assert_eq!(letters.len(), 5);
        assert!(letters.iter().all(|letter| letter.reason == Reason::Undecodable && letter.attempts == 1));
        assert!(running.health().is_healthy());
        events.iter().filter(|event| odd(event)).for_each(|event| stage.ledger.purged(group, event));
        running.stop(stage.units(1)).await;
    }
    stage.ledger.check(&Bounds::strict().unfinished());
}

pub(crate) async fn any_event_is_also_kept_when_no_handler_can_read_it(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = |event: AnyEvent| async move {
        event.details()?;
        Ok(())
    };
    assert_eq!(AnyEvent::filters().len(), 1);
    bus.subscribe("g").on(handler).start().await.expect("it starts");
    let garbage = AnyEvent::from_wire(stage.payment("k").envelope().clone(), Bytes::from_static(b"{"));
    bus.publish(garbage).await.expect("it is stored");
    stage.backlog(&bus, "g", |backlog| backlog.dead == 1).await;
    assert_eq!(dead(&bus, "g").await[0].reason, Reason::Undecodable);
}
