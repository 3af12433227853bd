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
use futures::future::poll_immediate;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::config::Unrouted;
use crate::connection::Line;
use crate::message::Parcel;
use crate::post::{Piece, Post};
use crate::session::Session;
use crate::topology::Bus;

/// How many events are unconfirmed at once, at most.
const WINDOW: usize = 1024;
/// As many of them are sent and waited for together: a few cost nearly as much as many, and with all of them the window
/// would be empty before it is filled again.
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
    /// How many events are on their way by their callers' tasks, and what sends the others.
    busy: AtomicUsize,
    /// Rings when nothing is on its way any more.
    idle: Notify,
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

/// Counts an event for as long as it is on its way, or the task that sends the others.
struct Busy<'a>(&'a Publisher);

impl<'a> Busy<'a> {
    /// `None` when there are enough of them.
    fn new(publisher: &'a Publisher) -> Option<Self> {
        let busy = (publisher.busy.fetch_add(1, Ordering::SeqCst), Self(publisher));
        (busy.0 < WINDOW).then_some(busy.1)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if self.0.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.idle.notify_one();
        }
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
}

impl UnderWay {
    fn has_room(&self) -> bool {
        self.count + PIECE <= WINDOW && self.size < LARGE
    }

    fn ended(&mut self, (count, size): (usize, usize)) {
        self.count -= count;
        self.size -= size;
    }

    /// Sends events now, in their order.
    async fn start(&mut self, (count, size): (usize, usize), mut sending: Sending) {
        if poll_immediate(sending.as_mut()).await.is_none() {
            self.count += count;
            self.size += size;
            self.sendings.push(sending);
        }
    }
}

impl Publisher {
    pub(crate) fn new(bus: Bus, unrouted: Unrouted) -> Self {
        let (queue, bell, sooner) = (Mutex::default(), Notify::new(), Notify::new());
        let (trouble, session, busy) = (Mutex::default(), Mutex::default(), AtomicUsize::new(0));
        Self { bus, unrouted, queue, bell, sooner, trouble, session, busy, idle: Notify::new() }
    }

    /// Sends events and waits for their outcomes, until the deadline.
    pub(crate) async fn publish(&self, mut parcels: Vec<Parcel>, publishing: Publishing) -> Vec<Result<()>> {
        let deadline = Instant::now() + publishing.deadline;
        let count = parcels.len();
        if count == 1
            && let Some((session, _counted)) = self.ready()
            && let Some(parcel) = parcels.pop()
        {
            return vec![session.express(parcel, deadline).await];
        }
        match count {
            0 => Vec::new(),
            _ => self.queue(parcels, deadline).await,
        }
    }

    /// The channel, when one event can be sent at once by its caller: nobody waits, and there is room.
    fn ready(&self) -> Option<(Arc<Session>, Busy<'_>)> {
        let queue = self.lock();
        if queue.closed || !queue.posts.is_empty() {
            return None;
        }
        let session = self.current().clone();
        // Counted before the queue can be closed: whoever waits for the end of all waits for this one.
        let busy = Busy::new(self)?;
        drop(queue);
        let session = session.filter(|session| session.serves())?;
        Some((session, busy))
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

    /// Waits until nothing is on its way any more, once it is closed, but not for ever.
    pub(crate) async fn ended(&self, patience: Duration) {
        let ended = async {
            while self.busy.load(Ordering::SeqCst) > 0 {
                self.idle.notified().await;
            }
        };
        let _ = timeout(patience, ended).await;
        // Others may wait for the same.
        self.idle.notify_one();
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
        let _busy = Busy::new(&self);
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
            session = self.of_use(session, &under_way);
            if waits
                && under_way.has_room()
                && let Some(session) = session.as_ref().filter(|session| session.serves())
            {
                crowded = self.send_some(session, &mut under_way).await > 1;
                if !under_way.has_room() || !crowded {
                    tokio::task::consume_budget().await;
                }
                continue;
            }
            let blocked = session.as_ref().is_some_and(|session| session.is_blocked());
            let hung = session.as_ref().filter(|_| under_way.count > 0 && !blocked);
            let wake = deadline.into_iter().chain(hung.map(|session| session.patience())).min();
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
                () = unblocked(session.as_deref()), if blocked => {}
                () = self.bell.notified(), if !waits && !closed => {
                    // Others are likely to publish in a moment: it all goes out together.
                    if crowded {
                        yield_now().await;
                    }
                }
                () = &mut timer, if wake.is_some() => {
                    let now = Instant::now();
                    self.lock().expire(now);
                    if let Some(hung) = hung.filter(|session| now >= session.patience()) {
                        hung.fail();
                    }
                }
                () = self.sooner.notified() => {}
            }
        }
    }

    /// The channel, unless another one is needed: then the next begins when nothing is under way on this one, so that
    /// what is queued keeps its order.
    fn of_use(&self, session: Option<Arc<Session>>, under_way: &UnderWay) -> Option<Arc<Session>> {
        let is_free = under_way.count == 0;
        let session = session.filter(|session| !(session.is_over() || is_free && session.is_stale()));
        if session.is_none() {
            *self.current() = None;
        }
        session
    }

    /// Opens a channel and makes sure of the exchange; `None` when that failed.
    async fn session(&self, line: &Line) -> Option<Arc<Session>> {
        let made = Session::open(line.link().await, &self.bus, self.unrouted).await;
        let trouble =
            made.as_ref().err().map(|error| format!("the exchange {}: {error}", self.bus.exchange()));
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        match made {
            Ok(session) => {
                let session = Arc::new(session);
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
    async fn send_some(&self, session: &Arc<Session>, under_way: &mut UnderWay) -> usize {
        if under_way.count == 0 {
            session.hear();
        }
        let pieces = self.gather(WINDOW - under_way.count, LARGE - under_way.size);
        let calls = pieces.len();
        for Piece { parcels, end } in pieces {
            let count = parcels.len();
            let size = parcels.iter().map(Parcel::size).sum();
            let session = Arc::clone(session);
            let sending = Box::pin(async move {
                session.send(parcels, end).await;
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
            let (piece, is_last) = post.take(PIECE.min(most - count), largest - size);
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

/// Waits for a channel that is being made.
async fn made(making: &mut Option<Making<'_>>) -> Option<Arc<Session>> {
    match making {
        Some(making) => making.await,
        None => std::future::pending().await,
    }
}

/// Returns when the broker takes events again.
async fn unblocked(session: Option<&Session>) {
    if let Some(session) = session {
        session.unblocked().await;
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("calls", &self.lock().open.len()).finish_non_exhaustive()
    }
}
