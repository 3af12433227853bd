//! Publishing: everybody's events go out together, in pipelines, a few of them under way at a time.

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use eventbus::transport::Publishing;
use eventbus::{Error, ErrorKind, Result};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use redis::aio::ConnectionLike as _;
use redis::{Cmd, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use crate::connection::{Connection, Line};
use crate::error::{is_broken, refused, unconfirmed, unknown};
use crate::message::{ENVELOPE, EVENT, number};
use crate::post::{Piece, Post};
use crate::script::Lua;
use crate::server::Confirmation;

/// The most events of a pipeline.
const MOST: usize = 128;
/// A pipeline is closed when its events have this many bytes together.
const LARGE: usize = 128 << 10;
/// How many pipelines are under way at once.
const UNDER_WAY: usize = 3;

/// Sends what many callers publish.
pub(crate) struct Publisher {
    queue: Mutex<Queue>,
    /// Rings when there is something to send, or nothing will follow.
    bell: Notify,
    /// Rings when a deadline is earlier than that of a call before.
    sooner: Notify,
    confirmation: Confirmation,
    /// How long replicas and disks may take.
    patience: Duration,
}

#[derive(Default)]
struct Queue {
    /// Calls with something left to send.
    posts: VecDeque<Arc<Post>>,
    /// Calls without an answer, by their deadlines.
    open: VecDeque<(Instant, Weak<Post>)>,
    closed: bool,
}

/// An event on its way.
pub(crate) struct Parcel {
    /// The key of the stream.
    pub(crate) log: Arc<str>,
    pub(crate) envelope: String,
    pub(crate) event: Bytes,
}

impl Parcel {
    pub(crate) fn new(log: &Arc<str>, envelope: String, event: Bytes) -> Self {
        Self { log: Arc::clone(log), envelope, event }
    }

    /// How many bytes of it are sent, nearly.
    pub(crate) fn size(&self) -> usize {
        self.envelope.len() + self.event.len()
    }

    fn command(&self) -> Cmd {
        let mut command = Cmd::with_capacity(7, self.log.len() + self.size() + 32);
        command.arg("XADD").arg(&*self.log).arg("*");
        command.arg(ENVELOPE).arg(&self.envelope).arg(EVENT).arg(&self.event[..]);
        command
    }
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

impl Publisher {
    pub(crate) fn new(confirmation: Confirmation, patience: Duration) -> Self {
        let (queue, bell, sooner) = (Mutex::default(), Notify::new(), Notify::new());
        Self { queue, bell, sooner, confirmation, patience }
    }

    /// Sends events and waits for their outcomes, until the deadline.
    pub(crate) async fn publish(&self, parcels: Vec<Parcel>, publishing: Publishing) -> Vec<Result<()>> {
        if parcels.is_empty() {
            return Vec::new();
        }
        let count = parcels.len();
        let (post, outcomes) = Post::new(parcels);
        let deadline = Instant::now() + publishing.deadline;
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

    /// Sends for as long as the publisher is open, and what is under way to its end.
    pub(crate) async fn run(self: Arc<Self>, line: Arc<Line>) {
        let mut under_way = FuturesUnordered::new();
        // Whether the last pipeline had events of more than one call.
        let mut crowded = false;
        let mut timer = pin!(sleep_until(Instant::now()));
        loop {
            let (waits, closed, deadline) = {
                let queue = self.lock();
                (!queue.posts.is_empty(), queue.closed, queue.open.front().map(|(deadline, _)| *deadline))
            };
            if closed && under_way.is_empty() {
                return;
            }
            // Set anew only after it rang or for an earlier deadline: most calls are answered long before theirs.
            if let Some(deadline) = deadline
                && (timer.is_elapsed() || deadline < timer.deadline())
            {
                timer.as_mut().reset(deadline);
            }
            let room = under_way.len() < UNDER_WAY;
            tokio::select! {
                biased;
                Some(()) = under_way.next(), if !under_way.is_empty() => {}
                connection = line.connection(), if waits && room => {
                    let pieces = self.gather();
                    crowded = pieces.len() > 1;
                    if !pieces.is_empty() {
                        under_way.push(self.send(&line, connection, pieces));
                    }
                }
                () = self.bell.notified(), if !waits && !closed => {
                    // Others are likely to publish in a moment: it all goes out together.
                    if crowded {
                        yield_now().await;
                    }
                }
                () = &mut timer, if deadline.is_some() => self.lock().expire(Instant::now()),
                () = self.sooner.notified() => {}
            }
        }
    }

    /// Takes what fits into one pipeline.
    fn gather(&self) -> Vec<Piece> {
        let mut queue = self.lock();
        let (mut pieces, mut count, mut size) = (Vec::new(), 0, 0);
        while count < MOST
            && size < LARGE
            && let Some(post) = queue.posts.front()
        {
            let (piece, is_last) = post.take(MOST - count, LARGE - size);
            count += piece.parcels().len();
            size += piece.parcels().iter().map(Parcel::size).sum::<usize>();
            if !piece.parcels().is_empty() {
                pieces.push(piece);
            }
            if is_last {
                queue.posts.pop_front();
            }
        }
        pieces
    }

    /// Sends a pipeline and tells everybody what became of it.
    async fn send(&self, line: &Line, connection: Connection, pieces: Vec<Piece>) {
        let Connection { number, mut inner, .. } = connection;
        let count: usize = pieces.iter().map(|piece| piece.parcels().len()).sum();
        let mut pipeline = Pipeline::with_capacity(count + 1);
        for parcel in pieces.iter().flat_map(Piece::parcels) {
            pipeline.add_command(parcel.command());
        }
        let confirms = self.confirm(&mut pipeline);
        let answers = inner.req_packed_commands(&pipeline, 0, count + confirms).await;
        drop(pipeline);
        let broken = match answers {
            Ok(answers) => self.tell(pieces, answers),
            Err(error) => {
                pieces
                    .into_iter()
                    .for_each(|piece| piece.end(std::iter::repeat_with(|| Err(unknown(&error)))));
                is_broken(&error).then_some(error)
            }
        };
        if let Some(error) = broken {
            line.broken(number, &error).await;
        }
    }

    /// Tells everybody what the server said; gives what is wrong with the connection.
    fn tell(&self, pieces: Vec<Piece>, answers: Vec<Value>) -> Option<RedisError> {
        let confirmed = match self.confirmation {
            Confirmation::Answer => true,
            _ => answers.last().is_some_and(|last| self.is_confirmed(last)),
        };
        let mut again = false;
        let mut outcomes = answers.into_iter().map(|answer| match answer.extract_error() {
            Ok(_) if confirmed => Ok(()),
            Ok(_) => Err(unconfirmed()),
            Err(error) => {
                again |= is_broken(&error);
                Err(refused(error))
            }
        });
        for piece in pieces {
            piece.end(&mut outcomes);
        }
        drop(outcomes);
        again.then(|| std::io::Error::other("the server takes no writes").into())
    }

    /// Runs a script that stores something; tells its answer, and whether that is as safe as a published event.
    pub(crate) async fn store(&self, line: &Line, lua: &Lua, command: &Cmd) -> RedisResult<(Value, bool)> {
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.add_command(command.clone());
        if self.confirm(&mut pipeline) == 0 {
            return Ok((lua.ask(line, command).await?, true));
        }
        let mut answers = line.query_all(&pipeline, 2).await?;
        if answers.first().is_some_and(is_no_script) {
            line.query(&lua.load()).await?;
            answers = line.query_all(&pipeline, 2).await?;
        }
        let confirmed = answers.pop().is_some_and(|last| self.is_confirmed(&last));
        let answer = answers.pop().unwrap_or(Value::Nil).extract_error()?;
        Ok((answer, confirmed))
    }

    /// Adds the command that waits for copies; tells how many answers that gives.
    fn confirm(&self, pipeline: &mut Pipeline) -> usize {
        let patience = u64::try_from(self.patience.as_millis()).unwrap_or(u64::MAX);
        match self.confirmation {
            Confirmation::Replicas(count) => {
                pipeline.cmd("WAIT").arg(count).arg(patience);
            }
            Confirmation::Disk => {
                pipeline.cmd("WAITAOF").arg(1).arg(0).arg(patience);
            }
            Confirmation::Answer => return 0,
        }
        1
    }

    fn is_confirmed(&self, answer: &Value) -> bool {
        let copies = match answer {
            Value::Array(counts) => counts.first().and_then(number),
            count => number(count),
        };
        let wanted = match self.confirmation {
            Confirmation::Replicas(count) => i64::from(count),
            _ => 1,
        };
        copies.is_some_and(|copies| copies >= wanted)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_no_script(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("calls", &self.lock().open.len()).finish_non_exhaustive()
    }
}
