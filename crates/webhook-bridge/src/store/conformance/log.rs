//! What is published is stored as a whole and found again, also by an endpoint that missed it.

use std::time::Duration;

use eventbus::transport::Order;
use eventbus::{AnyEvent, Timestamp};

use super::{Harness, Shop, event, status};
use crate::error::ErrorKind;
use crate::model::{
    DeliveryFilter, DeliveryKey, DeliveryState, EnabledEvents, Ending, EndpointId, EndpointKey, EndpointPage,
    EndpointUrl, EventFilter, Expected, IdempotencyKey, KeyDigest, Mode, NewEndpoint, NewKey, News, Next,
    Pace, Period, Publication, Replay, Resent, Sealed, Start,
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
        self.store.publish(publication).await.unwrap().events.iter().filter(|one| !one.duplicate).count()
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
    let past = Some(Timestamp::from_millis(0));
    let late = |key| {
        let events = vec![event("e3", None)];
        shop.store.publish(Publication { mode: Mode::Test, events, expires_at: past, key })
    };
    assert!(late(key(1)).await.unwrap().repeated, "however late it is asked again");
    let fresh = IdempotencyKey { key: "fresh".into(), ..key(3).unwrap() };
    assert_eq!(late(Some(fresh)).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert!(shop.store.event(Mode::Test, "e3".into()).await.unwrap().is_empty());
    let other = Publication { mode: Mode::Test, events: vec![], expires_at: None, key: key(2) };
    assert_eq!(shop.store.publish(other).await.unwrap_err().kind(), ErrorKind::Conflict);
}

pub(crate) async fn what_is_of_no_use_any_more_is_never_sent_and_its_key_goes_on(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    shop.store.order(to, Order::PerKey).await.unwrap();
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
    DeliveryFilter { endpoint, limit: 2, ..DeliveryFilter::default() }
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
        pace: Pace::default(),
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

pub(crate) async fn what_was_made_for_one_endpoint_is_given_to_no_other(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let tested = shop.create(Mode::Test, "c.d").await;
    let only = shop.store.ingest_for(event("test", None), tested.clone()).await.unwrap().unwrap();
    assert_eq!(only.endpoint, shop.standing(&tested).await.key);
    let notice = r#"{"id":"told","livemode":false,"type":"webhook_endpoint.failing","source":"webhook-bridge","data":{},"created_at":"2026-01-01T00:00:00Z"}"#;
    shop.store.ingest(AnyEvent::from_json(notice.to_owned()).unwrap()).await.unwrap();
    let live = event("live", None).to_json().unwrap();
    let live = String::from_utf8_lossy(&live).replace("false", "true");
    shop.store.ingest(AnyEvent::from_json(live).unwrap()).await.unwrap();
    let late = shop.create(Mode::Test, "*").await;
    let replay = Replay {
        endpoint: late.clone(),
        types: None,
        since: Timestamp::from_millis(0),
        until: Timestamp::from_millis(i64::MAX),
        after: None,
        most: 9,
        pace: Pace::default(),
    };
    assert_eq!(shop.store.replay(Mode::Test, replay).await.unwrap().unwrap().deliveries, 1);
    let to = shop.standing(&late).await.key;
    assert_eq!(shop.ids(to).await, ["told"], "no test of another, and nothing live");
}

pub(crate) async fn what_is_replayed_is_of_use_and_keeps_its_order(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let (past, soon) = (Timestamp::from_millis(Timestamp::now().as_millis() - 1), shop.now);
    shop.publish(&["over"], Some(past), None).await;
    shop.publish(&["first", "second"], Some(soon), None).await;
    let url = EndpointUrl::parse("https://example.com/").unwrap();
    let events = EnabledEvents::parse(vec!["a.b".into()]).unwrap();
    let new = NewEndpoint::new(Mode::Test, url, events, ("standard", Sealed(vec![1])));
    let new = NewEndpoint { source: Some("shop".into()), order: Order::PerKey, ..new };
    let other = NewEndpoint { source: Some("other".into()), ..new.clone() };
    for (new, made) in [(new, 2), (other, 0)] {
        let id = shop.store.create_endpoint(new, shop.now).await.unwrap().id;
        let to = shop.standing(&id).await.key;
        let (since, until) = (Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX));
        let replay =
            Replay { endpoint: id, types: None, since, until, after: None, most: 9, pace: Pace::default() };
        assert_eq!(shop.store.replay(Mode::Test, replay).await.unwrap().unwrap().deliveries, made);
        for event in ["first", "second"].into_iter().take(made as usize) {
            let one = shop.store.deliveries(
                Mode::Test,
                DeliveryFilter { event: Some(event.into()), limit: 9, ..DeliveryFilter::default() },
            );
            let one = one.await.unwrap().list.remove(0);
            assert_eq!(one.event_id, event);
            let pending = shop
                .store
                .claim(vec![crate::model::Wanted { endpoint: to, most: 9, in_flight: 0 }], Timestamp::now())
                .await
                .unwrap()
                .remove(0)
                .deliveries;
            assert_eq!(
                pending.iter().map(|one| (one.payload.event_id.as_str(), one.expires_at)).collect::<Vec<_>>(),
                [(event, soon)]
            );
            shop.succeed(&pending[0]).await;
        }
    }
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
        shop.store.delete_endpoint(Mode::Test, made.id, Expected::Any).await.unwrap();
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
        let found = shop.store.key(digest(byte)).await.unwrap();
        assert_eq!(found.map(|found| found.mode), mode, "{byte}");
    }
    shop.store.expire(Timestamp::now()).await.unwrap();
    let used: Vec<_> = shop.store.keys(Mode::Test).await.unwrap();
    assert_eq!(used.iter().filter(|one| one.last_used_at.is_some()).count(), 1);
    assert!(shop.store.delete_key(Mode::Test, live.id).await.unwrap().is_none());
    let delete = || shop.store.delete_key(Mode::Test, last.id.clone());
    assert_eq!(delete().await.unwrap_err().kind(), ErrorKind::Conflict, "the other one runs out");
    key(5, Mode::Test, None).await.unwrap();
    assert!(delete().await.unwrap().is_some());
    assert!(shop.store.key(digest(1)).await.unwrap().is_none());
}

