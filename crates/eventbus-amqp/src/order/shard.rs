//! Who reads a shard: it waits for its turn, learns what is kept, and then lets every message go where it belongs.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use eventbus::ErrorKind;
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{FuturesUnordered, SelectAll, StreamExt as _};
use lapin::message::Delivery;
use lapin::types::ShortString;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::keys::{Keys, Round};
use super::line::{Waiting, alone};
use super::sequence::Sequence;
use super::{About, Move, Shelf, Spot, Tenure, carry};
use crate::desk::{Deliveries, Settling};
use crate::label::{Kept, Stage};
use crate::member::{Arrival, Member};
use crate::message::{Original, Parcel};
use crate::topology::Maker;

/// What a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Notes to the owner.
    Note,
    /// What is kept, and what says which keys are held.
    Kept,
    /// Events, read by this consumer.
    Events(u32),
}

/// How many events may be unacknowledged at first. A consumer's room is fixed when it begins.
const ROOM: u16 = 64;
/// For how many kept messages there is room at first; later for many times as many.
const LITTLE: u16 = 1024;
/// How many kept messages are on their way to the engine at once.
const GOING: usize = 256;
/// How often everything that is kept is given back and read again: a broker takes a consumer for dead that leaves a
/// message unacknowledged for 30 minutes.
const RENEWAL: Duration = Duration::from_secs(600);
/// How many messages are read again at once.
const SOME: usize = 256;
/// The pause between two such.
const REST: Duration = Duration::from_millis(100);
/// How often members of a group with several shards look how many they are.
const SHARING: Duration = Duration::from_secs(1);

/// Reads a shard until its member leaves.
pub(crate) async fn run(member: Arc<Member>, number: usize) {
    loop {
        match begin(&member, number).await {
            Ok(Some(shard)) => shard.run().await,
            Ok(None) => {}
            Err(error) => {
                member.fail(ErrorKind::NotSent, format!("standing in line for a shard failed: {error}"));
            }
        }
        if member.is_stopped() || member.has_failed() {
            return member.emptied(number);
        }
        // The shard was left to another member, and is stood in line for again.
    }
}

/// Waits for the turn of this member; `None` when it stops first.
async fn begin(member: &Arc<Member>, number: usize) -> lapin::Result<Option<Shard>> {
    let names = member.names.shard(number);
    let mut waiting = Waiting::new(member, number, names).await?;
    let link = Arc::clone(&waiting.tenure.keeping.link);
    let note = tokio::select! {
        () = link.lost() => {
            member.fail(ErrorKind::NotSent, "the connection was lost");
            None
        }
        note = waiting.turn() => Some(note?),
        () = member.ended(number) => None,
    };
    let Some(note) = note else {
        waiting.tenure.keeping.close().await;
        return Ok(None);
    };
    Ok(Some(Shard::new(member, note, waiting)))
}

/// Reads a shard that its member owns.
pub(super) struct Shard {
    pub(super) member: Arc<Member>,
    pub(super) number: usize,
    pub(super) tenure: Arc<Tenure>,
    pub(super) waiting: Option<Waiting>,
    pub(super) streams: SelectAll<Deliveries<Source>>,
    /// What comes of `kept`, `held` and `owner`.
    pub(super) keeping: Sequence<(Source, Delivery)>,
    pub(super) jobs: FuturesUnordered<BoxFuture<'static, ()>>,
    pub(super) asked: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    /// The note that says that this member is the owner.
    pub(super) note: Option<u64>,
    /// What was written at the ends of `kept` and `held`; how many of the two have not come yet.
    pub(super) mark: (u64, u8),
    /// The events of which copies were kept by former owners, who perhaps did not acknowledge them.
    pub(super) inherited: HashSet<u64>,
    /// Whether the former owner left in peace: what came back to the queue then was lost with nobody.
    pub(super) excused: bool,
    /// Whether an event was read that no owner had before.
    pub(super) fresh: bool,
    /// What came before what it is about, and has to come again.
    pub(super) early: Vec<u64>,
    /// For how many kept messages there is room.
    pub(super) shelf_room: usize,
    /// How many consumers of events there were; the first tag and the room of the current one.
    pub(super) reading: (u32, u64, u16),
    /// When what is kept is read again next, and how far that is under way.
    pub(super) renewal: (Instant, Option<Round>),
    /// When it is looked next whether this member has more than its share.
    pub(super) sharing: Instant,
}

