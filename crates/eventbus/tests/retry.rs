//! The retry schedule: what it promises for every policy and attempt, and what a bus makes of it.

#![allow(clippy::unwrap_used, reason = "a test helper that fails is a test that fails")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventbus::payment_kit::{Invoice, InvoicePaid};
use eventbus::testing::TestBus;
use eventbus::{AnyEvent, Class, Context, HandlerError, HandlerResult, Retry, Select};
use proptest::prelude::*;
use tokio::time::Instant;

const MILLI: Duration = Duration::from_millis(1);

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, cases, ..ProptestConfig::default() }
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        any::<u64>().prop_map(Duration::from_millis),
        (0..100_000_u64).prop_map(Duration::from_millis),
        (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos)),
    ]
}

fn attempt() -> impl Strategy<Value = u32> {
    prop_oneof![1..70_u32, any::<u32>(), Just(u32::MAX), Just(31), Just(32), Just(0)]
}

proptest! {
    #![proptest_config(config(1024))]

    #[test]
    fn bounds_never_go_below_the_least_nor_above_the_most(one in duration(), other in duration(), attempt in attempt()) {
        let (least, most) = (one.min(other), one.max(other));
        let bounds = Retry::exponential(least..=most).bounds(attempt);
        prop_assert_eq!(*bounds.start(), least);
        prop_assert!(*bounds.end() >= least && *bounds.end() <= most);
        prop_assert_eq!(Retry::fixed(least).bounds(attempt), least..=least);
    }

    #[test]
    fn bounds_double_until_the_cap_and_never_shrink(one in duration(), other in duration(), attempt in attempt()) {
        let (least, most) = (one.min(other), one.max(other));
        let retry = Retry::exponential(least..=most);
        let (this, next) = (*retry.bounds(attempt).end(), *retry.bounds(attempt.saturating_add(1)).end());
        prop_assert!(next >= this);
        if attempt < 31 {
            prop_assert_eq!(this, least.saturating_mul(1 << attempt).min(most));
            prop_assert_eq!(next, this.saturating_mul(2).min(most));
        }
    }

    #[test]
    fn bounds_given_the_wrong_way_round_are_the_lower_one(one in duration(), other in duration(), attempt in attempt()) {
        let (least, most) = (one.min(other), one.max(other));
        let bounds = Retry::exponential(most..=least).bounds(attempt);
        prop_assert_eq!(bounds, most..=most);
    }

    #[test]
    fn a_limit_is_what_was_set_and_at_least_one(attempts: u32) {
        let retry = Retry::fixed(MILLI);
        prop_assert_eq!(retry.clone().attempts(attempts).limit(), attempts.max(1));
        prop_assert_eq!(Retry::never().limit(), 1);
        prop_assert_eq!(retry.forever().limit(), u32::MAX);
    }
}

/// Runs one event through a policy until it is dead; gives the waits between its attempts.
async fn waits(retry: Retry, error: impl Fn() -> HandlerError + Send + Sync + 'static) -> Vec<Duration> {
    let bus = TestBus::new().await.unwrap();
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    let fails = move |_: AnyEvent, context: Context| {
        let mut seen = seen.lock().unwrap();
        seen.push(Instant::now());
        assert_eq!(context.attempt() as usize, seen.len());
        std::future::ready(HandlerResult::Err(error()))
    };
    bus.subscribe("ledger").on(fails).retry(retry).start().await.unwrap();
    bus.publish(InvoicePaid::new(Invoice { id: "in_1".into(), ..Invoice::default() })).await.unwrap();
    bus.settled().await;
    let times = times.lock().unwrap();
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

fn on_paused_time<F: Future>(future: F) -> F::Output {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

proptest! {
    #![proptest_config(config(64))]

    /// The timer counts in milliseconds, so a wait may be one longer, and two where it is passed on.
    #[test]
    fn a_wait_that_was_drawn_is_within_its_bounds(least in 0..5_000_u64, more in 0..20_000_u64, attempts in 1..8_u32) {
        let bounds = Duration::from_millis(least)..=Duration::from_millis(least + more);
        let retry = Retry::exponential(bounds).attempts(attempts);
        let waits = on_paused_time(waits(retry.clone(), || HandlerError::transient("no")));
        prop_assert_eq!(waits.len() + 1, attempts as usize);
        for (attempt, wait) in (1..).zip(waits) {
            let bounds = retry.bounds(attempt);
            prop_assert!(wait >= *bounds.start(), "{:?} of {:?}", wait, bounds);
            prop_assert!(wait <= *bounds.end() + 2 * MILLI, "{:?} of {:?}", wait, bounds);
        }
    }
}

#[test]
fn waits_are_spread_over_their_bounds() {
    let second = Duration::from_secs(1);
    let retry = Retry::exponential(second..=second * 1_000).attempts(2);
    let drawn: Vec<Duration> = (0..200)
        .flat_map(|_| on_paused_time(waits(retry.clone(), || HandlerError::transient("no"))))
        .collect();
    let late = drawn.iter().filter(|wait| **wait > second + second / 2).count();
    assert!((50..150).contains(&late), "{late} of 200 waits are in the upper half");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_names_its_delay_gets_it_whatever_the_policy_says() {
    let retry = Retry::exponential(Duration::from_secs(1)..=Duration::from_secs(2)).attempts(4);
    let hour = Duration::from_secs(3600);
    for wait in waits(retry, move || HandlerError::retry_after(hour, "busy")).await {
        assert!(wait >= hour && wait <= hour + 2 * MILLI, "{wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_permanent_error_is_not_tried_again() {
    assert!(waits(Retry::fixed(MILLI), || HandlerError::permanent("never")).await.is_empty());
    let classified = Retry::fixed(MILLI).classify(|_| Some(Class::Permanent));
    assert!(waits(classified, || HandlerError::transient("so it thinks")).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_is_followed_by_the_dead_letters_with_the_history() {
    let bus = TestBus::new().await.unwrap();
    let fails = |_: AnyEvent, context: Context| async move {
        HandlerResult::Err(HandlerError::transient(format!("attempt {}", context.attempt())))
    };
    bus.subscribe("ledger").on(fails).retry(Retry::fixed(MILLI).attempts(20)).start().await.unwrap();
    bus.publish(InvoicePaid::new(Invoice { id: "in_1".into(), ..Invoice::default() })).await.unwrap();
    bus.settled().await;
    let dead = bus.dead_letters("ledger").unwrap().list(Select::all(), 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].attempts, dead[0].history.count), (1, 20, 20));
    assert_eq!(dead[0].history.first.as_ref().unwrap().message, "attempt 1");
    assert_eq!(dead[0].history.last().unwrap().message, "attempt 20");
}
