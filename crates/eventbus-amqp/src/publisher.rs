//! Publishing: everybody's events go out on one channel, up to a window of them unconfirmed at a time.

use std::collections::VecDeque;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use eventbus::transport::Publishing;
use eventbus::{Error, ErrorKind, Result};
use futures::StreamExt as _;
use futures::future::{join_all, poll_immediate};
use futures::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation};
use tokio::sync::{Notify, watch};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};

use crate::config::Unrouted;
use crate::connection::{Line, Link};
use crate::error::unknown;
use crate::message::Parcel;
use crate::post::{End, Piece, Post, unanswered};
use crate::topology::{Bus, Maker};

/// How many events are unconfirmed at once, at most.
const WINDOW: usize = 1024;
/// As many of them as are waited for until more are sent: a few cost nearly as much as many.
const PIECE: usize = 64;
/// The window in bytes, so that large events do not fill the memory.
const LARGE: usize = 16 << 20;
/// How long a publisher rests after the exchange could not be made.
const REST: Duration = Duration::from_millis(200);

/// Sends what many callers publish.
pub(crate) struct Publisher {
    bus: Bus,
    unrouted: Unrouted,
    queue: Mutex<Queue>,
    /// Rings when there is something to send, or nothing will follow.
    bell: Notify,
    /// Rings when a deadline is earlier than that of a call before.
    sooner: Notify,
    /// What is wrong with the exchange.
    trouble: Mutex<Option<String>>,
    /// The channel of this moment.
    session: Mutex<Option<Arc<Session>>>,
    /// How many events are on their way by [`express`](Self::express).
    express: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    /// Calls with something left to send.
    posts: VecDeque<Arc<Post>>,
    /// Calls without an answer, by their deadlines.
    open: VecDeque<(Instant, Weak<Post>)>,
    closed: bool,
}

impl Queue {
    /// Takes in a call; tells whether its deadline comes before those of others.
    fn push(&mut self, deadline: Instant, post: Arc<Post>) -> bool {
        while self.open.front().is_some_and(|(_, post)| post.strong_count() == 0) {
            self.open.pop_front();
        }
        let place = self.open.iter().rposition(|(other, _)| *other <= deadline).map_or(0, |last| last + 1);
        self.open.insert(place, (deadline, Arc::downgrade(&post)));
        self.posts.push_back(post);
        place + 1 < self.open.len()
    }

    /// Tells the callers whose deadlines have passed.
    fn expire(&mut self, now: Instant) {
        while let Some((deadline, post)) = self.open.front() {
            if let Some(post) = post.upgrade() {
                if now < *deadline {
                    return;
                }
                // Nothing of a call may be sent once its outcomes are told.
                post.expire();
                self.posts.retain(|other| !Arc::ptr_eq(other, &post));
            }
            self.open.pop_front();
        }
    }
}

/// A call that waits; what is not sent when its caller goes away never will be.
struct Waiting<'a> {
    publisher: &'a Publisher,
    ended: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.publisher.lock().posts.retain(|post| post.is_awaited());
        }
    }
}

/// A channel that confirms, with the exchange made sure of.
struct Session {
    link: Arc<Link>,
    channel: Channel,
    blocked: watch::Receiver<Option<String>>,
    /// When an answer came last.
    heard: Mutex<Instant>,
}

impl Session {
    fn heard(&self) -> MutexGuard<'_, Instant> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.link.is_down() || !self.channel.status().connected()
    }

    fn is_blocked(&self) -> bool {
        self.blocked.borrow().is_some()
    }
}

/// Counts an event for as long as it is on its way.
struct Express<'a>(&'a AtomicUsize);

impl<'a> Express<'a> {
    /// `None` when there are enough of them.
    fn new(count: &'a AtomicUsize) -> Option<Self> {
        let express = (count.fetch_add(1, Ordering::SeqCst), Self(count));
        (express.0 < WINDOW).then_some(express.1)
    }
}

