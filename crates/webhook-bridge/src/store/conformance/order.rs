//! Order by key: a refund never overtakes its payment, and nothing else waits.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use eventbus::transport::Order;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{Harness, Shop, status};
use crate::model::{
    DeliveryKey, DeliveryState, Ending, EndpointKey, Leased, Next, Outcome, Retention, Schedule, Trouble,
};

/// A store with an endpoint that wants order by key, owed these: id and key.
async fn owing(harness: &dyn Harness, events: &[(&str, &str)]) -> (Shop, EndpointKey) {
    let shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    shop.store.order(to, Order::PerKey).await.unwrap();
    for (id, key) in events {
        shop.keyed(id, key).await;
    }
    (shop, to)
}

pub(crate) async fn a_key_waits_for_its_first_and_other_keys_flow(harness: &dyn Harness) {
    let (shop, to) = owing(harness, &[("pay1", "1"), ("back1", "1"), ("pay2", "2"), ("late1", "1")]).await;
    let first = shop.claim(to, 99).await;
    let ids: Vec<_> = first.iter().map(|one| one.payload.event_id.as_str()).collect();
    assert_eq!(ids, ["pay1", "pay2"]);
    assert_eq!(shop.store.agenda().await.unwrap(), [], "what waits for its key is not due");
    shop.store.hints().take();

    shop.succeed(&first[1]).await;
    assert!(shop.store.hints().take().is_empty(), "nothing waited for that");
    shop.succeed(&first[0]).await;
    assert!(shop.store.hints().take().contains_key(&to));
    assert_eq!(shop.ids(to).await, ["back1"]);
}

pub(crate) async fn a_failed_delivery_holds_its_key_and_nothing_else(harness: &dyn Harness) {
    let (shop, to) = owing(harness, &[("pay1", "1"), ("back1", "1")]).await;
    for _ in 0..5 {
        let claimed = shop.claim(to, 99).await;
        assert_eq!(claimed.len(), 1);
        assert_eq!(claimed[0].payload.event_id, "pay1");
        shop.fail(&claimed[0], status(500)).await;
    }
    shop.keyed("pay2", "2").await;
    assert_eq!(shop.ids(to).await, ["pay2", "pay1"].map(String::from), "the one that was due first");
}

pub(crate) async fn whatever_ends_a_delivery_lets_its_key_go(harness: &dyn Harness) {
    let events = [("e1", "1"), ("e2", "1"), ("e3", "1"), ("e4", "1"), ("e5", "1")];
    let (mut shop, to) = owing(harness, &events).await;
    let ends = [Next::Succeeded, Next::Failed(Ending::Exhausted), Next::Failed(Ending::Refused)];
    for (next, (id, _)) in ends.into_iter().zip(events) {
        let one = shop.claim(to, 99).await.remove(0);
        assert_eq!(one.payload.event_id, id);
        shop.finish(&one, status(418), next).await;
    }
    shop.wait(Schedule::AGE);
    for sequence in [4, 5] {
        assert!(shop.claim(to, 99).await.is_empty());
        let delivery = DeliveryKey { endpoint: to, sequence };
        assert_eq!(shop.state(delivery).await, Some(DeliveryState::Failed(Ending::Expired)));
    }
}

pub(crate) async fn nothing_waits_without_order_or_without_a_key(harness: &dyn Harness) {
    let (shop, to) = owing(harness, &[]).await;
    let free = shop.endpoint("*").await;
    shop.ingest("e1").await;
    shop.ingest("e2").await;
    shop.keyed("e3", "1").await;
    shop.keyed("e4", "1").await;
    assert_eq!(shop.ids(to).await, ["e1", "e2", "e3"]);
    assert_eq!(shop.ids(free).await, ["e1", "e2", "e3", "e4"]);
}

pub(crate) async fn a_kill_changes_no_order(harness: &dyn Harness) {
    let (shop, to) = owing(harness, &[("pay1", "1"), ("back1", "1")]).await;
    shop.claim(to, 99).await;
    let shop = shop.reopen(harness).await;
    shop.keyed("late1", "1").await;
    for id in ["pay1", "back1", "late1"] {
        let claimed = shop.claim(to, 99).await;
        assert_eq!(claimed.iter().map(|one| one.payload.event_id.as_str()).collect::<Vec<_>>(), [id]);
        shop.succeed(&claimed[0]).await;
    }
}

