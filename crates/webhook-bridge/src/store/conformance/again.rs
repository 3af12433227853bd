//! What was given up is tried again as if it were new, and nobody overwrites what somebody else changed.

use std::time::Duration;

use eventbus::Timestamp;

use super::{Harness, Shop, status};
use crate::error::ErrorKind;
use crate::model::{
    DeliveryKey, EnabledEvents, Ending, EndpointChange, EndpointId, EndpointKey, Expected, Mode, Next,
    Outcome, Pace, Recovery, Released, Schedule, Trouble,
};

/// An endpoint, and this many events it was owed and that were given up after an attempt.
async fn given_up(harness: &dyn Harness, events: u32) -> (Shop, EndpointId, EndpointKey) {
    let shop = Shop::open(harness).await;
    let id = shop.create(Mode::Test, "a.b").await;
    let to = shop.standing(&id).await.key;
    for event in 1..=events {
        shop.ingest(&format!("e{event}")).await;
        let one = shop.claim(to, 1).await.remove(0);
        shop.finish(&one, status(418), Next::Failed(Ending::Exhausted)).await;
    }
    (shop, id, to)
}

/// All of it, this many at once.
pub(crate) fn all(shop: &Shop, endpoint: &EndpointId, most: u32) -> Recovery {
    let (since, until) = (Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX));
    let (types, pace) = (None, Pace::default());
    Recovery { endpoint: endpoint.clone(), types, since, until, after: None, most, pace, now: shop.now }
}

pub(crate) async fn what_is_recovered_has_its_schedule_and_its_age_before_it(harness: &dyn Harness) {
    let (mut shop, id, to) = given_up(harness, 1).await;
    shop.wait(Schedule::AGE);
    shop.store.recover(Mode::Test, all(&shop, &id, 9)).await.unwrap().unwrap();
    for attempt in [2, 3] {
        let one = shop.claim(to, 1).await.remove(0);
        assert_eq!((one.attempt, one.earlier), (attempt, 1), "the first of a schedule, then the second");
        assert_eq!(one.expires_at, shop.now.plus(Schedule::AGE));
        shop.fail(&one, status(418)).await;
    }
}

pub(crate) async fn what_was_given_up_is_recovered_part_by_part(harness: &dyn Harness) {
    let (shop, id, to) = given_up(harness, 5).await;
    let counted = shop.store.recoverable(Mode::Test, all(&shop, &id, 9)).await.unwrap().unwrap();
    assert_eq!((counted.deliveries, counted.next), (5, None));
    assert!(shop.store.recover(Mode::Live, all(&shop, &id, 9)).await.unwrap().is_none());
    let (mut after, mut parts) = (None, Vec::new());
    loop {
        let part = Recovery { after, ..all(&shop, &id, 2) };
        let part = shop.store.recover(Mode::Test, part).await.unwrap().unwrap();
        parts.push(part.deliveries);
        after = part.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(parts, [2, 2, 1]);
    assert_eq!(shop.claim(to, 9).await.len(), 5);
}

/// Two are due now and at half a second, the third in the next part at a second; others are left.
pub(crate) async fn what_is_sent_again_is_what_was_asked_for_and_as_fast(harness: &dyn Harness) {
    let (mut shop, id, to) = given_up(harness, 3).await;
    let types = |text: &str| Some(EnabledEvents::parse(vec![text.to_owned()]).unwrap());
    let other = Recovery { types: types("c.d"), ..all(&shop, &id, 9) };
    assert_eq!(shop.store.recover(Mode::Test, other).await.unwrap().unwrap().deliveries, 0);
    let pace = Pace::per_second(2);
    let first = Recovery { types: types("a.*"), pace, ..all(&shop, &id, 2) };
    let part = shop.store.recover(Mode::Test, first.clone()).await.unwrap().unwrap();
    assert_eq!(part.deliveries, 2);
    let second = Recovery { pace: pace.after(2), after: part.next, ..first };
    assert_eq!(shop.store.recover(Mode::Test, second).await.unwrap().unwrap().deliveries, 1);
    for due in [1, 1, 1] {
        assert_eq!(shop.claim(to, 9).await.len(), due);
        shop.wait(Duration::from_millis(500));
    }
}

pub(crate) async fn only_what_is_parked_is_released_and_its_faults_are_forgiven(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    shop.ingest("e1").await;
    let delivery = DeliveryKey { endpoint: to, sequence: 1 };
    let release = || shop.store.release(Mode::Test, delivery);
    assert_eq!(release().await.unwrap(), Released::NotParked);
    let one = shop.claim(to, 1).await.remove(0);
    shop.finish(&one, Outcome::Failed(Trouble::Internal), Next::Parked).await;
    assert_eq!(shop.store.release(Mode::Live, delivery).await.unwrap(), Released::Missing);
    assert_eq!(release().await.unwrap(), Released::Due);
    let one = shop.claim(to, 1).await.remove(0);
    assert_eq!((one.attempt, one.earlier, one.faults), (2, 1, 0), "its schedule counts from here");
}

/// Of many that change what they saw, one does, and the others are told.
pub(crate) async fn what_somebody_else_changed_is_not_overwritten(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let id = shop.create(Mode::Test, "*").await;
    let version = shop.store.endpoint(Mode::Test, id.clone()).await.unwrap().unwrap().version;
    let change = |n: u32| {
        let description = Some(n.to_string());
        let expected = Expected::OneOf(vec![version]);
        let change = EndpointChange { description, expected, ..EndpointChange::default() };
        shop.store.change_endpoint(Mode::Test, id.clone(), change)
    };
    let changed = futures::future::join_all((0..20).map(change)).await;
    let (changed, outdated): (Vec<_>, Vec<_>) = changed.into_iter().partition(Result::is_ok);
    assert_eq!((changed.len(), outdated.len()), (1, 19));
    let kind = |error: crate::Result<_>| error.err().map(|error| error.kind());
    assert!(outdated.into_iter().all(|one| kind(one) == Some(ErrorKind::Outdated)));
    let stale = shop.store.delete_endpoint(Mode::Test, id.clone(), Expected::OneOf(vec![version])).await;
    assert_eq!(stale.unwrap_err().kind(), ErrorKind::Outdated);
    let now = Expected::OneOf(vec![version, version + 1]);
    assert!(shop.store.delete_endpoint(Mode::Test, id, now).await.unwrap().is_some());
}
