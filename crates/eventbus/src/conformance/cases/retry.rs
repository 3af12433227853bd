//! Retries: as often as the policy says, after the delays it says, holding up nobody else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::conformance::sample::key;
use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::event::EventId;
use crate::transport::Reason;
use crate::{Class, Context, HandlerError, Retry, Select};

/// How long an event waited before each attempt but the first.
fn waits(stage: &Stage, group: &str, event: &EventId) -> Vec<Duration> {
    stage.ledger.starts(group, event).windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
}

pub(crate) async fn attempts_and_delays_follow_the_policy(stage: &Stage) {
    let bus = stage.bus().await;
    let retry = Retry::exponential(stage.units(1)..=stage.units(6)).attempts(6);
    let handler = stage.handler(("g", "m"), |_, attempt| if attempt < 6 { Act::Fail } else { Act::Ack });
    bus.subscribe("g").on(handler).retry(retry.clone()).start().await.expect("it starts");
    let events = stage.payments(20, 1);
    stage.publish(&bus, &events).await;
    stage.until("all succeed at last", || stage.ledger.ended("g", End::Acked) == 20).await;
    let mut all = Vec::new();
    for event in &events {
        let waits = waits(stage, "g", event.id());
        assert_eq!(waits.len(), 5);
        for (wait, attempt) in waits.iter().zip(1..) {
            let (least, most) = retry.bounds(attempt).into_inner();
            assert!(*wait >= least, "attempt {attempt}: waited {wait:?}, less than {least:?}");
            assert!(
                *wait <= most + stage.pace.slack,
                "attempt {attempt}: waited {wait:?}, more than {most:?}"
            );
        }
        all.push(waits);
    }
    all.dedup();
    assert!(all.len() > 1, "jitter spreads the retries");
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_message_is_tried_as_often_as_the_policy_says(stage: &Stage) {
    for limit in [1, 2, 5] {
        let bus = stage.bus().await;
        let group = format!("g{limit}");
        let script = move |_: &_, attempt| if attempt < limit { Act::Fail } else { Act::Last };
        let handler = stage.handler((&group, "m"), script);
        let retry = Retry::fixed(stage.units(1)).attempts(limit);
        bus.subscribe(group.as_str()).on(handler).retry(retry).start().await.expect("it starts");
        stage.publish(&bus, &[stage.payment("k")]).await;
        stage.backlog(&bus, &group, |backlog| backlog.dead == 1).await;
        assert_eq!(stage.ledger.started(&group), limit as usize);
        // Groups of earlier rounds want this round's events as well.
        for earlier in [1, 2, 5].into_iter().filter(|earlier| *earlier <= limit) {
            stage.settled(&bus, &format!("g{earlier}")).await;
        }
    }
    stage.silence().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_waiting_retry_holds_up_nobody(stage: &Stage) {
    let bus = stage.bus().await;
    let (doomed, others) = (stage.payment("slow"), stage.payments(50, 1));
    let id = doomed.id().clone();
    let script = move |event: &crate::AnyEvent, attempt| match *event.id() == id && attempt == 1 {
        true => Act::Fail,
        false => Act::Ack,
    };
    let handler = stage.handler(("g", "m"), script);
    let retry = Retry::fixed(stage.units(20));
    bus.subscribe("g").on(handler).concurrency(1).retry(retry).start().await.expect("it starts");
    stage.publish(&bus, std::slice::from_ref(&doomed)).await;
    stage.publish(&bus, &others).await;
    stage.backlog(&bus, "g", |backlog| backlog.waiting == 1 && backlog.queued + backlog.in_flight == 0).await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 50, "the others were handled meanwhile");
    stage.settled(&bus, "g").await;
    assert_eq!(stage.ledger.acked("g").last(), Some(doomed.id()));
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn an_error_may_name_its_delay(stage: &Stage) {
    let bus = stage.bus().await;
    let named = [stage.units(7), stage.units(2), stage.units(4)];
    let script = move |_: &_, attempt: u32| {
        named.get(attempt as usize - 1).map_or(Act::Ack, |delay| Act::After(*delay))
    };
    let handler = stage.handler(("g", "m"), script);
    bus.subscribe("g").on(handler).retry(Retry::fixed(stage.units(1))).start().await.expect("it starts");
    let event = stage.payment("k");
    stage.publish(&bus, std::slice::from_ref(&event)).await;
    stage.settled(&bus, "g").await;
    for (wait, delay) in waits(stage, "g", event.id()).into_iter().zip(named) {
        assert!(wait >= delay && wait <= delay + stage.pace.slack, "waited {wait:?} instead of {delay:?}");
    }
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_permanent_error_is_not_tried_again(stage: &Stage) {
    let bus = stage.bus().await;
    bus.subscribe("g").on(stage.handler(("g", "m"), |_, _| Act::GiveUp)).start().await.expect("it starts");
    // The policy may say of an error what the error does not say of itself.
    let handler = stage.handler(("classified", "m"), |_, _| Act::Last);
    let retry = Retry::default()
        .classify(|error| error.to_string().contains("to the last").then_some(Class::Permanent));
    bus.subscribe("classified").on(handler).retry(retry).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(2, 1)).await;
    for group in ["g", "classified"] {
        stage.backlog(&bus, group, |backlog| backlog.dead == 2 && backlog.unsettled() == 0).await;
        let dead = bus
            .dead_letters(group)
            .expect("the name is legal")
            .list(Select::all(), 10)
            .await
            .expect("it lists");
        assert!(
            dead.iter().all(|letter| letter.reason == Reason::Permanent && letter.attempts == 1),
            "{dead:?}"
        );
    }
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_panic_is_a_failure_and_the_subscription_lives(stage: &Stage) {
    let bus = stage.bus().await;
    let script = |event: &crate::AnyEvent, attempt| match (key(event), attempt) {
        (Some("acct_0"), 1 | 2) => Act::Panic,
        _ => Act::Ack,
    };
    let handler = stage.handler(("g", "m"), script);
    let retry = Retry::fixed(stage.units(1)).attempts(3);
    let running = bus.subscribe("g").on(handler).retry(retry).start().await.expect("it starts");
    // A handler may also panic before it makes its future.
    let early = |event: crate::AnyEvent, _: Context| {
        assert!(event.key().is_none(), "a panic before the handler's future exists");
        std::future::ready(Ok(()))
    };
    bus.subscribe("early").on(early).retry(Retry::never()).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(4, 2)).await;
    stage.settled(&bus, "g").await;
    stage.backlog(&bus, "early", |backlog| backlog.dead == 8).await;
    let dead =
        bus.dead_letters("early").expect("the name is legal").list(Select::all(), 1).await.expect("it lists");
    assert_eq!(dead[0].reason, Reason::Panicked);
    assert!(
        dead[0].history.last().is_some_and(|failure| failure.message.contains("before the handler's future"))
    );
    assert!(running.health().is_healthy());
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_handler_that_takes_too_long_is_dropped_and_tried_again(stage: &Stage) {
    let bus = stage.bus().await;
    let limit = stage.units(2);
    let handler = stage.handler(("g", "m"), |_, attempt| if attempt < 3 { Act::Hang } else { Act::Ack });
    let retry = Retry::fixed(stage.units(1)).attempts(3);
    bus.subscribe("g").on(handler).timeout(limit).retry(retry).start().await.expect("it starts");
    let handler = stage.handler(("never", "m"), |_, _| Act::Hang);
    bus.subscribe("never").on(handler).timeout(limit).retry(Retry::never()).start().await.expect("it starts");
    let event = stage.payment("k");
    stage.publish(&bus, std::slice::from_ref(&event)).await;
    stage.until("the third attempt succeeds", || stage.ledger.ended("g", End::Acked) == 1).await;
    assert_eq!(stage.ledger.ended("g", End::Cut), 2, "a handler over its time is dropped");
    let apart = stage.units(3);
    for wait in waits(stage, "g", event.id()) {
        assert!(wait >= apart && wait <= apart + stage.pace.slack * 2, "time-out and delay: {wait:?}");
    }
    stage.backlog(&bus, "never", |backlog| backlog.dead == 1).await;
    let dead =
        bus.dead_letters("never").expect("the name is legal").list(Select::all(), 1).await.expect("it lists");
    assert_eq!(dead[0].reason, Reason::TimedOut);
    stage.ledger.purged("never", &event);
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_handler_sees_its_attempt_and_the_last_failure(stage: &Stage) {
    let bus = stage.bus().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let handler = move |_: crate::AnyEvent, about: Context| {
        let failure = about.last_failure().map(|failure| failure.message.clone());
        noted.lock().expect("nobody panicked").push((about.attempt(), failure));
        std::future::ready(match about.attempt() {
            3 => Ok(()),
            attempt => Err(HandlerError::transient(format!("number {attempt}"))),
        })
    };
    bus.subscribe("g").on(handler).retry(Retry::fixed(stage.units(1))).start().await.expect("it starts");
    bus.publish(&stage.payment("k")).await.expect("it is stored");
    stage.settled(&bus, "g").await;
    let number = |number: u32| Some(format!("number {number}"));
    assert_eq!(*seen.lock().expect("nobody panicked"), [(1, None), (2, number(1)), (3, number(2))]);
}

pub(crate) async fn a_retry_may_go_to_any_member(stage: &Stage) {
    let (one, two) = (stage.bus().await, stage.bus().await);
    let first = stage.handler(("g", "first"), |_, _| Act::Fail);
    let first =
        one.subscribe("g").on(first).retry(Retry::fixed(stage.units(5))).start().await.expect("it starts");
    stage.publish(&one, &stage.payments(3, 1)).await;
    stage.backlog(&one, "g", |backlog| backlog.waiting == 3).await;
    first.stop(stage.units(1)).await;
    let second = stage.handler(("g", "second"), |_, _| Act::Ack);
    two.subscribe("g").on(second).start().await.expect("it starts");
    stage.settled(&two, "g").await;
    stage.ledger.check(&Bounds::strict());
}
