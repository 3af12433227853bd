//! Whose turn it is: pure, so that fairness can be tested without a network.
//!
//! Endpoints with something due and room for it stand in a ring and are served in turn. One that is saturated, held or
//! has nothing due stands nowhere, so it costs the others nothing, whatever it is owed.
//!
//! Requests that take long do not take the slots of those that do not: there are slots for each [`Pace`], and a request
//! that is under way for longer moves from the ones to the next. So however many endpoints hang, and whatever they are
//! owed, the slots of those that answer soon are free again soon, and of those that answer late not much later.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use eventbus::Timestamp;
use foldhash::fast::RandomState;

use crate::model::{Claimed, EndpointKey, NewEndpoint, Wanted};

/// The most that one endpoint is given in its turn, so that a long backlog does not fill a round.
const TURN: u32 = 32;
/// How often a slot goes to the next delivery of its endpoint while others wait for one.
const RELAYS: u32 = 8;
/// How many requests may begin of each pace, whoever's they are. What turns out to be of a later one may exceed that one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slots {
    pub(super) quick: u32,
    pub(super) slow: u32,
    pub(super) stuck: u32,
    /// How many may be under way in all.
    pub(super) all: u32,
}

/// How soon an endpoint answers: as its last request, or one that is under way. One that nothing is known of is quick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pace {
    Quick = 0,
    Slow = 1,
    Stuck = 2,
}

impl Pace {
    const ALL: [Self; 3] = [Self::Quick, Self::Slow, Self::Stuck];

    /// For how long a request may be under way as one of this pace, and of which it is then.
    fn limit(self) -> Option<(Duration, Self)> {
        match self {
            Self::Quick => Some((Duration::from_millis(500), Self::Slow)),
            Self::Slow => Some((Duration::from_secs(5), Self::Stuck)),
            Self::Stuck => None,
        }
    }

    /// The pace of a request that took this long.
    fn of(took: Duration) -> Self {
        let fits = |pace: &Self| pace.limit().is_none_or(|(limit, _)| took < limit);
        Self::ALL.into_iter().find(fits).unwrap_or(Self::Stuck)
    }
}

/// A request under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RequestKey(u64);

/// Who is owed something, and who has room for it.
#[derive(Debug)]
pub(super) struct Agenda {
    lanes: HashMap<EndpointKey, Lane, RandomState>,
    /// Something due and room, in turn: the endpoints of each pace.
    ready: [VecDeque<EndpointKey>; 3],
    /// Something due later and room.
    waiting: BTreeSet<(Timestamp, EndpointKey)>,
    slots: Slots,
    requests: HashMap<RequestKey, Request, RandomState>,
    /// The requests under way of each pace, the oldest first.
    under_way: [BTreeSet<(Timestamp, RequestKey)>; 3],
    numbers: u64,
    /// What the store was asked for and has not answered yet, of each pace.
    asked: [u32; 3],
    closed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Request {
    endpoint: EndpointKey,
    began: Timestamp,
    pace: Pace,
    /// How often its slot went on to it.
    relays: u32,
}

#[derive(Debug)]
struct Lane {
    due: Option<Timestamp>,
    in_flight: u32,
    most: u32,
    stands: Stands,
    /// As which its next requests begin.
    pace: Pace,
    /// What the store was asked for, as requests of this pace.
    asked: (Pace, u32),
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            due: None,
            in_flight: 0,
            most: NewEndpoint::IN_FLIGHT,
            stands: Stands::Nowhere,
            pace: Pace::Quick,
            asked: (Pace::Quick, 0),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Nowhere,
    Ready(Pace),
    Waiting(Timestamp),
    /// Being asked about; it is placed when the answer is there.
    Asked,
}

impl Agenda {
    /// An empty agenda.
    pub(super) fn new(slots: Slots) -> Self {
        Self {
            lanes: HashMap::default(),
            ready: Default::default(),
            waiting: BTreeSet::new(),
            slots,
            requests: HashMap::default(),
            under_way: Default::default(),
            numbers: 0,
            asked: [0; 3],
            closed: false,
        }
    }

    /// Notes that an endpoint has something due at this time, or earlier.
    pub(super) fn due(&mut self, endpoint: EndpointKey, at: Timestamp, now: Timestamp) {
        let lane = self.lanes.entry(endpoint).or_default();
        lane.due = Some(lane.due.map_or(at, |due| due.min(at)));
        self.place(endpoint, now);
    }

