//! What a bus tells of itself: health, counters, traces.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::conformance::puppet::Puppet;
use crate::conformance::sample::key;
use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::event::{AnyEvent, TraceContext};
use crate::{BusConfig, EventBus, Retry, SubscriptionState};

pub(crate) async fn counters_equal_the_ledger(stage: &Stage) {
    let bus = stage.bus().await;
    let script = |event: &AnyEvent, attempt| match (key(event), attempt) {
        (Some("acct_0"), _) => Act::GiveUp,
        (Some("acct_1"), 1 | 2) => Act::Fail,
        (Some("acct_2"), 1) => Act::Panic,
        (Some("acct_3"), 3) => Act::Last,
        (Some("acct_3"), _) => Act::Fail,
        _ => Act::Ack,
    };
    let handler = stage.handler(("g", "m"), script);
    let retry = Retry::fixed(stage.units(1)).attempts(3);
    let running = bus.subscribe("g").on(handler).retry(retry).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(6, 5)).await;
    stage.settled(&bus, "g").await;
    let ended = |end| stage.ledger.ended("g", end) as u64;
    let health = running.health();
    let told = (health.acked, health.retried, health.dead_lettered);
    assert_eq!(told, (ended(End::Acked), ended(End::Failed), ended(End::Dead)));
    assert_eq!(told, (20, 25, 10));
    assert_eq!(
        (health.running, health.aborted, health.lost, health.settle_lost, health.reopened),
        (0, 0, 0, 0, 0)
    );
    assert_eq!(bus.backlog("g").await.expect("it is told").expect("the group exists").dead, 10);
    let report = running.stop(stage.units(1)).await;
    assert_eq!((report.acked, report.dead_lettered), (20, 10));
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn pause_starts_nothing_and_resume_goes_on(stage: &Stage) {
    let bus = stage.bus().await;
    let work = stage.units(1);
    let handler = stage.handler(("g", "m"), move |_, _| Act::Slow(work));
    let running = bus.subscribe("g").on(handler).concurrency(2).start().await.expect("it starts");
    assert_eq!(running.health().state, SubscriptionState::Running);
    stage.publish(&bus, &stage.payments(1, 6)).await;
    stage.until("two run", || stage.ledger.started("g") == 2).await;
    running.pause();
    stage.silence().await;
    assert_eq!(
        (stage.ledger.started("g"), stage.ledger.ended("g", End::Acked)),
        (2, 2),
        "what runs finishes"
    );
    let health = running.health();
    assert_eq!(health.state, SubscriptionState::Paused);
    assert!(health.is_healthy() && bus.health().is_healthy(), "a pause is on purpose");
    running.resume();
    stage.settled(&bus, "g").await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 6);
    assert_eq!(running.health().state, SubscriptionState::Running);
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_receive_loop_that_does_not_turn_is_found(stage: &Stage) {
    let lease = Duration::from_millis(300);
    let wedged = Puppet::wedged(stage.transport().await, lease);
    let bus = EventBus::new(Arc::new(wedged), BusConfig::new());
    let handler = stage.handler(("g", "m"), |_, _| Act::Hang);
    let running = bus.subscribe("g").on(handler).no_timeout().start().await.expect("it starts");
    assert!(running.health().is_healthy());
    stage.publish(&bus, &stage.payments(1, 1)).await;
    // The heartbeat of the message's lease never comes back, and the loop waits for it.
    stage.until("it is found", || running.health().state == SubscriptionState::Stalled).await;
    assert!(running.health().heartbeat > Duration::from_secs(5));
    assert!(!bus.health().is_healthy());
}

pub(crate) async fn an_idle_subscription_shows_that_it_lives(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    let running = bus.subscribe("g").on(handler).start().await.expect("it starts");
    for _ in 0..20 {
        tokio::time::sleep(stage.units(1)).await;
        let health = running.health();
        assert!(health.heartbeat <= Duration::from_millis(1500) && health.is_healthy(), "{health:?}");
    }
}

pub(crate) async fn a_reader_that_fails_is_replaced_and_health_tells(stage: &Stage) {
    let (bus, line) = stage.process().await;
    let script = |_: &AnyEvent, _| Act::Ack;
    let running = bus.subscribe("g").on(stage.handler(("g", "m"), script)).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(5, 2)).await;
    stage.settled(&bus, "g").await;
    let operator = stage.bus().await;
    line.sever();
    stage.until("it is degraded", || matches!(running.health().state, SubscriptionState::Degraded(_))).await;
    assert!(!bus.health().is_healthy());
    stage.publish(&operator, &stage.payments(5, 2)).await;
    stage.silence().await;
    let state = running.health().state;
    let tells = matches!(&state, SubscriptionState::Degraded(why) if why.starts_with("joining"));
    assert!(tells, "it goes on trying, and tells what keeps it from being well: {state:?}");
    line.mend();
    let since = tokio::time::Instant::now();
    stage.until("it is well again", || running.health().state == SubscriptionState::Running).await;
    assert!(since.elapsed() < Duration::from_secs(5), "it took {:?}", since.elapsed());
    assert_eq!(running.health().reopened, 1);
    stage.settled(&operator, "g").await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 20);
    stage.ledger.check(&Bounds::strict().duplicates(stage.harness.duplicates_per_cut()).unseen_attempts(20));
}