pub(crate) async fn what_is_parked_holds_its_key_until_it_is_too_old(harness: &dyn Harness) {
    let (mut shop, to) = owing(harness, &[("pay1", "1")]).await;
    let one = shop.claim(to, 99).await.remove(0);
    shop.finish(&one, Outcome::Failed(Trouble::Internal), Next::Parked).await;
    shop.keyed("back1", "1").await;
    assert!(shop.claim(to, 99).await.is_empty());
    shop.wait(Schedule::AGE);
    assert_eq!(shop.store.prune(Retention::default(), shop.now).await.unwrap().rows, 1);
    assert_eq!(shop.state(one.key).await, Some(DeliveryState::Failed(Ending::Expired)));
    let next = DeliveryKey { endpoint: to, sequence: 2 };
    assert_eq!(shop.state(next).await, Some(DeliveryState::Pending));
}

/// What an endpoint is owed, as a model has it: of each key the events that are not over.
struct Lines {
    shop: Shop,
    to: EndpointKey,
    owed: HashMap<String, VecDeque<String>>,
    leased: Vec<Leased>,
    stored: usize,
}

impl Lines {
    async fn store(&mut self, key: u32) {
        let id = format!("{key}-{}", self.stored);
        self.stored += 1;
        self.shop.keyed(&id, &key.to_string()).await;
        self.owed.entry(key.to_string()).or_default().push_back(id);
    }

    /// Whatever is claimed is the first of its key, and of no key that is under way.
    async fn claim(&mut self) -> usize {
        let claimed = self.shop.claim(self.to, 3).await;
        for one in &claimed {
            let (key, _) = one.payload.event_id.split_once('-').unwrap();
            assert_eq!(self.owed[key].front(), Some(&one.payload.event_id), "{:?}", self.owed);
            assert!(self.leased.iter().all(|other| other.key != one.key), "{one:?}");
        }
        self.leased.extend_from_slice(&claimed);
        claimed.len()
    }

    async fn end(&mut self, at: usize, next: Next) {
        let one = self.leased.swap_remove(at);
        // No failure of the endpoint's, so that it is not left alone.
        let outcome =
            if matches!(next, Next::Retry(_)) { Outcome::Failed(Trouble::Internal) } else { status(200) };
        self.shop.finish(&one, outcome, next).await;
        if !matches!(next, Next::Retry(_)) {
            let (key, _) = one.payload.event_id.split_once('-').unwrap();
            self.owed.get_mut(key).unwrap().pop_front();
        }
    }
}

pub(crate) async fn whatever_happens_each_key_keeps_its_order(harness: &dyn Harness) {
    let (shop, to) = owing(harness, &[]).await;
    let mut lines = Lines { shop, to, owed: HashMap::new(), leased: Vec::new(), stored: 0 };
    let mut dice = SmallRng::seed_from_u64(1);
    for _ in 0..400 {
        let at = (!lines.leased.is_empty()).then(|| dice.random_range(0..lines.leased.len()));
        match (dice.random_range(0..16), at) {
            (0..6, _) => lines.store(dice.random_range(0..5)).await,
            (6..10, _) => _ = lines.claim().await,
            (10, Some(at)) => lines.end(at, Next::Failed(Ending::Exhausted)).await,
            (11 | 12, Some(at)) => lines.end(at, Next::Retry(lines.shop.now)).await,
            (13 | 14, Some(at)) => lines.end(at, Next::Succeeded).await,
            (15, _) if dice.random_range(0..5) == 0 => {
                lines.leased.clear();
                lines.shop = lines.shop.reopen(harness).await;
                // What was interrupted before is due again, too.
                lines.shop.wait(Duration::from_secs(1200));
            }
            _ => {}
        }
    }
    while lines.claim().await + lines.leased.len() > 0 {
        lines.end(0, Next::Succeeded).await;
    }
    assert!(lines.owed.values().all(VecDeque::is_empty), "{:?}", lines.owed);
}
