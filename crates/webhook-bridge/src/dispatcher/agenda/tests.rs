//! Fairness: what one endpoint is owed costs the others nothing.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::{DeliveryKey, EndpointUrl, Lease, Leased, Payload, Schedule, Target};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const LATER: Timestamp = Timestamp::from_millis(1_000_500);

fn claimed(wanted: Wanted, next_due: Option<Timestamp>) -> Claimed {
    let target = Arc::new(Target {
        url: EndpointUrl::parse("https://example.com/").unwrap(),
        format: "standard".into(),
        secrets: vec![],
        schedule: Schedule::default(),
        timeout: Duration::from_secs(1),
    });
    let one = |sequence| Leased {
        key: DeliveryKey { endpoint: wanted.endpoint, sequence },
        lease: Lease(1),
        attempt: 1,
        faults: 0,
        created_at: NOW,
        payload: Payload { event_id: "e".into(), event_type: "a.b".into(), body: "{}".into() },
        target: Arc::clone(&target),
    };
    let deliveries = (0..u64::from(wanted.most)).map(one).collect();
    Claimed { endpoint: wanted.endpoint, deliveries, next_due, max_in_flight: NewEndpoint::IN_FLIGHT }
}

const SLOTS: Slots = Slots { quick: 100, slow: 100, all: 300 };

/// An agenda, and the requests that are under way.
struct Desk {
    agenda: Agenda,
    under_way: Vec<(EndpointKey, RequestKey)>,
}

impl Desk {
    fn new(slots: Slots) -> Self {
        Self { agenda: Agenda::new(slots), under_way: Vec::new() }
    }

    fn due(&mut self, endpoint: i64, at: Timestamp) {
        self.agenda.due(EndpointKey(endpoint), at, NOW);
    }

    /// Whom the store was asked about; it gave all that was wanted, and each has something due next.
    fn claim(&mut self, now: Timestamp, next_due: Option<Timestamp>) -> Vec<(i64, u32)> {
        let wanted = self.agenda.wanted(now);
        for &one in &wanted {
            let keys = self.agenda.claimed(&claimed(one, next_due), now);
            self.under_way.extend(keys.into_iter().map(|key| (one.endpoint, key)));
        }
        wanted.iter().map(|one| (one.endpoint.0, one.most)).collect()
    }

    fn finish(&mut self, endpoint: i64, now: Timestamp) {
        let at = self.under_way.iter().position(|(of, _)| of.0 == endpoint).unwrap();
        self.agenda.finished(self.under_way.remove(at).1, now);
    }
}

#[test]
fn a_saturated_endpoint_is_not_asked_about_until_a_request_ends() {
    let mut desk = Desk::new(SLOTS);
    desk.due(1, NOW);
    assert_eq!(desk.claim(NOW, Some(NOW)), [(1, 8)]);
    assert_eq!(desk.claim(NOW, Some(NOW)), []);
    assert_eq!(desk.agenda.next(NOW), None);
    desk.due(1, NOW);
    assert_eq!(desk.claim(NOW, Some(NOW)), []);
    desk.finish(1, NOW);
    assert_eq!(desk.claim(NOW, Some(NOW)), [(1, 1)]);
}

#[test]
fn a_backlog_of_one_does_not_delay_another() {
    let mut desk = Desk::new(SLOTS);
    desk.due(1, NOW);
    desk.claim(NOW, Some(NOW));
    desk.due(2, NOW);
    assert_eq!(desk.claim(NOW, None), [(2, 8)]);
}

#[test]
fn endpoints_share_what_room_there_is_and_take_turns() {
    let mut desk = Desk::new(Slots { quick: 8, ..SLOTS });
    (1..=3).for_each(|no| desk.due(no, NOW));
    assert_eq!(desk.claim(NOW, Some(NOW)), [(1, 2), (2, 2), (3, 2)]);
    assert_eq!(desk.claim(NOW, Some(NOW)), [(1, 1), (2, 1)]);
    assert_eq!(desk.agenda.next(NOW), Some(NOW.plus(PATIENCE)));
    desk.finish(1, NOW);
    assert_eq!(desk.claim(NOW, Some(NOW)), [(3, 1)]);
    desk.finish(1, NOW);
    assert_eq!(desk.claim(NOW, Some(NOW)), [(1, 1)]);
}

