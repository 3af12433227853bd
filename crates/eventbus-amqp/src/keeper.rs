//! Whoever keeps what is published later: the one transport of all that stand by which the broker lets read the queue.
//!
//! It holds a plan of every event there, unacknowledged, and publishes an event at its time before it acknowledges it. When it
//! goes, everything unacknowledged is the next one's, who reads all of it before it does anything.

use std::sync::Arc;
use std::time::Duration;

use eventbus::{ErrorKind, Result};
use futures::future::{BoxFuture, FutureExt as _, join_all};
use futures::stream::{FuturesUnordered, SelectAll, StreamExt as _};
use lapin::message::Delivery;
use lapin::options::{BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions};
use tokio::time::{Instant, sleep, timeout};

use crate::agenda::{Act, Agenda};
use crate::desk::{Deliveries, Desk, Requeue, Settling};
use crate::error::{late, transient};
use crate::later::{Access, Trouble, send};
use crate::message::{Original, Parcel};
use crate::pigeonhole::{Room, make};
use crate::plan::{Answer, Note, Request, mark, published};
use crate::session::publish;
use crate::shared::Shared;
use crate::topology::Maker;

/// The most that a broker lets a reader of a quorum queue hold.
pub(crate) const MOST: u16 = u16::MAX;
/// How often the time is looked at, at least: it may be set.
const TICK: Duration = Duration::from_millis(200);
/// How long to rest after something failed.
const REST: Duration = Duration::from_millis(200);
/// The same when it fails again and again.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// How long events may be refused until a session ends: a broker refuses everything that a channel sends to a queue, for as
/// long as a node is down, when the first message came before it knew that another node leads the queue now.
const REFUSED: Duration = Duration::from_secs(5);
/// The same when the sessions before ended so too: then it is not the channel.
const LONGEST_REFUSED: Duration = Duration::from_secs(5 * 60);
/// How long what is under way is waited for in the end.
const LEAVING: Duration = Duration::from_secs(3);
/// How long publishing events that are due may take until it counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many messages are taken in at once.
const MANY: usize = 1024;

/// Stands by to keep the queue, for as long as the transport is open.
pub(crate) fn start(shared: &Arc<Shared>) {
    if shared.later.begin() {
        tokio::spawn(stand_by(Arc::clone(shared)));
    }
}

async fn stand_by(shared: Arc<Shared>) {
    let (later, mut rest, mut refused) = (&shared.later, REST, REFUSED);
    while shared.open().is_ok() {
        let session = tokio::select! {
            session = Session::open(&shared) => session,
            () = later.closed() => break,
        };
        let ended = match session {
            Ok(session) => {
                rest = REST;
                session.run(refused).await
            }
            Err(error) => Err(error),
        };
        later.set(Access::None);
        later.tell(Trouble::Refused, None);
        refused = match ended {
            Ok(Ended::Refused) => (refused * 2).min(LONGEST_REFUSED),
            _ => REFUSED,
        };
        if let Err(error) = ended {
            let queue = shared.bus.later().queue();
            let text = format!("what is scheduled in {queue} is not kept here: {error}");
            later.tell(Trouble::Broken, Some(text));
            let _ = timeout(rest, later.closed()).await;
            rest = (rest * 2).min(LONGEST_REST);
        }
    }
    later.left.send_replace(true);
}

/// What a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Queue,
    Answers,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The transport closes.
    Closed,
    /// Events were refused for too long; another channel may be served better.
    Refused,
}

/// Events on their way out, with what became of them.
type Outgoing = BoxFuture<'static, Vec<(i64, Box<Original>, lapin::Result<bool>)>>;

/// One channel's worth of keeping, or of standing by.
struct Session {
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    streams: SelectAll<Deliveries<Source>>,
    agenda: Agenda,
    /// Whoever reads this has read everything that was there before.
    mark: i64,
    outgoing: Option<Outgoing>,
    /// Nothing is published before this instant.
    rest: Instant,
    /// Since when events are refused.
    refused: Option<Instant>,
    jobs: FuturesUnordered<BoxFuture<'static, ()>>,
    room: Room,
    /// Whether the broker lets this one read the queue.
    is_keeper: bool,
    /// Messages that are nothing to plan: those that are done with, and other programs'.
    done: Vec<u64>,
    foreign: Vec<u64>,
}

