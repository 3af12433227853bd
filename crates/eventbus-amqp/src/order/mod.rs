//! Order per key: one member at a time owns a shard of a group, and keeps in its memory what of each key may go on.
//!
//! Everything that may not be handed out now lies in the queue `kept` and stays there, unacknowledged, while the owner
//! knows no more of it than its tag: a retry until its time, what follows a message that holds its key, what was returned.
//! To go on, a message is given back to the queue, comes again with its body, and is moved to the end of the queue with
//! its attempt, so that a crash from then on counts. Whoever owns the shard next reads `kept` and `held` to their ends
//! before anything else, and knows the same.

mod incoming;
mod keys;
mod line;
mod sequence;
mod settling;
mod shard;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use eventbus::ErrorKind;
use eventbus::transport::{Body, History};
use tokio::sync::{mpsc, oneshot};

pub(crate) use keys::{Keys, Lane, Spot, Standing};
pub(crate) use settling::settle;
pub(crate) use shard::run;

use crate::desk::Desk;
use crate::label::{Kept, Label, Stage};
use crate::member::{Arrival, Member, State};
use crate::message::{Message, Original, Parcel};
use crate::mover::{Moved, Mover};
use crate::topology::{Maker, Names};

/// The time that a member owns a shard: it ends with its channels at the latest.
pub(crate) struct Tenure {
    pub(crate) shard: usize,
    pub(crate) names: Names,
    /// Where `kept` and `held` are read; ownership is a consumer of this channel, and moves are published on it, so that
    /// nothing a former owner says is heard after its end.
    pub(crate) keeping: Arc<Desk>,
    /// Where events are read.
    pub(crate) reading: Arc<Desk>,
    pub(crate) mover: Mover,
}

impl Tenure {
    /// Waits until everything has come that the broker has sent by now.
    async fn echo(&self) -> lapin::Result<()> {
        for desk in [&self.keeping, &self.reading] {
            (Maker { link: &desk.link, channel: &desk.channel }).look(self.names.owner()).await?;
        }
        Ok(())
    }
}

/// Where a message belongs.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) tenure: Arc<Tenure>,
    pub(crate) lane: Lane,
    pub(crate) spot: Spot,
    /// How often it was moved; 0 is an event as it was published.
    pub(crate) turn: u32,
}

/// What a member holds of a shard.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) keys: Keys,
    /// Events that were read.
    pub(crate) events: VecDeque<Arrival>,
    /// Kept messages that go to the engine, before events.
    pub(crate) outs: BTreeMap<Spot, Arrival>,
    /// What is to be kept; whether that is under way for others.
    pub(crate) parks: Vec<Arrival>,
    pub(crate) parking: bool,
    /// How many events of each lane the engine has.
    pub(crate) flying: HashMap<Lane, usize>,
    /// Whether the shard is being left to another member.
    pub(crate) leaving: bool,
    /// Set while the member owns the shard.
    pub(crate) tenure: Option<Arc<Tenure>>,
    /// Asks whoever reads the shard to take in what has come.
    pub(crate) asked: Option<mpsc::UnboundedSender<oneshot::Sender<()>>>,
    /// Everything that was read when the member was told to stop has gone back.
    pub(crate) emptied: bool,
}

impl Shelf {
    /// Takes messages for the engine; events of keys that wait for something are sorted out.
    fn next(&mut self, most: usize, next: &mut Vec<Arrival>) {
        if self.leaving {
            return;
        }
        // They may come in another order than they were sent: those of a key wait for each other.
        let here =
            |arrival: &Arrival| arrival.ticket.as_ref().is_none_or(|ticket| self.keys.is_here(&ticket.lane));
        let room = most - next.len();
        let outs: Vec<Spot> =
            self.outs.iter().filter(|(_, out)| here(out)).map(|(spot, _)| *spot).take(room).collect();
        next.extend(outs.iter().filter_map(|spot| self.outs.remove(spot)));
        for mut event in std::mem::take(&mut self.events) {
            match &mut event.ticket {
                Some(ticket) if self.keys.blocks(&ticket.lane) => match self.may_park(&ticket.lane) {
                    true => self.park(event),
                    false => self.events.push_back(event),
                },
                Some(ticket) if next.len() < most => {
                    *self.flying.entry(ticket.lane.clone()).or_default() += 1;
                    next.push(event);
                }
                _ => self.events.push_back(event),
            }
        }
    }

    /// Whether an event of a lane may be kept. What is kept of a key comes before what is not, also after a crash in
    /// between: so an event waits until those before it are settled, returned, or kept.
    fn may_park(&self, lane: &Lane) -> bool {
        !self.parking && !self.flying.contains_key(lane)
    }

    /// An event that the engine was not handed is kept.
    fn park(&mut self, mut event: Arrival) {
        if let Some(ticket) = &mut event.ticket {
            ticket.turn += 1;
            self.keys.put(&ticket.lane, ticket.spot, (ticket.turn, Standing::Parked));
            self.parks.push(event);
        }
    }

    /// Keeps all that may be kept of what the engine was not handed.
    fn park_all(&mut self) {
        for out in std::mem::take(&mut self.outs).into_values() {
            self.park(out);
        }
        for event in std::mem::take(&mut self.events) {
            match event.ticket.as_ref().is_some_and(|ticket| self.may_park(&ticket.lane)) {
                true => self.park(event),
                false => self.events.push_back(event),
            }
        }
    }

    /// An event that the engine had is settled.
    fn landed(&mut self, lane: &Lane) {
        if let Some(count) = self.flying.get_mut(lane) {
            *count -= 1;
            if *count == 0 {
                self.flying.remove(lane);
            }
        }
    }

