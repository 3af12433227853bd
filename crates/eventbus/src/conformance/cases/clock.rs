//! Clocks: delivery and retries do not depend on what the wall clock, or an event, says the time is.

use tokio::time::Instant;

use crate::Retry;
use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::event::{AnyEvent, Timestamp};

pub(crate) async fn an_events_own_time_moves_nothing(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, attempt| if attempt == 1 { Act::Fail } else { Act::Ack });
    let retry = Retry::fixed(stage.units(3));
    bus.subscribe("g").on(handler).retry(retry).start().await.expect("it starts");
    let hour = 3_600_000;
    let now = Timestamp::now().as_millis();
    let times = [0, now - hour, now + hour, now + 1000 * 24 * hour];
    let events: Vec<AnyEvent> = times
        .iter()
        .map(|time| {
            stage.payment("k").with_envelope(|envelope| envelope.time = Timestamp::from_millis(*time))
        })
        .collect();
    let since = Instant::now();
    stage.publish(&bus, &events).await;
    stage.settled(&bus, "g").await;
    for event in &events {
        let starts = stage.ledger.starts("g", event.id());
        let (first, wait) = (starts[0].0 - since, starts[1].0 - starts[0].0);
        assert!(first <= stage.pace.slack, "it came after {first:?}");
        assert!(wait >= stage.units(3) && wait <= stage.units(3) + stage.pace.slack, "it waited {wait:?}");
    }
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_clock_that_stands_still_for_hours_wakes_nothing_early(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("g", "m"), |_, attempt| if attempt == 1 { Act::Fail } else { Act::Ack });
    let hours = std::time::Duration::from_secs(2 * 3600);
    bus.subscribe("g").on(handler).retry(Retry::fixed(hours)).start().await.expect("it starts");
    let events = stage.payments(20, 1);
    stage.publish(&bus, &events).await;
    tokio::time::sleep(hours / 2).await;
    assert_eq!(
        stage.ledger.started("g"),
        20,
        "no early retry, and nothing is claimed from a member that lives"
    );
    stage.settled(&bus, "g").await;
    assert_eq!((stage.ledger.started("g"), stage.ledger.ended("g", End::Acked)), (40, 20));
    stage.ledger.check(&Bounds::strict());
}
