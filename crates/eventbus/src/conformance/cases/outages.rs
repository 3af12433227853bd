//! Outages of a server: nothing confirmed is lost, nothing hangs, and work goes on within seconds.

use std::num::NonZeroU64;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End, Faults};
use crate::event::AnyEvent;
use crate::{BusConfig, ErrorKind, EventBus, Retry};

/// How soon work must go on once the server is up.
const RECOVERY: Duration = Duration::from_secs(5);

/// How many times a second a subscription may be set up again.
const REOPENINGS: f64 = 5.0;

fn faults(stage: &Stage) -> &dyn Faults {
    stage.harness.faults().expect("the case needs faults")
}

/// Publishes events one by one, each again with the same id until it is stored.
async fn insist(stage: &Stage, bus: &EventBus, events: Vec<AnyEvent>) {
    stage.insist(bus, &events, 1).await;
}

/// Work goes on in time: something published now, or before, is handled.
async fn recovers(stage: &Stage, publisher: &EventBus) {
    let (up, before) = (Instant::now(), stage.ledger.ended("g", End::Acked));
    insist(stage, publisher, vec![stage.payment("after")]).await;
    stage.until("work goes on", || stage.ledger.ended("g", End::Acked) > before).await;
    let took = up.elapsed();
    stage.ledger.recovered(took);
    assert!(took <= RECOVERY, "it took {took:?}");
}

/// What a number of cuts may repeat.
fn cuts(stage: &Stage, count: usize) -> Bounds {
    let most = stage.harness.duplicates_per_cut() * count;
    Bounds::strict().duplicates(most).unseen_attempts(most)
}

pub(crate) async fn ten_kills_in_mid_stream_lose_nothing_confirmed(stage: &Stage) {
    let (publisher, consumer) = (stage.bus().await, stage.bus().await);
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    consumer.subscribe("g").on(handler).start().await.expect("it starts");
    let (kills, each) = if stage.long { (50, 2500) } else { (10, 100) };
    let publishing = async {
        for event in stage.payments(20, each) {
            insist(stage, &publisher, vec![event]).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let killing = async {
        for _ in 0..kills {
            tokio::time::sleep(Duration::from_millis(100 + stage.random(200))).await;
            faults(stage).kill().await;
            faults(stage).restart().await;
            recovers(stage, &publisher).await;
        }
    };
    tokio::join!(publishing, killing);
    stage.settled(&consumer, "g").await;
    stage.ledger.check(&cuts(stage, kills));
}

pub(crate) async fn publishing_in_an_outage_ends_at_its_deadline(stage: &Stage) {
    let deadline = stage.units(5);
    let bus = EventBus::new(stage.transport().await, BusConfig::new().publish_deadline(deadline));
    faults(stage).kill().await;
    let outcome = timeout(deadline * 2, bus.publish(&stage.payment("k"))).await.expect("it does not hang");
    let kind = outcome.expect_err("there is no server").kind();
    assert!(matches!(kind, ErrorKind::NotSent | ErrorKind::Unknown), "{kind:?}");
    faults(stage).restart().await;
    insist(stage, &bus, stage.payments(1, 3)).await;
}

pub(crate) async fn a_retry_survives_the_servers_death(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, attempt| if attempt == 1 { Act::Fail } else { Act::Ack });
    let delay = stage.units(10);
    bus.subscribe("g").on(handler).retry(Retry::fixed(delay)).start().await.expect("it starts");
    let events = stage.payments(3, 1);
    stage.publish(&bus, &events).await;
    stage.backlog(&bus, "g", |backlog| backlog.waiting == 3).await;
    faults(stage).kill().await;
    faults(stage).restart().await;
    stage.until("the retries succeed", || stage.ledger.ended("g", End::Acked) == 3).await;
    for event in &events {
        let starts = stage.ledger.starts("g", event.id());
        assert!(starts[1].0 - starts[0].0 >= delay, "a restart is no reason to be early");
    }
    stage.ledger.check(&cuts(stage, 1));
}

pub(crate) async fn a_cut_connection_is_made_again(stage: &Stage) {
    let (publisher, consumer) = (stage.bus().await, stage.bus().await);
    let handler = stage.handler(("g", "m"), |_, _| Act::Slow(Duration::from_millis(5)));
    consumer.subscribe("g").on(handler).start().await.expect("it starts");
    for _ in 0..5 {
        insist(stage, &publisher, stage.payments(5, 5)).await;
        faults(stage).cut().await;
    }
    stage.settled(&consumer, "g").await;
    stage.ledger.check(&cuts(stage, 5));
}

pub(crate) async fn a_half_open_connection_is_noticed(stage: &Stage) {
    let (publisher, consumer) = (stage.bus().await, stage.bus().await);
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    consumer.subscribe("g").on(handler).start().await.expect("it starts");
    insist(stage, &publisher, stage.payments(2, 5)).await;
    faults(stage).half_open().await;
    let outcome = timeout(stage.pace.patience, publisher.publish(&stage.payment("k"))).await;
    outcome.expect("it does not hang").expect_err("nobody answers");
    faults(stage).resume().await;
    insist(stage, &publisher, stage.payments(2, 5)).await;
    stage.until("work goes on", || stage.ledger.ended("g", End::Acked) >= 20).await;
}

pub(crate) async fn a_stalled_connection_goes_on_where_it_stood(stage: &Stage) {
    let (publisher, consumer) = (stage.bus().await, stage.bus().await);
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    consumer.subscribe("g").on(handler).start().await.expect("it starts");
    let publishing = insist(stage, &publisher, stage.payments(10, 20));
    let stalling = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        faults(stage).stall().await;
        tokio::time::sleep(stage.units(2)).await;
        faults(stage).resume().await;
    };
    tokio::join!(publishing, stalling);
    stage.settled(&consumer, "g").await;
    stage.ledger.check(&cuts(stage, 1));
}

