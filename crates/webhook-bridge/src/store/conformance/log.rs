//! What is published is stored as a whole and found again, also by an endpoint that missed it.

use std::time::Duration;

use eventbus::Timestamp;

use super::{Harness, Shop, event, status};
use crate::error::ErrorKind;
use crate::model::{
    DeliveryFilter, DeliveryKey, DeliveryState, EnabledEvents, Ending, EndpointId, EndpointUrl, EventFilter,
    IdempotencyKey, KeyDigest, Mode, NewEndpoint, NewKey, Publication, Replay, Resent, Sealed,
};

impl Shop {
    async fn publish(
        &self,
        ids: &[&str],
        expires_at: Option<Timestamp>,
        key: Option<IdempotencyKey>,
    ) -> usize {
        let events = ids.iter().map(|id| event(id, Some("k"))).collect();
        let publication = Publication { mode: Mode::Test, events, expires_at, key };
        self.store.publish(publication).await.unwrap().iter().filter(|one| !one.duplicate).count()
    }
}

pub(crate) async fn what_is_published_together_is_answered_again_by_its_key(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    shop.endpoint("*").await;
    let key = |hash| {
        let expires_at = Timestamp::now().plus(Duration::from_secs(60));
        Some(IdempotencyKey { key: "k".into(), hash: [hash; 32], expires_at })
    };
    assert_eq!(shop.publish(&["e1", "e2", "e1"], None, key(1)).await, 2);
    assert_eq!(shop.publish(&["e1", "e2", "e1"], None, key(1)).await, 2, "as it was answered then");
    assert_eq!(shop.publish(&["e1", "e2"], None, None).await, 0);
    let other = Publication { mode: Mode::Test, events: vec![], expires_at: None, key: key(2) };
    assert_eq!(shop.store.publish(other).await.unwrap_err().kind(), ErrorKind::Conflict);
}

pub(crate) async fn what_is_of_no_use_any_more_is_never_sent_and_its_key_goes_on(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    shop.store.order(to, eventbus::transport::Order::PerKey).await.unwrap();
    let soon = shop.now.plus(Duration::from_secs(60));
    shop.publish(&["tried", "never"], Some(soon), None).await;
    shop.publish(&["after"], None, None).await;
    let one = shop.claim(to, 9).await.remove(0);
    assert_eq!(one.expires_at, soon);
    shop.fail(&one, status(500)).await;
    shop.wait(Duration::from_secs(60));
    // One claim ends each of the line, and lets the next go.
    for _ in 0..2 {
        assert!(shop.claim(to, 9).await.is_empty());
    }
    assert_eq!(shop.ids(to).await, ["after"]);
    for sequence in [1, 2] {
        let delivery = DeliveryKey { endpoint: to, sequence };
        assert_eq!(shop.state(delivery).await, Some(DeliveryState::Failed(Ending::Expired)));
    }
}

pub(crate) async fn what_is_of_no_use_any_more_is_not_sent_again(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let id = shop.create(Mode::Test, "*").await;
    let to = shop.standing(&id).await.key;
    let past = Timestamp::from_millis(Timestamp::now().as_millis() - 1);
    shop.publish(&["e1"], Some(past), None).await;
    assert!(shop.claim(to, 9).await.is_empty());
    let delivery = DeliveryKey { endpoint: to, sequence: 1 };
    assert_eq!(shop.store.resend(Mode::Test, delivery).await.unwrap(), Resent::Expired);
    let recovered = shop.store.recover(Mode::Test, super::again::all(&shop, &id, 9)).await.unwrap();
    assert_eq!(recovered.unwrap().deliveries, 0);
}

fn deliveries(endpoint: Option<EndpointId>) -> DeliveryFilter {
    let (state, event_type, event_key, since, until, before) = (None, None, None, None, None, None);
    DeliveryFilter { endpoint, state, event_type, event_key, since, until, before, limit: 2 }
}