pub(crate) async fn a_list_of_endpoints_begins_at_one_that_was(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let (older, gone) = (shop.create(Mode::Test, "*").await, shop.create(Mode::Test, "*").await);
    shop.store.delete_endpoint(Mode::Test, gone.clone(), Expected::Any).await.unwrap();
    let live = shop.create(Mode::Live, "*").await;
    for (id, found) in [(gone, Some(vec![older])), (live, None), (EndpointId::new("we_0"), None)] {
        let page = EndpointPage { order: Vec::new(), start: Start::After(id), limit: 9 };
        let list = shop.store.endpoints(Mode::Test, page).await.unwrap();
        assert_eq!(list.map(|found| found.list.into_iter().map(|one| one.id).collect()), found);
    }
}

/// Every page of a list.
async fn all(shop: &Shop, filter: DeliveryFilter) -> Vec<(String, EndpointKey)> {
    let (mut filter, mut listed) = (filter, Vec::new());
    loop {
        let page = shop.store.deliveries(Mode::Test, filter.clone()).await.unwrap();
        assert!(page.list.len() as u64 <= u64::from(filter.limit));
        listed.extend(page.list.into_iter().map(|one| (one.event_id, one.key.endpoint)));
        filter.before = page.next;
        if page.next.is_none() {
            return listed;
        }
    }
}

/// Four events of two keys, owed to two endpoints that gave up half of them; the other half is parked.
async fn troubled(shop: &Shop) -> (EndpointId, EndpointKey, EndpointKey) {
    let one = shop.create(Mode::Test, "*").await;
    let (first, second) = (shop.standing(&one).await.key, shop.endpoint("*").await);
    shop.create(Mode::Live, "*").await;
    for (id, key) in [("e1", "1"), ("e2", "2"), ("e3", "1"), ("e4", "1")] {
        shop.keyed(id, key).await;
    }
    for (to, given_up) in [(first, [1, 3]), (second, [2, 3])] {
        for leased in shop.claim(to, 9).await {
            let ends = given_up.contains(&leased.key.sequence);
            let next = if ends { Next::Failed(Ending::Exhausted) } else { Next::Parked };
            shop.finish(&leased, status(418), next).await;
        }
    }
    (one, first, second)
}

pub(crate) async fn whatever_narrows_a_list_the_others_narrow_it_too(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let (id, one, two) = troubled(&shop).await;
    let (ended, parked) = (DeliveryState::Failed(Ending::Exhausted), DeliveryState::Parked);
    let (in_state, of) = (
        |state, filter| DeliveryFilter { state: Some(state), ..filter },
        |filter| DeliveryFilter { endpoint: Some(id.clone()), ..filter },
    );
    let any = || DeliveryFilter { limit: 1, ..DeliveryFilter::default() };
    let key = |key: &str| DeliveryFilter { event_key: Some(key.to_owned()), ..any() };
    let event = |id: &str| DeliveryFilter { event: Some(id.to_owned()), ..any() };
    for (filter, expected) in [
        (in_state(ended, any()), vec![("e3", two), ("e3", one), ("e2", two), ("e1", one)]),
        (in_state(parked, any()), vec![("e4", two), ("e4", one), ("e2", one), ("e1", two)]),
        (in_state(ended, of(any())), vec![("e3", one), ("e1", one)]),
        (in_state(parked, of(any())), vec![("e4", one), ("e2", one)]),
        (key("2"), vec![("e2", one), ("e2", two)]),
        (in_state(ended, of(key("1"))), vec![("e3", one), ("e1", one)]),
        (event("e1"), vec![("e1", one), ("e1", two)]),
        (of(event("e1")), vec![("e1", one)]),
        (in_state(ended, event("e1")), vec![("e1", one)]),
        (DeliveryFilter { event_key: Some("2".into()), ..event("e1") }, vec![]),
        (DeliveryFilter { source: Some("other".into()), ..event("e1") }, vec![]),
        (DeliveryFilter { endpoint: Some(EndpointId::new("we_0")), ..event("e1") }, vec![]),
    ] {
        narrowed(&shop, filter, expected).await;
    }
}

