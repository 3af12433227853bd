//! What is old is forgotten, a little at a time, and nothing that is young.

use std::time::Duration;

use eventbus::transport::Order;

use super::{Harness, Shop, event, status};
use crate::model::{
    DeliveryKey, DeliveryState, Ending, EndpointChange, EndpointId, EndpointKey, EndpointStatus, Expected,
    IdempotencyKey, Ingested, Mode, Next, Outcome, Pruned, Publication, Recovery, Resent, Retention, Trouble,
};

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

/// A shop of which all was forgotten, at the time when it was opened.
async fn forgotten(harness: &dyn Harness) -> Shop {
    let mut shop = Shop::open(harness).await;
    deliver(&shop).await;
    let begin = shop.now;
    shop.wait(91 * DAY);
    assert!(forget(&shop).await > 0);
    shop.now = begin;
    shop
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

/// All that was given up of an endpoint.
fn all(shop: &Shop, endpoint: &EndpointId) -> Recovery {
    super::again::all(shop, endpoint, 99)
}

/// Tries it again now; tells how much that was.
async fn recover(shop: &Shop, recovery: Recovery) -> u32 {
    shop.store.recover(Mode::Test, recovery).await.unwrap().unwrap().deliveries
}

/// Stores and gives up a delivery.
async fn give_up(shop: &Shop, to: EndpointKey, (id, key): (&str, &str)) {
    shop.keyed(id, key).await;
    let one = shop.claim(to, 1).await.remove(0);
    shop.finish(&one, status(418), Next::Failed(Ending::Exhausted)).await;
}

pub(crate) async fn what_is_tried_again_is_whole_and_never_sent_without_its_body(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    let (id, paused) = (shop.create(Mode::Test, "*").await, shop.create(Mode::Test, "*").await);
    let to = shop.standing(&id).await.key;
    let pause = EndpointChange { status: Some(EndpointStatus::Paused), ..EndpointChange::default() };
    shop.store.change_endpoint(Mode::Test, paused.clone(), pause).await.unwrap();
    give_up(&shop, to, ("e1", "1")).await;
    shop.wait(25 * DAY);
    assert_eq!(recover(&shop, all(&shop, &id)).await, 1);
    shop.wait(6 * DAY);
    assert_eq!(forget(&shop).await, 1 + 1, "an attempt, and what nobody sent to the one that is paused");
    let never = DeliveryKey { endpoint: shop.standing(&paused).await.key, sequence: 1 };
    assert_eq!(shop.state(never).await, Some(DeliveryState::Failed(Ending::Expired)));
    let one = shop.claim(to, 1).await.remove(0);
    assert!(!one.payload.body.is_empty());
    assert_eq!(forget(&shop).await, 0, "it is under way");
    shop.finish(&one, Outcome::Failed(Trouble::Internal), Next::Failed(Ending::Exhausted)).await;
    assert_eq!(forget(&shop).await, 1, "now the body");
    assert_eq!(recover(&shop, all(&shop, &id)).await, 0);
    assert_eq!(shop.store.resend(Mode::Test, one.key).await.unwrap(), Resent::Forgotten);
    assert!(shop.claim(to, 1).await.is_empty());
}

pub(crate) async fn what_is_tried_again_is_not_forgotten_and_its_key_keeps_its_order(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    let id = shop.create(Mode::Test, "*").await;
    let to = shop.standing(&id).await.key;
    shop.store.order(to, Order::PerKey).await.unwrap();
    for event in ["e1", "e2", "e3"] {
        give_up(&shop, to, (event, "1")).await;
    }
    shop.wait(84 * DAY);
    let two = Recovery { most: 2, ..all(&shop, &id) };
    let after = shop.store.recoverable(Mode::Test, two).await.unwrap().unwrap().next;
    assert_eq!(recover(&shop, Recovery { after, ..all(&shop, &id) }).await, 1);
    assert_eq!(shop.ids(to).await, ["e3"], "it leads");
    let keep = Retention::days(90, 90, 90).unwrap();
    for (sequence, day) in [(1, 84), (2, 85)] {
        let one = Recovery { most: 1, ..all(&shop, &id) };
        assert_eq!(recover(&shop, one).await, 1, "{sequence} on day {day}");
        shop.wait(DAY);
    }
    for (days, first) in [(5, Some(DeliveryState::Waiting)), (1, None)] {
        shop.wait(days * DAY);
        while shop.store.prune(keep, shop.now).await.unwrap().more {}
        assert_eq!(shop.state(DeliveryKey { endpoint: to, sequence: 1 }).await, first, "it is old on day 92");
        let second = DeliveryKey { endpoint: to, sequence: 2 };
        assert_eq!(shop.state(second).await, Some(DeliveryState::Waiting), "the third is under way");
    }
}

pub(crate) async fn bodies_are_forgotten_also_after_all_was_forgotten(harness: &dyn Harness) {
    let mut shop = forgotten(harness).await;
    shop.ingest("e0").await;
    shop.wait(31 * DAY);
    assert_eq!(forget(&shop).await, 1 + 1, "what nobody sent, and its body");
}

/// A store may number from the beginning again when nothing is left.
pub(crate) async fn what_is_sent_after_all_was_forgotten_is_the_new_events(harness: &dyn Harness) {
    let shop = forgotten(harness).await;
    let to = shop.endpoint("*").await;
    shop.ingest("new").await;
    let claimed = shop.claim(to, 1).await.remove(0);
    let bytes = event("new", None).to_json().unwrap();
    assert_eq!((claimed.payload.event_id.as_str(), &claimed.payload.body), ("new", &bytes));
}

pub(crate) async fn keys_of_publishing_that_ran_out_are_forgotten_little_by_little(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    let key = |id: &str| IdempotencyKey { key: id.to_owned(), hash: [1; 32], expires_at: shop.now.plus(DAY) };
    let publish = |id: String| {
        let (events, key) = (vec![event(&id, None)], Some(key(&id)));
        shop.store.publish(Publication { mode: Mode::Test, events, expires_at: None, key })
    };
    let stored = (0..EVENTS).map(|n| publish(format!("e{n}")));
    assert!(futures::future::join_all(stored).await.iter().all(Result::is_ok));
    assert_eq!(shop.store.expire(shop.now).await.unwrap(), 0, "they are still known");
    shop.wait(DAY);
    let mut forgotten = 0;
    while let part @ 1.. = shop.store.expire(shop.now).await.unwrap() {
        assert!(part <= 256, "{part}: the writer is free for others soon");
        forgotten += part;
    }
    assert_eq!(forgotten, u32::try_from(EVENTS).unwrap());
}

pub(crate) async fn what_is_left_of_a_deleted_endpoint_is_forgotten_after_a_month(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    let (gone, other) = (shop.create(Mode::Test, "a.b").await, shop.endpoint("a.b").await);
    let to = shop.standing(&gone).await.key;
    for id in 0..EVENTS {
        shop.ingest(&format!("e{id}")).await;
    }
    for one in shop.claim(to, 8).await {
        shop.fail(&one, status(500)).await;
    }
    shop.store.delete_endpoint(Mode::Test, gone.clone(), Expected::Any).await.unwrap();
    let first = DeliveryKey { endpoint: to, sequence: 1 };
    shop.wait(28 * DAY);
    forget(&shop).await;
    assert_eq!(shop.state(first).await, Some(DeliveryState::Cancelled));
    assert!(shop.store.standing(Mode::Test, gone.clone()).await.unwrap().is_some());
    shop.wait(2 * DAY);
    forget(&shop).await;
    assert_eq!(shop.state(first).await, None);
    assert!(shop.store.standing(Mode::Test, gone).await.unwrap().is_none());
    assert!(shop.state(DeliveryKey { endpoint: other, ..first }).await.is_some(), "that of another is kept");
    let next = shop.endpoint("a.b").await;
    assert!(next.0 > to.0 && next != other, "its number is nobody else's");
    assert!(shop.ingest("after").await.deliveries >= 2);
}
