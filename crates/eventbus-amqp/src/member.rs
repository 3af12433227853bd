//! One member of a group: what it holds, and what it says of that when it is asked.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eventbus::transport::{Body, History, Mode, Order, Received, SubscriptionSpec, Token};
use eventbus::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::desk::Desk;
use crate::label::Label;
use crate::message::{Message, Original, Parcel};
use crate::mover::Mover;
use crate::order::{self, Shelf, Ticket};
use crate::shared::Shared;
use crate::topology::{Life, Names};
use crate::waiting::Waits;

/// How long before and after the end of its wait a message may be on its way between two queues, seen by nobody.
const BETWEEN: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));
/// How long messages that were given back are waited for before later ones are handed out.
const RETURNING: Duration = Duration::from_millis(250);

/// A message that the engine holds.
pub(crate) struct Flight {
    pub(crate) desk: Arc<Desk>,
    pub(crate) tag: u64,
    pub(crate) attempt: u32,
    pub(crate) place: i64,
    pub(crate) history: Option<Box<History>>,
    pub(crate) original: Original,
    /// Whether a settlement is under way.
    pub(crate) settling: bool,
    /// Whether it is counted as kept already.
    pub(crate) kept: bool,
    /// Where it belongs, with order per key.
    pub(crate) ticket: Option<Ticket>,
}

impl Flight {
    /// The message as it was when it came.
    pub(crate) fn back(self, largest: usize) -> Arrival {
        let Self { desk, tag, attempt, place, history, original, ticket, .. } = self;
        Arrival { desk, place, ticket, message: Message::back(original, (tag, attempt, history), largest) }
    }
}

/// A message for the engine, with where it came from.
pub(crate) struct Arrival {
    pub(crate) desk: Arc<Desk>,
    pub(crate) place: i64,
    /// Where it belongs, with order per key.
    pub(crate) ticket: Option<Ticket>,
    pub(crate) message: Message,
}

impl Arrival {
    /// The message with a label, for another queue of the group, as it came.
    pub(crate) fn again(&self, queue: &str, remaining: Duration) -> Parcel {
        let Message { attempt, written, history, .. } = &self.message;
        // What nobody was handed was lost with nobody.
        let attempt = if remaining.is_zero() { *attempt } else { *written };
        let label =
            Label { attempt, place: self.place, history: history.as_deref(), remaining, ..Label::default() };
        self.message.original.labelled(queue, &label)
    }
}

/// What a member holds.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) flights: HashMap<u64, Flight>,
    /// Messages that came again, by their places; they go first.
    pub(crate) again: BTreeMap<(i64, u64), Arrival>,
    pub(crate) events: VecDeque<Arrival>,
    /// Messages that come again in a moment, by the time.
    pub(crate) soon: BTreeMap<(Instant, u64), Arrival>,
    /// How many more messages the engine has room for.
    pub(crate) credit: usize,
    /// Messages that are being sent on to their next wait.
    pub(crate) hopping: usize,
    /// Where the latest message belongs.
    place: i64,
    /// Messages that were sent to wait, by their places, until when.
    waits: HashMap<i64, Instant>,
    /// Messages that were given back, and will come again soon, perhaps here.
    returning: HashMap<i64, Instant>,
    /// Counts everything that comes and goes.
    pub(crate) moves: u64,
    /// Everything that was read when the member was told to stop has gone back.
    pub(crate) emptied: bool,
    /// What it holds of each shard, with order per key.
    pub(crate) shelves: Vec<Shelf>,
    /// Which shard comes first this time.
    pub(crate) turns: usize,
}

impl State {
    /// The place of a message that comes for the first time: after all others that this member knows of.
    pub(crate) fn place(&mut self, known: Option<i64>) -> i64 {
        match known {
            Some(place) => {
                self.place = self.place.max(place);
                place
            }
            None => {
                let now = jiff::Timestamp::now().as_microsecond();
                self.place = now.max(self.place + 1);
                self.place
            }
        }
    }

    /// Notes a message that came again.
    pub(crate) fn came_again(&mut self, place: i64) {
        self.waits.remove(&place);
        self.returning.remove(&place);
    }

