//! What a member of a group without order reads: a task that takes in what the broker sends, lets messages wait on, and
//! answers what it is asked.

use std::sync::Arc;
use std::time::Duration;

use eventbus::ErrorKind;
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{FuturesUnordered, SelectAll, StreamExt as _};
use lapin::message::Delivery;
use lapin::types::ShortString;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::ask;
use crate::desk::{Deliveries, Desk, Settling};
use crate::member::{Arrival, Member, State};
use crate::message::Message;
use crate::order;
use crate::wait::SHORTEST;
use crate::waiting::{Hop, Waits, give_back, send_on};

/// How often the queues of a group that goes with its members are touched, so that they do not expire.
const TOUCH: Duration = Duration::from_secs(20);
/// The longest that a message waits here at a time, for the end of its delay or for the queue it waits in.
const SOON: Duration = Duration::from_millis(SHORTEST);
/// How many of them there may be.
const MORE: usize = 1000;
/// How many messages are taken in at once.
const MOST: usize = 4096;

/// For how long more room must be wanted until it is made: what is being settled makes room by itself.
const PATIENCE: Duration = Duration::from_millis(5);

/// What a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The queue that counts members; nothing comes.
    Members,
    /// Questions.
    Ask,
    /// Events for the first time, read by this lane.
    Events(u32),
    /// Messages that come again, read by this lane.
    Again(u32),
}

/// Two consumers, of events and of what comes again, with room for as many messages each.
///
/// A consumer's room is fixed when it begins, so more room is one lane more. Less there is not: a queue counts what is on
/// its way to a consumer that is cancelled as lost with it.
struct Lane {
    number: u32,
    room: u16,
    reads: Reads,
}

/// What a lane reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Everything,
    /// What comes again, because what waits here for a moment has taken its room.
    Again,
}

impl Lane {
    fn tags(&self) -> impl Iterator<Item = (Source, ShortString)> + use<> {
        let (number, reads) = (self.number, self.reads);
        let both = [
            (Source::Again(number), format!("again-{number}").into()),
            (Source::Events(number), format!("events-{number}").into()),
        ];
        both.into_iter()
            .filter(move |(source, _)| reads == Reads::Everything || matches!(source, Source::Again(_)))
    }
}

/// Reads for one member, on one channel.
pub(crate) struct Inbox {
    member: Arc<Member>,
    desk: Arc<Desk>,
    streams: SelectAll<Deliveries<Source>>,
    lanes: Vec<Lane>,
    numbers: u32,
    /// Since when more room is wanted.
    narrow: Option<Instant>,
    jobs: FuturesUnordered<BoxFuture<'static, ()>>,
    touch: Instant,
    /// Those who read, with order per key.
    shards: Vec<JoinHandle<()>>,
}

impl Inbox {
    /// Reads on this desk; the streams are those of a member that has joined.
    pub(crate) fn new(member: Arc<Member>, desk: Arc<Desk>, joined: Vec<Deliveries<Source>>) -> Self {
        let shards =
            (0..member.shards.len()).map(|shard| tokio::spawn(order::run(Arc::clone(&member), shard)));
        let shards = shards.collect();
        Self {
            member,
            desk,
            streams: joined.into_iter().collect(),
            lanes: Vec::new(),
            numbers: 0,
            narrow: None,
            jobs: FuturesUnordered::new(),
            touch: Instant::now() + TOUCH,
            shards,
        }
    }

    /// Reads until the member leaves.
    pub(crate) async fn run(mut self) {
        while !self.member.is_gone() && !self.member.has_failed() {
            if let Err(error) = self.turn().await {
                self.member.fail(ErrorKind::NotSent, format!("reading failed: {error}"));
            }
        }
        while !self.member.is_gone() {
            self.member.work.notified().await;
        }
        self.leave().await;
    }

