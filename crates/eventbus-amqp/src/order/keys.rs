//! What is kept of each key of a shard, and what may be handed out: a pure state machine in the memory of the shard's
//! owner. All of it is derived from what lies in the queues `kept` and `held`.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use eventbus::Key;
use tokio::time::Instant;

use crate::label::Stage;

/// How many messages of a key are handed out at once when it is free again.
const CHUNK: usize = 64;

/// Where a message belongs among others of its key, and what tells it from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Spot {
    pub(crate) place: i64,
    pub(crate) id: u64,
}

/// What keeps an order: a key, or a message without one for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    Of(Key),
    Alone(Spot),
}

/// How a kept message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It follows when those before it are over.
    Parked,
    /// It holds its key, until then at least; `None` when it may be handed out now, alone.
    Waiting(Option<Instant>),
    /// It holds its key as a dead letter.
    Dead,
    /// It is given back to the queue, to come again with its body.
    Fetching,
    /// Its copy that says that it is out is on its way.
    Leaving,
    /// It goes to the engine, or is there.
    Out,
}

impl Standing {
    fn is_busy(self) -> bool {
        matches!(self, Self::Fetching | Self::Leaving | Self::Out)
    }
}

/// A kept message, without its body.
#[derive(Debug)]
struct Entry {
    turn: u32,
    /// Its delivery tag; `None` while it is on its way.
    tag: Option<u64>,
    standing: Standing,
}

#[derive(Debug, Default)]
struct Queue {
    entries: BTreeMap<Spot, Entry>,
    /// How many of them are on their way to the engine, or there.
    busy: usize,
    /// How many of these are on their way.
    going: usize,
}

/// The keys of a shard that anything is kept of.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    queues: HashMap<Lane, Queue>,
    due: BTreeMap<(Instant, Spot), Lane>,
    /// What may be handed out next.
    ripe: BTreeMap<Spot, Lane>,
    len: usize,
    going: usize,
    /// Whether everything is known that was kept before.
    complete: bool,
}

/// How far everything that is kept has been given back, to come again.
#[derive(Debug)]
pub(crate) struct Round {
    /// What came later is not old.
    upto: u64,
    /// The lanes that are left.
    lanes: Vec<Lane>,
    /// Where it was in the last of them.
    last: Option<Spot>,
}

/// A message that comes from `kept` or `held`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coming {
    pub(crate) turn: u32,
    pub(crate) tag: u64,
    pub(crate) stage: Stage,
    /// How it stands unless it is known.
    pub(crate) standing: Standing,
}

/// What is to be done with a message that came from `kept` or `held`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// It is known and stays there.
    Kept,
    /// It counts no more: it is acknowledged.
    Stale,
    /// The older copy with this tag counts no more.
    Instead(Option<u64>),
    /// What it is about has not come yet: it has to come again.
    Early,
    /// It came for its body: its copy goes out now.
    Fetched,
    /// It is the copy that went out.
    Out,
}

/// What is kept, in numbers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) parked: u64,
    pub(crate) waiting: u64,
    /// On their way to the engine.
    pub(crate) going: u64,
    pub(crate) held_keys: u64,
}

impl Queue {
    fn set(&mut self, spot: Spot, entry: Entry) -> Option<Entry> {
        let counts = |standing: Standing| (usize::from(standing.is_busy()), usize::from(is_going(standing)));
        let (busy, going) = counts(entry.standing);
        let old = self.entries.insert(spot, entry);
        let (was_busy, was_going) = old.as_ref().map_or((0, 0), |old| counts(old.standing));
        self.busy = self.busy + busy - was_busy;
        self.going = self.going + going - was_going;
        old
    }

