//! Fairness: what one endpoint is owed costs the others nothing.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::model::{DeliveryKey, EndpointId, EndpointUrl, Lease, Leased, Payload, Schedule, Target};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const LATER: Timestamp = Timestamp::from_millis(1_000_500);

fn claimed(wanted: Wanted, next_due: Option<Timestamp>) -> Claimed {
    let target = Arc::new(Target {
        endpoint: EndpointId::new("we_1"),
        url: EndpointUrl::parse("https://example.com/").unwrap(),
        format: "standard".into(),
        secrets: vec![],
        schedule: Schedule::default(),
        timeout: Duration::from_secs(1),
        prepared: std::sync::OnceLock::new(),
    });
    let one = |sequence| Leased {
        key: DeliveryKey { endpoint: wanted.endpoint, sequence },
        lease: Lease(1),
        attempt: 1,
        faults: 0,
        earlier: 0,
        expires_at: NOW.plus(Schedule::AGE),
        received_at: NOW,
        trace: None,
        payload: Arc::new(Payload { event_id: "e".into(), event_type: "a.b".into(), body: "{}".into() }),
        target: Arc::clone(&target),
    };
    let deliveries = (0..u64::from(wanted.most)).map(one).collect();
    Claimed {
        endpoint: wanted.endpoint,
        deliveries,
        next_due,
        max_in_flight: NewEndpoint::IN_FLIGHT,
        expired: 0,
    }
}

const SLOTS: Slots = Slots { quick: 100, slow: 100, stuck: 100, all: 400 };
/// From when on a request is no longer quick, and from when on it is stuck.
const SLOW: Duration = Duration::from_millis(500);
const STUCK: Duration = Duration::from_secs(5);

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

    /// How many requests of each pace are under way.
    fn used(&self) -> [u32; 3] {
        Pace::ALL.map(|pace| count(&self.agenda.under_way[pace as usize]))
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
    assert_eq!(desk.agenda.next(NOW), Some(NOW.plus(SLOW)));
    desk.finish(1, NOW);
    assert_eq!(desk.claim(NOW, Some(NOW)), [(3, 1)]);
    desk.finish(1, NOW);
    assert_eq!(desk.claim(NOW, Some(NOW)), [(1, 1)]);
}

#[test]
fn a_slot_goes_on_to_its_endpoint_until_others_have_waited_for_long() {
    let mut desk = Desk::new(Slots { quick: 1, ..SLOTS });
    desk.due(1, NOW);
    desk.claim(NOW, Some(NOW));
    let mut key = desk.under_way[0].1;
    let most = NewEndpoint::IN_FLIGHT;
    for _ in 0..2 * RELAYS {
        assert!(desk.agenda.may_relay(key, most), "nobody waits");
        key = desk.agenda.relay(key, NOW);
    }
    assert!(!desk.agenda.may_relay(key, 0), "it takes fewer now");
    desk.due(2, NOW);
    assert!(!desk.agenda.may_relay(key, most), "it had its share");
    desk.agenda.finished(key, NOW);
    assert_eq!(desk.claim(NOW, None), [(1, 1)], "who came first");
    let mut key = desk.under_way[1].1;
    for _ in 0..RELAYS {
        assert!(desk.agenda.may_relay(key, most));
        key = desk.agenda.relay(key, NOW);
    }
    assert!(!desk.agenda.may_relay(key, most));
    desk.agenda.finished(key, NOW);
    assert_eq!(desk.claim(NOW, None), [(2, 1)]);
    let key = desk.under_way[2].1;
    assert!(desk.agenda.may_relay(key, most));
    desk.agenda.close();
    assert!(!desk.agenda.may_relay(key, most), "none begins after the end");
    desk.agenda.finished(key, NOW);
    assert!(desk.agenda.is_over());
}

#[test]
fn a_slow_endpoint_keeps_no_slot() {
    let mut desk = Desk::new(SLOTS);
    desk.due(1, NOW);
    desk.claim(NOW, None);
    let key = desk.under_way[0].1;
    let key = desk.agenda.relay(key, NOW.plus(SLOW));
    assert!(!desk.agenda.may_relay(key, NewEndpoint::IN_FLIGHT));
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
    assert_eq!(desk.used(), [0, 0, 0]);
}