    /// Whom to ask the store about, and for how many: the next ones in turn, as long as there is room.
    pub(super) fn wanted(&mut self, now: Timestamp) -> Vec<Wanted> {
        self.age(now);
        while let Some((_, endpoint)) = self.waiting.first().copied().filter(|(due, _)| *due <= now) {
            self.place(endpoint, now);
        }
        let mut wanted = Vec::new();
        for pace in Pace::ALL {
            let mut room = self.room(pace).min(self.left());
            let share = share(room, self.ready[pace as usize].len());
            while room > 0 {
                let Some(one) = self.ask(pace, room.min(share)) else { break };
                room -= one.most;
                wanted.push(one);
            }
        }
        wanted
    }

    /// Takes the next one of a pace out of its ring.
    fn ask(&mut self, pace: Pace, room: u32) -> Option<Wanted> {
        let endpoint = self.ready[pace as usize].pop_front()?;
        let lane = self.lanes.get_mut(&endpoint)?;
        lane.stands = Stands::Asked;
        // What is hinted from here on is not in the answer, or is again in the next one.
        lane.due = None;
        let most = lane.most.saturating_sub(lane.in_flight).min(TURN).min(room);
        lane.asked = (pace, most);
        self.asked[pace as usize] += most;
        Some(Wanted { endpoint, most, in_flight: lane.in_flight })
    }

    /// Takes an answer: what was claimed is under way, what is due next is noted. Gives a key to each request.
    pub(super) fn claimed(&mut self, claimed: &Claimed, now: Timestamp) -> Vec<RequestKey> {
        let endpoint = claimed.endpoint;
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return Vec::new() };
        let count = u32::try_from(claimed.deliveries.len()).unwrap_or(u32::MAX);
        answered(lane, &mut self.asked);
        lane.in_flight += count;
        lane.most = claimed.max_in_flight.max(1);
        lane.stands = Stands::Nowhere;
        lane.due = [lane.due, claimed.next_due].into_iter().flatten().min();
        let pace = lane.pace;
        let keys =
            (0..count).map(|_| self.begin(Request { endpoint, began: now, pace, relays: 0 })).collect();
        self.place(endpoint, now);
        self.forget(endpoint);
        keys
    }

    /// Takes room for a request without asking the store: where its endpoint has nothing due and room, and nobody of its
    /// pace waits for some.
    pub(super) fn admit(&mut self, endpoint: EndpointKey, most: u32, now: Timestamp) -> Option<RequestKey> {
        self.age(now);
        let (pace, in_flight) = match self.lanes.get(&endpoint) {
            None => (Pace::Quick, 0),
            Some(lane) if lane.is_clear(now) => (lane.pace, lane.in_flight),
            Some(_) => return None,
        };
        let room = self.room(pace).min(self.left());
        if self.closed || in_flight >= most || room == 0 || !self.ready[pace as usize].is_empty() {
            return None;
        }
        let lane = self.lanes.entry(endpoint).or_default();
        (lane.in_flight, lane.most) = (in_flight + 1, most);
        let key = self.begin(Request { endpoint, began: now, pace, relays: 0 });
        self.place(endpoint, now);
        Some(key)
    }

    /// Whether the slot of a request that ends may go to the next delivery of its endpoint, without asking the store: where
    /// that answers soon and nobody else waits, or has waited for long.
    pub(super) fn may_relay(&self, key: RequestKey, most: u32) -> bool {
        let Some(request) = self.requests.get(&key) else { return false };
        let Some(lane) = self.lanes.get(&request.endpoint) else { return false };
        let waits = |other: &EndpointKey| *other != request.endpoint;
        let fair = request.relays < RELAYS || !self.ready[Pace::Quick as usize].iter().any(waits);
        !self.closed && request.pace == Pace::Quick && lane.in_flight <= most && fair
    }

    /// A request ended, and its slot goes to the next delivery of its endpoint.
    pub(super) fn relay(&mut self, key: RequestKey, now: Timestamp) -> RequestKey {
        let Some(request) = self.requests.remove(&key) else { return key };
        self.under_way[request.pace as usize].remove(&(request.began, key));
        let pace = Pace::of(now.since(request.began));
        if let Some(lane) = self.lanes.get_mut(&request.endpoint) {
            lane.pace = pace;
        }
        self.begin(Request { began: now, pace, relays: request.relays + 1, ..request })
    }