pub(crate) async fn the_logs_of_a_mode_are_read_page_by_page(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let (one, two) = (shop.endpoint("*").await, shop.endpoint("*").await);
    shop.create(Mode::Live, "*").await;
    shop.publish(&["e1", "e2", "e3"], None, None).await;
    let (mut filter, mut listed) = (deliveries(None), Vec::new());
    loop {
        let page = shop.store.deliveries(Mode::Test, filter.clone()).await.unwrap();
        assert!(page.list.len() <= 2);
        listed.extend(page.list.into_iter().map(|one| (one.event_id, one.key.endpoint)));
        filter.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    let both = |id: &str| [(id.to_owned(), one), (id.to_owned(), two)];
    assert_eq!(listed, [both("e3"), both("e2"), both("e1")].concat());
    assert!(shop.store.deliveries(Mode::Live, deliveries(None)).await.unwrap().list.is_empty());

    let mut filter = EventFilter { limit: 2, ..EventFilter::default() };
    let first = shop.store.event_log(Mode::Test, filter.clone()).await.unwrap();
    filter.before = first.next;
    let second = shop.store.event_log(Mode::Test, filter).await.unwrap();
    let ids: Vec<_> = first.list.iter().chain(&second.list).map(|event| event.id.as_str()).collect();
    assert_eq!((ids, second.next), (vec!["e3", "e2", "e1"], None));
    let until = Some(first.list[0].received_at);
    for filter in [
        EventFilter { until: Some(Timestamp::from_millis(0)), limit: 9, ..EventFilter::default() },
        EventFilter { since: Some(shop.now), limit: 9, ..EventFilter::default() },
        EventFilter { until, source: Some("other".into()), limit: 9, ..EventFilter::default() },
        EventFilter { key: Some("other".into()), limit: 9, ..EventFilter::default() },
    ] {
        assert!(
            shop.store.event_log(Mode::Test, filter.clone()).await.unwrap().list.is_empty(),
            "{filter:?}"
        );
    }
    assert!(shop.store.event(Mode::Live, "e1".into()).await.unwrap().is_empty());
}

pub(crate) async fn an_endpoint_is_given_once_what_it_missed(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    shop.publish(&["e1", "e2", "e3"], None, None).await;
    let id = shop.create(Mode::Test, "a.*").await;
    let to = shop.standing(&id).await.key;
    shop.publish(&["e4"], None, None).await;
    let replay = |after, most| Replay {
        endpoint: id.clone(),
        types: None,
        since: Timestamp::from_millis(0),
        until: Timestamp::from_millis(i64::MAX),
        after,
        most,
        now: shop.now,
    };
    let counted = shop.store.replayable(Mode::Test, replay(None, 9)).await.unwrap().unwrap();
    assert_eq!((counted.deliveries, counted.next), (3, None));
    let first = shop.store.replay(Mode::Test, replay(None, 2)).await.unwrap().unwrap();
    let second = shop.store.replay(Mode::Test, replay(first.next, 9)).await.unwrap().unwrap();
    assert_eq!((first.deliveries, second.deliveries, second.next), (2, 1, None));
    let again = shop.store.replay(Mode::Test, replay(None, 9)).await.unwrap().unwrap();
    assert_eq!(again.deliveries, 0);
    let types = Some(EnabledEvents::parse(vec!["c.d".into()]).unwrap());
    let others = Replay { types, ..replay(None, 9) };
    assert_eq!(shop.store.replayable(Mode::Test, others).await.unwrap().unwrap().deliveries, 0);
    assert!(shop.store.replay(Mode::Live, replay(None, 9)).await.unwrap().is_none());
    assert_eq!(shop.ids(to).await, ["e4", "e1", "e2", "e3"]);
}

pub(crate) async fn an_endpoint_of_one_source_gets_no_other(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    for (source, deliveries) in [("shop", 1), ("gstable", 0)] {
        let url = EndpointUrl::parse("https://example.com/").unwrap();
        let events = EnabledEvents::parse(vec!["a.b".into()]).unwrap();
        let new = NewEndpoint::new(Mode::Test, url, events, ("standard", Sealed(vec![1])));
        let new = NewEndpoint { source: Some(source.to_owned()), ..new };
        let made = shop.store.create_endpoint(new, shop.now).await.unwrap();
        assert_eq!(shop.ingest(source).await.deliveries, deliveries);
        shop.store.delete_endpoint(Mode::Test, made.id, crate::model::Expected::Any).await.unwrap();
    }
}

pub(crate) async fn keys_are_for_their_mode_until_they_run_out_and_one_is_left(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let digest = |byte| KeyDigest([byte; 32]);
    let key = |byte: u8, mode, expires_at| {
        let name = byte.to_string();
        shop.store.create_key(NewKey { digest: digest(byte), mode, name, expires_at }, Timestamp::now())
    };
    let past = Timestamp::from_millis(Timestamp::now().as_millis() - 1);
    let last = key(1, Mode::Test, None).await.unwrap();
    key(2, Mode::Test, Some(past)).await.unwrap();
    let live = key(3, Mode::Live, None).await.unwrap();
    for (byte, mode) in [(1, Some(Mode::Test)), (2, None), (3, Some(Mode::Live)), (4, None)] {
        assert_eq!(shop.store.key(digest(byte)).await.unwrap(), mode, "{byte}");
    }
    shop.store.expire(Timestamp::now()).await.unwrap();
    let used: Vec<_> = shop.store.keys(Mode::Test).await.unwrap();
    assert_eq!(used.iter().filter(|one| one.last_used_at.is_some()).count(), 1);
    assert!(shop.store.delete_key(Mode::Test, live.id).await.unwrap().is_none());
    let delete = || shop.store.delete_key(Mode::Test, last.id.clone());
    assert_eq!(delete().await.unwrap_err().kind(), ErrorKind::Conflict, "the other one runs out");
    key(5, Mode::Test, None).await.unwrap();
    assert!(delete().await.unwrap().is_some());
    assert_eq!(shop.store.key(digest(1)).await.unwrap(), None);
}