    /// The first messages that may be handed out now.
    fn next(&self) -> Vec<Spot> {
        let Some((first, entry)) = self.entries.first_key_value().filter(|_| self.busy == 0) else {
            return Vec::new();
        };
        match entry.standing {
            Standing::Waiting(None) => vec![*first],
            Standing::Parked => {
                let parked = |(_, entry): &(&Spot, &Entry)| entry.standing == Standing::Parked;
                self.entries.iter().take_while(parked).take(CHUNK).map(|(spot, _)| *spot).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn is_going(standing: Standing) -> bool {
    matches!(standing, Standing::Fetching | Standing::Leaving)
}

impl Keys {
    /// Everything that was kept before is known.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    /// How many messages are kept, those at the engine included.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many of them are on their way to the engine.
    pub(crate) fn going(&self) -> usize {
        self.going
    }

    /// Whether a message that comes after everything kept of its key has to be kept too.
    pub(crate) fn blocks(&self, lane: &Lane) -> bool {
        self.queues.get(lane).is_some_and(|queue| queue.entries.len() > queue.busy || queue.going > 0)
    }

    /// Whether nothing of a lane is on its way to the engine.
    pub(crate) fn is_here(&self, lane: &Lane) -> bool {
        self.queues.get(lane).is_none_or(|queue| queue.going == 0)
    }

    /// A message is moved: a copy of this turn is sent to its queue, to stand like this.
    pub(crate) fn put(&mut self, lane: &Lane, spot: Spot, (turn, standing): (u32, Standing)) {
        self.set(lane, spot, Entry { turn, tag: None, standing });
    }

    fn set(&mut self, lane: &Lane, spot: Spot, entry: Entry) -> Option<Entry> {
        if let Standing::Waiting(Some(until)) = entry.standing {
            self.due.insert((until, spot), lane.clone());
        }
        let queue = self.queues.entry(lane.clone()).or_default();
        let going = queue.going;
        let old = queue.set(spot, entry);
        self.going = self.going + queue.going - going;
        self.len += usize::from(old.is_none());
        self.look(lane);
        old
    }

    /// Notes what may be handed out of a lane.
    fn look(&mut self, lane: &Lane) {
        if let Some(first) = self.queues.get(lane).and_then(|queue| queue.next().first().copied()) {
            self.ripe.insert(first, lane.clone());
        }
    }

    /// A message is over: nothing is kept of it any more.
    pub(crate) fn end(&mut self, lane: &Lane, spot: Spot, turn: u32) -> Option<u64> {
        let queue = self.queues.get_mut(lane)?;
        queue.entries.get(&spot).filter(|entry| entry.turn == turn)?;
        let entry = queue.entries.remove(&spot)?;
        queue.busy -= usize::from(entry.standing.is_busy());
        queue.going -= usize::from(is_going(entry.standing));
        self.going -= usize::from(is_going(entry.standing));
        self.len -= 1;
        match queue.entries.is_empty() {
            true => drop(self.queues.remove(lane)),
            false => self.look(lane),
        }
        entry.tag
    }

    /// A message came from its queue.
    pub(crate) fn came(&mut self, lane: &Lane, spot: Spot, coming: Coming) -> Came {
        let Coming { turn, tag, stage, standing } = coming;
        let known = self.queues.get_mut(lane).and_then(|queue| queue.entries.get_mut(&spot));
        let Some(entry) = known else {
            if stage == Stage::Free {
                return if self.complete { Came::Stale } else { Came::Early };
            }
            self.set(lane, spot, Entry { turn, tag: Some(tag), standing });
            return Came::Kept;
        };
        if turn == entry.turn && entry.tag.is_none() {
            entry.tag = Some(tag);
            return self.arrived(lane, spot);
        }
        // What is being handled is alive: whatever else is said of it came too late.
        if turn <= entry.turn || entry.standing.is_busy() {
            return Came::Stale;
        }
        if stage == Stage::Free {
            if entry.tag.is_none() {
                return Came::Early;
            }
            let before = entry.turn;
            return Came::Instead(self.end(lane, spot, before));
        }
        let old = self.set(lane, spot, Entry { turn, tag: Some(tag), standing });
        Came::Instead(old.and_then(|old| old.tag))
    }

    /// What was on its way is here.
    fn arrived(&mut self, lane: &Lane, spot: Spot) -> Came {
        let entry = self.queues.get(lane).and_then(|queue| queue.entries.get(&spot));
        let Some((turn, tag, standing)) = entry.map(|entry| (entry.turn, entry.tag, entry.standing)) else {
            return Came::Stale;
        };
        match standing {
            Standing::Fetching => {
                self.put(lane, spot, (turn + 1, Standing::Leaving));
                Came::Fetched
            }
            Standing::Leaving => {
                self.set(lane, spot, Entry { turn, tag, standing: Standing::Out });
                Came::Out
            }
            _ => Came::Kept,
        }
    }

    /// Messages whose time has come hold their keys no longer than until they are handed out.
    pub(crate) fn ripen(&mut self, now: Instant) {
        while let Some(first) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((until, spot), lane) = first.remove_entry();
            let entry = self.queues.get_mut(&lane).and_then(|queue| queue.entries.get_mut(&spot));
            if let Some(entry) = entry.filter(|entry| entry.standing == Standing::Waiting(Some(until))) {
                entry.standing = Standing::Waiting(None);
                self.look(&lane);
            }
        }
    }

    /// When the next message is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.keys().next().map(|(until, _)| *until)
    }

    /// Lets messages go to the engine, those of the earliest places first: tells which tags are given back for that.
    pub(crate) fn go(&mut self, room: usize) -> Vec<u64> {
        let mut back = Vec::new();
        let mut gone = 0;
        while self.complete
            && gone < room
            && let Some((_, lane)) = self.ripe.pop_first()
        {
            let spots = self.queues.get(&lane).map(Queue::next).unwrap_or_default();
            for spot in spots.iter().take(room - gone) {
                back.extend(self.fetch(&lane, *spot));
                gone += 1;
            }
        }
        back
    }

    fn fetch(&mut self, lane: &Lane, spot: Spot) -> Option<u64> {
        let entry = self.queues.get(lane)?.entries.get(&spot)?;
        let (turn, tag) = (entry.turn, entry.tag);
        self.put(lane, spot, (turn, Standing::Fetching));
        tag
    }

    /// Nothing goes to the engine any more: what was to be fetched stays where it is.
    pub(crate) fn stop(&mut self) {
        for queue in self.queues.values_mut() {
            for entry in queue.entries.values_mut().filter(|entry| entry.standing == Standing::Fetching) {
                entry.standing = Standing::Parked;
                queue.busy -= 1;
                queue.going -= 1;
                self.going -= 1;
            }
        }
    }

    /// Begins a round of all that lies here, up to this tag.
    pub(crate) fn round(&self, upto: u64) -> Round {
        Round { upto, lanes: self.queues.keys().cloned().collect(), last: None }
    }

    /// Takes the next tags of a round, to give them back and have their messages come again; none are left when it is over.
    pub(crate) fn renew(&mut self, round: &mut Round, most: usize) -> Vec<u64> {
        let mut tags = Vec::new();
        while tags.len() < most
            && let Some(lane) = round.lanes.last()
        {
            let after = round.last.map_or(Bound::Unbounded, Bound::Excluded);
            let queue = self.queues.get_mut(lane);
            let entries =
                queue.into_iter().flat_map(|queue| queue.entries.range_mut((after, Bound::Unbounded)));
            round.last = None;
            for (spot, entry) in entries {
                if !entry.standing.is_busy() {
                    tags.extend(entry.tag.take_if(|tag| *tag <= round.upto));
                }
                if tags.len() == most {
                    round.last = Some(*spot);
                    break;
                }
            }
            if round.last.is_none() {
                round.lanes.pop();
            }
        }
        tags
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts { going: self.going as u64, ..Counts::default() };
        for (lane, queue) in &self.queues {
            let mut holds = false;
            for entry in queue.entries.values() {
                match entry.standing {
                    Standing::Parked => counts.parked += 1,
                    Standing::Waiting(_) => counts.waiting += 1,
                    _ => {}
                }
                holds |= matches!(entry.standing, Standing::Waiting(_) | Standing::Dead);
            }
            counts.held_keys += u64::from(holds && matches!(lane, Lane::Of(_)));
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane() -> Lane {
        Lane::Of(Key::new("k").unwrap())
    }

    fn spot(place: i64) -> Spot {
        Spot { place, id: 0 }
    }

    /// A message of a turn comes, with its place as its tag.
    fn came(keys: &mut Keys, place: i64, turn: u32, stage: Stage) -> Came {
        let standing = match stage {
            Stage::Parked => Standing::Parked,
            Stage::Dead => Standing::Dead,
            _ => Standing::Waiting(None),
        };
        let tag = place.cast_unsigned() * 10 + u64::from(turn);
        keys.came(&lane(), spot(place), Coming { turn, tag, stage, standing })
    }

    fn known() -> Keys {
        let mut keys = Keys::default();
        keys.complete();
        keys
    }

    #[test]
    fn nothing_goes_before_everything_is_known() {
        let mut keys = Keys::default();
        assert_eq!(came(&mut keys, 2, 1, Stage::Parked), Came::Kept);
        assert!(keys.go(9).is_empty());
        assert_eq!(came(&mut keys, 1, 1, Stage::Waiting), Came::Kept);
        keys.complete();
        assert_eq!(keys.go(9), [11], "the retry first, alone");
        assert_eq!(came(&mut keys, 1, 1, Stage::Waiting), Came::Fetched);
        assert_eq!(came(&mut keys, 1, 2, Stage::Out), Came::Out);
        assert!(keys.go(9).is_empty(), "what follows waits for its end");
        assert_eq!(keys.end(&lane(), spot(1), 2), Some(12));
        assert_eq!(keys.go(9), [21]);
    }

    #[test]
    fn a_retry_holds_its_key_until_it_is_due() {
        let (mut keys, now) = (known(), Instant::now());
        keys.put(&lane(), spot(1), (1, Standing::Waiting(Some(now + std::time::Duration::from_secs(1)))));
        assert!(keys.blocks(&lane()));
        assert_eq!(came(&mut keys, 1, 1, Stage::Waiting), Came::Kept);
        keys.ripen(now);
        assert!(keys.go(9).is_empty());
        keys.ripen(now + std::time::Duration::from_secs(1));
        assert_eq!(keys.go(9), [11]);
    }

    #[test]
    fn a_dead_letter_holds_its_key_until_word_comes_that_it_is_gone() {
        let mut keys = known();
        keys.put(&lane(), spot(1), (1, Standing::Dead));
        came(&mut keys, 2, 1, Stage::Parked);
        assert_eq!(came(&mut keys, 1, 2, Stage::Free), Came::Early, "what it is about is on its way");
        assert_eq!(came(&mut keys, 1, 1, Stage::Dead), Came::Kept);
        assert!(keys.go(9).is_empty());
        assert_eq!(came(&mut keys, 1, 2, Stage::Free), Came::Instead(Some(11)));
        assert_eq!(keys.go(9), [21]);
    }

    #[test]
    fn of_two_copies_the_one_of_the_greater_turn_counts() {
        let mut keys = Keys::default();
        came(&mut keys, 1, 2, Stage::Parked);
        assert_eq!(came(&mut keys, 1, 1, Stage::Parked), Came::Stale);
        assert_eq!(came(&mut keys, 1, 2, Stage::Parked), Came::Stale);
        assert_eq!(came(&mut keys, 1, 3, Stage::Waiting), Came::Instead(Some(12)));
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn what_was_parked_goes_some_at_a_time() {
        let mut keys = known();
        for place in 0..100 {
            came(&mut keys, place, 1, Stage::Parked);
        }
        assert_eq!((keys.go(10).len(), keys.going()), (10, 10));
        assert!(keys.go(10).is_empty(), "the rest waits for these");
        assert!(keys.blocks(&lane()));
    }

    #[test]
    fn what_is_read_again_keeps_its_place() {
        let mut keys = known();
        came(&mut keys, 1, 1, Stage::Dead);
        came(&mut keys, 2, 1, Stage::Parked);
        came(&mut keys, 3, 1, Stage::Parked);
        let mut round = keys.round(21);
        assert_eq!(keys.renew(&mut round, 1), [11]);
        assert_eq!(keys.renew(&mut round, 9), [21], "31 is younger");
        assert!(keys.renew(&mut round, 9).is_empty(), "once each");
        assert_eq!(came(&mut keys, 2, 1, Stage::Parked), Came::Kept);
        assert_eq!(came(&mut keys, 1, 1, Stage::Dead), Came::Kept);
        assert_eq!(keys.counts(), Counts { parked: 2, held_keys: 1, ..Counts::default() });
    }
}
