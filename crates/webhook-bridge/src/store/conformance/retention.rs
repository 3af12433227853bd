//! What is old is forgotten, a little at a time, and nothing that is young.

use std::time::Duration;

use super::{Harness, Shop, status};
use crate::model::{Ingested, Next, Pruned, Retention};

const DAY: Duration = Duration::from_secs(24 * 3600);
const EVENTS: usize = 600;

/// Forgets until nothing is left to be forgotten; tells how much it was.
async fn forget(shop: &Shop) -> u32 {
    let mut rows = 0;
    loop {
        let pruned = shop.store.prune(Retention::default(), shop.now).await.unwrap();
        rows += pruned.rows;
        assert!(pruned.rows <= 2048, "a step is small: {pruned:?}");
        if !pruned.more {
            return rows;
        }
    }
}

/// As many events, each delivered by its second attempt.
async fn deliver(shop: &Shop) {
    let to = shop.endpoint("*").await;
    let ids: Vec<_> = (0..EVENTS).map(|n| format!("e{n}")).collect();
    futures::future::join_all(ids.iter().map(|id| shop.ingest(id))).await;
    let first = shop.claim(to, 1).await.remove(0);
    shop.finish(&first, status(500), Next::Retry(shop.now)).await;
    loop {
        let claimed = shop.claim(to, 8).await;
        if claimed.is_empty() {
            break;
        }
        futures::future::join_all(claimed.iter().map(|one| shop.succeed(one))).await;
    }
}

pub(crate) async fn what_is_old_is_forgotten_little_by_little(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    // More endpoints than one step looks at, before and after.
    for _ in 0..100 {
        shop.endpoint("c.d").await;
    }
    deliver(&shop).await;
    for _ in 0..100 {
        shop.endpoint("c.d").await;
    }
    let events = u32::try_from(EVENTS).unwrap();
    shop.wait(31 * DAY);
    assert_eq!(forget(&shop).await, events + 1 + events, "attempts and bodies");
    assert_eq!(forget(&shop).await, 0);
    assert_eq!(
        shop.ingest("e0").await,
        Ingested { deliveries: 0, duplicate: true },
        "events are still known"
    );
    shop.wait(60 * DAY);
    assert_eq!(forget(&shop).await, events + events, "deliveries and events");
    assert_eq!(forget(&shop).await, 0);
    assert_eq!(shop.ingest("e0").await, Ingested { deliveries: 1, duplicate: false });
}

pub(crate) async fn what_is_young_is_kept(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    deliver(&shop).await;
    shop.wait(29 * DAY);
    assert_eq!(shop.store.prune(Retention::default(), shop.now).await.unwrap(), Pruned::default());
}