impl Drop for Express<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A channel that is being made.
type Making<'a> = Pin<Box<dyn Future<Output = Option<Arc<Session>>> + Send + 'a>>;

/// Events on their way; how many, and how many bytes.
type Sending = Pin<Box<dyn Future<Output = (usize, usize)> + Send>>;

/// What is under way.
#[derive(Default)]
struct UnderWay {
    sendings: FuturesUnordered<Sending>,
    count: usize,
    size: usize,
    /// When an answer came last, or the first of these was sent.
    heard: Option<Instant>,
}

impl UnderWay {
    fn has_room(&self) -> bool {
        self.count + PIECE <= WINDOW && self.size < LARGE
    }

    fn ended(&mut self, (count, size): (usize, usize)) {
        self.count -= count;
        self.size -= size;
        self.heard = (self.count > 0).then(Instant::now);
    }

    /// Sends events now, in their order.
    async fn start(&mut self, (count, size): (usize, usize), mut sending: Sending) {
        if poll_immediate(sending.as_mut()).await.is_none() {
            self.count += count;
            self.size += size;
            self.heard = self.heard.or_else(|| Some(Instant::now()));
            self.sendings.push(sending);
        }
    }
}

impl Publisher {
    pub(crate) fn new(bus: Bus, unrouted: Unrouted) -> Self {
        let (queue, bell, sooner) = (Mutex::default(), Notify::new(), Notify::new());
        let (trouble, session, express) = (Mutex::default(), Mutex::default(), AtomicUsize::new(0));
        Self { bus, unrouted, queue, bell, sooner, trouble, session, express }
    }

    /// Sends events and waits for their outcomes, until the deadline.
    pub(crate) async fn publish(&self, mut parcels: Vec<Parcel>, publishing: Publishing) -> Vec<Result<()>> {
        let deadline = Instant::now() + publishing.deadline;
        let count = parcels.len();
        if count == 1
            && let Some((session, _counted)) = self.ready()
            && let Some(parcel) = parcels.pop()
        {
            return vec![express(&session, parcel, deadline).await];
        }
        match count {
            0 => Vec::new(),
            _ => self.queue(parcels, deadline).await,
        }
    }

    /// The channel, when one event can be sent at once by its caller: nobody waits, and there is room.
    fn ready(&self) -> Option<(Arc<Session>, Express<'_>)> {
        let queue = self.lock();
        if queue.closed || !queue.posts.is_empty() {
            return None;
        }
        let session = self.current().clone();
        drop(queue);
        let session = session.filter(|session| !session.is_over() && !session.is_blocked())?;
        Some((session, Express::new(&self.express)?))
    }

    /// Queues events for the task that sends what many callers publish, and waits for their outcomes.
    async fn queue(&self, parcels: Vec<Parcel>, deadline: Instant) -> Vec<Result<()>> {
        let count = parcels.len();
        let (post, outcomes) = Post::new(parcels);
        let is_sooner = {
            let mut queue = self.lock();
            if queue.closed {
                post.refuse();
                false
            } else {
                queue.push(deadline, post)
            }
        };
        self.bell.notify_one();
        if is_sooner {
            self.sooner.notify_one();
        }
        let mut waiting = Waiting { publisher: self, ended: false };
        let mut outcomes = outcomes.await.unwrap_or_default();
        waiting.ended = true;
        outcomes.resize_with(count, || Err(Error::new(ErrorKind::Unknown, "the publisher has ended")));
        outcomes
    }