impl Session {
    async fn open(shared: &Arc<Shared>) -> Result<Self> {
        let failed = |error| transient("keeping scheduled events", error);
        let link = shared.keeping.link().await;
        let safe = make(shared, &link).await?;
        let names = shared.bus.later();
        let desk = Desk::open(&link).await.map_err(failed)?;
        let answers = names.answers(&shared.name());
        let maker = Maker { link: &link, channel: &desk.channel };
        maker.exclusive(answers.clone()).await.map_err(failed)?;
        let consuming =
            desk.consume((answers.clone(), "answers".into()), Settling::Needless, Source::Answers);
        let answered = consuming.await.map_err(failed)?;
        let confirmed = desk.channel.confirm_select(ConfirmSelectOptions::default());
        link.within(confirmed).await.map_err(failed)?;
        let consuming = desk.consume((names.queue(), "later".into()), Settling::Needed(MOST), Source::Queue);
        let read = consuming.await.map_err(failed)?;
        shared.later.set(Access::Ready { safe, answers: answers.to_string() });
        shared.later.tell(Trouble::Broken, None);
        let limit = i64::try_from(shared.config.consumer_timeout.as_millis()).unwrap_or(i64::MAX);
        let session = Self {
            shared: Arc::clone(shared),
            desk,
            streams: [answered, read].into_iter().collect(),
            agenda: Agenda::new(limit),
            mark: rand::random(),
            outgoing: None,
            rest: Instant::now(),
            refused: None,
            jobs: FuturesUnordered::new(),
            room: Room::new(shared),
            is_keeper: false,
            done: Vec::new(),
            foreign: Vec::new(),
        };
        // Where another one keeps the queue, it is that one who reads it.
        session.publish(mark(names.queue().as_str(), session.mark));
        Ok(session)
    }

    /// Keeps the queue until the transport closes, or events have been refused for so long.
    async fn run(mut self, refused: Duration) -> Result<Ended> {
        let shared = Arc::clone(&self.shared);
        let closed = shared.later.closed();
        tokio::pin!(closed);
        let ended = loop {
            if self.refused.is_some_and(|since| since.elapsed() >= refused) && self.outgoing.is_none() {
                break Ended::Refused;
            }
            let now = now();
            self.doubt();
            self.agenda.tick(now);
            self.send_due(now);
            self.act().await.map_err(|error| transient("keeping scheduled events", error))?;
            let wake = self.wake(now);
            tokio::select! {
                biased;
                () = &mut closed => break Ended::Closed,
                () = self.desk.link.lost() => return Err(lost("the connection was lost")),
                outcomes = next(&mut self.outgoing) => self.went(outcomes),
                Some(first) = self.streams.next() => self.take_in(first)?,
                Some(()) = self.jobs.next(), if !self.jobs.is_empty() => {}
                () = sleep(wake) => {}
            }
        };
        self.leave().await;
        Ok(ended)
    }

    /// How long nothing has to be done.
    fn wake(&self, now: i64) -> Duration {
        let due = self.agenda.next().filter(|_| self.outgoing.is_none() && self.agenda.is_read());
        let due = due.map_or(TICK, |due| Duration::from_millis(u64::try_from(due - now).unwrap_or(0)));
        let rest = self.rest.saturating_duration_since(Instant::now());
        // What is due and is not here yet rings when it comes.
        if due.is_zero() { TICK } else { due.max(rest).min(TICK) }
    }

    /// Takes in what has come.
    fn take_in(&mut self, first: (Source, Option<Delivery>)) -> Result<()> {
        let (now, mut next, mut count) = (now(), Some(first), 0);
        while let Some((source, delivery)) = next {
            let Some(delivery) = delivery else {
                return Err(lost("the broker ended the reading: the queue was deleted or moved"));
            };
            match source {
                Source::Queue => self.read(delivery, now),
                Source::Answers => {
                    self.desk.passed(delivery.delivery_tag);
                    if let Some((name, answer)) = Answer::read(&delivery) {
                        self.shared.later.answered(&name, answer);
                    }
                }
            }
            count += 1;
            next = if count < MANY { self.streams.next().now_or_never().flatten() } else { None };
        }
        Ok(())
    }

    fn read(&mut self, delivery: Delivery, now: i64) {
        let tag = delivery.delivery_tag;
        self.desk.came(tag);
        if !std::mem::replace(&mut self.is_keeper, true) {
            // The first message: from now on the queue is this one's to keep. A mark of before may have been another's, and
            // come again before what that one had read later.
            self.mark = rand::random();
            self.publish(mark(self.shared.bus.later().queue().as_str(), self.mark));
        }
        match Note::read(delivery) {
            Note::Event(plan, original) => self.agenda.event(tag, (plan, original), now),
            Note::Request(request) => self.agenda.request(tag, request, now),
            Note::Stone(stone) => self.agenda.stone(tag, stone, now),
            Note::Mark(number) => {
                self.done.push(tag);
                if number == self.mark && !self.agenda.is_read() {
                    self.agenda.read(now);
                }
                self.room.doubt();
            }
            Note::Foreign => self.foreign.push(tag),
        }
        // More is not to be had, so there is no mark to wait for.
        if !self.agenda.is_read() && self.agenda.messages() >= usize::from(MOST) {
            self.agenda.read(now);
        }
    }

    /// Publishes what is due, one batch after the other.
    fn send_due(&mut self, now: i64) {
        if self.outgoing.is_some()
            || Instant::now() < self.rest
            || self.desk.link.blocked().borrow().is_some()
        {
            return;
        }
        let due = self.agenda.due(now);
        if due.is_empty() {
            return;
        }
        let (desk, exchange) = (Arc::clone(&self.desk), self.shared.bus.exchange());
        let parcels: Vec<_> =
            due.iter().map(|(_, original)| published(exchange.as_str(), original)).collect();
        let outgoing = async move {
            let outcomes = send_due(&desk, &parcels).await;
            due.into_iter().zip(outcomes).map(|((number, original), sent)| (number, original, sent)).collect()
        };
        self.outgoing = Some(outgoing.boxed());
    }

