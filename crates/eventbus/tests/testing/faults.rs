//! How a `TestBus` breaks.

use std::sync::{Arc, Mutex};

use eventbus::testing::{Fault, FaultKind, TestBus};
use eventbus::transport::{Order, Reason};
use eventbus::{Context, ErrorKind, Event, HandlerError, Idempotency, MemoryStore, Retry, Select};

use crate::{Log, Shipped, logging, secs, shipped};

#[tokio::test(start_paused = true)]
async fn a_crash_before_the_ack_gives_a_second_attempt() {
    let (bus, log) = (TestBus::new().await.unwrap(), Log::default());
    logging(&bus, "ledger", &log, |_, _| Ok(())).start().await.unwrap();
    bus.inject(Fault::crash_before_ack("ledger"));
    bus.publish(shipped("a", 1)).await.unwrap();
    bus.settled().await;
    assert_eq!(log.attempts(), [(1, 1), (1, 2)]);
    assert_eq!(bus.handled("ledger").len(), 1);
    let injected = bus.injected();
    assert_eq!((injected.len(), injected[0].kind), (1, FaultKind::CrashBeforeAck));
    assert_eq!(injected[0].group.as_deref(), Some("ledger"));
    assert!(injected[0].events[0].same(&bus.published()[0]));
}

