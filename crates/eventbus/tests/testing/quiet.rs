//! What a `TestBus` records, and when it is quiet.

use eventbus::testing::TestBus;
use eventbus::{AnyEvent, ErrorKind, Event, HandlerError, Retry, Select};
use tokio::time::Instant;

use crate::{Log, Lost, Shipped, logging, secs, shipped};

#[tokio::test(start_paused = true)]
async fn everything_published_is_recorded_in_order_and_found_by_type() {
    let bus = TestBus::new().await.unwrap();
    bus.publish(shipped("a", 1)).await.unwrap();
    bus.publish(Lost { parcel: "b".into() }).await.unwrap();
    bus.publish_all([shipped("a", 2), shipped("a", 3)]).await.unwrap();
    let types: Vec<String> = bus.published().iter().map(|event| event.event_type().to_string()).collect();
    assert_eq!(types, ["parcel.shipped", "parcel.lost", "parcel.shipped", "parcel.shipped"]);
    let legs: Vec<u32> = bus.published_of::<Shipped>().iter().map(|event| event.object().leg).collect();
    assert_eq!(legs, [1, 2, 3]);
    assert_eq!(bus.published_of::<Lost>().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_for_later_is_published_when_its_time_has_come_and_never_when_it_was_taken_back() {
    let bus = TestBus::new().await.unwrap();
    bus.publish_in(secs(60), shipped("late", 1)).await.unwrap();
    let withdrawn = bus.publish_in(secs(30), shipped("withdrawn", 1)).await.unwrap();
    assert!(bus.published().is_empty());
    assert!(bus.cancel(withdrawn.id()).await.unwrap());
    let start = Instant::now();
    bus.settled().await;
    assert!(start.elapsed() >= secs(60));
    let parcels: Vec<String> =
        bus.published_of::<Shipped>().iter().map(|event| event.object().parcel.clone()).collect();
    assert_eq!(parcels, ["late"]);
}

#[tokio::test(start_paused = true)]
async fn settled_jumps_over_retries_and_delays() {
    let (bus, log) = (TestBus::new().await.unwrap(), Log::default());
    let fails_twice = |_: &Event<Shipped>, attempt: u32| match attempt {
        3 => Ok(()),
        _ => Err(HandlerError::transient("not yet")),
    };
    logging(&bus, "ledger", &log, fails_twice).retry(Retry::fixed(secs(600))).start().await.unwrap();
    bus.publish_in(secs(3600), shipped("a", 1)).await.unwrap();
    let start = Instant::now();
    bus.settled().await;
    assert!(start.elapsed() >= secs(3600 + 2 * 600));
    assert_eq!(log.attempts(), [(1, 1), (1, 2), (1, 3)]);
    assert_eq!(bus.handled("ledger").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn settled_waits_for_what_handlers_publish_and_for_handlers_that_take_time() {
    let bus = TestBus::new().await.unwrap();
    let relay = bus.bus();
    let relays = move |event: Event<Shipped>| {
        let (bus, leg) = (relay.clone(), event.object().leg);
        async move {
            tokio::time::sleep(secs(5)).await;
            if leg < 10 {
                bus.publish(shipped("a", leg + 1)).await?;
            }
            Ok(())
        }
    };
    bus.subscribe("relay").on(relays).start().await.unwrap();
    bus.publish(shipped("a", 1)).await.unwrap();
    bus.settled().await;
    assert_eq!(bus.handled("relay").len(), 10);
}

#[tokio::test]
async fn settled_returns_at_once_on_a_quiet_bus_and_when_nobody_is_subscribed() {
    let (bus, log) = (TestBus::new().await.unwrap(), Log::default());
    bus.settled().await;
    bus.publish(shipped("a", 1)).await.unwrap();
    bus.settled().await;
    let subscription = logging(&bus, "ledger", &log, |_, _| Ok(())).start().await.unwrap();
    subscription.stop(secs(1)).await;
    bus.publish(shipped("a", 2)).await.unwrap();
    bus.settled().await;
    assert_eq!(bus.backlog("ledger").await.unwrap().unwrap().queued, 1);
}

/// Two groups that publish to each other, on real threads: quiet must not be seen between a publish and its ack.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn settled_neither_misses_a_wake_up_nor_comes_too_early() {
    const LEGS: u32 = 6;
    let bus = TestBus::new().await.unwrap();
    let (ping, pong) = (bus.clone(), bus.clone());
    let loses = move |event: Event<Shipped>| {
        let (bus, parcel) = (ping.clone(), event.object().leg.to_string());
        async move {
            tokio::task::yield_now().await;
            bus.publish(Lost { parcel }).await?;
            Ok(())
        }
    };
    let ships = move |event: Event<Lost>| {
        let (bus, leg) = (pong.clone(), event.object().parcel.parse::<u32>());
        async move {
            tokio::task::yield_now().await;
            if let Some(leg) = leg?.checked_sub(1) {
                bus.publish(shipped("a", leg)).await?;
            }
            Ok(())
        }
    };
    bus.subscribe("ping").on(loses).start().await.unwrap();
    bus.subscribe("pong").on(ships).start().await.unwrap();
    for round in 1..=500 {
        bus.publish(shipped("a", LEGS - 1)).await.unwrap();
        let settled = tokio::time::timeout(secs(20), bus.settled()).await;
        assert!(settled.is_ok(), "round {round}: never settled");
        let handled = (bus.handled("ping").len(), bus.handled("pong").len());
        assert_eq!(handled, (LEGS as usize * round, LEGS as usize * round), "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_local_transport_can_do_the_test_bus_can() {
    let bus = TestBus::new().await.unwrap();
    let plain = eventbus::EventBus::connect("local:").await.unwrap();
    assert_eq!(bus.capabilities(), plain.capabilities());
    let dies = |_: AnyEvent| async { Err(HandlerError::permanent("no")) };
    let subscription = bus.subscribe("ledger").on(dies).start().await.unwrap();
    bus.publish(shipped("a", 1)).await.unwrap();
    bus.settled().await;
    assert_eq!(bus.backlog("ledger").await.unwrap().unwrap().dead, 1);
    assert_eq!(bus.dead_letters("ledger").unwrap().purge(Select::all()).await.unwrap(), 1);
    assert_eq!(bus.forget("ledger").await.unwrap_err().kind(), ErrorKind::Conflict);
    subscription.stop(secs(1)).await;
    assert!(bus.forget("ledger").await.unwrap());
    let report = bus.shutdown(secs(1)).await;
    assert!(report.is_complete());
    assert_eq!(bus.publish(shipped("a", 2)).await.unwrap_err().kind(), ErrorKind::Closed);
}