    /// What became of events that were due.
    fn went(&mut self, outcomes: Vec<(i64, Box<Original>, lapin::Result<bool>)>) {
        let now = now();
        for (number, original, outcome) in outcomes {
            match outcome {
                Ok(true) => self.agenda.published(number),
                Ok(false) => self.agenda.refused(number, original, now),
                Err(error) => {
                    tracing::debug!(%error, "a scheduled event could not be published; it is tried again");
                    self.agenda.failed(number, original);
                    self.rest = Instant::now() + REST;
                }
            }
        }
    }

    /// Notes since when events are refused, and tells.
    fn doubt(&mut self) {
        let is_refused = self.agenda.is_refused();
        if is_refused == self.refused.is_some() {
            return;
        }
        self.refused = is_refused.then(Instant::now);
        let text =
            "a queue refuses scheduled events that it is bound to; each is tried again, in a minute at most";
        self.shared.later.tell(Trouble::Refused, is_refused.then(|| text.to_owned()));
    }

    /// Does what the agenda says.
    async fn act(&mut self) -> lapin::Result<()> {
        let queue = self.shared.bus.later().queue();
        let (mut acked, mut returned, mut answers) = (std::mem::take(&mut self.done), Vec::new(), Vec::new());
        for act in self.agenda.acts() {
            match act {
                Act::Ack(tag) => acked.push(tag),
                Act::Return(tag) => returned.push((tag, Requeue::Yes)),
                Act::Renew(plan, original) => self.publish(plan.again(queue.as_str(), &original)),
                Act::Bury(stone) => self.publish(stone.parcel(queue.as_str())),
                Act::Answer(request, answer) => answers.push((request, answer)),
            }
        }
        for tag in self.foreign.drain(..) {
            self.room.found_foreign();
            returned.push((tag, Requeue::No));
        }
        self.desk.finish(&acked).await;
        self.desk.turn_away(&returned).await?;
        self.answer(answers).await?;
        if self.agenda.is_read() {
            let held = (self.agenda.len() as u64, self.agenda.messages());
            self.room.look(&self.desk, held).await?;
        }
        Ok(())
    }

    /// Answers requests that were acknowledged. That there was nothing is said when the broker has read that: the request
    /// would come again, and take back what is planned after its answer.
    async fn answer(&mut self, answers: Vec<(Request, Answer)>) -> lapin::Result<()> {
        if answers.iter().any(|(_, answer)| *answer == Answer::NotThere) {
            let flushed = self.desk.channel.basic_qos(MOST, BasicQosOptions::default());
            self.desk.link.within(flushed).await?;
        }
        answers.into_iter().for_each(|(request, answer)| self.publish(request.answer(answer)));
        Ok(())
    }

    /// Publishes a message for as long as it takes: what is written twice does no harm.
    fn publish(&self, parcel: Parcel) {
        let shared = Arc::clone(&self.shared);
        let publishing = async move {
            while let Err(error) = send(&shared, parcel.clone(), Instant::now() + PATIENCE).await {
                if error.kind() == ErrorKind::Closed {
                    return;
                }
                sleep(REST).await;
            }
        };
        self.jobs.push(publishing.boxed());
    }

    /// Lets the next one keep the queue: what is on its way out has gone, and is acknowledged.
    async fn leave(mut self) {
        if self.outgoing.is_some()
            && let Ok(outcomes) = timeout(LEAVING, next(&mut self.outgoing)).await
        {
            self.went(outcomes);
        }
        let _ = self.act().await;
        self.desk.close().await;
    }
}

/// Publishes events on the channel that they were read on: once the broker has given the queue to another, there is none.
async fn send_due(desk: &Desk, parcels: &[Parcel]) -> Vec<lapin::Result<bool>> {
    let refused = |error: lapin::Error| parcels.iter().map(|_| Err(error.clone())).collect();
    if desk.link.blocked().borrow().is_some() {
        return refused(late());
    }
    let options = BasicPublishOptions::default();
    let sent = join_all(parcels.iter().map(|parcel| publish(&desk.channel, parcel, options)));
    let sent = tokio::select! {
        biased;
        sent = timeout(PATIENCE, sent) => sent,
        () = desk.link.lost() => return refused(late()),
    };
    match sent {
        Ok(sent) => sent.into_iter().map(|sent| sent.map(|confirmed| confirmed.is_ack())).collect(),
        Err(_) => {
            desk.link.fail();
            refused(late())
        }
    }
}

/// Waits for events on their way out, once there are some.
async fn next(outgoing: &mut Option<Outgoing>) -> Vec<(i64, Box<Original>, lapin::Result<bool>)> {
    match outgoing {
        Some(going) => {
            let outcomes = going.await;
            *outgoing = None;
            outcomes
        }
        None => std::future::pending().await,
    }
}

fn lost(why: &str) -> eventbus::Error {
    eventbus::Error::new(ErrorKind::NotSent, why.to_owned())
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