    /// Notes messages that are given back.
    pub(crate) fn goes_back(&mut self, place: i64) {
        self.returning.insert(place, Instant::now() + RETURNING);
    }

    /// Notes a message that waits.
    pub(crate) fn waits(&mut self, place: i64, time: Duration) {
        self.waits.insert(place, Instant::now() + time);
        // Most come again at another member: those whose time is over are forgotten, now and then.
        if self.waits.len().is_power_of_two() {
            self.forget_waits();
        }
    }

    fn forget_waits(&mut self) {
        let now = Instant::now();
        self.waits.retain(|_, until| now < *until + BETWEEN.1);
    }

    /// From which place on messages are kept back, and until when, so that what was given back has its old place.
    fn kept_back(&mut self) -> Option<(i64, Instant)> {
        let now = Instant::now();
        self.returning.retain(|_, until| *until > now);
        let first = self.returning.keys().min().copied();
        first.zip(self.returning.values().max().copied())
    }

    /// Takes messages for the engine: what came again goes first. Tells until when others are kept back.
    pub(crate) fn next(&mut self, most: usize) -> (Vec<Arrival>, Option<Instant>) {
        let kept_back = self.kept_back();
        let mut next = Vec::with_capacity(most.min(self.again.len() + self.events.len()));
        while next.len() < most
            && let Some(entry) = self.again.first_entry()
            && kept_back.is_none_or(|(place, _)| entry.key().0 < place)
        {
            next.push(entry.remove());
        }
        if kept_back.is_none() {
            let count = self.events.len().min(most - next.len());
            next.extend(self.events.drain(..count));
        }
        (next, kept_back.map(|(_, until)| until))
    }

    /// Takes everything that the engine was not handed.
    pub(crate) fn unseen(&mut self) -> Vec<Arrival> {
        let again = std::mem::take(&mut self.again).into_values();
        let soon = std::mem::take(&mut self.soon).into_values();
        again.chain(soon).chain(self.events.drain(..)).collect()
    }

    /// How many messages may be on their way between two queues.
    fn between(&mut self) -> u64 {
        let now = Instant::now();
        self.forget_waits();
        self.waits.values().filter(|until| now + BETWEEN.0 >= **until).count() as u64
    }
}

/// A member of a group.
pub(crate) struct Member {
    pub(crate) shared: Arc<Shared>,
    /// Unique for ever.
    pub(crate) name: String,
    pub(crate) names: Names,
    pub(crate) life: Life,
    pub(crate) spec: SubscriptionSpec,
    pub(crate) mover: Mover,
    pub(crate) waits: Waits,
    /// Shared by what sends messages to the queues that this member reads; taken whole while it stops reading them.
    pub(crate) flow: tokio::sync::RwLock<()>,
    /// Rings when the member does not read any more.
    pub(crate) empty: Notify,
    state: Mutex<State>,
    stopped: AtomicBool,
    gone: AtomicBool,
    fault: Mutex<Option<(ErrorKind, String)>>,
    /// Rings when there is something for the reader.
    pub(crate) bell: Notify,
    /// Rings when there is something to do for whoever reads the queues.
    pub(crate) work: Notify,
    /// The same for whoever reads a shard, with order per key.
    pub(crate) shards: Vec<Notify>,
}

/// What a member says of itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Holding {
    /// The instance of a broadcast that it is.
    pub(crate) instance: Option<String>,
    pub(crate) queued: u64,
    pub(crate) in_flight: u64,
    pub(crate) waiting: u64,
    pub(crate) parked: u64,
    pub(crate) held_keys: u64,
    /// How many more there may be, on their way.
    pub(crate) between: u64,
    /// Changes with everything that comes and goes.
    pub(crate) moves: u64,
}

