//! Smoke.
use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventbus::transport::Order;
use eventbus::{Event, EventBus, EventKind, HandlerError, Retry, Select};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Clone)]
struct Shipped {
    parcel: String,
    n: u32,
}
impl EventKind for Shipped {
    const TYPE: &'static str = "parcel.shipped";
    const SOURCE: &'static str = "shop";
    const OBJECT_TYPE: &'static str = "Parcel";
    type Object = Self;
    fn object_id(object: &Self) -> Cow<'_, str> {
        Cow::Borrowed(&object.parcel)
    }
}

#[tokio::test(start_paused = true)]
async fn order_through_failure_and_redrive() {
    let bus = EventBus::connect("local:").await.unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mend = Arc::new(AtomicU32::new(0));
    let (s, m) = (seen.clone(), mend.clone());
    bus.subscribe("g")
        .on(move |e: Event<Shipped>| {
            let (s, m) = (s.clone(), m.clone());
            async move {
                let o = e.object();
                if o.parcel == "a" && o.n == 1 && m.load(Ordering::SeqCst) == 0 {
                    return Err(HandlerError::transient("no"));
                }
                s.lock().unwrap().push((o.parcel.clone(), o.n));
                Ok(())
            }
        })
        .order(Order::PerKey)
        .retry(Retry::exponential(Duration::from_secs(1)..=Duration::from_secs(10)).attempts(3))
        .start()
        .await
        .unwrap();
    for n in 0..4 {
        for p in ["a", "b"] {
            bus.publish(Shipped { parcel: p.into(), n }).await.unwrap();
        }
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    println!("{:?} {:?} {:?}", seen.lock().unwrap(), bus.health(), bus.backlog("g").await);
    let dead = bus.dead_letters("g").unwrap();
    println!("{:?}", dead.list(Select::all(), 10).await);
    mend.store(1, Ordering::SeqCst);
    println!("{:?}", dead.redrive(Select::all()).run().await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    println!("{:?} {:?}", seen.lock().unwrap(), bus.backlog("g").await);
    println!("{:?}", bus.shutdown(Duration::from_secs(5)).await);
}
