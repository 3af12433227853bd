//! The queue of one group: what it can hand out, what its members hold, what waits.

use std::collections::BTreeMap;
use std::time::Duration;

use super::bell::{Bell, Sleeper};
use super::dead::{DeadStore, Entry};
use super::holds::Holds;
use super::log::{Cursor, Run};
use super::message::{Handed, InFlight, Stored};
use super::sync::{Arc, AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering, lock};
use super::waiters::Waiters;
use super::wheel::Wheel;
use crate::event::{AnyEvent, Timestamp};
use crate::transport::{Backlog, Batch, Failure, Group, Order, Settled, Settlement, SubscriptionSpec, Token};

/// What the groups of one channel share with their publishers.
pub(super) struct Shared {
    /// Entries of the log below this position may be read.
    pub(super) published: AtomicU64,
    /// Wakes members that found nothing.
    pub(super) bell: Bell,
    /// Wakes publishers that found no room.
    pub(super) room: Waiters,
    /// Wakes who waits until the bus is quiet.
    pub(super) quiet: Arc<Waiters>,
}

/// One group.
pub(super) struct GroupQueue {
    pub(super) name: Group,
    pub(super) spec: SubscriptionSpec,
    pub(super) dead: Arc<DeadStore>,
    dead_capacity: usize,
    shared: Arc<Shared>,
    wheel: Arc<Wheel>,
    /// The log may grow to this position before the group is full; it moves up as messages leave the group.
    limit: AtomicU64,
    closed: AtomicBool,
    state: Mutex<State>,
}

struct State {
    cursor: Cursor<AnyEvent>,
    /// Returned messages and retries that are due, by position: they go before the log.
    ready: BTreeMap<u64, Stored>,
    holds: Holds,
    in_flight: InFlight,
    waiting: usize,
    /// Dropped events that no message has told of yet.
    lost: u32,
    /// Messages in flight that tell of dropped events: member, message and number.
    telling: Vec<(u64, Token, u32)>,
    /// Who has joined, oldest first.
    members: Vec<(u64, Arc<Sleeper>)>,
    next_member: u64,
}

/// A capacity that is never reached, and that positions can be added to.
const NEVER_FULL: u64 = 1 << 62;

/// What a group is made of.
pub(super) struct Parts {
    pub(super) spec: SubscriptionSpec,
    pub(super) capacity: usize,
    pub(super) dead: Arc<DeadStore>,
    pub(super) dead_capacity: usize,
    pub(super) wheel: Arc<Wheel>,
}