    async fn turn(&mut self) -> lapin::Result<()> {
        if !self.member.shards.is_empty() {
            // What it has is read elsewhere.
        } else if self.member.is_stopped() {
            self.empty().await?;
        } else {
            self.adjust().await?;
        }
        let ripe = self.member.state().soon.keys().next().map(|(until, _)| *until);
        let room = self.narrow.map(|since| since + PATIENCE);
        let due = ripe.into_iter().chain(room).fold(self.touch, Instant::min);
        tokio::select! {
            biased;
            () = self.desk.link.lost() => {
                self.member.fail(ErrorKind::NotSent, "the connection was lost");
            }
            Some(first) = self.streams.next() => self.take_in(first),
            Some(()) = self.jobs.next(), if !self.jobs.is_empty() => {}
            () = self.member.work.notified() => {}
            () = sleep_until(due) => {
                self.touch();
                self.ripen();
            }
        }
        Ok(())
    }

    /// Keeps queues that nobody reads from expiring.
    fn touch(&mut self) {
        if Instant::now() >= self.touch {
            self.touch = Instant::now() + TOUCH;
            let member = Arc::clone(&self.member);
            self.jobs.push(async move { crate::join::touch(&member).await }.boxed());
        }
    }

    /// Makes the room at the broker what the engine wants, and what waits here for a moment takes.
    async fn adjust(&mut self) -> lapin::Result<()> {
        let room = |reads: Reads| -> usize {
            let lanes = self.lanes.iter().filter(|lane| lane.reads == reads);
            lanes.map(|lane| usize::from(lane.room)).sum()
        };
        let (room, more) = (room(Reads::Everything), room(Reads::Again));
        let (wanted, waiting) = (self.member.wanted(), self.member.state().soon.len());
        if wanted > room && (room == 0 || self.narrow.get_or_insert_with(Instant::now).elapsed() >= PATIENCE)
        {
            self.narrow = None;
            return self.widen(wanted - room, Reads::Everything).await;
        }
        if wanted <= room {
            self.narrow = None;
        }
        if waiting * 2 > room + more * 2 && more < MORE {
            // Twice as much each time: a lane is there for good, and what it reads is lost with a member that is lost.
            return self.widen((room + more).min(MORE - more), Reads::Again).await;
        }
        Ok(())
    }

    async fn widen(&mut self, room: usize, reads: Reads) -> lapin::Result<()> {
        self.numbers += 1;
        let lane = Lane { number: self.numbers, room: u16::try_from(room).unwrap_or(u16::MAX), reads };
        for (source, tag) in lane.tags() {
            let names = &self.member.names;
            let queue = if matches!(source, Source::Again(_)) { names.again() } else { names.events() };
            let consuming = self.desk.consume((queue, tag), Settling::Needed(lane.room), source);
            self.streams.push(consuming.await?);
        }
        self.lanes.push(lane);
        Ok(())
    }

    /// Takes in what has come, in the order in which it was sent.
    fn take_in(&mut self, first: (Source, Option<Delivery>)) {
        let mut came = Vec::new();
        let mut next = Some(first);
        while let Some((source, delivery)) = next {
            match delivery {
                Some(delivery) => came.push((source, delivery)),
                None => self.ended(source),
            }
            next = if came.len() < MOST { self.streams.next().now_or_never().flatten() } else { None };
        }
        came.sort_by_key(|(_, delivery)| delivery.delivery_tag);
        let (asked, came): (Vec<_>, Vec<_>) =
            came.into_iter().partition(|(source, _)| *source == Source::Ask);
        self.absorb(came);
        // Answered last: what was sent before a question is known by then.
        for (_, delivery) in asked {
            self.desk.passed(delivery.delivery_tag);
            self.jobs.push(ask::answer(Arc::clone(&self.member), delivery).boxed());
        }
    }

    /// A stream that ends is a fault, unless it was told to.
    fn ended(&mut self, source: Source) {
        let of_lane = |number: u32| self.lanes.iter().any(|lane| lane.number == number);
        let is_fault = match source {
            Source::Members | Source::Ask => true,
            Source::Events(number) | Source::Again(number) => of_lane(number),
        };
        if is_fault {
            let text = format!(
                "the broker ended the reading of {}: a queue was deleted or moved",
                self.member.spec.group
            );
            self.member.fail(ErrorKind::NotSent, text);
        }
    }