impl Member {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        (name, names): (String, Names),
        life: Life,
        spec: &SubscriptionSpec,
    ) -> Self {
        let shards = match (spec.order, spec.mode) {
            (Order::None, _) => 0,
            // An instance of a broadcast is one member.
            (Order::PerKey, Mode::Broadcast) => 1,
            (Order::PerKey, Mode::Shared) => shared.config.shards,
        };
        let state = State { shelves: (0..shards).map(|_| Shelf::default()).collect(), ..State::default() };
        Self {
            mover: Mover::new(&shared.publishing),
            shared: Arc::clone(shared),
            name,
            names,
            life,
            spec: spec.clone(),
            waits: Waits::default(),
            flow: tokio::sync::RwLock::default(),
            empty: Notify::new(),
            state: Mutex::new(state),
            stopped: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            fault: Mutex::default(),
            bell: Notify::new(),
            work: Notify::new(),
            shards: (0..shards).map(|_| Notify::new()).collect(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// How many messages the engine has, or has room for.
    pub(crate) fn wanted(&self) -> usize {
        let state = self.state();
        state.flights.len() + state.credit
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Whether this member has left its group: what it held is somebody else's.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    pub(crate) fn leave(&self) {
        self.gone.store(true, Ordering::SeqCst);
        self.stop();
    }

    /// Something is wrong: the membership is over, and the engine makes another one.
    pub(crate) fn fail(&self, kind: ErrorKind, why: impl Into<String>) {
        lock(&self.fault).get_or_insert_with(|| (kind, why.into()));
        self.wake();
    }

    fn wake(&self) {
        self.bell.notify_one();
        self.work.notify_one();
        self.shards.iter().for_each(Notify::notify_one);
    }

    /// Returns when the member is to read no more.
    pub(crate) async fn ended(&self, shard: usize) {
        while !self.is_stopped() && !self.has_failed() {
            self.shards[shard].notified().await;
        }
    }

    /// Whether the engine has messages of a shard.
    pub(crate) fn has_flights(&self, shard: usize) -> bool {
        let of_shard =
            |flight: &Flight| flight.ticket.as_ref().is_some_and(|ticket| ticket.tenure.shard == shard);
        self.state().flights.values().any(of_shard)
    }

    /// What was read of a shard has gone back.
    pub(crate) fn emptied(&self, shard: usize) {
        let mut state = self.state();
        state.shelves[shard].emptied = true;
        if state.shelves.iter().all(|shelf| shelf.emptied) {
            state.emptied = true;
            self.empty.notify_waiters();
            self.bell.notify_one();
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        lock(&self.fault).is_some()
    }

    /// Says what ends the reader.
    pub(crate) fn check(&self) -> Result<()> {
        self.shared.open()?;
        match &*lock(&self.fault) {
            Some((kind, why)) => Err(Error::new(*kind, why.clone())),
            None => Ok(()),
        }
    }

    /// Hands a message to the engine.
    pub(crate) fn take(&self, state: &mut State, arrival: Arrival) -> Received {
        let Arrival { desk, place, ticket, message } = arrival;
        let Message { original, tag, attempt, history, body, .. } = message;
        let token = self.shared.token();
        let flight = Flight {
            desk,
            tag,
            attempt,
            place,
            history: history.clone(),
            original,
            settling: false,
            kept: false,
            ticket,
        };
        state.flights.insert(token, flight);
        Received { token: Token(token), attempt, lost: 0, body, history }
    }

    /// Tells whether the group wants a message that the broker routed to it: filters are exact, bindings are not where
    /// other programs publish.
    pub(crate) fn wants(&self, message: &Message) -> bool {
        match &message.body {
            Body::Event(event) => self.spec.wants(event),
            Body::Undecodable(_) => true,
        }
    }

    pub(crate) fn holding(&self) -> Holding {
        let mut state = self.state();
        let [queued, waiting, parked, held_keys] = order::counts(&state);
        Holding {
            instance: (self.spec.mode == Mode::Broadcast).then(|| self.name.clone()),
            queued: (state.again.len() + state.events.len()) as u64 + queued,
            in_flight: state.flights.values().filter(|flight| !flight.kept).count() as u64,
            waiting: (state.hopping + state.soon.len()) as u64 + waiting,
            parked,
            held_keys,
            between: state.between(),
            moves: state.moves,
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name, self.spec.group)
    }
}