#[test]
fn endpoints_that_hang_give_the_quick_slots_back_though_no_request_ends() {
    let mut desk = Desk::new(SLOTS);
    (1..=64).for_each(|no| desk.due(no, NOW));
    assert_eq!(desk.claim(NOW, Some(NOW)).len(), 64);
    assert_eq!(desk.claim(NOW, Some(NOW)).len(), 36, "all that is left for the quick ones");
    desk.due(65, NOW);
    assert_eq!(desk.claim(NOW, Some(NOW)), [], "no room yet");
    let later = NOW.plus(SLOW);
    assert_eq!(desk.agenda.next(NOW), Some(later), "and no longer than that");
    assert_eq!(desk.claim(later, Some(NOW)), [(65, 8)]);
}

/// Endpoints 1 to `count`, each with its first requests ended after so long.
fn known(desk: &mut Desk, count: i64, took: Duration) -> Timestamp {
    (1..=count).for_each(|no| desk.due(no, NOW));
    while !desk.claim(NOW, Some(NOW)).is_empty() {}
    let now = NOW.plus(took);
    while let Some(&(endpoint, _)) = desk.under_way.first() {
        desk.finish(endpoint.0, now);
    }
    now
}

#[test]
fn those_known_to_be_slow_share_their_own_slots_however_many_they_are() {
    let mut desk = Desk::new(SLOTS);
    let now = known(&mut desk, 100, SLOW);
    while !desk.claim(now, Some(NOW)).is_empty() {}
    assert_eq!(desk.used(), [0, SLOTS.slow, 0]);
    desk.due(101, NOW);
    assert_eq!(desk.claim(now, None), [(101, 8)], "at once");
}

#[test]
fn those_that_hang_give_the_slots_of_slow_ones_back_too() {
    let mut desk = Desk::new(SLOTS);
    let now = known(&mut desk, 100, SLOW);
    while !desk.claim(now, Some(NOW)).is_empty() {}
    let later = now.plus(STUCK);
    assert_eq!(desk.agenda.next(now), Some(later));
    desk.claim(later, Some(NOW));
    assert_eq!(desk.used(), [0, 0, SLOTS.slow], "each of them hangs");
    assert_eq!(Pace::of(STUCK), Pace::Stuck);
    assert_eq!(desk.agenda.next(later), None, "until a request ends");
}

#[test]
fn an_endpoint_that_answers_soon_again_is_quick_again() {
    let mut desk = Desk::new(Slots { slow: 1, ..SLOTS });
    desk.due(1, NOW);
    desk.claim(NOW, Some(NOW));
    let later = NOW.plus(SLOW);
    (0..8).for_each(|_| desk.finish(1, later));
    assert_eq!(desk.claim(later, Some(NOW)), [(1, 1)]);
    desk.finish(1, later);
    assert_eq!(desk.claim(later, Some(NOW)), [(1, 8)]);
}

#[test]
fn there_is_a_last_limit_to_all_of_them() {
    let mut desk = Desk::new(Slots { quick: 8, slow: 8, stuck: 8, all: 20 });
    let mut now = NOW;
    for no in 1..=9 {
        desk.agenda.due(EndpointKey(no), now, now);
        desk.claim(now, None);
        now = now.plus(SLOW);
    }
    assert_eq!(desk.used().iter().sum::<u32>(), 20);
}

#[test]
fn what_is_stored_goes_the_short_way_only_where_there_is_room_and_nobody_waits() {
    let mut desk = Desk::new(Slots { quick: 3, ..SLOTS });
    let admit = |agenda: &mut Agenda, no| agenda.admit(EndpointKey(no), 2, NOW);
    let key = admit(&mut desk.agenda, 1).unwrap();
    admit(&mut desk.agenda, 1).unwrap();
    assert_eq!(admit(&mut desk.agenda, 1), None, "it takes two at once");
    admit(&mut desk.agenda, 2).unwrap();
    assert_eq!(admit(&mut desk.agenda, 3), None, "there are three slots");
    desk.due(3, NOW);
    desk.agenda.finished(key, NOW);
    assert_eq!(admit(&mut desk.agenda, 1), None, "another one waits for that slot");
    assert_eq!(desk.claim(NOW, None), [(3, 1)]);
    desk.finish(3, NOW);
    desk.due(4, LATER);
    assert!(admit(&mut desk.agenda, 4).is_some(), "what is due later holds nothing up");
    desk.agenda.close();
    assert!(!desk.agenda.is_over() && admit(&mut desk.agenda, 5).is_none());
}