impl GroupQueue {
    pub(super) fn new(name: Group, parts: Parts, shared: Arc<Shared>, cursor: Cursor<AnyEvent>) -> Self {
        let limit = AtomicU64::new(cursor.position() + (parts.capacity as u64).min(NEVER_FULL));
        let state = State {
            cursor,
            ready: BTreeMap::new(),
            holds: Holds::default(),
            in_flight: InFlight::default(),
            waiting: 0,
            lost: 0,
            telling: Vec::new(),
            members: Vec::new(),
            next_member: 0,
        };
        let Parts { spec, dead, dead_capacity, wheel, .. } = parts;
        Self {
            name,
            spec,
            dead,
            dead_capacity,
            shared,
            wheel,
            limit,
            closed: AtomicBool::new(false),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The position up to which the log may grow for this group.
    pub(super) fn limit(&self) -> u64 {
        self.limit.load(Ordering::SeqCst)
    }

    /// For [`Overflow::DropOldest`]: drops queued events until the group is within its limit.
    pub(super) fn trim(&self, position: u64) {
        let mut state = self.state();
        let excess = position.saturating_sub(self.limit());
        let dropped = excess.min(position - state.cursor.position());
        let target = state.cursor.position() + dropped;
        state.cursor.skip_to(target);
        state.lost = state.lost.saturating_add(u32::try_from(dropped).unwrap_or(u32::MAX));
        self.limit.fetch_add(dropped, Ordering::SeqCst);
    }

    pub(super) fn bell(&self) -> &Bell {
        &self.shared.bell
    }

    /// Ends receiving and lets everybody who waits see it.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.shared.room.wake();
        self.state().members.iter().for_each(|(_, sleeper)| self.shared.bell.rouse(sleeper));
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub(super) fn join(&self, sleeper: &Arc<Sleeper>) -> u64 {
        self.shared.bell.join(sleeper);
        let mut state = self.state();
        let member = state.next_member;
        state.next_member += 1;
        state.members.push((member, Arc::clone(sleeper)));
        member
    }

    /// Gives everything a member holds back to the group, counted as an attempt; tells how many members are left.
    pub(super) fn leave(&self, member: u64, sleeper: &Arc<Sleeper>) -> usize {
        self.shared.bell.leave(sleeper);
        let mut state = self.state();
        state.members.retain(|(other, _)| *other != member);
        state.untold(|of, _| of == member);
        for mut stored in state.in_flight.take_all(member) {
            stored.attempt = stored.attempt.saturating_add(1);
            state.place(stored);
        }
        let left = state.members.len();
        // Whoever is first now may have waited for just that.
        state.members.iter().for_each(|(_, sleeper)| self.shared.bell.rouse(sleeper));
        drop(state);
        self.shared.quiet.wake();
        left
    }

    /// Hands out up to `credit` messages to a member, `None` when there are none for it.
    pub(super) fn take(&self, member: u64, credit: usize) -> Option<Batch> {
        let mut guard = self.state();
        let state = &mut *guard;
        let ordered = self.spec.order == Order::PerKey;
        if ordered && state.members.first().is_none_or(|(first, _)| *first != member) {
            return None;
        }
        let published = self.shared.published.load(Ordering::SeqCst);
        let mut handed = Handed::new(member);
        while handed.len() < credit {
            if let Some((_, stored)) = state.ready.pop_first() {
                if let Some(stored) = state.holds.park(stored) {
                    state.in_flight.hand_one(stored, &mut handed);
                }
                continue;
            }
            let Some(run) = state.cursor.take(published, credit - handed.len()) else { break };
            let parked = if state.holds.is_empty() { 0 } else { state.park(&run) };
            state.in_flight.hand_run(run, parked, &mut handed);
        }
        if handed.len() == 0 {
            // What was parked instead is no longer queued.
            drop(guard);
            self.shared.quiet.wake();
            return None;
        }
        if state.lost > 0 {
            handed.lost = std::mem::take(&mut state.lost);
            state.telling.extend(handed.first().map(|first| (member, first, handed.lost)));
        }
        Some(Batch::lazy(handed))
    }

    /// Settles messages of a member.
    pub(super) fn settle(self: &Arc<Self>, member: u64, settlements: &[(Token, Settlement)]) -> Vec<Settled> {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut freed = 0;
        let mut settled = Vec::with_capacity(settlements.len());
        for (token, settlement) in settlements {
            match settlement {
                _ if state.telling.is_empty() => {}
                Settlement::Return => state.untold(|of, message| of == member && message == *token),
                _ => state.telling.retain(|(of, message, _)| (*of, *message) != (member, *token)),
            }
            settled.push(match settlement {
                Settlement::Ack if state.holds.is_empty() => {
                    let had = state.in_flight.finish(member, *token);
                    freed += u64::from(had);
                    if had { Settled::Applied } else { Settled::Lost }
                }
                Settlement::DeadLetter { .. } if self.dead.len() >= self.dead_capacity => Settled::Refused,
                _ => match state.in_flight.take(member, *token) {
                    Some(stored) => {
                        freed += u64::from(self.apply(state, stored, settlement));
                        Settled::Applied
                    }
                    None => Settled::Lost,
                },
            });
        }
        self.rouse(state);
        drop(guard);
        self.free(freed);
        settled
    }

    /// Applies a settlement; tells whether the message has left the group.
    fn apply(self: &Arc<Self>, state: &mut State, mut stored: Stored, settlement: &Settlement) -> bool {
        let ordered = self.spec.order == Order::PerKey;
        match settlement {
            Settlement::Ack => {
                state.unpark(&stored);
                true
            }
            Settlement::Return => {
                state.place(stored);
                false
            }
            Settlement::RetryAfter { delay, failure } => {
                stored.fail(failure);
                if ordered {
                    state.holds.hold(&stored.event, stored.position);
                }
                if *delay == Duration::ZERO || state.holds.blocks(&stored.event, stored.position) {
                    state.place(stored);
                } else {
                    state.waiting += 1;
                    self.wheel.retry(Arc::downgrade(self), stored, *delay);
                }
                false
            }
            Settlement::DeadLetter { failure, hold } => {
                stored.fail(failure);
                let hold = *hold && ordered;
                if hold {
                    state.holds.hold(&stored.event, stored.position);
                } else {
                    state.unpark(&stored);
                }
                let (reason, attempts, group) = (failure.reason, failure.attempt, Arc::downgrade(self));
                self.dead.push(Entry {
                    stored,
                    reason,
                    attempts,
                    holds_key: hold,
                    time: Timestamp::now(),
                    group,
                });
                true
            }
        }
    }

    /// A retry is due.
    pub(super) fn due(&self, stored: Stored) {
        let mut state = self.state();
        state.waiting -= 1;
        state.place(stored);
        self.rouse(&state);
    }

    /// A dead letter comes back, as a first attempt; it takes room again.
    pub(super) fn revive(&self, mut stored: Stored) {
        stored.attempt = 1;
        self.limit.fetch_sub(1, Ordering::SeqCst);
        let mut state = self.state();
        state.place(stored);
        self.rouse(&state);
    }

    /// A dead letter is gone for good: whatever waited behind it goes on.
    pub(super) fn release(&self, stored: &Stored) {
        let mut state = self.state();
        state.unpark(stored);
        self.rouse(&state);
        drop(state);
        self.shared.quiet.wake();
    }

    fn free(&self, freed: u64) {
        if freed > 0 {
            self.limit.fetch_add(freed, Ordering::SeqCst);
            self.shared.room.wake();
        }
        self.shared.quiet.wake();
    }

    /// Wakes the members when there is something outside the log.
    fn rouse(&self, state: &State) {
        if !state.ready.is_empty() {
            state.members.iter().for_each(|(_, sleeper)| self.shared.bell.rouse(sleeper));
        }
    }

    pub(super) fn backlog(&self) -> Backlog {
        let state = self.state();
        let published = self.shared.published.load(Ordering::SeqCst);
        Backlog {
            queued: (queued(published, &state.cursor) + state.ready.len()) as u64,
            in_flight: state.in_flight.len() as u64,
            waiting: state.waiting as u64,
            parked: state.holds.parked() as u64,
            held_keys: state.holds.len() as u64,
            dead: self.dead.len() as u64,
            members: state.members.len() as u64,
            lost: u64::from(state.lost),
        }
    }
}

impl State {
    /// Messages that told of dropped events come back without having been handled: the next one tells.
    fn untold(&mut self, back: impl Fn(u64, Token) -> bool) {
        for (.., lost) in self.telling.extract_if(.., |(member, token, _)| back(*member, *token)) {
            self.lost = self.lost.saturating_add(lost);
        }
    }

    /// Puts a message where it can be handed out again, or behind the message that holds its key.
    fn place(&mut self, stored: Stored) {
        if let Some(stored) = self.holds.park(stored) {
            self.ready.insert(stored.position, stored);
        }
    }

    /// Frees the key a message holds.
    fn unpark(&mut self, stored: &Stored) {
        for parked in self.holds.release(&stored.event, stored.position) {
            self.ready.insert(parked.position, parked);
        }
    }

    /// Parks those entries of a run whose key is held; says which.
    fn park(&mut self, run: &Run<AnyEvent>) -> u64 {
        let mut parked = 0;
        for offset in run.from..run.from + run.len {
            let (event, position) = (run.segment.entry(offset), run.segment.position(offset));
            if self.holds.blocks(event, position) {
                parked |= 1 << offset;
                self.holds.park(Stored { position, event: event.clone(), attempt: 1, history: None });
            }
        }
        parked
    }
}

impl Stored {
    /// Adds a failure to the history and counts the attempt.
    fn fail(&mut self, failure: &Failure) {
        self.attempt = self.attempt.saturating_add(1);
        self.history.get_or_insert_default().push(failure.clone());
    }
}

fn queued(published: u64, cursor: &Cursor<AnyEvent>) -> usize {
    usize::try_from(published.saturating_sub(cursor.position())).unwrap_or(usize::MAX)
}