    /// Takes nothing more; what waits is not sent.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.posts.drain(..).for_each(|post| post.refuse());
        drop(queue);
        self.bell.notify_one();
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends for as long as the publisher is open, and what is under way to its end.
    pub(crate) async fn run(self: Arc<Self>, line: Arc<Line>) {
        let mut session: Option<Arc<Session>> = None;
        // Goes on whatever happens meanwhile, or under many calls that expire it would begin anew for ever.
        let mut making: Option<Making<'_>> = None;
        let mut under_way = UnderWay::default();
        let mut timer = pin!(sleep_until(Instant::now()));
        // Whether the last round had events of more than one call.
        let mut crowded = false;
        loop {
            let (waits, closed, deadline) = {
                let queue = self.lock();
                (!queue.posts.is_empty(), queue.closed, queue.open.front().map(|(deadline, _)| *deadline))
            };
            if closed && under_way.count == 0 {
                return;
            }
            session = session.filter(|session| !session.is_over());
            if session.is_none() {
                *self.current() = None;
            }
            let blocked = session.as_ref().is_some_and(|session| session.is_blocked());
            if waits
                && !blocked
                && under_way.has_room()
                && let Some(session) = &session
            {
                crowded = self.send_some(session, &mut under_way).await > 1;
                if !under_way.has_room() || !crowded {
                    tokio::task::consume_budget().await;
                }
                continue;
            }
            let lost = session.as_ref().filter(|_| !blocked).zip(under_way.heard);
            let lost = lost.map(|(session, heard)| heard + session.link.patience * 2);
            let wake = deadline.into_iter().chain(lost).min();
            // Set anew only after it rang or for an earlier time: most calls are answered long before theirs.
            if let Some(wake) = wake
                && (timer.is_elapsed() || wake < timer.deadline())
            {
                timer.as_mut().reset(wake);
            }
            if waits && session.is_none() && making.is_none() {
                making = Some(Box::pin(self.session(&line)));
            }
            tokio::select! {
                biased;
                Some(ended) = under_way.sendings.next(), if under_way.count > 0 => under_way.ended(ended),
                made = made(&mut making), if making.is_some() => {
                    (session, making) = (made, None);
                }
                () = unblocked(session.as_deref()), if blocked => {
                    // Only from now on can anything be confirmed.
                    under_way.heard = under_way.heard.map(|_| Instant::now());
                }
                () = self.bell.notified(), if !waits && !closed => {
                    // Others are likely to publish in a moment: it all goes out together.
                    if crowded {
                        yield_now().await;
                    }
                }
                () = &mut timer, if wake.is_some() => {
                    let now = Instant::now();
                    self.lock().expire(now);
                    // Nothing was confirmed for long, and the broker does not say that it takes nothing: it is hung.
                    if lost.is_some_and(|lost| now >= lost) && let Some(hung) = session.take() {
                        hung.link.fail();
                    }
                }
                () = self.sooner.notified() => {}
            }
        }
    }

    /// Opens a channel and makes sure of the exchange; `None` when that failed.
    async fn session(&self, line: &Line) -> Option<Arc<Session>> {
        let link = line.link().await;
        let made = async {
            let channel = link.channel().await?;
            Maker { link: &link, channel: &channel }.bus(&self.bus, self.unrouted).await?;
            link.within(channel.confirm_select(ConfirmSelectOptions::default())).await?;
            Ok::<_, lapin::Error>(channel)
        };
        let made = made.await;
        let trouble =
            made.as_ref().err().map(|error| format!("the exchange {}: {error}", self.bus.exchange()));
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        match made {
            Ok(channel) => {
                let session = Arc::new(Session {
                    blocked: link.blocked(),
                    link,
                    channel,
                    heard: Mutex::new(Instant::now()),
                });
                *self.current() = Some(Arc::clone(&session));
                Some(session)
            }
            Err(error) => {
                tracing::warn!(%error, "no channel to publish on");
                sleep(REST).await;
                None
            }
        }
    }

    /// Sends what there is room for; tells of how many calls.
    async fn send_some(&self, session: &Session, under_way: &mut UnderWay) -> usize {
        let pieces = self.gather(WINDOW - under_way.count, LARGE - under_way.size);
        let calls = pieces.len();
        for Piece { parcels, end } in pieces {
            let count = parcels.len();
            let size = parcels.iter().map(Parcel::size).sum();
            let (link, channel) = (Arc::clone(&session.link), session.channel.clone());
            let sending = Box::pin(async move {
                send(&link, &channel, parcels, end).await;
                (count, size)
            });
            under_way.start((count, size), sending).await;
        }
        calls
    }

