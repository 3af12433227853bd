//! Input and user code at the edge of what anybody would write: nothing hangs, and nothing is lost unseen.
#![expect(clippy::panic, reason = "what panics is what some of these are about")]

use eventbus::testing::TestBus;
use eventbus::transport::*;
use eventbus::*;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pay {
    account: String,
    n: u64,
}
impl EventKind for Pay {
    const TYPE: &'static str = "edge.pay.made";
    const SOURCE: &'static str = "edge";
    const OBJECT_TYPE: &'static str = "Pay";
    type Object = Self;
    fn object_id(o: &Self) -> Cow<'_, str> {
        Cow::Borrowed(&o.account)
    }
}
fn pay(a: &str, n: u64) -> Pay {
    Pay { account: a.into(), n }
}
fn ev(a: &str, n: u64) -> EventBuilder<Pay> {
    EventBuilder::new(pay(a, n))
}
const S: Duration = Duration::from_secs(1);
async fn bus() -> EventBus {
    EventBus::connect("local:").await.expect("the local transport is always there")
}

#[tokio::test(start_paused = true)]
async fn a_prefetch_without_bound_receives() {
    let bus = bus().await;
    let n = Arc::new(AtomicU32::new(0));
    let m = n.clone();
    bus.subscribe("g")
        .on(move |_: Event<Pay>| {
            m.fetch_add(1, SeqCst);
            async { Ok(()) }
        })
        .prefetch(usize::MAX)
        .start()
        .await
        .unwrap();
    bus.publish(ev("a", 1)).await.unwrap();
    sleep(3 * S).await;
    assert_eq!(n.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_parked_at_once_is_quiet() {
    let bus = TestBus::new().await.unwrap();
    bus.subscribe("g")
        .on(|_: Event<Pay>| async { Err(HandlerError::permanent("no")) })
        .order(Order::PerKey)
        .start()
        .await
        .unwrap();
    bus.publish(ev("a", 1)).await.unwrap();
    bus.settled().await;
    bus.publish(ev("a", 2)).await.unwrap();
    timeout(3600 * S, bus.settled()).await.expect("settled() hangs");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_what_is_parked() {
    let bus = bus().await;
    bus.subscribe("g")
        .on(|_: Event<Pay>| async { Err(HandlerError::permanent("no")) })
        .order(Order::PerKey)
        .start()
        .await
        .unwrap();
    bus.publish(ev("a", 1)).await.unwrap();
    sleep(S).await;
    bus.publish(ev("a", 2)).await.unwrap();
    let t = Instant::now();
    bus.shutdown(60 * S).await;
    assert!(t.elapsed() < 5 * S, "{:?}", t.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_classification_that_panics_is_a_failure() {
    let bus = bus().await;
    let n = Arc::new(AtomicU32::new(0));
    let m = n.clone();
    bus.subscribe("g")
        .on(move |e: Event<Pay>| {
            m.fetch_add(1, SeqCst);
            async move { if e.object().n == 1 { Err(HandlerError::transient("x")) } else { Ok(()) } }
        })
        .retry(Retry::fixed(S).attempts(2).classify(|_| panic!("user bug")))
        .start()
        .await
        .unwrap();
    bus.publish(ev("a", 1)).await.unwrap();
    sleep(S).await;
    bus.publish(ev("b", 2)).await.unwrap();
    sleep(10 * S).await;
    // Twice the one whose errors cannot be classified, and the next one all the same.
    assert_eq!(n.load(SeqCst), 3);
    let dead = bus.dead_letters("g").unwrap().list(Select::all(), 9).await.unwrap();
    assert_eq!(dead.iter().map(|letter| letter.reason).collect::<Vec<_>>(), [Reason::Panicked]);
}
/// An error whose text panics.
struct Bad;
impl std::fmt::Debug for Bad {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
impl std::fmt::Display for Bad {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("an error without a text")
    }
}
impl std::error::Error for Bad {}

#[tokio::test(start_paused = true)]
async fn an_error_whose_text_panics_is_a_failure() {
    let bus = bus().await;
    let n = Arc::new(AtomicU32::new(0));
    let m = n.clone();
    bus.subscribe("g")
        .on(move |e: Event<Pay>| {
            m.fetch_add(1, SeqCst);
            async move { if e.object().n == 1 { Err(Bad.into()) } else { Ok(()) } }
        })
        .start()
        .await
        .unwrap();
    bus.publish(ev("a", 1)).await.unwrap();
    sleep(S).await;
    bus.publish(ev("b", 2)).await.unwrap();
    sleep(10 * S).await;
    assert!(n.load(SeqCst) >= 2);
}
/// What a handler holds, and what panics when it is dropped.
struct Boom;
impl Drop for Boom {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a handler that cannot be dropped");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_a_handler_is_dropped_frees_its_key() {
    let bus = bus().await;
    let n = Arc::new(Mutex::new(vec![]));
    let m = n.clone();
    bus.subscribe("g")
        .on(move |e: Event<Pay>, c: Context| {
            m.lock().unwrap().push((e.object().n, c.attempt()));
            async move {
                if e.object().n == 1 {
                    let _b = Boom;
                    sleep(100 * S).await;
                    std::mem::forget(_b);
                }
                Ok(())
            }
        })
        .order(Order::PerKey)
        .on_dead_letter(OnDeadLetter::Skip)
        .timeout(S)
        .retry(Retry::fixed(S).attempts(3))
        .start()
        .await
        .unwrap();
    bus.publish(ev("a", 1)).await.unwrap();
    bus.publish(ev("a", 2)).await.unwrap();
    sleep(600 * S).await;
    assert!(n.lock().unwrap().iter().any(|x| x.0 == 2), "key stuck: {:?}", n.lock().unwrap());
}

#[tokio::test(start_paused = true)]
async fn an_ephemeral_member_does_not_join_a_lasting_group() {
    let bus = bus().await;
    let a = bus.subscribe("g").on(|_: Event<Pay>| async { Ok(()) }).start().await.unwrap();
    let joining = bus.subscribe("g").on(|_: Event<Pay>| async { Ok(()) }).ephemeral().start().await;
    assert_eq!(joining.unwrap_err().kind(), ErrorKind::Conflict);
    a.stop(S).await;
    assert!(bus.backlog("g").await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_waits_loses_nothing_whatever_the_url_says() {
    let bus = EventBus::connect("local:?overflow=drop_oldest").await.unwrap();
    let n = Arc::new(AtomicU32::new(0));
    let m = n.clone();
    bus.subscribe("g")
        .overflow(Overflow::Wait)
        .capacity(NonZeroUsize::new(2).unwrap())
        .on(move |_: Event<Pay>| {
            m.fetch_add(1, SeqCst);
            async {
                sleep(S).await;
                Ok(())
            }
        })
        .start()
        .await
        .unwrap();
    for i in 0..10 {
        bus.publish(ev("a", i)).await.unwrap();
    }
    sleep(60 * S).await;
    assert_eq!(n.load(SeqCst), 10);
}

#[tokio::test(start_paused = true)]
async fn every_dropped_event_is_accounted_for_at_the_end() {
    let bus = bus().await;
    let n = Arc::new(AtomicU32::new(0));
    let m = n.clone();
    let sub = bus
        .subscribe("g")
        .overflow(Overflow::DropOldest)
        .capacity(NonZeroUsize::new(2).unwrap())
        .on(move |_: Event<Pay>, c: Context| {
            m.fetch_add(1 + c.lost(), SeqCst);
            async {
                sleep(S).await;
                Ok(())
            }
        })
        .start()
        .await
        .unwrap();
    for i in 0..2 {
        bus.publish(ev("a", i)).await.unwrap();
    }
    sleep(S / 10).await;
    for i in 2..10 {
        bus.publish(ev("a", i)).await.unwrap();
    }
    sleep(60 * S).await;
    let acked = sub.health().acked;
    let report = bus.shutdown(S).await;
    assert!(!report.is_complete());
    assert_eq!(acked + report.groups[0].unfinished(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_full_store_still_knows_what_is_done() {
    let bus = bus().await;
    let sub = bus
        .subscribe("g")
        .idempotent(Idempotency::new(MemoryStore::new(1)))
        .retry(Retry::never())
        .on(|_: Event<Pay>| async { Ok(()) })
        .start()
        .await
        .unwrap();
    let e = bus.publish(ev("a", 0)).await.unwrap().event().clone();
    sleep(S).await;
    bus.publish(e).await.unwrap();
    sleep(S).await;
    assert_eq!((sub.health().acked, sub.health().dead_lettered), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_capacity_without_bound_never_blocks() {
    let bus = bus().await;
    bus.subscribe("g")
        .on(|_: Event<Pay>| async { Ok(()) })
        .capacity(NonZeroUsize::MAX)
        .start()
        .await
        .unwrap();
    bus.subscribe("h")
        .on(|_: Event<Pay>| async { Ok(()) })
        .capacity(NonZeroUsize::new(2).unwrap())
        .start()
        .await
        .unwrap();
    for i in 0..10 {
        bus.publish(ev("a", i)).await.unwrap_or_else(|e| panic!("event {i}: {e}"));
        sleep(S).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_free_does_not_hide_the_error() {
    #[derive(Debug)]
    struct St;
    #[async_trait::async_trait]
    impl IdempotencyStore for St {
        async fn claim(&self, _: &str, _: Duration) -> Result<Claim> {
            Ok(Claim::Claimed(1))
        }
        async fn done(&self, _: &str, _: u64, _: Duration) -> Result<()> {
            Ok(())
        }
        async fn free(&self, _: &str, _: u64) -> Result<()> {
            Err(Error::new(ErrorKind::NotSent, "store down"))
        }
    }
    let bus = bus().await;
    let n = Arc::new(AtomicU32::new(0));
    let m = n.clone();
    bus.subscribe("g")
        .idempotent(Idempotency::new(St))
        .retry(Retry::fixed(S).attempts(4))
        .on(move |_: Event<Pay>| {
            m.fetch_add(1, SeqCst);
            async { Err(HandlerError::permanent("no")) }
        })
        .start()
        .await
        .unwrap();
    bus.publish(ev("a", 0)).await.unwrap();
    sleep(100 * S).await;
    assert_eq!(n.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_key_with_a_long_queue_lets_other_keys_flow() {
    let bus = bus().await;
    let (at, begun) = (Arc::new(Mutex::new(None)), Instant::now());
    let seen = at.clone();
    let slow = move |event: Event<Pay>| {
        if event.object().account == "b" {
            *seen.lock().unwrap() = Some(begun.elapsed());
        }
        async {
            sleep(S).await;
            Ok(())
        }
    };
    bus.subscribe("g").order(Order::PerKey).on(slow).start().await.unwrap();
    for n in 0..1000 {
        bus.publish(ev("a", n)).await.unwrap();
    }
    bus.publish(ev("b", 0)).await.unwrap();
    sleep(2000 * S).await;
    assert!(at.lock().unwrap().unwrap() < 5 * S, "{at:?}");
    assert_eq!(bus.backlog("g").await.unwrap().unwrap().unsettled(), 0);
}