/// The list is the same by pages of any size, and a time, a type or the other mode narrows it further.
async fn narrowed(shop: &Shop, filter: DeliveryFilter, expected: Vec<(&str, EndpointKey)>) {
    let expected: Vec<_> = expected.into_iter().map(|(id, to)| (id.to_owned(), to)).collect();
    for limit in [1, 3, 250] {
        assert_eq!(all(shop, DeliveryFilter { limit, ..filter.clone() }).await, expected, "{filter:?}");
    }
    for outside in [
        DeliveryFilter { since: Some(shop.now), ..filter.clone() },
        DeliveryFilter { until: Some(Timestamp::from_millis(0)), ..filter.clone() },
        DeliveryFilter { event_type: Some("c.d".into()), ..filter.clone() },
    ] {
        assert_eq!(all(shop, outside).await, [], "{filter:?}");
    }
    assert!(shop.store.deliveries(Mode::Live, filter).await.unwrap().list.is_empty());
}

pub(crate) async fn what_is_new_is_told_and_what_was_left_out_is_counted(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    assert_eq!(shop.store.news(Mode::Test, None, 9).await.unwrap().last, 0);
    let mut commits = shop.store.hints().commits();
    commits.borrow_and_update();
    shop.publish(&["e1", "e2", "e3", "e4"], None, None).await;
    assert!(commits.has_changed().unwrap(), "whoever waits is woken");
    let ids = |news: &News| news.events.iter().map(|event| event.id.clone()).collect::<Vec<_>>();
    let all = shop.store.news(Mode::Test, Some(0), 4).await.unwrap();
    assert_eq!((ids(&all), all.missed), (vec!["e1".into(), "e2".into(), "e3".into(), "e4".into()], 0));
    let newest = shop.store.news(Mode::Test, Some(all.events[0].no), 2).await.unwrap();
    assert_eq!((ids(&newest), newest.missed, newest.more), (vec!["e3".into(), "e4".into()], 1, false));
    let none = shop.store.news(Mode::Test, Some(newest.last), 2).await.unwrap();
    assert_eq!((ids(&none), none.last), (vec![], newest.last));
    assert_eq!(shop.store.news(Mode::Test, None, 2).await.unwrap().last, newest.last);
    let other = shop.store.news(Mode::Live, Some(0), 9).await.unwrap();
    assert_eq!((ids(&other), other.last), (vec![], 0));
}

pub(crate) async fn how_an_endpoint_did_is_told_and_what_it_was_sent(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    let id = shop.create(Mode::Test, "*").await;
    let (to, since) = (shop.standing(&id).await.key, shop.now);
    shop.publish(&["e1", "e2"], None, None).await;
    let one = shop.claim(to, 1).await.remove(0);
    shop.fail(&one, status(500)).await;
    shop.wait(Duration::from_secs(60));
    for leased in shop.claim(to, 9).await {
        shop.succeed(&leased).await;
    }
    let bucket = Duration::from_secs(60);
    let period = |most| Period { endpoint: id.clone(), since, bucket, buckets: 2, most };
    let counts = |mode, most| {
        let found = shop.store.statistics(mode, period(most));
        async move {
            let found = found.await.unwrap();
            let counts: Vec<_> = found.buckets.iter().map(|one| (one.succeeded, one.failed)).collect();
            (counts, found.complete_since)
        }
    };
    assert_eq!(counts(Mode::Test, 9).await, (vec![(0, 1), (2, 0)], since));
    assert_eq!(counts(Mode::Live, 9).await.0, [(0, 0), (0, 0)]);
    // The newest deliveries' come first, and where it ended is said.
    assert_eq!(counts(Mode::Test, 1).await, (vec![(0, 0), (1, 0)], shop.now));
    let sent = shop.store.sent(Mode::Test, one.key, (1, since)).await.unwrap().unwrap();
    assert_eq!((&*sent.leased.payload.event_id, sent.leased.attempt), ("e1", 1));
    assert_eq!((&sent.leased.payload.body, sent.leased.target.secrets.len()), (&one.payload.body, 1));
    assert!(shop.store.sent(Mode::Live, one.key, (1, since)).await.unwrap().is_none());
}