pub(crate) async fn a_slow_network_takes_no_lease_away(stage: &Stage) {
    let bus = stage.bus().await;
    let lease = bus.capabilities().lease.map_or(stage.units(3), |lease| lease * 2);
    let handler = stage.handler(("g", "m"), move |_, _| Act::Slow(lease));
    bus.subscribe("g").on(handler).no_timeout().start().await.expect("it starts");
    faults(stage).throttle(NonZeroU64::new(64 * 1024).expect("above 0")).await;
    insist(stage, &bus, stage.payments(4, 2)).await;
    stage.settled(&bus, "g").await;
    faults(stage).resume().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_server_that_stands_still_goes_on_where_it_stood(stage: &Stage) {
    let (publisher, consumer) = (stage.bus().await, stage.bus().await);
    let handler = stage.handler(("g", "m"), |_, _| Act::Slow(Duration::from_millis(5)));
    consumer.subscribe("g").on(handler).start().await.expect("it starts");
    let publishing = insist(stage, &publisher, stage.payments(10, 20));
    let stopping = async {
        stage.until("work is under way", || stage.ledger.ended("g", End::Acked) > 0).await;
        faults(stage).stop().await;
        tokio::time::sleep(stage.units(15)).await;
        faults(stage).resume().await;
        recovers(stage, &publisher).await;
    };
    tokio::join!(publishing, stopping);
    stage.settled(&consumer, "g").await;
    stage.ledger.check(&cuts(stage, 1));
}

pub(crate) async fn what_vanished_from_a_server_is_set_up_again(stage: &Stage) {
    let (publisher, consumer) = (stage.bus().await, stage.bus().await);
    let handler = stage.handler(("g", "m"), |_, _| Act::Ack);
    let running = consumer.subscribe("g").on(handler).start().await.expect("it starts");
    insist(stage, &publisher, stage.payments(5, 10)).await;
    stage.settled(&consumer, "g").await;
    faults(stage).vanish().await;
    let (since, before) = (Instant::now(), stage.ledger.ended("g", End::Acked));
    // What is published before the group is there again goes with it.
    while stage.ledger.ended("g", End::Acked) == before {
        assert!(since.elapsed() <= stage.pace.patience, "nothing has come since: {:?}", running.health());
        insist(stage, &publisher, vec![stage.payment("after")]).await;
        tokio::time::sleep(stage.units(1)).await;
    }
    assert!(running.health().reopened > 0, "trouble is told: {:?}", running.health());
    stage.silence().await;
    let (again, seconds) = (running.health().reopened, since.elapsed().as_secs_f64());
    assert!(again as f64 <= 1.0 + seconds * REOPENINGS, "it was set up {again} times in {seconds} s");
    let events = stage.payments(5, 10);
    insist(stage, &publisher, events.clone()).await;
    stage.settled(&consumer, "g").await;
    let acked = stage.ledger.acked("g");
    assert!(events.iter().all(|event| acked.contains(event.id())), "nothing is lost any more");
    stage.ledger.check(&Bounds::strict().unfinished());
}