#[tokio::test(start_paused = true)]
async fn with_an_idempotency_guard_a_crash_before_the_ack_repeats_no_effect() {
    let (bus, log) = (TestBus::new().await.unwrap(), Log::default());
    let guard = Idempotency::new(MemoryStore::new(100));
    logging(&bus, "ledger", &log, |_, _| Ok(())).idempotent(guard).start().await.unwrap();
    bus.inject(Fault::crash_before_ack("ledger").times(2));
    bus.publish(shipped("a", 1)).await.unwrap();
    bus.settled().await;
    assert_eq!(log.attempts(), [(1, 1)]);
    assert_eq!(bus.handled("ledger").len(), 1);
    assert_eq!(bus.injected().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_crash_brings_back_everything_the_member_held_and_nothing_it_had_acknowledged() {
    let (bus, log) = (TestBus::new().await.unwrap(), Log::default());
    logging(&bus, "ledger", &log, |_, _| Ok(())).concurrency(1).start().await.unwrap();
    bus.inject(Fault::crash_before_ack("ledger").matching(|event| event.key().unwrap() == "c"));
    for parcel in ["a", "b", "c", "d", "e"] {
        bus.publish(shipped(parcel, 1)).await.unwrap();
    }
    bus.settled().await;
    let mut handled: Vec<String> =
        bus.handled("ledger").iter().map(|event| event.key().unwrap().to_string()).collect();
    handled.sort();
    assert_eq!(handled, ["a", "b", "c", "d", "e"]);
    let again: Vec<String> =
        log.seen().into_iter().filter(|(_, _, attempt)| *attempt == 2).map(|(parcel, ..)| parcel).collect();
    let struck: Vec<String> =
        bus.injected()[0].events.iter().map(|event| event.key().unwrap().to_string()).collect();
    assert_eq!(struck[0], "c");
    assert!(!struck.contains(&"a".to_owned()));
    assert_eq!(again.len(), struck.len());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_kills_every_member_ends_among_the_dead_letters_and_the_others_go_on() {
    let (bus, log) = (TestBus::new().await.unwrap(), Log::default());
    logging(&bus, "ledger", &log, |_, _| Ok(())).start().await.unwrap();
    bus.inject(Fault::crash_before_ack("ledger").always().matching(|event| event.key().unwrap() == "b"));
    for parcel in ["a", "b", "c"] {
        bus.publish(shipped(parcel, 1)).await.unwrap();
    }
    bus.settled().await;
    let dead = bus.dead_letters("ledger").unwrap().list(Select::all(), 10).await.unwrap();
    let of: Vec<_> = dead.iter().map(|letter| letter.reason).collect();
    assert_eq!(of, [Reason::Crashed]);
    let mut handled: Vec<String> =
        bus.handled("ledger").iter().map(|event| event.key().unwrap().to_string()).collect();
    handled.sort();
    assert_eq!(handled, ["a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_handed_out_twice_and_an_idempotency_guard_runs_it_once() {
    let bus = TestBus::new().await.unwrap();
    let (plain, guarded) = (Log::default(), Log::default());
    logging(&bus, "plain", &plain, |_, _| Ok(())).start().await.unwrap();
    let guard = Idempotency::new(MemoryStore::new(100));
    logging(&bus, "guarded", &guarded, |_, _| Ok(())).idempotent(guard).start().await.unwrap();
    bus.inject(Fault::duplicate("plain"));
    bus.inject(Fault::duplicate("guarded"));
    bus.publish(shipped("a", 1)).await.unwrap();
    bus.publish(shipped("a", 2)).await.unwrap();
    bus.settled().await;
    assert_eq!(plain.attempts(), [(1, 1), (1, 1), (2, 1)]);
    assert_eq!(guarded.attempts(), [(1, 1), (2, 1)]);
    assert_eq!(bus.handled("guarded").len(), 3);
    assert_eq!(bus.backlog("plain").await.unwrap().unwrap().unsettled(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_that_fails_is_tried_again_and_nothing_is_lost() {
    for order in [Order::None, Order::PerKey] {
        let (bus, log) = (TestBus::new().await.unwrap(), Log::default());
        let calls = std::sync::atomic::AtomicU32::new(0);
        let second_fails =
            move |_: &Event<Shipped>, _| match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                1 => Err(HandlerError::transient("once")),
                _ => Ok(()),
            };
        logging(&bus, "ledger", &log, second_fails).order(order).start().await.unwrap();
        bus.inject(Fault::duplicate("ledger"));
        bus.publish(shipped("a", 1)).await.unwrap();
        bus.publish(shipped("a", 2)).await.unwrap();
        bus.settled().await;
        let mut attempts = log.attempts();
        if order == Order::None {
            attempts.sort();
        }
        assert_eq!(attempts, [(1, 1), (1, 1), (1, 2), (2, 1)], "{order:?}");
        assert_eq!(bus.backlog("ledger").await.unwrap().unwrap().unsettled(), 0);
    }
}

async fn reordered(seed: u64, order: Order, parcels: &[&str]) -> (TestBus, Vec<(String, u32)>) {
    let (bus, log) = (TestBus::new().await.unwrap(), Log::default());
    logging(&bus, "ledger", &log, |_, _| Ok(())).order(order).start().await.unwrap();
    bus.inject(Fault::reorder("ledger", seed));
    let events = (0..4).flat_map(|leg| parcels.iter().map(move |parcel| shipped(parcel, leg)));
    bus.publish_all(events.collect::<Vec<_>>()).await.unwrap();
    bus.settled().await;
    let seen = log.seen().into_iter().map(|(parcel, leg, _)| (parcel, leg)).collect();
    (bus, seen)
}

#[tokio::test(start_paused = true)]
async fn a_reordering_is_the_same_for_the_same_seed_and_loses_nothing() {
    let (bus, first) = reordered(7, Order::None, &["a", "b"]).await;
    let (_, again) = reordered(7, Order::None, &["a", "b"]).await;
    let (_, other) = reordered(8, Order::None, &["a", "b"]).await;
    assert_eq!(first, again);
    assert_ne!(first, other);
    let mut sorted = first.clone();
    sorted.sort_by_key(|(parcel, leg)| (*leg, parcel.clone()));
    assert_ne!(first, sorted);
    assert_eq!(sorted.len(), 8);
    assert_eq!(bus.injected()[0].events.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_reordering_keeps_the_order_of_each_key_where_the_group_asked_for_it() {
    for seed in 0..20 {
        let (bus, seen) = reordered(seed, Order::PerKey, &["a", "b", "c"]).await;
        assert_eq!(bus.injected().len(), 1);
        for parcel in ["a", "b", "c"] {
            let legs: Vec<u32> = seen.iter().filter(|(of, _)| of == parcel).map(|(_, leg)| *leg).collect();
            assert_eq!(legs, [0, 1, 2, 3], "seed {seed}: {seen:?}");
        }
    }
    let (bus, _) = reordered(1, Order::PerKey, &["a"]).await;
    assert!(bus.injected().is_empty(), "one key has one order");
}

#[tokio::test(start_paused = true)]
async fn a_lost_confirm_is_unknown_though_stored_and_publishing_again_is_safe() {
    let (bus, log) = (TestBus::new().await.unwrap(), Log::default());
    let guard = Idempotency::new(MemoryStore::new(100));
    logging(&bus, "ledger", &log, |_, _| Ok(())).idempotent(guard).start().await.unwrap();
    bus.inject(Fault::lose_confirm());
    let event = eventbus::EventBuilder::<Shipped>::new(shipped("a", 1)).build().unwrap();
    let error = bus.publish(&event).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert!(error.is_transient());
    bus.publish(&event).await.unwrap();
    bus.settled().await;
    assert_eq!(bus.published().len(), 2);
    assert_eq!(log.attempts(), [(1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_publish_stores_neither_the_event_nor_what_follows_it() {
    let (bus, log) = (TestBus::new().await.unwrap(), Log::default());
    logging(&bus, "ledger", &log, |_, _| Ok(())).start().await.unwrap();
    bus.inject(Fault::refuse_publish().matching(|event| event.key().unwrap() == "b"));
    let batch = || [shipped("a", 1), shipped("b", 2), shipped("c", 3)];
    let error = bus.publish_all(batch()).await.unwrap_err();
    let kinds: Vec<_> =
        error.outcomes().iter().map(|outcome| outcome.as_ref().err().map(eventbus::Error::kind)).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::NotSent), Some(ErrorKind::NotSent)]);
    bus.settled().await;
    assert_eq!(log.attempts(), [(1, 1)]);
    assert_eq!(bus.published().len(), 1);
    bus.publish_all(batch()).await.unwrap();
    bus.inject(Fault::refuse_publish());
    let scheduled = bus.publish_in(secs(1), shipped("d", 4)).await.unwrap_err();
    assert_eq!(scheduled.kind(), ErrorKind::NotSent);
    bus.settled().await;
    assert_eq!(bus.published().len(), 4);
    assert_eq!(bus.injected().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fault_strikes_its_group_its_events_and_no_more_often_than_it_was_told() {
    let bus = TestBus::new().await.unwrap();
    let (struck, spared) = (Log::default(), Log::default());
    logging(&bus, "struck", &struck, |_, _| Ok(())).start().await.unwrap();
    logging(&bus, "spared", &spared, |_, _| Ok(())).start().await.unwrap();
    bus.inject(Fault::duplicate("struck").times(2).matching(|event| event.key().unwrap() != "a"));
    for parcel in ["a", "b", "c", "d"] {
        bus.publish(shipped(parcel, 1)).await.unwrap();
    }
    bus.settled().await;
    let parcels = |log: &Log| -> String { log.seen().into_iter().map(|(parcel, ..)| parcel).collect() };
    assert_eq!(parcels(&struck), "abbccd");
    assert_eq!(parcels(&spared), "abcd");
    assert_eq!(bus.injected().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_drains_a_bus_whose_members_crash() {
    let (bus, log) = (TestBus::new().await.unwrap(), Log::default());
    logging(&bus, "ledger", &log, |_, _| Ok(())).start().await.unwrap();
    bus.inject(Fault::crash_before_ack("ledger").times(2));
    for leg in 0..5 {
        bus.publish(shipped("a", leg)).await.unwrap();
    }
    let report = bus.shutdown(secs(5)).await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(bus.handled("ledger").len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_key_has_each_effect_once_and_in_order_through_failures_crashes_and_duplicates() {
    for round in 0..20 {
        let (bus, effects) = (TestBus::new().await.unwrap(), Arc::new(Mutex::new(Vec::new())));
        let done = Arc::clone(&effects);
        let fails_at_first = move |event: Event<Shipped>, context: Context| {
            let (done, fails) = (Arc::clone(&done), (event.object().leg + round) % 3 == context.attempt());
            async move {
                tokio::time::sleep(secs(u64::from((event.object().leg * 7 + round) % 4))).await;
                if fails {
                    return Err(HandlerError::transient("at first"));
                }
                done.lock().unwrap().push((event.object().parcel.clone(), event.object().leg));
                Ok(())
            }
        };
        let guard = Idempotency::new(MemoryStore::new(100));
        let subscription = bus.subscribe("ledger").on(fails_at_first).order(Order::PerKey).idempotent(guard);
        subscription.retry(Retry::fixed(secs(5))).start().await.unwrap();
        bus.inject(Fault::crash_before_ack("ledger").times(3));
        bus.inject(Fault::duplicate("ledger").times(5));
        bus.inject(Fault::reorder("ledger", u64::from(round)).always());
        let legs = (0..6).flat_map(|leg| ["a", "b", "c"].map(|parcel| shipped(parcel, leg)));
        bus.publish_all(legs.collect::<Vec<_>>()).await.unwrap();
        bus.settled().await;
        for parcel in ["a", "b", "c"] {
            let effects = effects.lock().unwrap();
            let legs: Vec<u32> = effects.iter().filter(|(of, _)| of == parcel).map(|(_, leg)| *leg).collect();
            assert_eq!(legs, [0, 1, 2, 3, 4, 5], "round {round}, {parcel}: {:?}", bus.injected());
        }
    }
}
