//! The queue: stored once, leased to one, finished once, lost never.

use std::time::Duration;

use eventbus::Timestamp;

use super::{Harness, Shop, status};
use crate::model::{
    DeliveryKey, DeliveryState, Due, Ending, EndpointChange, EndpointStatus, Finished, Inbound, Ingested,
    Lease, Leased, Mode, Next, Outcome, Reclaimed, Released, Schedule, Trouble, Wanted,
};

pub(crate) async fn an_event_is_stored_once_and_owed_to_whoever_wants_it_in_its_mode(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let (one, all) = (shop.endpoint("a.b").await, shop.endpoint("*").await);
    let other = shop.endpoint("b.*").await;
    shop.create(Mode::Live, "*").await;
    assert_eq!(shop.ingest("e1").await, Ingested { deliveries: 2, duplicate: false });
    assert_eq!(shop.ingest("e1").await, Ingested { deliveries: 0, duplicate: true });
    for (of, count) in [(one, 1), (all, 1), (other, 0)] {
        assert_eq!(shop.claim(of, 9).await.len(), count);
    }
}

pub(crate) async fn deliveries_are_numbered_without_gaps_and_claimed_in_order(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    let ids: Vec<_> = (0..300).map(|n| format!("e{n}")).collect();
    futures::future::join_all(ids.iter().map(|id| shop.ingest(id))).await;
    let (mut numbers, mut sent) = (Vec::new(), Vec::new());
    while sent.len() < 300 {
        for one in shop.claim(to, 8).await {
            shop.succeed(&one).await;
            numbers.push(one.key.sequence);
            sent.push(one.payload.event_id.clone());
        }
    }
    assert_eq!(numbers, (1..=300).collect::<Vec<_>>());
    assert_eq!(sent, ids);
}

pub(crate) async fn only_the_holder_of_the_lease_finishes_and_only_once(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    shop.ingest("e1").await;
    let one = shop.claim(to, 1).await.remove(0);
    assert!(shop.claim(to, 1).await.is_empty(), "leased to one at a time");
    let other = Leased { lease: Lease(one.lease.0.wrapping_add(1)), ..one.clone() };
    assert_eq!(shop.succeed(&other).await, Finished::Lost);
    assert_eq!(shop.state(one.key).await, Some(DeliveryState::Leased));
    assert_eq!(shop.succeed(&one).await, Finished::Stored);
    assert_eq!(shop.succeed(&one).await, Finished::Lost);
    assert_eq!(shop.state(one.key).await, Some(DeliveryState::Succeeded));
    assert!(shop.store.agenda().await.unwrap().is_empty());
}

pub(crate) async fn a_retry_is_due_at_its_time_and_what_is_given_up_never_again(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    shop.ingest("e1").await;
    shop.ingest("e2").await;
    let claimed = shop.claim(to, 2).await;
    let later = shop.now.plus(Duration::from_secs(60));
    shop.finish(&claimed[0], status(500), Next::Retry(later)).await;
    shop.finish(&claimed[1], status(500), Next::Failed(Ending::Exhausted)).await;
    assert_eq!(shop.store.agenda().await.unwrap(), [(to, later)]);
    let asked = shop.ask(Wanted { endpoint: to, most: 2, in_flight: 0 }).await;
    assert_eq!((asked.deliveries.len(), asked.next_due), (0, Some(later)));
    shop.wait(Duration::from_secs(60));
    let again = shop.claim(to, 2).await;
    assert_eq!(again.iter().map(|one| one.attempt).collect::<Vec<_>>(), [2]);
    assert_eq!(shop.state(claimed[1].key).await, Some(DeliveryState::Failed(Ending::Exhausted)));
}

pub(crate) async fn what_a_killed_bridge_had_under_way_is_due_again(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    shop.ingest("e1").await;
    let lost = shop.claim(to, 1).await.remove(0);

    let shop = shop.reopen(harness).await;
    assert_eq!(shop.store.agenda().await.unwrap(), [(to, shop.now)]);
    let again = shop.claim(to, 1).await.remove(0);
    assert_eq!((again.key, again.attempt, again.faults), (lost.key, 2, 0));
    assert_eq!(again.earlier, 1, "what was interrupted uses up nothing of the schedule");
    assert_eq!(shop.succeed(&lost).await, Finished::Lost);
}

/// Claims it and kills the bridge; tells how long it waits then, if it is due again.
async fn interrupt(mut shop: Shop, harness: &dyn Harness) -> (Shop, Option<Duration>) {
    let to = shop.store.agenda().await.unwrap()[0].0;
    assert_eq!(shop.claim(to, 1).await.len(), 1, "it is due");
    shop = shop.reopen(harness).await;
    let due = shop.store.agenda().await.unwrap().first().map(|(_, at)| *at);
    let wait = due.map(|at| at.since(shop.now));
    if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
        assert!(shop.claim(to, 1).await.is_empty(), "not before its time");
        shop.wait(wait);
    }
    (shop, wait)
}

pub(crate) async fn what_is_interrupted_again_and_again_waits_and_is_parked(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    shop.ingest("e1").await;
    let mut wait;
    for least in [0, 5, 30] {
        (shop, wait) = interrupt(shop, harness).await;
        let seconds = wait.unwrap().as_secs_f64();
        assert!((f64::from(least)..=f64::from(2 * least)).contains(&seconds), "{seconds} for {least}");
    }
    let one = shop.claim(to, 1).await.remove(0);
    assert_eq!((one.attempt, one.earlier), (4, 3));
    shop.fail(&one, status(500)).await;
    for _ in 0..10 {
        (shop, wait) = interrupt(shop, harness).await;
        assert!(wait.is_some());
    }
    (shop, wait) = interrupt(shop, harness).await;
    assert_eq!((wait, shop.state(one.key).await), (None, Some(DeliveryState::Parked)), "ten, and one more");
    assert_eq!(shop.store.release(Mode::Test, one.key).await.unwrap(), Released::Due);
    assert_eq!(interrupt(shop, harness).await.1, Some(Duration::ZERO), "forgiven, as after an answer");
}

