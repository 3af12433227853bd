//! Ending: nothing starts any more, what runs finishes or goes back, and the report adds up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::conformance::puppet::Puppet;
use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::event::AnyEvent;
use crate::transport::{Capabilities, Durability, Order};
use crate::{BusConfig, ErrorKind, EventBus, Retry};

pub(crate) async fn a_shutdown_drains_what_would_be_lost_with_the_process(stage: &Stage) {
    let bus = stage.bus().await;
    let work = stage.units(1);
    let script = move |_: &AnyEvent, attempt| if attempt == 1 { Act::Fail } else { Act::Slow(work) };
    let handler = stage.handler(("g", "m"), script);
    bus.subscribe("g").on(handler).retry(Retry::fixed(stage.units(2))).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(10, 10)).await;
    let report = bus.shutdown(stage.pace.patience).await;
    let group = &report.groups[0];
    let kept = group.kept;
    let left = group.left.map_or(0, |left| left.unsettled());
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(group.acked + left, 100, "handled and left make up what was published: {report:?}");
    assert!(kept || left == 0);
    assert_eq!(stage.ledger.ended("g", End::Acked) as u64, group.acked);
    stage.silence().await;
    assert_eq!(stage.ledger.ended("g", End::Acked) as u64, group.acked, "nothing starts after the end");
    stage.ledger.check(&if kept { Bounds::strict().unfinished() } else { Bounds::strict() });
}

pub(crate) async fn a_shutdown_ends_at_its_deadline_and_tells_what_is_left(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("stuck", "m"), |_, _| Act::Hang);
    bus.subscribe("stuck").on(handler).no_timeout().concurrency(2).start().await.expect("it starts");
    let script = |_: &AnyEvent, attempt| if attempt == 1 { Act::Fail } else { Act::Ack };
    let handler = stage.handler(("waiting", "m"), script);
    bus.subscribe("waiting")
        .on(handler)
        .retry(Retry::fixed(stage.units(500)))
        .start()
        .await
        .expect("it starts");
    let handler = stage.handler(("dead", "m"), |_, _| Act::GiveUp);
    bus.subscribe("dead").on(handler).order(Order::PerKey).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(1, 7)).await;
    stage
        .until("they have begun", || {
            let started = |group: &str| stage.ledger.started(group);
            (started("waiting"), started("stuck"), started("dead")) == (7, 2, 1)
        })
        .await;
    let (deadline, since) = (stage.units(5), Instant::now());
    let report = bus.shutdown(deadline).await;
    let took = since.elapsed();
    assert!(took <= deadline + stage.pace.slack, "it took {took:?}");
    let of = |name: &str| report.groups.iter().find(|group| group.group == name).expect("it is reported");
    assert_eq!((of("stuck").acked, of("stuck").aborted), (0, 2));
    let unsettled = |name: &str| of(name).left.map(|left| left.unsettled());
    assert_eq!((unsettled("stuck"), unsettled("waiting"), unsettled("dead")), (Some(7), Some(7), Some(6)));
    assert_eq!((of("dead").dead_lettered, of("dead").left.map(|left| left.dead)), (1, Some(1)));
    if !of("stuck").kept {
        assert_eq!(
            (of("stuck").unfinished(), of("waiting").unfinished(), of("dead").unfinished()),
            (7, 7, 7)
        );
    }
    assert!(!report.is_complete());
    stage.silence().await;
    assert_eq!(stage.ledger.started("stuck"), 2, "nothing starts after the end");
}

pub(crate) async fn a_broadcast_that_is_not_done_is_told_too(stage: &Stage) {
    let bus = stage.bus().await;
    let script = |_: &AnyEvent, attempt| if attempt == 1 { Act::Fail } else { Act::Ack };
    let handler = stage.handler(("cache", "m"), script);
    let subscription = bus.subscribe("cache").on(handler).broadcast().retry(Retry::fixed(stage.units(100)));
    subscription.start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(1, 3)).await;
    stage.until("they have failed once", || stage.ledger.ended("cache", End::Failed) == 3).await;
    let report = bus.shutdown(stage.units(1)).await;
    assert!(!report.is_complete(), "three events are lost with the instance: {report:?}");
}

pub(crate) async fn events_that_wait_for_their_time_are_told_too(stage: &Stage) {
    let bus = stage.bus().await;
    bus.publish_in(stage.units(100), &stage.payment("k")).await.expect("the event is kept");
    let kept = bus.capabilities().durability.outlives_process();
    let report = bus.shutdown(stage.units(1)).await;
    assert_eq!(
        report.is_complete(),
        kept,
        "an accepted event that ends with the process is told: {report:?}"
    );
}