/// A store that only counts what it owes, beside an agenda.
struct World {
    agenda: Agenda,
    owed: HashMap<EndpointKey, usize>,
    under_way: Vec<(EndpointKey, RequestKey)>,
    now: Timestamp,
}

const FEW: Slots = Slots { quick: 5, slow: 4, stuck: 3, all: 17 };
const ENDPOINTS: i64 = 7;

impl World {
    /// What is stored and due, and may go the short way.
    fn store(&mut self, endpoint: EndpointKey) {
        let under_way = self.under_way.iter().filter(|(of, _)| *of == endpoint).count();
        let owed = self.owed.entry(endpoint).or_default();
        match self.agenda.admit(endpoint, NewEndpoint::IN_FLIGHT, self.now) {
            Some(key) => {
                assert!(under_way < NewEndpoint::IN_FLIGHT as usize, "{endpoint:?} is saturated");
                assert_eq!(*owed, 0, "{endpoint:?}: what is due already comes first");
                self.under_way.push((endpoint, key));
            }
            None => {
                *owed += 1;
                self.agenda.due(endpoint, self.now, self.now);
            }
        }
    }

    fn claim(&mut self) {
        let wanted = self.agenda.wanted(self.now);
        for one in wanted {
            assert!(self.agenda.admit(one.endpoint, 9, self.now).is_none(), "it is asked about");
            let under_way = self.under_way.iter().filter(|(of, _)| *of == one.endpoint).count();
            assert_eq!(one.in_flight as usize, under_way);
            assert!(one.most > 0 && one.in_flight + one.most <= NewEndpoint::IN_FLIGHT, "{one:?}");
            let owed = self.owed.entry(one.endpoint).or_default();
            let given = (*owed).min(one.most as usize);
            *owed -= given;
            let mut answer = claimed(one, (*owed > 0).then_some(self.now));
            answer.deliveries.truncate(given);
            let keys = self.agenda.claimed(&answer, self.now);
            self.under_way.extend(keys.into_iter().map(|key| (one.endpoint, key)));
        }
        assert!(self.under_way.len() <= FEW.all as usize);
    }

    fn act(&mut self, dice: &mut SmallRng) {
        match dice.random_range(0..8) {
            6 | 7 => self.store(EndpointKey(dice.random_range(0..ENDPOINTS))),
            0 | 1 => {
                let endpoint = EndpointKey(dice.random_range(0..ENDPOINTS));
                *self.owed.entry(endpoint).or_default() += dice.random_range(1..13);
                self.agenda.due(endpoint, self.now, self.now);
            }
            2 | 3 => self.claim(),
            4 if !self.under_way.is_empty() => {
                let at = dice.random_range(0..self.under_way.len());
                self.agenda.finished(self.under_way.swap_remove(at).1, self.now);
            }
            _ => {
                let passed = [1, 100, 500, 5000][dice.random_range(0..4)];
                self.now = self.now.plus(Duration::from_millis(passed));
            }
        }
    }
}

#[test]
fn whatever_happens_no_limit_is_broken_and_nobody_is_forgotten() {
    for seed in 1..=50 {
        let mut dice = SmallRng::seed_from_u64(seed);
        let (agenda, owed, under_way) = (Agenda::new(FEW), HashMap::new(), Vec::new());
        let mut world = World { agenda, owed, under_way, now: NOW };
        (0..400).for_each(|_| world.act(&mut dice));
        // From here on all requests end: then all that is owed must be asked for, with no further hint.
        for _ in 0..10_000 {
            world.claim();
            let Some((_, key)) = world.under_way.pop() else { break };
            world.agenda.finished(key, world.now);
        }
        assert!(world.owed.values().all(|owed| *owed == 0), "seed {seed}: {:?}", world.owed);
        assert!(world.agenda.lanes.is_empty() && world.agenda.requests.is_empty(), "seed {seed}");
    }
}