    /// Admits nothing from now on.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Whether nothing is under way any more, after it was closed.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.requests.is_empty()
    }

    fn begin(&mut self, request: Request) -> RequestKey {
        self.numbers += 1;
        let key = RequestKey(self.numbers);
        self.under_way[request.pace as usize].insert((request.began, key));
        self.requests.insert(key, request);
        key
    }

    /// The store did not answer: whoever was asked about is due again then.
    pub(super) fn unanswered(&mut self, wanted: &[Wanted], again: Timestamp, now: Timestamp) {
        for one in wanted {
            if let Some(lane) = self.lanes.get_mut(&one.endpoint) {
                answered(lane, &mut self.asked);
                lane.stands = Stands::Nowhere;
                lane.due = Some(again);
            }
            self.place(one.endpoint, now);
        }
    }

    /// A request ended.
    pub(super) fn finished(&mut self, key: RequestKey, now: Timestamp) {
        let Some(request) = self.requests.remove(&key) else { return };
        self.under_way[request.pace as usize].remove(&(request.began, key));
        let Some(lane) = self.lanes.get_mut(&request.endpoint) else { return };
        lane.in_flight = lane.in_flight.saturating_sub(1);
        lane.pace = Pace::of(now.since(request.began));
        self.place(request.endpoint, now);
        self.forget(request.endpoint);
    }

    /// When there is something to do next without a hint; `None` when nothing waits, or there is no room.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let stand = |pace: &Pace| !self.ready[*pace as usize].is_empty();
        let due = self.waiting.first().map(|(due, _)| *due).filter(|_| self.left() > 0);
        // Room comes by a request that ends, which is told, or by one that turns out to be of a later pace.
        let open = |pace: Pace| match self.room(pace).min(self.left()) {
            0 => self.ages(pace),
            _ => Some(now),
        };
        Pace::ALL.into_iter().filter(stand).filter_map(open).chain(due).min()
    }

    /// How many more requests of a pace may begin.
    fn room(&self, pace: Pace) -> u32 {
        let most = match pace {
            Pace::Quick => self.slots.quick,
            Pace::Slow => self.slots.slow,
            Pace::Stuck => self.slots.stuck,
        };
        most.saturating_sub(count(&self.under_way[pace as usize]) + self.asked[pace as usize])
    }

    /// How many more may begin at all.
    fn left(&self) -> u32 {
        let under_way: u32 = self.under_way.iter().map(count).sum();
        self.slots.all.saturating_sub(under_way + self.asked.iter().sum::<u32>())
    }

    /// When the oldest request of a pace turns out to be of the next one.
    fn ages(&self, pace: Pace) -> Option<Timestamp> {
        let (limit, _) = pace.limit()?;
        self.under_way[pace as usize].first().map(|(began, _)| began.plus(limit))
    }

    /// Moves requests that have been under way for too long to the next pace, and their endpoints with them.
    fn age(&mut self, now: Timestamp) {
        for pace in Pace::ALL {
            let Some((_, next)) = pace.limit() else { return };
            while self.ages(pace).is_some_and(|at| at <= now) {
                let Some((began, key)) = self.under_way[pace as usize].pop_first() else { break };
                self.under_way[next as usize].insert((began, key));
                let Some(request) = self.requests.get_mut(&key) else { continue };
                request.pace = next;
                let endpoint = request.endpoint;
                if let Some(lane) = self.lanes.get_mut(&endpoint) {
                    lane.pace = lane.pace.max(next);
                }
                self.place(endpoint, now);
            }
        }
    }

    /// Puts an endpoint where it belongs.
    fn place(&mut self, endpoint: EndpointKey, now: Timestamp) {
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        let belongs = match lane.due {
            Some(due) if lane.in_flight < lane.most && due <= now => Stands::Ready(lane.pace),
            Some(due) if lane.in_flight < lane.most => Stands::Waiting(due),
            _ => Stands::Nowhere,
        };
        // One that is being asked about is placed by its answer; one in the ring keeps its turn.
        if lane.stands == Stands::Asked || lane.stands == belongs {
            return;
        }
        match lane.stands {
            Stands::Waiting(due) => _ = self.waiting.remove(&(due, endpoint)),
            Stands::Ready(pace) => self.ready[pace as usize].retain(|other| *other != endpoint),
            Stands::Nowhere | Stands::Asked => {}
        }
        lane.stands = belongs;
        match belongs {
            Stands::Ready(pace) => self.ready[pace as usize].push_back(endpoint),
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

impl Lane {
    /// Whether nothing is due now that would come first, and the store is not being asked.
    fn is_clear(&self, now: Timestamp) -> bool {
        matches!(self.stands, Stands::Nowhere | Stands::Waiting(_)) && self.due.is_none_or(|due| due > now)
    }
}

/// What was asked for is under way now, or was not there.
fn answered(lane: &mut Lane, asked: &mut [u32; 3]) {
    let (pace, most) = lane.asked;
    asked[pace as usize] -= most;
    lane.asked = (pace, 0);
}

/// What each may take at once where many stand in a ring, so that all of them are known before some have taken it all.
fn share(room: u32, standing: usize) -> u32 {
    (room / u32::try_from(standing).unwrap_or(u32::MAX).max(1)).max(1)
}

fn count(requests: &BTreeSet<(Timestamp, RequestKey)>) -> u32 {
    u32::try_from(requests.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
