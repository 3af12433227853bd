//! Publishing: everybody's events go out together, in pipelines, a few of them under way at a time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eventbus::transport::Publishing;
use eventbus::{Error, Result};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use redis::{Cmd, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::connection::{Connection, Line};
use crate::error::{is_broken, refused, unconfirmed, unknown};
use crate::message::number;
use crate::post::{LARGE, MOST, Outcomes, Parcel, Post, unsent};
use crate::script::Lua;
use crate::server::Confirmation;

/// How many pipelines are under way at once.
const UNDER_WAY: usize = 3;
/// How many posts of one call are queued or under way at once.
const AHEAD: usize = 4;
/// With fewer events, and not many bytes, the next pipeline waits for the answers to those under way: sent one by one, a
/// few events cost as much as a hundred.
const ENOUGH: usize = 32;

/// Sends what many callers publish.
pub(crate) struct Publisher {
    queue: Mutex<Queue>,
    /// Rings when there is something to send, or nothing will follow.
    bell: Notify,
    confirmation: Confirmation,
    /// How long replicas and disks may take.
    patience: Duration,
}

#[derive(Default)]
struct Queue {
    posts: VecDeque<Post>,
    /// How many events they have together, and how many bytes.
    count: usize,
    size: usize,
    /// How many posts may have nobody any more who waits for their outcomes.
    left: usize,
    closed: bool,
}

/// A call that waits; what is not sent when its caller goes away never will be, and takes no memory.
struct Waiting<'a> {
    publisher: &'a Publisher,
    /// By itself, because most calls have one post.
    first: Option<Outcomes>,
    others: VecDeque<Outcomes>,
}

impl Waiting<'_> {
    fn count(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    /// Queues posts, as many as may be.
    fn fill(&mut self, parcels: &mut impl Iterator<Item = Parcel>) {
        while self.count() < AHEAD
            && let Some((post, outcomes)) = Post::fill(parcels)
        {
            self.publisher.push(post);
            match &mut self.first {
                Some(_) => self.others.push_back(outcomes),
                first => *first = Some(outcomes),
            }
        }
    }

    /// The deadline has passed: what is not sent by now never will be. The last post is told first, so that none goes out
    /// after one before it was given up.
    fn expire(&self) -> Vec<Result<()>> {
        let mut told: Vec<_> = self.others.iter().rev().chain(&self.first).map(Outcomes::expire).collect();
        told.reverse();
        told.into_iter().flatten().collect()
    }
}

impl Drop for Waiting<'_> {
    /// Here too the last post goes first.
    fn drop(&mut self) {
        let left = self.count();
        if left > 0 {
            while self.others.pop_back().is_some() {}
            self.first = None;
            self.publisher.lock().forget(left);
        }
    }
}

impl Queue {
    /// Takes in a post; tells whether it may be sent now and could not before.
    fn push(&mut self, post: Post) -> bool {
        let (was_empty, was_enough) = (self.posts.is_empty(), self.is_enough());
        self.count += post.count();
        self.size += post.size();
        self.posts.push_back(post);
        was_empty || (!was_enough && self.is_enough())
    }

    /// Whether there is enough for a pipeline beside others.
    fn is_enough(&self) -> bool {
        self.count >= ENOUGH || self.size >= LARGE
    }

    /// Takes what fits into one pipeline.
    fn gather(&mut self) -> Vec<Post> {
        let (mut posts, mut count, mut size) = (Vec::new(), 0, 0);
        while let Some(post) = self.posts.front()
            && (posts.is_empty() || (count + post.count() <= MOST && size < LARGE))
        {
            count += post.count();
            size += post.size();
            posts.extend(self.posts.pop_front());
        }
        (self.count, self.size) = (self.count - count, self.size - size);
        posts
    }

    /// Posts were left by their callers: drops them, once there are enough to be worth a look at all.
    fn forget(&mut self, left: usize) {
        self.left += left;
        if self.left * 2 > self.posts.len() {
            self.posts.retain(Post::is_awaited);
            self.left = 0;
            self.count = self.posts.iter().map(Post::count).sum();
            self.size = self.posts.iter().map(Post::size).sum();
        }
    }

    /// Takes nothing more; gives what was not sent.
    fn close(&mut self) -> VecDeque<Post> {
        self.closed = true;
        (self.count, self.size) = (0, 0);
        std::mem::take(&mut self.posts)
    }
}

impl Publisher {
    pub(crate) fn new(confirmation: Confirmation, patience: Duration) -> Self {
        Self { queue: Mutex::default(), bell: Notify::new(), confirmation, patience }
    }

    /// Sends events and waits for their outcomes, until the deadline.
    pub(crate) async fn publish(
        &self,
        mut parcels: impl Iterator<Item = Parcel> + Send,
        publishing: Publishing,
    ) -> Vec<Result<()>> {
        let deadline = Instant::now() + publishing.deadline;
        let mut outcomes = Vec::new();
        let mut waiting = Waiting { publisher: self, first: None, others: VecDeque::new() };
        loop {
            waiting.fill(&mut parcels);
            let Some(first) = &mut waiting.first else { return outcomes };
            let Ok(told) = timeout_at(deadline, first).await else { break };
            waiting.first = waiting.others.pop_front();
            match outcomes.is_empty() {
                true => outcomes = told,
                false => outcomes.extend(told),
            }
        }
        outcomes.extend(waiting.expire());
        outcomes.extend(parcels.map(|_| Err(unsent())));
        outcomes
    }

