//! Every attempt is in the log, whichever of its delivery's it was, until it is forgotten.

use std::time::Duration;

use eventbus::transport::Order;

use super::front::Desk;
use super::{Harness, Shop, status};
use crate::model::{
    AttemptFilter, AttemptRecord, Ending, EndpointId, EndpointKey, Leased, LogPage, Mode, Next, Retention,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A delivery's number, an attempt's, and what came of it.
type Made = (u64, u32, String);

fn made(attempt: &AttemptRecord) -> Made {
    let came = attempt.status.map(|status| status.to_string()).or(attempt.trouble.clone());
    let body = if attempt.body.is_empty() { "" } else { " with a body" };
    (attempt.delivery.sequence, attempt.number, came.unwrap() + body)
}

fn of(endpoint: &EndpointId) -> AttemptFilter {
    AttemptFilter { endpoint: endpoint.clone(), sequence: None, succeeded: None, before: None, limit: 250 }
}

async fn page(shop: &Shop, filter: AttemptFilter) -> LogPage<AttemptRecord, (u64, u32)> {
    shop.store.attempts(Mode::Test, filter).await.unwrap()
}

/// All of them, page by page.
async fn all(shop: &Shop, mut filter: AttemptFilter) -> Vec<Made> {
    let mut all = Vec::new();
    loop {
        let page = page(shop, filter.clone()).await;
        assert!(page.list.len() <= filter.limit as usize);
        assert!(page.next.zip(filter.before).is_none_or(|(next, before)| next < before), "it goes on");
        all.extend(page.list.iter().map(made));
        filter.before = page.next;
        if page.next.is_none() {
            return all;
        }
    }
}

/// Whose attempts are listed.
async fn listed(shop: &Shop, endpoint: &EndpointId) -> Vec<u64> {
    all(shop, of(endpoint)).await.into_iter().map(|(sequence, ..)| sequence).collect()
}

/// Two deliveries that nobody claimed yet.
async fn two(harness: &dyn Harness) -> (Shop, EndpointId, EndpointKey) {
    let shop = Shop::open(harness).await;
    let id = shop.create(Mode::Test, "*").await;
    let to = shop.standing(&id).await.key;
    for event in ["e1", "e2"] {
        shop.ingest(event).await;
    }
    (shop, id, to)
}

async fn forget(shop: &Shop, keep: Retention) {
    while shop.store.prune(keep, shop.now).await.unwrap().more {}
}

/// One that succeeded the third time, one that was interrupted, one that succeeded at once, one that is under way and one
/// that nobody claimed.
async fn five(harness: &dyn Harness) -> (Shop, EndpointId, Leased) {
    let shop = Shop::open(harness).await;
    let id = shop.create(Mode::Test, "*").await;
    let to = shop.standing(&id).await.key;
    shop.ingest("e1").await;
    for _ in 0..2 {
        let one = shop.claim(to, 1).await.remove(0);
        shop.fail(&one, status(500)).await;
    }
    let one = shop.claim(to, 1).await.remove(0);
    shop.succeed(&one).await;
    shop.ingest("e2").await;
    shop.claim(to, 1).await;
    let shop = shop.reopen(harness).await;
    for id in ["e3", "e4"] {
        shop.ingest(id).await;
    }
    let mut claimed = shop.claim(to, 9).await;
    let under_way = claimed.swap_remove(claimed.iter().position(|one| one.key.sequence == 4).unwrap());
    for one in claimed {
        shop.succeed(&one).await;
    }
    shop.ingest("e5").await;
    (shop, id, under_way)
}

pub(crate) async fn every_attempt_is_listed_the_newest_deliverys_first(harness: &dyn Harness) {
    let (shop, id, _) = five(harness).await;
    let expected = [
        (3, 1, "200 with a body"),
        (2, 2, "200 with a body"),
        (2, 1, "interrupted"),
        (1, 3, "200 with a body"),
        (1, 2, "500 with a body"),
        (1, 1, "500 with a body"),
    ];
    let expected = expected.map(|(sequence, number, came)| (sequence, number, came.to_owned()));
    let only = |wanted: fn(&Made) -> bool| expected.iter().filter(|one| wanted(one)).cloned().collect();
    let [succeeded, not]: [Vec<Made>; 2] =
        [only(|one| one.2.starts_with("200")), only(|one| !one.2.starts_with("200"))];
    let [first, second]: [Vec<Made>; 2] = [only(|one| one.0 == 1), only(|one| one.0 == 2)];
    for limit in [1, 2, 5, 6, 250] {
        let filter = AttemptFilter { limit, ..of(&id) };
        assert_eq!(all(&shop, filter.clone()).await, expected, "by pages of {limit}");
        for (wanted, expected) in [(true, &succeeded), (false, &not)] {
            let filter = AttemptFilter { succeeded: Some(wanted), ..filter.clone() };
            assert_eq!(all(&shop, filter).await, *expected);
        }
        for (sequence, expected) in [(1, &first), (2, &second), (4, &vec![]), (5, &vec![])] {
            let filter = AttemptFilter { sequence: Some(sequence), ..filter.clone() };
            assert_eq!(all(&shop, filter).await, *expected, "delivery {sequence}");
        }
    }
    let live = shop.store.attempts(Mode::Live, of(&id)).await.unwrap();
    assert!(live.list.is_empty() && live.next.is_none());
}

pub(crate) async fn whichever_way_it_was_sent_its_attempt_is_listed(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let id = shop.create(Mode::Test, "*").await;
    let desk = Desk::attach(&shop, 1);
    shop.ingest("e1").await;
    shop.succeed(&desk.handed().remove(0)).await;
    assert_eq!(listed(&shop, &id).await, [1], "at once");
    shop.ingest("e2").await;
    let at_once = desk.handed().remove(0);
    drop(desk);
    let full = Desk::attach(&shop, 0);
    shop.ingest("e3").await;
    let follows = shop.follow(&at_once, (status(200), Next::Succeeded)).await.1.unwrap();
    drop(full);
    shop.succeed(&follows).await;
    assert_eq!(listed(&shop, &id).await, [3, 2, 1], "in the room of another");
}

/// A retention under which attempts are forgotten first.
fn short() -> Retention {
    Retention::days(30, 9, 90).unwrap()
}

pub(crate) async fn what_is_sent_late_for_the_first_time_is_listed_and_forgotten(harness: &dyn Harness) {
    let (mut shop, id, to) = two(harness).await;
    shop.wait(9 * DAY);
    assert!(shop.claim(to, 9).await.is_empty(), "both are too old");
    shop.wait(DAY);
    forget(&shop, short()).await;
    shop.store.recover(Mode::Test, super::again::all(&shop, &id, 9)).await.unwrap().unwrap();
    for one in shop.claim(to, 9).await {
        assert_eq!(one.attempt, 1);
        shop.succeed(&one).await;
    }
    assert_eq!(listed(&shop, &id).await, [2, 1]);
    shop.wait(8 * DAY);
    forget(&shop, short()).await;
    assert_eq!(listed(&shop, &id).await, [2, 1]);
    shop.wait(2 * DAY);
    forget(&shop, short()).await;
    assert!(listed(&shop, &id).await.is_empty());
}

pub(crate) async fn what_is_not_sent_keeps_nothing_from_being_forgotten(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    let id = shop.create(Mode::Test, "*").await;
    let to = shop.standing(&id).await.key;
    shop.store.order(to, Order::PerKey).await.unwrap();
    for (event, key) in [("e1", "a"), ("e2", "a"), ("e3", "b")] {
        shop.keyed(event, key).await;
    }
    // The second waits for the first one, which is tried until it is too old and never ends.
    let [first, third]: [Leased; 2] = shop.claim(to, 9).await.try_into().unwrap();
    shop.finish(&first, status(500), Next::Retry(shop.now.plus(20 * DAY))).await;
    shop.succeed(&third).await;
    shop.wait(10 * DAY);
    forget(&shop, short()).await;
    assert_eq!(all(&shop, of(&id)).await, []);
}

pub(crate) async fn what_is_due_again_keeps_nothing_from_being_forgotten(harness: &dyn Harness) {
    let (mut shop, id, to) = two(harness).await;
    let first = shop.claim(to, 1).await.remove(0);
    shop.finish(&first, status(418), Next::Failed(Ending::Exhausted)).await;
    shop.wait(7 * DAY);
    let second = shop.claim(to, 1).await.remove(0);
    shop.succeed(&second).await;
    shop.wait(3 * DAY);
    forget(&shop, short()).await;
    assert_eq!(listed(&shop, &id).await, [2]);
    shop.store.recover(Mode::Test, super::again::all(&shop, &id, 9)).await.unwrap().unwrap();
    shop.wait(7 * DAY);
    forget(&shop, short()).await;
    assert!(listed(&shop, &id).await.is_empty());
    let again = shop.claim(to, 1).await.remove(0);
    shop.succeed(&again).await;
    assert_eq!((again.key, listed(&shop, &id).await), (first.key, vec![1]), "by its second attempt");
}

pub(crate) async fn what_became_of_a_delivery_is_known_longer_than_its_attempts(harness: &dyn Harness) {
    let (mut shop, id, under_way) = five(harness).await;
    let one = page(&shop, of(&id)).await.list.remove(0);
    shop.wait(7 * DAY);
    shop.succeed(&under_way).await;
    let to = under_way.key.endpoint;
    let late = shop.claim(to, 9).await.remove(0);
    shop.fail(&late, status(500)).await;
    let late = shop.claim(to, 9).await.remove(0);
    shop.succeed(&late).await;
    shop.wait(24 * DAY);
    forget(&shop, Retention::default()).await;
    let left: Vec<_> =
        all(&shop, of(&id)).await.into_iter().map(|(sequence, number, _)| (sequence, number)).collect();
    assert_eq!(left, [(5, 2), (5, 1), (4, 1)], "those of seven days later");
    shop.wait(7 * DAY);
    forget(&shop, Retention::default()).await;
    assert_eq!(all(&shop, of(&id)).await, []);
    let delivery = shop.store.delivery(Mode::Test, one.delivery).await.unwrap().unwrap();
    assert_eq!((delivery.attempts, delivery.event_id), (1, "e3".to_owned()));
}