    /// An event comes back to where it was.
    fn put_back(&mut self, event: Arrival) {
        let at = self.events.partition_point(|other| other.place < event.place);
        self.events.insert(at, event);
    }

    fn is_blocked(&self, arrival: &Arrival) -> bool {
        arrival.ticket.as_ref().is_some_and(|ticket| self.keys.blocks(&ticket.lane))
    }
}

/// Takes messages for the engine.
pub(crate) fn next(member: &Member, state: &mut State, most: usize) -> Vec<Arrival> {
    let (mut next, count) = (Vec::new(), state.shelves.len());
    if member.is_stopped() {
        return next;
    }
    state.turns = state.turns.wrapping_add(1);
    for shard in 0..count {
        let shard = (state.turns + shard) % count;
        state.shelves[shard].next(most, &mut next);
        member.shards[shard].notify_one();
    }
    next
}

/// What the engine was not handed, in numbers: queued, waiting, parked, held keys.
pub(crate) fn counts(state: &State) -> [u64; 4] {
    let mut sums = [0; 4];
    for shelf in &state.shelves {
        let counts = shelf.keys.counts();
        let blocked = shelf.events.iter().filter(|event| shelf.is_blocked(event)).count();
        let queued = (shelf.events.len() - blocked + shelf.outs.len()) as u64 + counts.going;
        let all = [queued, counts.waiting, counts.parked + blocked as u64, counts.held_keys];
        sums.iter_mut().zip(all).for_each(|(sum, count)| *sum += count);
    }
    sums
}

/// Takes in everything that the broker has sent by now, so that what is said next says it all.
pub(crate) async fn sync(member: &Member) {
    for shard in 0..member.shards.len() {
        let (tenure, asked) = {
            let state = member.state();
            (state.shelves[shard].tenure.clone(), state.shelves[shard].asked.clone())
        };
        let (Some(tenure), Some(asked)) = (tenure, asked) else { continue };
        let (answer, answered) = oneshot::channel();
        if tenure.echo().await.is_ok() && asked.send(answer).is_ok() {
            let _ = answered.await;
        }
    }
}

impl Ticket {
    /// The message for the queue `kept`, as it stands from now on.
    pub(crate) fn copy(&self, original: &Original, stage: Stage, about: About<'_>) -> Parcel {
        let kept = self.kept(stage, about.delay);
        original.labelled(self.tenure.names.kept().as_str(), &about.label(self.spot, &kept))
    }

    pub(crate) fn kept(&self, stage: Stage, delay: Duration) -> Kept {
        let key = match &self.lane {
            Lane::Of(key) => Some(key.clone()),
            Lane::Alone(_) => None,
        };
        let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        let due = jiff::Timestamp::now().as_millisecond().saturating_add(delay);
        Kept {
            stage,
            id: self.spot.id,
            turn: self.turn,
            key,
            due,
            home: self.tenure.names.kept().to_string(),
        }
    }
}

/// What is written on a message beside its ticket.
#[derive(Clone, Copy, Default)]
pub(crate) struct About<'a> {
    pub(crate) attempt: u32,
    pub(crate) history: Option<&'a History>,
    pub(crate) delay: Duration,
}

impl<'a> About<'a> {
    pub(crate) fn label<'b>(&self, spot: Spot, kept: &'b Kept) -> Label<'b>
    where
        'a: 'b,
    {
        let (attempt, place) = (self.attempt, spot.place);
        Label { attempt, place, history: self.history, remaining: self.delay, dead: None, kept: Some(kept) }
    }
}

/// A message that is moved.
pub(crate) struct Move {
    pub(crate) desk: Arc<Desk>,
    pub(crate) tag: u64,
    pub(crate) parcel: Parcel,
}

impl Move {
    /// A message that the engine was not handed, as it stands from now on.
    pub(crate) fn of(arrival: &Arrival, ticket: &Ticket, stage: Stage) -> Self {
        let Message { original, tag, attempt, history, .. } = &arrival.message;
        let about = About { attempt: *attempt, history: history.as_deref(), ..About::default() };
        Self { desk: Arc::clone(&arrival.desk), tag: *tag, parcel: ticket.copy(original, stage, about) }
    }
}

/// Publishes messages where they go, then acknowledges them where they were. What cannot be moved ends the membership:
/// whoever owns the shard next starts from what lies in the queues.
pub(crate) async fn carry(member: Arc<Member>, tenure: Arc<Tenure>, moves: Vec<Move>) -> bool {
    let (parcels, sources): (Vec<Parcel>, Vec<_>) =
        moves.into_iter().map(|one| (one.parcel, (one.desk, one.tag))).unzip();
    let moved = tenure.mover.publish(&parcels).await;
    let mut all = moved.iter().all(Moved::is_stored);
    let stored = || sources.iter().zip(&moved).filter(|(_, moved)| moved.is_stored());
    for desk in [&tenure.keeping, &tenure.reading] {
        let tags: Vec<u64> =
            stored().filter(|((of, _), _)| Arc::ptr_eq(of, desk)).map(|((_, tag), _)| *tag).collect();
        all &= desk.finish(&tags).await;
    }
    if !all {
        member.fail(ErrorKind::NotSent, "messages could not be kept");
    }
    member.state().moves += 1;
    all
}

/// What a message belongs to.
pub(crate) fn lane(message: &Message, spot: Spot) -> Lane {
    match &message.body {
        Body::Event(event) => event.key().cloned().map_or(Lane::Alone(spot), Lane::Of),
        Body::Undecodable(_) => Lane::Alone(spot),
    }
}
