//! The short way: what is stored while there is room is handed over leased, as safe as if it had been claimed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventbus::transport::Order;

use super::{Harness, Shop};
use crate::model::{
    DeliveryKey, DeliveryState, EndpointKey, EndpointStatus, Finished, Leased, Mode, Next, Outcome, Trouble,
};
use crate::store::{Front, Ticket};

/// Has room for so many requests, and keeps what it is handed.
#[derive(Debug)]
pub(in crate::store) struct Desk {
    room: Arc<Mutex<u32>>,
    handed: Arc<Mutex<Vec<Leased>>>,
}

struct Slot {
    room: Arc<Mutex<u32>>,
    handed: Arc<Mutex<Vec<Leased>>>,
}

impl Front for Desk {
    fn admit(&self, _: EndpointKey, most: u32) -> Option<Box<dyn Ticket>> {
        assert_eq!(most, crate::model::NewEndpoint::IN_FLIGHT);
        let mut room = self.room.lock().unwrap();
        *room = room.checked_sub(1)?;
        Some(Box::new(Slot { room: Arc::clone(&self.room), handed: Arc::clone(&self.handed) }))
    }

    /// Lets the next one follow where there is no room for more.
    fn relay(&self, _: DeliveryKey, most: u32) -> bool {
        assert_eq!(most, crate::model::NewEndpoint::IN_FLIGHT);
        *self.room.lock().unwrap() == 0
    }
}

impl Ticket for Slot {
    fn send(self: Box<Self>, delivery: Leased) {
        self.handed.lock().unwrap().push(delivery);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *self.room.lock().unwrap() += 1;
    }
}

impl Desk {
    pub(in crate::store) fn attach(shop: &Shop, room: u32) -> Arc<Self> {
        let desk = Arc::new(Self { room: Arc::new(Mutex::new(room)), handed: Arc::default() });
        let front: Arc<dyn Front> = Arc::clone(&desk) as _;
        shop.store.attach(Arc::downgrade(&front));
        desk
    }

    pub(super) fn handed(&self) -> Vec<Leased> {
        std::mem::take(&mut self.handed.lock().unwrap())
    }
}

pub(crate) async fn what_is_stored_while_there_is_room_is_leased_at_once(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    shop.ingest("e1").await;
    let desk = Desk::attach(&shop, 9);
    shop.ingest("e2").await;
    let one = desk.handed().remove(0);
    assert_eq!((one.key.sequence, one.attempt, one.payload.event_id.as_str()), (2, 1, "e2"));
    assert_eq!(shop.state(one.key).await, Some(DeliveryState::Leased));
    assert_eq!(shop.ids(to).await, ["e1"], "what was stored without room is claimed, and nothing else");
    assert_eq!(shop.succeed(&one).await, Finished::Stored);
    assert_eq!(shop.succeed(&one).await, Finished::Lost);
    drop(desk);
    shop.ingest("e3").await;
    assert_eq!(shop.ids(to).await, ["e3"], "who is gone is not asked");
}

pub(crate) async fn what_is_due_next_follows_in_the_room_of_what_was_delivered(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    let well = || (super::status(200), Next::Succeeded);
    shop.ingest("e1").await;
    let first = shop.claim(to, 1).await.remove(0);
    for id in ["e2", "e3", "e4"] {
        shop.ingest(id).await;
    }
    let desk = Desk::attach(&shop, 0);
    let (finished, second) = shop.follow(&first, well()).await;
    let second = second.unwrap();
    assert_eq!((finished, second.attempt, second.payload.event_id.as_str()), (Finished::Stored, 1, "e2"));
    assert_eq!(shop.state(second.key).await, Some(DeliveryState::Leased));
    let (finished, none) = shop.follow(&first, well()).await;
    assert_eq!((finished, none.is_none()), (Finished::Lost, true), "whose lease is gone gives no room");
    let third = shop.follow(&second, well()).await.1.unwrap();
    assert_eq!(third.payload.event_id, "e3");
    drop(desk);
    assert!(shop.follow(&third, well()).await.1.is_none(), "nobody is there to send it");

    let desk = Desk::attach(&shop, 0);
    let fourth = shop.claim(to, 1).await.remove(0);
    assert_eq!(fourth.payload.event_id, "e4");
    assert!(shop.follow(&fourth, well()).await.1.is_none(), "nothing is due any more");
    shop.ingest("e5").await;
    shop.ingest("e6").await;
    let fifth = shop.claim(to, 1).await.remove(0);
    let refused = (Outcome::Failed(Trouble::Timeout), Next::Retry(shop.now.plus(Duration::from_secs(9))));
    assert!(shop.follow(&fifth, refused).await.1.is_none(), "for one that fails it is claimed");
    drop(desk);
}