pub(crate) async fn a_lease_that_ran_out_is_taken_back_and_no_other(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    shop.ingest("e1").await;
    let one = shop.claim(to, 1).await.remove(0);
    let after = |seconds, under_way: &[DeliveryKey]| {
        let under_way = under_way.iter().copied().collect();
        shop.store.reclaim(shop.now.plus(Duration::from_secs(seconds)), under_way)
    };
    assert_eq!(after(29, &[]).await.unwrap(), Reclaimed::default());
    let jumped = after(1_000_000, &[one.key]).await.unwrap();
    assert_eq!(jumped, Reclaimed::default(), "a clock that jumped loses nobody's lease");
    assert_eq!(after(30, &[]).await.unwrap(), Reclaimed { due: 1, parked: 0 });
}

pub(crate) async fn what_became_too_old_ends_unsent(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    shop.ingest("e1").await;
    shop.wait(Schedule::AGE);
    assert!(shop.claim(to, 9).await.is_empty());
    let delivery = DeliveryKey { endpoint: to, sequence: 1 };
    assert_eq!(shop.state(delivery).await, Some(DeliveryState::Failed(Ending::Expired)));
    assert!(shop.store.agenda().await.unwrap().is_empty());
}

pub(crate) async fn what_the_bridge_cannot_send_is_parked(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let id = shop.create(Mode::Test, "*").await;
    let to = shop.standing(&id).await;
    shop.ingest("e1").await;
    let fault = Outcome::Failed(Trouble::Internal);
    for faults in 0..2 {
        let one = shop.claim(to.key, 1).await.remove(0);
        assert_eq!((one.attempt, one.faults), (faults + 1, faults));
        shop.fail(&one, fault.clone()).await;
    }
    let one = shop.claim(to.key, 1).await.remove(0);
    shop.finish(&one, fault, Next::Parked).await;
    assert_eq!(shop.state(one.key).await, Some(DeliveryState::Parked));
    assert!(shop.store.agenda().await.unwrap().is_empty());
    assert_eq!(shop.standing(&id).await, to, "the endpoint is not to blame");
}

pub(crate) async fn what_should_have_been_sent_is_known_and_nothing_else(harness: &dyn Harness) {
    let mut shop = Shop::open(harness).await;
    let (to, held) = (shop.endpoint("*").await, shop.endpoint("*").await);
    let paused = shop.create(Mode::Test, "*").await;
    shop.ingest("e1").await;
    shop.ingest("e2").await;
    let pause = EndpointChange { status: Some(EndpointStatus::Paused), ..EndpointChange::default() };
    shop.store.change_endpoint(Mode::Test, paused, pause).await.unwrap();
    let asks = Outcome::Answered { status: 503, retry_after: Some(Duration::from_secs(60)), wish: None };
    shop.fail(&shop.claim(held, 1).await[0], asks).await;

    let due = |sequence, behind| (DeliveryKey { endpoint: to, sequence }, behind);
    assert_eq!(longest(&shop).await, [due(1, false)]);
    let one = shop.claim(to, 1).await.remove(0);
    assert_eq!(longest(&shop).await, [due(2, true)], "it may wait for the first");
    shop.finish(&one, status(500), Next::Retry(shop.now.plus(Duration::from_secs(9)))).await;
    assert_eq!(longest(&shop).await, [due(2, false)]);
    let two = shop.claim(to, 1).await.remove(0);
    shop.succeed(&two).await;
    assert_eq!(longest(&shop).await, [], "the first is due later");
    shop.wait(Duration::from_secs(60));
    assert_eq!(longest(&shop).await.len(), 2, "nobody is left alone any more");
    shop.store.probe().await.unwrap();
}

async fn longest(shop: &Shop) -> Vec<(DeliveryKey, bool)> {
    let due: Vec<Due> = shop.store.due(shop.now).await.unwrap();
    assert!(due.iter().all(|due| due.since <= shop.now));
    due.into_iter().map(|due| (due.delivery, due.behind)).collect()
}

pub(crate) async fn webhooks_that_came_in_are_known_by_source_mode_and_id_and_listed_whole(
    harness: &dyn Harness,
) {
    let shop = Shop::open(harness).await;
    let expires_at = Timestamp::now().plus(Duration::from_secs(60));
    let one = |source: &str, mode, number: usize| {
        Inbound::new((source, mode, &format!("evt_{number}")), expires_at)
    };
    let came: Vec<_> = (0..100)
        .flat_map(|number| {
            [one("a", Mode::Live, number), one("a", Mode::Test, number), one("b", Mode::Live, number)]
        })
        .collect();
    shop.store.remember(came.clone()).await.unwrap();
    assert!(shop.store.came(one("b", Mode::Live, 7).digest).await.unwrap());
    assert!(!shop.store.came(one("b", Mode::Test, 7).digest).await.unwrap());
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = shop.store.remembered(after, 70).await.unwrap();
        after = page.last().copied();
        listed.extend(page);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed.len(), came.len());
    let listed: std::collections::HashSet<_> = listed.into_iter().collect();
    assert_eq!(listed, came.iter().map(|inbound| inbound.digest).collect());
}