impl Shard {
    fn new(member: &Arc<Member>, note: u64, waiting: Waiting) -> Self {
        let (tenure, excused) = (Arc::clone(&waiting.tenure), waiting.excused);
        let (asking, asked) = mpsc::unbounded_channel();
        let (number, keeping) = (tenure.shard, Sequence::new(tenure.keeping.next()));
        let shelf = Shelf { tenure: Some(Arc::clone(&tenure)), asked: Some(asking), ..Shelf::default() };
        member.state().shelves[number] = shelf;
        Self {
            member: Arc::clone(member),
            number,
            tenure,
            waiting: Some(waiting),
            streams: SelectAll::new(),
            keeping,
            jobs: FuturesUnordered::new(),
            asked,
            note: Some(note),
            mark: (rand::random(), 2),
            inherited: HashSet::new(),
            excused,
            fresh: false,
            early: Vec::new(),
            shelf_room: 0,
            reading: (0, 1, 0),
            renewal: (Instant::now() + renewal(member), None),
            sharing: Instant::now(),
        }
    }

    async fn run(mut self) {
        if let Err(error) = self.take_over().await {
            self.member.fail(ErrorKind::NotSent, format!("taking a shard over failed: {error}"));
        }
        while !self.member.is_gone() && !self.member.has_failed() {
            match self.turn().await {
                Ok(true) => return self.leave().await,
                Ok(false) => {}
                Err(error) => {
                    self.member.fail(ErrorKind::NotSent, format!("reading a shard failed: {error}"));
                }
            }
        }
        while !self.member.is_gone() {
            self.member.shards[self.number].notified().await;
        }
        self.member.stop();
        self.leave().await;
    }

    /// Begins to read what is kept; events follow when all of that is known.
    async fn take_over(&mut self) -> lapin::Result<()> {
        if let Some(waiting) = self.waiting.take() {
            let alone = alone(&self.member, &waiting.tenure).await?;
            self.streams.push(waiting.notes);
            if !alone {
                return Ok(());
            }
        }
        self.widen().await?;
        let (names, tenure) = (&self.tenure.names, Arc::clone(&self.tenure));
        let marks = [names.kept(), names.held()].map(|queue| self.word(&queue, Stage::Mark));
        self.jobs.push(marked(Arc::clone(&self.member), tenure, marks.into()).boxed());
        Ok(())
    }

    /// A message of the owner's own, which belongs to no event.
    fn word(&self, queue: &ShortString, stage: Stage) -> Parcel {
        let id = self.mark.0;
        let kept = Kept { stage, id, turn: 0, key: None, due: 0, home: String::new() };
        Original::empty().labelled(queue.as_str(), &About::default().label(Spot { place: 0, id }, &kept))
    }

    fn is_over(&self) -> bool {
        self.member.has_failed() || self.tenure.keeping.is_over()
    }

    /// Makes room for more kept messages: a consumer's room is fixed, so that is one more of them.
    async fn widen(&mut self) -> lapin::Result<()> {
        let room = if self.shelf_room == 0 { LITTLE } else { u16::MAX };
        let names = &self.tenure.names;
        for (queue, kind) in [(names.kept(), "kept"), (names.held(), "held")] {
            let tag = ShortString::from(format!("{kind}-{}", self.shelf_room));
            let consuming = self.tenure.keeping.consume((queue, tag), Settling::Needed(room), Source::Kept);
            self.streams.push(consuming.await?);
        }
        self.shelf_room += usize::from(room);
        Ok(())
    }

    /// Does what there is to do, and waits for more; tells whether the shard was left to another member.
    async fn turn(&mut self) -> lapin::Result<bool> {
        if self.member.is_stopped() {
            if self.stop().await? {
                self.member.emptied(self.number);
            }
        } else if self.is_leaving() {
            if self.stop().await? && !self.member.has_flights(self.number) {
                return Ok(true);
            }
        } else {
            self.share().await?;
            self.hand_out().await?;
            self.read().await?;
        }
        self.renew().await;
        self.wait().await;
        Ok(false)
    }

    fn is_leaving(&self) -> bool {
        self.member.state().shelves[self.number].leaving
    }