pub(crate) async fn what_follows_is_what_is_due_then_and_goes_out_once(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    let well = || (super::status(200), Next::Succeeded);
    for number in 1..=9 {
        shop.ingest(&format!("e{number}")).await;
    }
    let first = shop.claim(to, 1).await.remove(0);
    let desk = Desk::attach(&shop, 0);
    let second = shop.follow(&first, well()).await.1.unwrap();
    assert_eq!(second.key.sequence, 2);
    // Two of what comes next are claimed meanwhile, of which one is delivered and sent again.
    let claimed = shop.claim(to, 2).await;
    assert_eq!(claimed.iter().map(|one| one.key.sequence).collect::<Vec<_>>(), [3, 4]);
    let fifth = shop.follow(&claimed[0], well()).await.1.unwrap();
    assert_eq!(fifth.key.sequence, 5);
    shop.store.resend(Mode::Test, claimed[0].key).await.unwrap();
    let (mut seen, mut last) = (Vec::new(), second);
    while let Some(next) = shop.follow(&last, well()).await.1 {
        seen.push((next.key.sequence, next.attempt));
        last = next;
    }
    seen.sort_unstable();
    assert_eq!(seen, [(3, 2), (6, 1), (7, 1), (8, 1), (9, 1)]);
    assert_eq!(shop.succeed(&claimed[1]).await, Finished::Stored);
    drop(desk);
}

pub(crate) async fn where_there_is_no_room_it_is_claimed_in_its_turn(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    let desk = Desk::attach(&shop, 0);
    shop.store.hints().take();
    shop.ingest("e1").await;
    assert!(shop.store.hints().take().contains_key(&to));
    assert!(desk.handed().is_empty());
    assert_eq!(shop.ids(to).await, ["e1"]);
}

pub(crate) async fn what_was_handed_to_a_killed_bridge_is_due_again(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    let desk = Desk::attach(&shop, 9);
    shop.ingest("e1").await;
    let lost = desk.handed().remove(0);
    let shop = shop.reopen(harness).await;
    let again = shop.claim(to, 9).await.remove(0);
    assert_eq!((again.key, again.attempt), (lost.key, 2));
    assert_eq!(shop.succeed(&lost).await, Finished::Lost);
}

pub(crate) async fn who_is_not_well_or_must_wait_is_handed_nothing(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let (ill, paused) = (shop.endpoint("a.b").await, shop.create(Mode::Test, "a.b").await);
    let keyed = shop.endpoint("a.b").await;
    shop.store.order(keyed, Order::PerKey).await.unwrap();
    shop.ingest("e1").await;
    let first = shop.claim(ill, 1).await.remove(0);
    shop.fail(&first, Outcome::Failed(Trouble::Timeout)).await;
    let change = crate::model::EndpointChange { status: Some(EndpointStatus::Paused), ..Default::default() };
    shop.store.change_endpoint(Mode::Test, paused, change).await.unwrap();
    let desk = Desk::attach(&shop, 9);
    shop.keyed("e2", "1").await;
    shop.keyed("e3", "1").await;
    let handed = desk.handed();
    assert_eq!(handed.len(), 1, "the first of the key: {handed:?}");
    assert_eq!((handed[0].key.endpoint, handed[0].payload.event_id.as_str()), (keyed, "e2"));
}

pub(crate) async fn numbers_have_no_gaps_whichever_way_they_go(harness: &dyn Harness) {
    let shop = Shop::open(harness).await;
    let to = shop.endpoint("*").await;
    let desk = Desk::attach(&shop, 5);
    for id in 0..9 {
        shop.ingest(&format!("e{id}")).await;
        shop.ingest(&format!("e{id}")).await;
    }
    let mut numbers: Vec<_> = desk.handed().iter().map(|one| one.key.sequence).collect();
    numbers.extend(shop.claim(to, 99).await.iter().map(|one| one.key.sequence));
    numbers.sort_unstable();
    let shop = shop.reopen(harness).await;
    shop.ingest("e9").await;
    numbers.extend(shop.claim(to, 99).await.iter().map(|one| one.key.sequence).max());
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
}