    fn push(&self, post: Post) {
        let mut queue = self.lock();
        if queue.closed {
            drop(queue);
            post.tell_all(|| Error::closed("the Redis transport"));
            return;
        }
        let rings = queue.push(post);
        drop(queue);
        if rings {
            self.bell.notify_one();
        }
    }

    /// Takes nothing more; what waits is not sent.
    pub(crate) fn close(&self) {
        let posts = self.lock().close();
        posts.iter().for_each(|post| post.tell_all(|| Error::closed("the Redis transport")));
        self.bell.notify_one();
    }

    /// Sends for as long as the publisher is open, and what is under way to its end.
    pub(crate) async fn run(self: Arc<Self>, line: Arc<Line>) {
        let mut under_way = FuturesUnordered::new();
        loop {
            let (waits, is_enough, closed) = {
                let queue = self.lock();
                (!queue.posts.is_empty(), queue.is_enough(), queue.closed)
            };
            let sends = match under_way.len() {
                0 if closed => return,
                0 => waits,
                some => is_enough && some < UNDER_WAY,
            };
            tokio::select! {
                biased;
                Some(()) = under_way.next(), if !under_way.is_empty() => {}
                connection = line.connection(), if sends => {
                    let posts = self.lock().gather();
                    under_way.push(self.send(&line, connection, posts));
                }
                () = self.bell.notified(), if !sends && !closed => {}
            }
        }
    }

    /// Sends a pipeline and tells everybody what became of it.
    async fn send(&self, line: &Line, connection: Connection, mut posts: Vec<Post>) {
        let Connection { number, mut inner, .. } = connection;
        let mut pipeline = Pipeline::with_capacity(MOST + 1);
        posts.retain_mut(|post| {
            let commands = post.take();
            let is_awaited = !commands.is_empty();
            for command in commands {
                pipeline.add_command(command);
            }
            is_awaited
        });
        if posts.is_empty() {
            return;
        }
        self.confirm(&mut pipeline);
        let answers = inner.send_packed_commands(&pipeline, 0, pipeline.len()).await;
        drop(pipeline);
        let broken = match answers {
            Ok(answers) => self.tell(&posts, answers),
            Err(error) => {
                posts.iter().for_each(|post| post.tell_all(|| unknown(&error)));
                is_broken(&error).then_some(error)
            }
        };
        if let Some(error) = broken {
            line.broken(number, &error).await;
        }
    }

    /// Tells everybody what the server said; gives what is wrong with the connection.
    fn tell(&self, posts: &[Post], answers: Vec<Value>) -> Option<RedisError> {
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
        posts.iter().for_each(|post| post.tell(&mut outcomes));
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
        f.debug_struct("Publisher").field("posts", &self.lock().posts.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use redis::{Arg, cmd};

    use super::*;

    const CALLS: usize = 20_000;

    fn number_in(command: &Cmd) -> usize {
        match command.args_iter().nth(1) {
            Some(Arg::Simple(digits)) => {
                std::str::from_utf8(digits).expect("digits").parse().expect("a number")
            }
            _ => panic!("the command has a number"),
        }
    }

    /// Calls are given up by `end` while another thread takes what is to be sent: of each call it may get the first
    /// posts, and none after one that it did not get.
    fn nothing_is_sent_out_of_turn(end: fn(Waiting<'_>)) {
        let publisher = Publisher::new(Confirmation::Answer, Duration::ZERO);
        let ended = AtomicBool::new(false);
        let sender = || {
            let mut sent = vec![Vec::new(); CALLS];
            while !ended.load(Ordering::SeqCst) {
                for mut post in publisher.lock().gather() {
                    let numbers = post.take().iter().map(number_in).collect::<Vec<_>>();
                    numbers.iter().for_each(|number| sent[number / AHEAD].push(number % AHEAD));
                }
            }
            sent
        };
        let sent = std::thread::scope(|scope| {
            let sender = scope.spawn(sender);
            for call in 0..CALLS {
                let mut waiting = Waiting { publisher: &publisher, first: None, others: VecDeque::new() };
                let numbers = call * AHEAD..(call + 1) * AHEAD;
                waiting.fill(
                    &mut numbers
                        .map(|number| Parcel { command: cmd("XADD").arg(number).to_owned(), size: LARGE }),
                );
                end(waiting);
                while !publisher.lock().posts.is_empty() {
                    std::thread::yield_now();
                }
            }
            ended.store(true, Ordering::SeqCst);
            sender.join().expect("the sender ends")
        });
        for posts in &sent {
            assert!(posts.iter().copied().eq(0..posts.len()), "of one call these were sent: {posts:?}");
        }
    }

    #[test]
    fn at_the_deadline_nothing_is_sent_out_of_turn() {
        nothing_is_sent_out_of_turn(|waiting| drop(waiting.expire()));
    }

    #[test]
    fn a_caller_that_goes_away_leaves_nothing_to_be_sent_out_of_turn() {
        nothing_is_sent_out_of_turn(|waiting| drop(waiting));
    }
}