pub(crate) async fn a_stop_in_an_outage_does_not_wait_for_its_end(stage: &Stage) {
    let (bus, line) = stage.process().await;
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    let running = bus.subscribe("g").on(handler).start().await.expect("it starts");
    line.sever();
    stage.until("it is degraded", || matches!(running.health().state, SubscriptionState::Degraded(_))).await;
    let since = tokio::time::Instant::now();
    running.stop(stage.units(50)).await;
    assert!(since.elapsed() < stage.units(5), "there was nothing to finish");
}

pub(crate) async fn what_is_wrong_with_the_transport_is_told(stage: &Stage) {
    let (bus, line) = stage.process().await;
    let health = bus.health();
    assert!(health.troubles.is_empty() && health.is_healthy(), "{health:?}");
    line.sever();
    let health = bus.health();
    assert_eq!(health.troubles, ["the connection was cut"]);
    assert!(health.open && !health.is_healthy(), "also without a subscription");
    line.mend();
    let health = bus.health();
    assert!(health.troubles.is_empty() && health.is_healthy(), "{health:?}");
}

pub(crate) async fn what_ran_when_its_reader_failed_comes_again(stage: &Stage) {
    let (bus, line) = stage.process().await;
    let work = stage.units(5);
    let script = move |_: &AnyEvent, attempt| if attempt == 1 { Act::Slow(work) } else { Act::Ack };
    let handler = stage.handler(("g", "m"), script);
    let running = bus.subscribe("g").on(handler).concurrency(2).start().await.expect("it starts");
    // No more than can run, so that there is room and the reader is asked for more when it fails.
    stage.publish(&bus, &stage.payments(2, 1)).await;
    stage.until("two run", || stage.ledger.started("g") == 2).await;
    line.fail();
    stage.publish(&bus, &stage.payments(2, 1)).await;
    stage.settled(&bus, "g").await;
    stage.until("all have ended", || running.health().running == 0).await;
    assert_eq!(running.health().reopened, 1);
    // The two that ran finish and are not heard: their messages were given to somebody else, here to itself.
    assert_eq!(running.health().settle_lost, 2);
    stage.ledger.check(&Bounds::strict().duplicates(2).unseen_attempts(2));
}

pub(crate) async fn a_bus_whose_transport_closes_says_so(stage: &Stage) {
    let transport = stage.transport().await;
    let bus = EventBus::new(Arc::clone(&transport), BusConfig::new());
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    let running = bus.subscribe("g").on(handler).start().await.expect("it starts");
    transport.close().await.expect("it closes");
    stage.until("it has stopped", || running.health().state == SubscriptionState::Stopped).await;
    assert!(!bus.health().is_healthy());
}

pub(crate) async fn what_a_handler_publishes_carries_the_trace_on(stage: &Stage) {
    let bus = stage.bus().await;
    let traces: Arc<Mutex<Vec<Option<TraceContext>>>> = Arc::default();
    let (publisher, noted) = (bus.clone(), Arc::clone(&traces));
    let followers = Arc::new(Mutex::new(stage.payments(1, 2)));
    let handler = move |event: AnyEvent| {
        noted.lock().expect("nobody panicked").push(event.trace().cloned());
        let (bus, followers) = (publisher.clone(), Arc::clone(&followers));
        async move {
            let next = || followers.lock().expect("nobody panicked").pop();
            if let Some(first) = next() {
                bus.publish(first).await?;
            }
            // Also after it has waited, when it runs on a task of its own.
            tokio::time::sleep(Duration::from_millis(1)).await;
            if let Some(second) = next() {
                bus.publish(second).await?;
            }
            Ok(())
        }
    };
    bus.subscribe("g").on(handler).concurrency(1).start().await.expect("it starts");
    let trace: TraceContext =
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().expect("a traceparent");
    let first =
        stage.payment("k").with_envelope(|envelope| envelope.trace = Some(trace.clone().with_state("v=1")));
    bus.publish(first).await.expect("it is stored");
    stage.until("three were handled", || traces.lock().expect("nobody panicked").len() == 3).await;
    let traces = traces.lock().expect("nobody panicked").clone();
    let parents: Vec<&TraceContext> = traces.iter().flatten().collect();
    assert_eq!(parents.len(), 3, "{traces:?}");
    assert!(parents.iter().all(|one| one.trace_id() == trace.trace_id() && one.state() == Some("v=1")));
    assert!(parents[1].parent() != parents[0].parent(), "with a parent of its own");
    let untouched = bus.publish(&stage.payment("k")).await.expect("it is stored");
    assert!(untouched.event().trace().is_none(), "outside a handler nothing is added");
}
