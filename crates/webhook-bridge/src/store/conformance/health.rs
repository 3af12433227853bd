//! How endpoints do decides what is claimed; the rules themselves are `model::health`'s.

use std::time::Duration;

use eventbus::Timestamp;

use super::{Harness, Shop, status};
use crate::model::{
    Concern, DisabledReason, EndpointStatus, Finished, Leased, Mode, Outcome, Trouble, Wanted,
};

const SECOND: Duration = Duration::from_secs(1);

/// Claims and fails until the endpoint is left alone; tells until when.
async fn fail_until_rest(shop: &Shop, wanted: Wanted) -> Timestamp {
    loop {
        let asked = shop.ask(wanted).await;
        if asked.deliveries.is_empty() {
            return asked.next_due.unwrap();
        }
        for one in &asked.deliveries {
            shop.fail(one, status(500)).await;
        }
    }
}

pub(crate) async fn an_endpoint_that_asked_for_it_is_left_alone(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    shop.ingest("e1").await;
    shop.ingest("e2").await;
    let one = shop.claim(to, 1).await.remove(0);
    let asks = Outcome::Answered { status: 503, retry_after: Some(60 * SECOND), wish: None };
    shop.fail(&one, asks).await;
    let asked = shop.ask(Wanted { endpoint: to, most: 9, in_flight: 0 }).await;
    assert_eq!((asked.deliveries.len(), asked.next_due), (0, Some(shop.now.plus(60 * SECOND))));
    shop.wait(60 * SECOND);
    assert_eq!(shop.claim(to, 9).await.len(), 2);
}

pub(crate) async fn an_endpoint_that_fails_is_left_alone_and_then_tried_with_one_request(
    harness: &dyn Harness,
) {
    let mut shop = Shop::open(harness).await;
    let (to, other) = (shop.endpoint("*").await, shop.endpoint("*").await);
    for id in 0..30 {
        shop.ingest(&format!("e{id}")).await;
    }
    let wanted = Wanted { endpoint: to, most: 8, in_flight: 0 };
    let rest = fail_until_rest(&shop, wanted).await;
    assert_eq!(rest, shop.now.plus(30 * SECOND));
    assert_eq!(shop.claim(other, 8).await.len(), 8, "the other is not concerned");

    shop.wait(30 * SECOND);
    let probe = shop.ask(wanted).await;
    assert_eq!((probe.deliveries.len(), probe.max_in_flight), (1, 1));
    assert_eq!(probe.deliveries[0].key.sequence, 17, "the longest due: it was never tried");
    assert_eq!(shop.ask(Wanted { in_flight: 1, ..wanted }).await.deliveries.len(), 0);
    shop.fail(&probe.deliveries[0], status(500)).await;
    assert_eq!(shop.ask(wanted).await.next_due, Some(shop.now.plus(60 * SECOND)));

    shop.wait(60 * SECOND);
    for room in [1, 1, 1, 1, 2, 4, 8, 8] {
        let asked = shop.ask(wanted).await;
        assert_eq!((asked.deliveries.len(), asked.max_in_flight), (room as usize, room));
        shop.succeed(&asked.deliveries[0]).await;
        release(&shop, &asked.deliveries[1..]).await;
    }
}

/// Gives back what was claimed beyond need, without an attempt that counts.
async fn release(shop: &Shop, deliveries: &[Leased]) {
    for one in deliveries {
        shop.fail(one, Outcome::Failed(Trouble::Internal)).await;
    }
}

pub(crate) async fn one_that_is_too_slow_gets_fewer_at_once(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    for id in 0..20 {
        shop.ingest(&format!("e{id}")).await;
    }
    let all = shop.claim(to, 8).await;
    assert_eq!(all.len(), 8);
    shop.fail(&all[0], Outcome::Failed(Trouble::Timeout)).await;
    let asked = shop.ask(Wanted { endpoint: to, most: 1, in_flight: 7 }).await;
    assert_eq!((asked.deliveries.len(), asked.max_in_flight), (0, 4));
    let asked = shop.ask(Wanted { endpoint: to, most: 8, in_flight: 3 }).await;
    assert_eq!(asked.deliveries.len(), 1);
}

pub(crate) async fn one_that_is_disabled_gets_nothing_and_whoever_wants_to_know_is_told(
    harness: &dyn Harness,
) {
    let mut shop = Shop::open(harness).await;
    let id = shop.create(Mode::Test, "a.b").await;
    let (to, watcher) = (shop.standing(&id).await.key, shop.endpoint("webhook_endpoint.*").await);
    shop.create(Mode::Live, "webhook_endpoint.*").await;
    for event in ["e1", "e2", "e3", "e4"] {
        shop.ingest(event).await;
    }
    let claimed = shop.claim(to, 3).await;
    let blocked = || Outcome::Failed(Trouble::Blocked);
    assert_eq!(shop.fail(&claimed[0], blocked()).await, Finished::Stored);
    assert_eq!(shop.fail(&claimed[1], blocked()).await, Finished::Stored);
    shop.wait(1200 * SECOND);
    let Finished::Told(notice) = shop.fail(&claimed[2], blocked()).await else { panic!("nobody was told") };
    assert_eq!((&notice.endpoint, notice.concern), (&id, Concern::Disabled(DisabledReason::Blocked)));

    let asked = shop.ask(Wanted { endpoint: to, most: 9, in_flight: 0 }).await;
    assert_eq!((asked.deliveries.len(), asked.next_due), (0, None));
    assert_eq!(shop.ingest("e5").await.deliveries, 0, "nothing more is queued for it");
    let endpoint = shop.store.endpoint(Mode::Test, id.clone()).await.unwrap().unwrap();
    assert_eq!(endpoint.status, EndpointStatus::Disabled);
    assert_eq!(shop.standing(&id).await.disabled_reason, Some(DisabledReason::Blocked));

    let told = shop.claim(watcher, 9).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].payload.event_type, "webhook_endpoint.disabled");
    assert_eq!(told[0].payload.body, notice.event().unwrap().to_json().unwrap());
    let again = shop.store.ingest(notice.event().unwrap()).await.unwrap();
    assert!(again.duplicate, "by the bus it comes once more");
}

pub(crate) async fn how_an_endpoint_does_outlives_the_bridge(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let id = shop.create(Mode::Test, "*").await;
    let to = shop.standing(&id).await.key;
    shop.ingest("e1").await;
    let wanted = Wanted { endpoint: to, most: 8, in_flight: 0 };
    let rest = fail_until_rest(&shop, wanted).await;
    let before = shop.standing(&id).await;
    let shop = shop.reopen(harness).await;
    assert_eq!(shop.standing(&id).await, before);
    assert_eq!(shop.ask(wanted).await.next_due, Some(rest));
}