    /// Takes what fits.
    fn gather(&self, most: usize, largest: usize) -> Vec<Piece> {
        let mut queue = self.lock();
        let (mut pieces, mut count, mut size) = (Vec::new(), 0, 0);
        while count < most
            && size < largest
            && let Some(post) = queue.posts.front()
        {
            let (piece, is_last) = post.take(most - count, largest - size);
            count += piece.parcels.len();
            size += piece.parcels.iter().map(Parcel::size).sum::<usize>();
            if !piece.parcels.is_empty() {
                pieces.push(piece);
            }
            if is_last {
                queue.posts.pop_front();
            }
        }
        pieces
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Session>>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends one event on its caller's task, which spares it two ways through another.
async fn express(session: &Session, parcel: Parcel, deadline: Instant) -> Result<()> {
    let link = &session.link;
    let (patience, sent) = (link.patience * 2, Instant::now());
    let mut confirmed = pin!(dispatch(&session.channel, parcel, BasicPublishOptions::default()));
    let mut wake = deadline.min(sent + patience);
    loop {
        tokio::select! {
            biased;
            confirmed = &mut confirmed => {
                *session.heard() = Instant::now();
                return outcome(confirmed);
            }
            () = link.lost() => return Err(lost()),
            () = sleep_until(wake) => {
                let (now, heard) = (Instant::now(), sent.max(*session.heard()));
                if now >= deadline {
                    return Err(unanswered());
                }
                // Nothing was confirmed for long, and the broker does not say that it takes nothing: it is hung.
                if session.is_blocked() {
                    *session.heard() = now;
                } else if now >= heard + patience {
                    link.fail();
                }
                wake = deadline.min(now.max(heard) + patience);
            }
        }
    }
}

/// Sends events and tells their caller what became of each. A connection that is lost ends it at once.
async fn send(link: &Link, channel: &Channel, parcels: Vec<Parcel>, end: End) {
    let sent = parcels.into_iter().map(|parcel| dispatch(channel, parcel, BasicPublishOptions::default()));
    tokio::select! {
        biased;
        outcomes = join_all(sent) => end.tell(outcomes.into_iter().map(outcome)),
        () = link.lost() => end.tell(std::iter::repeat_with(|| Err(lost()))),
    }
}

/// Publishes one message and waits until it is confirmed.
async fn dispatch(
    channel: &Channel,
    parcel: Parcel,
    options: BasicPublishOptions,
) -> lapin::Result<Confirmation> {
    let Parcel { exchange, route, properties, body } = parcel;
    channel.basic_publish(exchange.into(), route.into(), options, &body, properties).await?.await
}

/// The same, for a message that may have to be published again.
pub(crate) async fn publish(
    channel: &Channel,
    parcel: &Parcel,
    options: BasicPublishOptions,
) -> lapin::Result<Confirmation> {
    dispatch(channel, parcel.clone(), options).await
}

/// The outcome of an event whose confirm was lost with its connection.
fn lost() -> Error {
    unknown(&std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into())
}

fn outcome(confirmed: lapin::Result<Confirmation>) -> Result<()> {
    match confirmed {
        Ok(confirmation) if confirmation.is_ack() => Ok(()),
        Ok(_) => Err(Error::new(ErrorKind::Full, "a group that wants the event has no room for it")),
        Err(error) => Err(unknown(&error)),
    }
}

/// Waits for a channel that is being made.
async fn made(making: &mut Option<Making<'_>>) -> Option<Arc<Session>> {
    match making {
        Some(making) => making.await,
        None => std::future::pending().await,
    }
}

/// Returns when the broker takes events again.
async fn unblocked(session: Option<&Session>) {
    let Some(session) = session else { return };
    let mut blocked = session.blocked.clone();
    tokio::select! {
        _ = blocked.wait_for(Option::is_none) => {}
        () = session.link.lost() => {}
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("calls", &self.lock().open.len()).finish_non_exhaustive()
    }
}