#[test]
fn what_is_due_later_waits_for_its_time_and_an_earlier_hint_wins() {
    let mut desk = Desk::new(SLOTS);
    desk.due(1, LATER);
    assert_eq!((desk.claim(NOW, None), desk.agenda.next(NOW)), (vec![], Some(LATER)));
    desk.due(1, NOW);
    desk.due(1, LATER);
    assert_eq!(desk.claim(NOW, None), [(1, 8)]);
}

#[test]
fn a_hint_while_the_store_is_asked_is_not_lost() {
    let mut agenda = Agenda::new(SLOTS);
    agenda.due(EndpointKey(1), NOW, NOW);
    let wanted = agenda.wanted(NOW);
    agenda.due(EndpointKey(1), NOW, NOW);
    let empty = Claimed { deliveries: vec![], ..claimed(wanted[0], None) };
    agenda.claimed(&empty, NOW);
    assert_eq!(agenda.next(NOW), Some(NOW));
}

#[test]
fn an_endpoint_that_is_owed_nothing_is_forgotten() {
    let mut desk = Desk::new(SLOTS);
    desk.due(1, NOW);
    desk.claim(NOW, None);
    (0..8).for_each(|_| desk.finish(1, NOW));
    assert!(desk.agenda.lanes.is_empty() && desk.agenda.requests.is_empty());
    assert_eq!((desk.agenda.used, desk.agenda.young.len()), ([0, 0], 0));
}

#[test]
fn endpoints_that_hang_give_the_quick_slots_back_though_no_request_ends() {
    let mut desk = Desk::new(SLOTS);
    (1..=64).for_each(|no| desk.due(no, NOW));
    assert_eq!(desk.claim(NOW, Some(NOW)).len(), 64);
    assert_eq!(desk.claim(NOW, Some(NOW)).len(), 36, "all that is left for the quick ones");
    desk.due(65, NOW);
    assert_eq!(desk.claim(NOW, Some(NOW)), [], "no room yet");
    let later = NOW.plus(PATIENCE);
    assert_eq!(desk.agenda.next(NOW), Some(later), "and no longer than that");
    assert_eq!(desk.claim(later, Some(NOW)), [(65, 8)]);
}

#[test]
fn those_known_to_be_slow_share_their_own_slots_however_many_they_are() {
    let mut desk = Desk::new(SLOTS);
    let mut now = NOW;
    for no in 1..=200 {
        desk.agenda.due(EndpointKey(no), now, now);
        desk.claim(now, Some(NOW));
        now = now.plus(PATIENCE);
        while desk.under_way.iter().any(|(of, _)| of.0 == no) {
            desk.finish(no, now);
        }
    }
    desk.claim(now, Some(NOW));
    assert_eq!(desk.agenda.used[Pace::Slow as usize], SLOTS.slow);
    assert_eq!(desk.agenda.used[Pace::Quick as usize], 0);
    desk.due(201, NOW);
    assert_eq!(desk.claim(now, None), [(201, 8)], "at once");
}

#[test]
fn an_endpoint_that_answers_soon_again_is_quick_again() {
    let mut desk = Desk::new(Slots { slow: 1, ..SLOTS });
    desk.due(1, NOW);
    desk.claim(NOW, Some(NOW));
    let later = NOW.plus(PATIENCE);
    (0..8).for_each(|_| desk.finish(1, later));
    assert_eq!(desk.claim(later, Some(NOW)), [(1, 1)]);
    desk.finish(1, later);
    assert_eq!(desk.claim(later, Some(NOW)), [(1, 8)]);
}

#[test]
fn there_is_a_last_limit_to_all_of_them() {
    let mut desk = Desk::new(Slots { quick: 8, slow: 8, all: 20 });
    let mut now = NOW;
    for no in 1..=9 {
        desk.agenda.due(EndpointKey(no), now, now);
        desk.claim(now, None);
        now = now.plus(PATIENCE);
    }
    assert_eq!(desk.agenda.used.iter().sum::<u32>(), 20);
}