    /// Lets a message wait for what is left of its delay: here, or in a queue.
    fn wait(&self, state: &mut State, arrival: Arrival) -> Option<Hop> {
        let remaining = arrival.message.remaining;
        if remaining.is_zero() {
            state.again.insert((arrival.place, arrival.message.tag), arrival);
            return None;
        }
        if let Some((time, left)) = Waits::next(&self.member, remaining) {
            return Some(Hop { arrival, time, left });
        }
        state.soon.insert((Instant::now() + remaining.min(SOON), arrival.message.tag), arrival);
        None
    }

    /// What has waited here for long enough goes on.
    fn ripen(&mut self) {
        let now = Instant::now();
        let mut hops = Vec::new();
        let mut state = self.member.state();
        while let Some(entry) = state.soon.first_entry().filter(|entry| entry.key().0 <= now) {
            let mut arrival = entry.remove();
            arrival.message.remaining = arrival.message.remaining.saturating_sub(SOON);
            hops.extend(self.wait(&mut state, arrival));
        }
        state.hopping += hops.len();
        drop(state);
        if !hops.is_empty() {
            self.jobs.push(send_on(Arc::clone(&self.member), hops).boxed());
        }
        self.member.bell.notify_one();
    }

    fn absorb(&mut self, came: Vec<(Source, Delivery)>) {
        let largest = self.member.shared.config.max_event_size;
        let (mut skipped, mut waiting) = (Vec::new(), Vec::new());
        let mut state = self.member.state();
        for (source, delivery) in came {
            self.desk.came(delivery.delivery_tag);
            let message = Message::read(delivery, largest);
            let place = state.place(message.place);
            state.moves += 1;
            let comes_again = matches!(source, Source::Again(_));
            if !comes_again && !self.member.wants(&message) {
                skipped.push(message.tag);
                continue;
            }
            let arrival = Arrival { desk: Arc::clone(&self.desk), place, ticket: None, message };
            match comes_again {
                true => {
                    state.came_again(place);
                    waiting.extend(self.wait(&mut state, arrival));
                }
                false => state.events.push_back(arrival),
            }
        }
        state.hopping += waiting.len();
        drop(state);
        if !waiting.is_empty() {
            self.jobs.push(send_on(Arc::clone(&self.member), waiting).boxed());
        }
        if !skipped.is_empty() {
            let desk = Arc::clone(&self.desk);
            let skip = async move {
                desk.finish(&skipped).await;
            };
            self.jobs.push(skip.boxed());
        }
        self.member.bell.notify_one();
    }

    /// Stops reading, and gives back what the engine was not handed: it is not charged for that.
    async fn empty(&mut self) -> lapin::Result<()> {
        if self.member.state().emptied {
            return Ok(());
        }
        let (member, desk) = (Arc::clone(&self.member), Arc::clone(&self.desk));
        let names = &member.names;
        let flow = member.flow.write().await;
        let calm = desk.calm(&[names.events(), names.again()]).await?;
        let lanes = std::mem::take(&mut self.lanes);
        desk.cancel(lanes.iter().flat_map(Lane::tags).map(|(_, tag)| tag)).await?;
        drop((calm, flow));
        member.empty.notify_waiters();
        while let Some(Some(first)) = self.streams.next().now_or_never() {
            self.take_in(first);
        }
        while self.jobs.next().await.is_some() {}
        give_back(&self.member).await;
        self.member.state().emptied = true;
        self.member.bell.notify_one();
        Ok(())
    }

    /// The member's last act.
    async fn leave(mut self) {
        if !self.shards.is_empty() {
            futures::future::join_all(self.shards.drain(..)).await;
            while self.jobs.next().await.is_some() {}
            self.desk.depart().await;
        } else if !self.desk.is_over() && self.empty().await.is_ok() {
            self.desk.depart().await;
        }
        crate::join::leave(&self.member).await;
    }
}
