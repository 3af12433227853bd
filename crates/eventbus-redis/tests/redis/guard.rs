//! The idempotency guard on Redis: claimed, done, free, shared by processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use eventbus::{AnyEvent, Claim, Idempotency, IdempotencyStore as _};
use eventbus_redis::{RedisConfig, RedisIdempotency};

use crate::ground::{self, event, settled, until};

const LONG: Duration = Duration::from_secs(60);

async fn store(url: &str) -> RedisIdempotency {
    let config = RedisConfig::new(url).response_timeout(Duration::from_millis(500));
    RedisIdempotency::connect(config).await.expect("the store lets us in")
}

#[tokio::test]
async fn three_states_are_seen_by_every_process() {
    let server = ground::plain().await;
    let (one, two) = (store(&server.url()).await, store(&server.url()).await);
    let Claim::Claimed(claim) = one.claim("k", LONG).await.unwrap() else { panic!("it was free") };
    let Claim::InProgress(left) = two.claim("k", LONG).await.unwrap() else { panic!("it is claimed") };
    assert!(left <= LONG && left > LONG / 2);
    two.free("k", claim.wrapping_add(1)).await.unwrap();
    assert!(matches!(two.claim("k", LONG).await.unwrap(), Claim::InProgress(_)), "only who claimed may free");
    one.free("k", claim).await.unwrap();
    let Claim::Claimed(claim) = two.claim("k", LONG).await.unwrap() else { panic!("it is free") };
    two.done("k", claim, LONG).await.unwrap();
    assert_eq!(one.claim("k", LONG).await.unwrap(), Claim::Done);
    one.free("k", claim).await.unwrap();
    assert_eq!(one.claim("k", LONG).await.unwrap(), Claim::Done, "done is not freed");
}

#[tokio::test]
async fn a_claim_and_a_done_mark_end_with_their_time() {
    let server = ground::plain().await;
    let store = store(&server.url()).await;
    let short = Duration::from_millis(50);
    let Claim::Claimed(first) = store.claim("k", short).await.unwrap() else { panic!("it was free") };
    until("the lease ends", || async { matches!(store.claim("k", short).await.unwrap(), Claim::Claimed(_)) })
        .await;
    store.done("k", first, LONG).await.unwrap();
    until("the next lease ends", || async { store.claim("k", short).await.unwrap() != Claim::Done }).await;
    until("it can be claimed", || async {
        match store.claim("k", LONG).await.unwrap() {
            Claim::Claimed(claim) => {
                store.done("k", claim, short).await.unwrap();
                true
            }
            _ => false,
        }
    })
    .await;
    until("the mark ends", || async { matches!(store.claim("k", short).await.unwrap(), Claim::Claimed(_)) })
        .await;
}

#[tokio::test]
async fn an_event_published_thrice_has_one_effect_over_two_members() {
    let server = ground::plain().await;
    let effects = Arc::new(AtomicU32::new(0));
    let mut buses = Vec::new();
    for _ in 0..2 {
        let bus = ground::bus(&server, "").await;
        let effects = Arc::clone(&effects);
        let handler = move |_: AnyEvent| {
            effects.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        };
        let guard = Idempotency::new(store(&server.url()).await).lease(Duration::from_secs(2));
        bus.subscribe("g")
            .on_pattern("#", handler)
            .timeout(Duration::from_secs(1))
            .idempotent(guard)
            .start()
            .await
            .unwrap();
        buses.push(bus);
    }
    for _ in 0..3 {
        buses[0].publish(event(1, "k")).await.unwrap();
    }
    settled(&buses[0], "g").await;
    assert_eq!(effects.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_lost_server_is_a_transient_error() {
    let server = ground::plain().await;
    let store = store(&server.url()).await;
    server.kill();
    assert!(store.claim("k", LONG).await.unwrap_err().is_transient());
    server.restart().await.unwrap();
    until("it is back", || async { store.claim("k", LONG).await.is_ok() }).await;
}
