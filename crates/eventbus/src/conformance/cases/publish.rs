//! Publishing: `Ok` only when the event is held; every other answer says what may have become of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;

use crate::conformance::puppet::{Puppet, Told};
use crate::conformance::sample::{body, outside};
use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::event::AnyEvent;
use crate::transport::{Publishing, WhenFull};
use crate::{BusConfig, Error, ErrorKind, EventBus};

pub(crate) async fn publishers_at_once_lose_nothing(stage: &Stage) {
    let (one, two) = (stage.bus().await, stage.bus().await);
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    one.subscribe("g").on(handler).start().await.expect("it starts");
    let publishers = (0..20).map(|number| {
        let bus = if number % 2 == 0 { &one } else { &two };
        let events: Vec<AnyEvent> = (0..50).map(|_| stage.payment(&format!("publisher {number}"))).collect();
        async move { stage.publish(bus, &events).await }
    });
    join_all(publishers).await;
    stage.settled(&one, "g").await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 1000);
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_batch_has_one_outcome_per_event(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    bus.subscribe("g").on(handler).start().await.expect("it starts");
    let types = ["a", "a", "b", "c.d", "b"];
    let mixed: Vec<AnyEvent> = (0..300)
        .map(|number| outside(&format!("evt_{number}"), ("any", types[number % types.len()])))
        .collect();
    mixed.iter().for_each(|event| stage.ledger.publishing(event));
    assert_eq!(bus.publish_all(&mixed).await.expect("all are stored"), 300);
    mixed.iter().for_each(|event| stage.ledger.published(event, &Ok(())));
    assert_eq!(bus.publish_all(Vec::<AnyEvent>::new()).await.expect("none is no error"), 0);
    let bare = stage.transport().await;
    let publishing = Publishing { deadline: stage.pace.patience, when_full: WhenFull::Fail };
    assert!(bare.publish(&[], publishing).await.is_empty());
    stage.settled(&bus, "g").await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_batch_with_a_bad_event_is_refused_whole(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    bus.subscribe("g").on(handler).start().await.expect("it starts");
    let large = format!(r#""{}""#, "x".repeat(1 << 20));
    let large =
        AnyEvent::from_json(body("evt_large", ("any", "large"), &large)).expect("the body is an event");
    let events = [stage.payment("k"), large, stage.payment("k")];
    events.iter().for_each(|event| stage.ledger.publishing(event));
    let error = bus.publish_all(&events).await.expect_err("one is too large");
    let first = error.outcomes()[0].as_ref().expect_err("it names the event and the rule");
    assert_eq!(first.kind(), ErrorKind::Invalid);
    assert!(first.to_string().contains("event 1"), "{first}");
    for event in &events {
        stage.ledger.cancelled(event);
    }
    stage.silence().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn what_breaks_a_rule_is_invalid_and_nothing_else_suffers(stage: &Stage) {
    let bus = EventBus::new(stage.transport().await, BusConfig::new().max_event_size(2000));
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    bus.subscribe("g").on(handler).start().await.expect("it starts");
    let fitting = AnyEvent::from_json(body("evt_fits", ("any", "fits"), "1")).expect("the body is an event");
    let padded = Bytes::from(format!(
        "{}{}",
        String::from_utf8_lossy(&fitting.to_json().expect("a body")),
        " ".repeat(2000)
    ));
    let large = AnyEvent::from_json(padded).expect("the body is an event");
    let refused = bus.publish(large).await.expect_err("it is too large");
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("2000"), "the error names the rule: {refused}");
    stage.publish(&bus, &[fitting]).await;
    stage.settled(&bus, "g").await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_missing_answer_is_unknown_and_never_ok(stage: &Stage) {
    let mute = Puppet::telling(stage.transport().await, |_| Vec::new());
    let bus = EventBus::new(Arc::new(mute), BusConfig::new());
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    bus.subscribe("g").on(handler).start().await.expect("it starts");
    let (event, pair) = (stage.payment("k"), stage.payments(1, 2));
    stage.ledger.publishing(&event);
    let outcome = bus.publish(&event).await;
    stage.ledger.published(&event, &outcome);
    assert_eq!(outcome.expect_err("nobody confirmed it").kind(), ErrorKind::Unknown);
    // Publishing again with the same id is how it is resolved: here both arrive.
    stage.ledger.publishing(&event);
    stage.publish(&stage.bus().await, &[]).await;
    stage.ledger.published(&event, &bus.publish(&event).await);
    pair.iter().for_each(|event| stage.ledger.publishing(event));
    let error = bus.publish_all(&pair).await.expect_err("nobody confirmed them");
    assert_eq!((error.failed(), error.outcomes().len()), (2, 2));
    assert_eq!(Error::from(error).kind(), ErrorKind::Unknown);
    stage.settled(&bus, "g").await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn what_the_transport_says_reaches_the_publisher(stage: &Stage) {
    let kinds = [ErrorKind::NotSent, ErrorKind::Unknown, ErrorKind::Refused, ErrorKind::Full];
    let says: [Told; 4] = [
        |all| all.iter().map(|_| Err(Error::new(ErrorKind::NotSent, "said so"))).collect(),
        |all| all.iter().map(|_| Err(Error::new(ErrorKind::Unknown, "said so"))).collect(),
        |all| all.iter().map(|_| Err(Error::new(ErrorKind::Refused, "said so"))).collect(),
        |all| all.iter().map(|_| Err(Error::new(ErrorKind::Full, "said so"))).collect(),
    ];
    for (kind, says) in kinds.into_iter().zip(says) {
        let bus = EventBus::new(Arc::new(Puppet::telling(stage.transport().await, says)), BusConfig::new());
        let error = bus.publish(&stage.payment("k")).await.expect_err("the transport said no");
        assert_eq!((error.kind(), error.is_transient()), (kind, kind != ErrorKind::Refused));
    }
}

pub(crate) async fn a_dropped_publish_loses_no_stored_event(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    let running = bus.subscribe("g").on(handler).start().await.expect("it starts");
    for event in stage.payments(1, 20) {
        stage.ledger.publishing(&event);
        let outcome = tokio::time::timeout(Duration::ZERO, bus.publish(&event)).await;
        if let Ok(outcome) = outcome {
            stage.ledger.published(&event, &outcome);
        }
    }
    stage.publish(&bus, &stage.payments(1, 5)).await;
    stage.settled(&bus, "g").await;
    assert!(running.health().is_healthy());
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn after_close_everything_says_closed(stage: &Stage) {
    let transport = stage.transport().await;
    let bus = EventBus::new(Arc::clone(&transport), BusConfig::new());
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    let running = bus.subscribe("g").on(handler).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(1, 3)).await;
    assert!(bus.shutdown(stage.pace.patience).await.is_complete());
    let closed = |error: Error| assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    closed(bus.publish(&stage.payment("k")).await.expect_err("the bus is closed"));
    closed(bus.publish_all(stage.payments(1, 2)).await.expect_err("the bus is closed").into());
    closed(bus.publish_in(stage.units(1), &stage.payment("k")).await.expect_err("the bus is closed"));
    closed(
        bus.subscribe("late")
            .on(|_: AnyEvent| async { Ok(()) })
            .start()
            .await
            .expect_err("the bus is closed"),
    );
    // The transport too, whoever else has it.
    let publishing = Publishing { deadline: stage.pace.patience, when_full: WhenFull::Wait };
    let outcomes = transport.publish(&stage.payments(2, 2), publishing).await;
    assert_eq!(outcomes.len(), 4);
    outcomes.into_iter().for_each(|outcome| closed(outcome.expect_err("the transport is closed")));
    closed(transport.open(&stage.spec("late")).await.expect_err("the transport is closed"));
    if transport.capabilities().delayed_publish {
        closed(
            transport
                .schedule(&stage.payment("k"), stage.units(1))
                .await
                .expect_err("the transport is closed"),
        );
    }
    transport.close().await.expect("close is idempotent");
    assert!(!bus.health().open && !bus.health().is_healthy());
    assert_eq!(running.health().state, crate::SubscriptionState::Stopped);
    // What outlives the process need not be handled before its end.
    let kept = transport.capabilities().durability.outlives_process();
    stage.ledger.check(&if kept { Bounds::strict().unfinished() } else { Bounds::strict() });
}
