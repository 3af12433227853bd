//! Whose turn it is: pure, so that fairness can be tested without a network.
//!
//! Endpoints with something due and room for it stand in a ring and are served in turn. One that is saturated, held or
//! has nothing due stands nowhere, so it costs the others nothing, whatever it is owed.

use std::collections::{BTreeSet, HashMap, VecDeque};

use eventbus::Timestamp;

use crate::model::{Claimed, EndpointKey, NewEndpoint, Wanted};

/// The most that one endpoint is given in its turn, so that a long backlog does not fill a round.
const TURN: u32 = 32;

/// Who is owed something, and who has room for it.
#[derive(Debug)]
pub(super) struct Agenda {
    lanes: HashMap<EndpointKey, Lane>,
    /// Something due and room, in turn.
    ready: VecDeque<EndpointKey>,
    /// Something due later and room.
    waiting: BTreeSet<(Timestamp, EndpointKey)>,
    /// How many more requests may be under way, whoever's they are.
    room: u32,
}

#[derive(Debug)]
struct Lane {
    due: Option<Timestamp>,
    in_flight: u32,
    most: u32,
    stands: Stands,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Nowhere,
    Ready,
    Waiting(Timestamp),
    /// Being asked about; it is placed when the answer is there.
    Asked,
}

impl Agenda {
    /// An empty agenda, for at most this many requests at once.
    pub(super) fn new(room: u32) -> Self {
        Self { lanes: HashMap::new(), ready: VecDeque::new(), waiting: BTreeSet::new(), room }
    }

    /// Notes that an endpoint has something due at this time, or earlier.
    pub(super) fn due(&mut self, endpoint: EndpointKey, at: Timestamp, now: Timestamp) {
        let lane = self.lanes.entry(endpoint).or_insert(Lane {
            due: None,
            in_flight: 0,
            most: NewEndpoint::IN_FLIGHT,
            stands: Stands::Nowhere,
        });
        lane.due = Some(lane.due.map_or(at, |due| due.min(at)));
        self.place(endpoint, now);
    }

    /// Whom to ask the store about, and for how many: the next ones in turn, as long as there is room.
    pub(super) fn wanted(&mut self, now: Timestamp) -> Vec<Wanted> {
        while let Some((_, endpoint)) = self.waiting.first().copied().filter(|(due, _)| *due <= now) {
            self.place(endpoint, now);
        }
        let (mut wanted, mut room) = (Vec::new(), self.room);
        while room > 0 {
            let Some(endpoint) = self.ready.pop_front() else { break };
            let Some(lane) = self.lanes.get_mut(&endpoint) else { continue };
            lane.stands = Stands::Asked;
            // What is hinted from here on is not in the answer, or is again in the next one.
            lane.due = None;
            let most = lane.most.saturating_sub(lane.in_flight).min(TURN).min(room);
            room -= most;
            wanted.push(Wanted { endpoint, most });
        }
        wanted
    }

    /// Takes an answer: what was claimed is under way, what is due next is noted.
    pub(super) fn claimed(&mut self, claimed: &Claimed, now: Timestamp) {
        let Some(lane) = self.lanes.get_mut(&claimed.endpoint) else { return };
        let count = u32::try_from(claimed.deliveries.len()).unwrap_or(u32::MAX);
        lane.in_flight += count;
        lane.most = claimed.max_in_flight.max(1);
        lane.stands = Stands::Nowhere;
        lane.due = [lane.due, claimed.next_due].into_iter().flatten().min();
        self.room = self.room.saturating_sub(count);
        self.place(claimed.endpoint, now);
        self.forget(claimed.endpoint);
    }

    /// The store did not answer: whoever was asked about is due again then.
    pub(super) fn unanswered(&mut self, wanted: &[Wanted], again: Timestamp, now: Timestamp) {
        for one in wanted {
            if let Some(lane) = self.lanes.get_mut(&one.endpoint) {
                lane.stands = Stands::Nowhere;
                lane.due = Some(again);
            }
            self.place(one.endpoint, now);
        }
    }

    /// A request ended.
    pub(super) fn finished(&mut self, endpoint: EndpointKey, now: Timestamp) {
        self.room += 1;
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        lane.in_flight = lane.in_flight.saturating_sub(1);
        self.place(endpoint, now);
        self.forget(endpoint);
    }

    /// When there is something to do next without a hint; `None` when nothing waits, or there is no room.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        if self.room == 0 {
            return None;
        }
        if !self.ready.is_empty() {
            return Some(now);
        }
        self.waiting.first().map(|(due, _)| *due)
    }

    /// Puts an endpoint where it belongs.
    fn place(&mut self, endpoint: EndpointKey, now: Timestamp) {
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        let belongs = match lane.due {
            Some(due) if lane.in_flight < lane.most => {
                if due <= now {
                    Stands::Ready
                } else {
                    Stands::Waiting(due)
                }
            }
            _ => Stands::Nowhere,
        };
        match (lane.stands, belongs) {
            // One that is being asked about is placed by its answer; one in the ring keeps its turn.
            (Stands::Asked, _) | (Stands::Ready, Stands::Ready) => return,
            (Stands::Waiting(due), _) => _ = self.waiting.remove(&(due, endpoint)),
            (Stands::Ready, _) => self.ready.retain(|other| *other != endpoint),
            (Stands::Nowhere, _) => {}
        }
        lane.stands = belongs;
        match belongs {
            Stands::Ready => self.ready.push_back(endpoint),
            Stands::Waiting(due) => _ = self.waiting.insert((due, endpoint)),
            Stands::Nowhere | Stands::Asked => {}
        }
    }

    /// Forgets an endpoint that is owed nothing, so that memory follows what is due and not what is registered.
    fn forget(&mut self, endpoint: EndpointKey) {
        let idle = |lane: &Lane| lane.in_flight == 0 && lane.due.is_none() && lane.stands == Stands::Nowhere;
        if self.lanes.get(&endpoint).is_some_and(idle) {
            self.lanes.remove(&endpoint);
        }
    }
}

#[cfg(test)]
mod tests;