    /// Leaves the shard to another member, when this one has more than its share.
    async fn share(&mut self) -> lapin::Result<()> {
        let shards = self.member.shards.len();
        if shards == 1 || Instant::now() < self.sharing {
            return Ok(());
        }
        self.sharing = Instant::now() + SHARING;
        let desk = Arc::clone(&self.tenure.keeping);
        let maker = Maker { link: &desk.link, channel: &desk.channel };
        let members = maker.look(self.member.names.members()).await?.consumer_count().max(1) as usize;
        let mut state = self.member.state();
        let owned = state.shelves[..self.number].iter().filter(|shelf| shelf.tenure.is_some()).count();
        state.shelves[self.number].leaving = owned >= shards.div_ceil(members);
        Ok(())
    }

    /// Waits for something to do.
    async fn wait(&mut self) {
        let is_stopped = self.member.is_stopped() || self.is_leaving();
        let due = self.with_keys(|keys| keys.due()).filter(|_| !is_stopped);
        let sharing = (self.member.shards.len() > 1 && !is_stopped).then_some(self.sharing);
        let due = due.into_iter().chain(sharing).fold(self.renewal.0, Instant::min);
        let (link, member) = (Arc::clone(&self.tenure.keeping.link), Arc::clone(&self.member));
        tokio::select! {
            biased;
            () = link.lost() => member.fail(ErrorKind::NotSent, "the connection was lost"),
            Some(first) = self.streams.next() => self.take_in(first),
            Some(()) = self.jobs.next(), if !self.jobs.is_empty() => {}
            Some(answer) = self.asked.recv() => drop(answer.send(())),
            () = member.shards[self.number].notified() => {}
            () = sleep_until(due) => {}
        }
    }

    fn with_keys<T>(&self, with: impl FnOnce(&mut Keys) -> T) -> T {
        with(&mut self.member.state().shelves[self.number].keys)
    }

    /// Lets go what may, and keeps what must be.
    async fn hand_out(&mut self) -> lapin::Result<()> {
        let (back, parks, len) = {
            let mut state = self.member.state();
            let shelf = &mut state.shelves[self.number];
            shelf.keys.ripen(Instant::now());
            let room = GOING.saturating_sub(shelf.keys.going() + shelf.outs.len());
            let mut back = shelf.keys.go(room);
            if self.mark.1 == 0 {
                back.append(&mut self.early);
            }
            (back, take_parks(shelf), shelf.keys.len())
        };
        self.tenure.keeping.reject(&back).await;
        self.shift(&parks, Stage::Parked);
        if len + SOME + GOING > self.shelf_room {
            self.widen().await?;
        }
        Ok(())
    }

    /// Moves messages to the end of `kept`.
    pub(super) fn shift(&mut self, arrivals: &[Arrival], stage: Stage) {
        let moves: Vec<Move> = arrivals
            .iter()
            .filter_map(|arrival| Some(Move::of(arrival, arrival.ticket.as_ref()?, stage)))
            .collect();
        if !moves.is_empty() {
            let (member, number) = (Arc::clone(&self.member), self.number);
            let carried = carry(Arc::clone(&member), Arc::clone(&self.tenure), moves);
            let carried = async move {
                carried.await;
                if stage == Stage::Parked {
                    member.state().shelves[number].parking = false;
                    member.bell.notify_one();
                }
            };
            self.jobs.push(carried.boxed());
        }
    }

    /// Begins to read events, or makes the room for them what the engine wants, when there is none left: only then is
    /// nothing on its way to the consumer that is cancelled for that, and everything keeps its order.
    async fn read(&mut self) -> lapin::Result<()> {
        let (number, first, room) = self.reading;
        let wanted = u16::try_from(self.member.wanted()).unwrap_or(u16::MAX);
        if self.mark.1 > 0
            || (room > 0 && (wanted <= room || self.tenure.reading.open_from(first) < usize::from(room)))
        {
            return Ok(());
        }
        let desk = Arc::clone(&self.tenure.reading);
        let gate = desk.pause().await;
        if room > 0 {
            if desk.open_from(first) < usize::from(room) {
                return Ok(());
            }
            desk.cancel(std::iter::once(tag(number))).await?;
        }
        self.reading = (number + 1, desk.next(), wanted.max(ROOM));
        let queue = (self.tenure.names.events(), tag(number + 1));
        let consuming = desk.consume(queue, Settling::Needed(self.reading.2), Source::Events(number + 1));
        self.streams.push(consuming.await?);
        drop(gate);
        Ok(())
    }