pub(crate) async fn a_stop_gives_back_what_has_not_started(stage: &Stage) {
    let (one, two) = (stage.bus().await, stage.bus().await);
    let work = stage.units(2);
    let handler = stage.handler(("g", "first"), move |_, _| Act::Slow(work));
    let first = one.subscribe("g").on(handler).concurrency(3).start().await.expect("it starts");
    stage.publish(&one, &stage.payments(10, 2)).await;
    stage.until("three run", || stage.ledger.started("g") == 3).await;
    let report = first.stop(stage.units(10)).await;
    assert_eq!((report.acked, report.aborted), (3, 0), "what runs finishes");
    assert_eq!(stage.ledger.started("g"), 3, "nothing starts after the stop");
    assert_eq!(report.left.map(|left| (left.queued, left.in_flight, left.members)), Some((17, 0, 0)));
    let handler = stage.handler(("g", "second"), |_, _| Act::Ack);
    two.subscribe("g").on(handler).start().await.expect("it starts");
    stage.settled(&two, "g").await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 20);
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_handler_over_the_deadline_is_dropped_and_its_message_comes_once_more(stage: &Stage) {
    let (one, two) = (stage.bus().await, stage.bus().await);
    let handler = stage.handler(("g", "first"), |_, _| Act::Hang);
    let first = one.subscribe("g").on(handler).no_timeout().start().await.expect("it starts");
    stage.publish(&one, &stage.payments(4, 1)).await;
    stage.until("four run", || stage.ledger.started("g") == 4).await;
    let since = Instant::now();
    let report = first.stop(stage.units(3)).await;
    assert!(since.elapsed() <= stage.units(3) + stage.pace.slack);
    assert_eq!((report.acked, report.aborted), (0, 4));
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&attempts);
    // A stop is not the message's fault: its attempt does not count.
    let handler = move |_: AnyEvent, about: crate::Context| {
        noted.lock().expect("nobody panicked").push(about.attempt());
        std::future::ready(Ok(()))
    };
    two.subscribe("g").on(handler).start().await.expect("it starts");
    stage.settled(&two, "g").await;
    stage.silence().await;
    assert_eq!(*attempts.lock().expect("nobody panicked"), [1; 4]);
}

pub(crate) async fn handlers_may_publish_while_the_bus_drains(stage: &Stage) {
    let bus = stage.bus().await;
    let (publisher, next) = (bus.clone(), Arc::new(Mutex::new(stage.payments(1, 3))));
    let (ledger, work) = (stage.ledger.clone(), stage.units(1));
    ledger.group("g", &[crate::event::Filter::all()]);
    let handler = move |event: AnyEvent, about: crate::Context| {
        let handling = ledger.begin(("g", "m"), &event, about.attempt());
        let (bus, next, ledger) =
            (publisher.clone(), next.lock().expect("nobody panicked").pop(), ledger.clone());
        async move {
            tokio::time::sleep(work).await;
            if let Some(next) = next {
                ledger.publishing(&next);
                ledger.published(&next, &bus.publish(&next).await);
            }
            handling.end(End::Acked);
            Ok(())
        }
    };
    bus.subscribe("g").on(handler).start().await.expect("it starts");
    stage.publish(&bus, &[stage.payment("k")]).await;
    stage.until("the first runs", || stage.ledger.started("g") == 1).await;
    let ending = tokio::spawn({
        let (bus, patience) = (bus.clone(), stage.pace.patience);
        async move { bus.shutdown(patience).await }
    });
    tokio::time::sleep(stage.units(1) / 2).await;
    let outside = bus.publish(&stage.payment("k")).await;
    assert_eq!(outside.expect_err("the bus drains").kind(), ErrorKind::Closed);
    let report = ending.await.expect("it ends");
    let kept = report.groups[0].kept;
    assert!(report.is_complete(), "{report:?}");
    assert!(kept || stage.ledger.ended("g", End::Acked) == 4);
    stage.ledger.check(&if kept { Bounds::strict().unfinished() } else { Bounds::strict() });
}

pub(crate) async fn two_shutdowns_at_once_cut_nothing_short(stage: &Stage) {
    let inner = stage.transport().await;
    // What outlives the process is not drained: only the stop of the subscription waits for its handlers.
    let kept = Capabilities { durability: Durability::Disk, ..inner.capabilities() };
    let bus = EventBus::new(Arc::new(Puppet::claiming(inner, kept)), BusConfig::new());
    let work = stage.units(3);
    let handler = stage.handler(("g", "m"), move |_, _| Act::Slow(work));
    bus.subscribe("g").on(handler).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(2, 1)).await;
    stage.until("both run", || stage.ledger.started("g") == 2).await;
    let (first, second) = tokio::join!(bus.shutdown(stage.units(10)), bus.shutdown(stage.units(10)));
    for report in [first, second] {
        assert_eq!((report.groups[0].acked, report.groups[0].aborted), (2, 0));
    }
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_shutdown_is_idempotent_and_may_have_no_deadline(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    bus.subscribe("g").on(handler).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(2, 2)).await;
    let first = bus.shutdown(Duration::MAX).await;
    let second = bus.shutdown(Duration::MAX).await;
    assert!(first.is_complete() && second.is_complete());
    assert_eq!(second.groups.len(), first.groups.len());
    stage.ledger.check(&Bounds::strict().unfinished());
}
