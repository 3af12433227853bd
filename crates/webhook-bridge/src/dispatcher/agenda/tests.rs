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
        created_at: NOW,
        payload: Payload { event_id: "e".into(), event_type: "a.b".into(), body: "{}".into() },
        target: Arc::clone(&target),
    };
    let deliveries = (0..u64::from(wanted.most)).map(one).collect();
    Claimed { endpoint: wanted.endpoint, deliveries, next_due, max_in_flight: NewEndpoint::IN_FLIGHT }
}

fn claim(agenda: &mut Agenda, next_due: Option<Timestamp>) -> Vec<(i64, u32)> {
    let wanted = agenda.wanted(NOW);
    wanted.iter().for_each(|&one| agenda.claimed(&claimed(one, next_due), NOW));
    wanted.iter().map(|one| (one.endpoint.0, one.most)).collect()
}

#[test]
fn a_saturated_endpoint_is_not_asked_about_until_a_request_ends() {
    let mut agenda = Agenda::new(100);
    agenda.due(EndpointKey(1), NOW, NOW);
    assert_eq!(claim(&mut agenda, Some(NOW)), [(1, 8)]);
    assert_eq!(claim(&mut agenda, Some(NOW)), []);
    assert_eq!(agenda.next(NOW), None);
    agenda.due(EndpointKey(1), NOW, NOW);
    assert_eq!(claim(&mut agenda, Some(NOW)), []);
    agenda.finished(EndpointKey(1), NOW);
    assert_eq!(claim(&mut agenda, Some(NOW)), [(1, 1)]);
}

#[test]
fn a_backlog_of_one_does_not_delay_another() {
    let mut agenda = Agenda::new(100);
    agenda.due(EndpointKey(1), NOW, NOW);
    claim(&mut agenda, Some(NOW));
    agenda.due(EndpointKey(2), NOW, NOW);
    assert_eq!(claim(&mut agenda, None), [(2, 8)]);
}

#[test]
fn endpoints_take_turns_when_room_is_short() {
    let mut agenda = Agenda::new(8);
    (1..=3).for_each(|no| agenda.due(EndpointKey(no), NOW, NOW));
    assert_eq!(claim(&mut agenda, Some(NOW)), [(1, 8)]);
    assert_eq!(agenda.next(NOW), None);
    (0..4).for_each(|_| agenda.finished(EndpointKey(1), NOW));
    assert_eq!(claim(&mut agenda, Some(NOW)), [(2, 4)]);
    (0..4).for_each(|_| agenda.finished(EndpointKey(2), NOW));
    assert_eq!(claim(&mut agenda, Some(NOW)), [(3, 4)]);
}

#[test]
fn what_is_due_later_waits_for_its_time_and_an_earlier_hint_wins() {
    let mut agenda = Agenda::new(8);
    agenda.due(EndpointKey(1), LATER, NOW);
    assert_eq!((claim(&mut agenda, None), agenda.next(NOW)), (vec![], Some(LATER)));
    agenda.due(EndpointKey(1), NOW, NOW);
    agenda.due(EndpointKey(1), LATER, NOW);
    assert_eq!(claim(&mut agenda, None), [(1, 8)]);
}

#[test]
fn a_hint_while_the_store_is_asked_is_not_lost() {
    let mut agenda = Agenda::new(8);
    agenda.due(EndpointKey(1), NOW, NOW);
    let wanted = agenda.wanted(NOW);
    agenda.due(EndpointKey(1), NOW, NOW);
    let empty = Claimed { deliveries: vec![], ..claimed(wanted[0], None) };
    agenda.claimed(&empty, NOW);
    assert_eq!(agenda.next(NOW), Some(NOW));
}

#[test]
fn an_endpoint_that_is_owed_nothing_is_forgotten() {
    let mut agenda = Agenda::new(8);
    agenda.due(EndpointKey(1), NOW, NOW);
    claim(&mut agenda, None);
    (0..8).for_each(|_| agenda.finished(EndpointKey(1), NOW));
    assert!(agenda.lanes.is_empty());
    assert_eq!(agenda.room, 8);
}
