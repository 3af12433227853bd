//! Publishing: everybody's events go out together, in pipelines, a few of them under way at a time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use eventbus::transport::Publishing;
use eventbus::{Error, ErrorKind, Result};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use redis::aio::ConnectionLike as _;
use redis::{Cmd, Pipeline, RedisResult, ServerErrorKind, Value};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::connection::{Connection, Line};
use crate::error::{is_broken, refused, unconfirmed, unknown};
use crate::message::{ENVELOPE, EVENT, number};
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
    bell: Notify,
    confirmation: Confirmation,
    /// How long replicas and disks may take.
    patience: Duration,
}

#[derive(Default)]
struct Queue {
    parcels: VecDeque<Parcel>,
    closed: bool,
}

/// An event on its way.
pub(crate) struct Parcel {
    /// The key of the stream.
    pub(crate) log: Arc<str>,
    pub(crate) envelope: String,
    pub(crate) event: Bytes,
    post: Option<(Arc<Post>, usize)>,
}

impl Parcel {
    pub(crate) fn new(log: &Arc<str>, envelope: String, event: Bytes) -> Self {
        Self { log: Arc::clone(log), envelope, event, post: None }
    }

    fn command(&self) -> Cmd {
        let size = self.log.len() + self.envelope.len() + self.event.len() + 96;
        let mut command = Cmd::with_capacity(7, size);
        command.arg("XADD").arg(&*self.log).arg("*");
        command.arg(ENVELOPE).arg(&self.envelope).arg(EVENT).arg(&self.event[..]);
        command
    }

    fn take(&self) -> bool {
        let Some((post, index)) = &self.post else { return false };
        let mut state = post.lock();
        match state.fates.get_mut(*index) {
            Some(fate @ Fate::Waits) => {
                *fate = Fate::Sent;
                true
            }
            _ => false,
        }
    }

    fn end(self, outcome: Result<()>) {
        let Some((post, index)) = self.post else { return };
        let mut state = post.lock();
        // Nothing is left to tell once the caller's deadline has passed.
        if let Some(fate) = state.fates.get_mut(index) {
            *fate = Fate::Ended(outcome);
        }
        state.open -= 1;
        if state.open == 0 {
            drop(state);
            post.ended.notify_one();
        }
    }
}

/// A call that waits; what is not sent when it ends, or its caller goes away, never will be.
struct Waiting<'a> {
    publisher: &'a Publisher,
    post: &'a Arc<Post>,
    ended: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let of = |parcel: &Parcel| parcel.post.as_ref().is_some_and(|(its, _)| Arc::ptr_eq(its, self.post));
        self.publisher.lock().parcels.retain(|parcel| !of(parcel));
    }
}

/// One call of publish.
struct Post {
    state: Mutex<PostState>,
    ended: Notify,
}

struct PostState {
    fates: Vec<Fate>,
    open: usize,
}

enum Fate {
    Waits,
    Sent,
    Ended(Result<()>),
}

impl Post {
    fn lock(&self) -> MutexGuard<'_, PostState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of every event, as far as that is known now.
    fn outcomes(&self) -> Vec<Result<()>> {
        let fates = std::mem::take(&mut self.lock().fates);
        let told = |fate| match fate {
            Fate::Ended(outcome) => outcome,
            Fate::Waits => {
                Err(Error::new(ErrorKind::NotSent, "the deadline passed before the event could be sent"))
            }
            Fate::Sent => Err(Error::new(
                ErrorKind::Unknown,
                "no answer before the deadline; publish again with the same id",
            )),
        };
        fates.into_iter().map(told).collect()
    }
}

impl Publisher {
    pub(crate) fn new(confirmation: Confirmation, patience: Duration) -> Self {
        Self { queue: Mutex::default(), bell: Notify::new(), confirmation, patience }
    }