    /// Has everything that is kept come again, some at a time, before the broker takes this consumer for dead.
    async fn renew(&mut self) {
        if Instant::now() < self.renewal.0 {
            return;
        }
        let desk = &self.tenure.keeping;
        let mut round = match self.renewal.1.take() {
            Some(round) => round,
            None => {
                desk.reject(self.note.take().as_slice()).await;
                let upto = desk.next() - 1;
                self.with_keys(|keys| keys.round(upto))
            }
        };
        // However many there are, they have come again in half of the time.
        let rests = (renewal(&self.member).as_millis() / REST.as_millis() / 2).max(1);
        let tags = self.with_keys(|keys| {
            let some = keys.len() / usize::try_from(rests).unwrap_or(1) + SOME;
            keys.renew(&mut round, some)
        });
        self.tenure.keeping.reject(&tags).await;
        self.renewal = match tags.is_empty() {
            true => (Instant::now() + renewal(&self.member), None),
            false => (Instant::now() + REST, Some(round)),
        };
    }

    /// Reads no more events, and gives back what the engine was not handed: it is not charged for that. Tells whether that
    /// is done.
    async fn stop(&mut self) -> lapin::Result<bool> {
        if self.reading.2 > 0 {
            self.read_no_more().await?;
        }
        let parks = {
            let mut state = self.member.state();
            let shelf = &mut state.shelves[self.number];
            shelf.keys.stop();
            shelf.park_all();
            take_parks(shelf)
        };
        self.shift(&parks, Stage::Parked);
        let is_done = self.jobs.is_empty() && self.with_keys(|keys| keys.going()) == 0;
        Ok(is_done)
    }

    /// Ends the reading of events. What is on its way to a consumer that is cancelled counts as lost with it: that is little,
    /// and excused when this member leaves the shard in peace.
    async fn read_no_more(&mut self) -> lapin::Result<()> {
        let desk = Arc::clone(&self.tenure.reading);
        let calm = desk.calm(&[self.tenure.names.events()]).await?;
        let number = std::mem::take(&mut self.reading).0;
        desk.cancel(std::iter::once(tag(number))).await?;
        drop(calm);
        self.drain();
        Ok(())
    }

    /// Takes in what has come.
    fn drain(&mut self) {
        while let Some(Some(first)) = self.streams.next().now_or_never() {
            self.take_in(first);
        }
    }

    /// The owner's last act; whoever is next in line is given the note.
    async fn leave(mut self) {
        while !self.is_over() && self.stop().await.is_ok_and(|done| !done) {
            self.wait().await;
        }
        // Where nothing new was read, what a lost owner had may not have been read either: that counts.
        if self.fresh && !self.is_over() && !self.member.has_flights(self.number) {
            let word = [self.word(&self.tenure.names.owner(), Stage::Left)];
            self.tenure.mover.publish(&word).await;
        }
        self.tenure.reading.close().await;
        self.tenure.keeping.close().await;
        // What is still kept there is counted by the broker again.
        self.member.state().shelves[self.number] = Shelf::default();
    }
}

/// Takes what is to be kept, unless that is under way for others: what comes first is kept first.
fn take_parks(shelf: &mut Shelf) -> Vec<Arrival> {
    match shelf.parking {
        true => Vec::new(),
        false => {
            shelf.parking = !shelf.parks.is_empty();
            std::mem::take(&mut shelf.parks)
        }
    }
}

fn tag(number: u32) -> ShortString {
    format!("events-{number}").into()
}

/// Writes marks at the ends of queues.
async fn marked(member: Arc<Member>, tenure: Arc<Tenure>, marks: Vec<Parcel>) {
    if !tenure.mover.publish(&marks).await.iter().all(crate::mover::Moved::is_stored) {
        member.fail(ErrorKind::NotSent, "a shard could not be read to its end");
    }
}

/// Sooner where the broker takes messages back sooner.
fn renewal(member: &Member) -> Duration {
    RENEWAL.min(member.shared.config.consumer_timeout / 3)
}