    /// Sends events and waits for their outcomes, until the deadline.
    pub(crate) async fn publish(&self, mut parcels: Vec<Parcel>, publishing: Publishing) -> Vec<Result<()>> {
        if parcels.is_empty() {
            return Vec::new();
        }
        let fates = parcels.iter().map(|_| Fate::Waits).collect();
        let post = Arc::new(Post {
            state: Mutex::new(PostState { fates, open: parcels.len() }),
            ended: Notify::new(),
        });
        for (index, parcel) in parcels.iter_mut().enumerate() {
            parcel.post = Some((Arc::clone(&post), index));
        }
        {
            let mut queue = self.lock();
            if queue.closed {
                return parcels.iter().map(|_| Err(Error::closed("the Redis transport"))).collect();
            }
            queue.parcels.extend(parcels);
        }
        self.bell.notify_one();
        let mut waiting = Waiting { publisher: self, post: &post, ended: false };
        waiting.ended = timeout(publishing.deadline, post.ended.notified()).await.is_ok();
        // Nothing of this post may be sent once its outcomes are told.
        drop(waiting);
        post.outcomes()
    }

    /// Takes nothing more; what waits is not sent.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        for parcel in queue.parcels.drain(..) {
            parcel.end(Err(Error::closed("the Redis transport")));
        }
        drop(queue);
        self.bell.notify_one();
    }

    /// Sends for as long as the publisher is open, and what is under way to its end.
    pub(crate) async fn run(self: Arc<Self>, line: Arc<Line>) {
        let mut under_way = FuturesUnordered::new();
        loop {
            let (waits, closed) = {
                let queue = self.lock();
                (!queue.parcels.is_empty(), queue.closed)
            };
            let room = under_way.len() < UNDER_WAY;
            if closed && under_way.is_empty() {
                return;
            }
            tokio::select! {
                biased;
                Some(()) = under_way.next(), if !under_way.is_empty() => {}
                connection = line.connection(), if waits && room => {
                    let parcels = self.gather();
                    if !parcels.is_empty() {
                        under_way.push(self.send(&line, connection, parcels));
                    }
                }
                () = self.bell.notified(), if !waits && !closed => {}
            }
        }
    }

    /// Takes what fits into one pipeline.
    fn gather(&self) -> Vec<Parcel> {
        let mut queue = self.lock();
        let (mut parcels, mut size) = (Vec::with_capacity(queue.parcels.len().min(MOST)), 0);
        while parcels.len() < MOST && size < LARGE {
            let Some(parcel) = queue.parcels.pop_front() else { break };
            if parcel.take() {
                size += parcel.event.len() + parcel.envelope.len();
                parcels.push(parcel);
            }
        }
        parcels
    }

    /// Sends a pipeline and tells everybody what became of it.
    async fn send(&self, line: &Line, connection: Connection, parcels: Vec<Parcel>) {
        let Connection { number, mut inner, .. } = connection;
        let mut pipeline = Pipeline::with_capacity(parcels.len() + 1);
        for parcel in &parcels {
            pipeline.add_command(parcel.command());
        }
        let confirms = self.confirm(&mut pipeline);
        let answers = inner.req_packed_commands(&pipeline, 0, parcels.len() + confirms).await;
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => {
                if is_broken(&error) {
                    line.broken(number, &error).await;
                }
                parcels.into_iter().for_each(|parcel| parcel.end(Err(unknown(&error))));
                return;
            }
        };
        let confirmed = confirms == 0 || answers.last().is_some_and(|last| self.is_confirmed(last));
        let mut again = false;
        for (parcel, answer) in parcels.into_iter().zip(answers) {
            let outcome = match answer.extract_error() {
                Ok(_) if confirmed => Ok(()),
                Ok(_) => Err(unconfirmed()),
                Err(error) => {
                    again |= is_broken(&error);
                    Err(refused(error))
                }
            };
            parcel.end(outcome);
        }
        if again {
            let error = std::io::Error::other("the server takes no writes").into();
            line.broken(number, &error).await;
        }
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
        f.debug_struct("Publisher").field("queued", &self.lock().parcels.len()).finish_non_exhaustive()
    }
}
