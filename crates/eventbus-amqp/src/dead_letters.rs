//! Dead letters: a queue of them, read without taking them out, each named by a number that grows with time.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eventbus::transport::{Body, DeadLetter, DeadLetters, Group, History, Reason};
use eventbus::{Error, ErrorKind, Result, Timestamp};
use futures::StreamExt as _;
use futures::stream::SelectAll;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::{FieldTable, ShortString};
use tokio::time::{sleep, timeout};

use crate::backlog::names;
use crate::error::{late, transient};
use crate::label::{Kept, Label, Stage};
use crate::lock::{Door, Lock};
use crate::message::{Message, Parcel};
use crate::mover::{Moved, Mover};
use crate::shared::{EPOCH, Shared};
use crate::topology::Names;

/// How many dead letters are read at first: most often the one that is looked for is among the first.
const FIRST: u16 = 64;

/// How long what was read may take to be back, and how often it is looked for.
const BACK: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);

/// The dead letters of a group.
pub(crate) struct AmqpDeadLetters {
    shared: Arc<Shared>,
    group: Group,
}

/// Dead letters that are being read, under a lock.
struct Opened {
    lock: Lock,
    /// How many there are.
    total: u64,
    /// Who reads them.
    tags: Vec<ShortString>,
}

/// What becomes of a dead letter that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Again,
    Gone,
}

impl AmqpDeadLetters {
    pub(crate) fn new(shared: &Arc<Shared>, group: &Group) -> Self {
        Self { shared: Arc::clone(shared), group: group.clone() }
    }

    async fn names(&self) -> Result<Vec<Names>> {
        self.shared.settled().await;
        let names = names(&self.shared, &self.group).await?;
        match names.is_empty() {
            true => Err(Error::new(ErrorKind::NotFound, format!("there is no group {}", self.group))),
            false => Ok(names),
        }
    }

    /// Reads dead letters under a lock, oldest first, until `see` has seen enough; then they all go back, but for what was
    /// acknowledged.
    async fn browse(
        &self,
        (names, alone): (&Names, &Door),
        mut see: impl FnMut(Message) -> ControlFlow<()>,
    ) -> Result<Opened> {
        let failed = |error| transient(&format!("reading the dead letters of {}", self.group), error);
        let link = self.shared.consuming.question().await.map_err(failed)?;
        let mut lock = Lock::take(&link, names.dead_lock(), alone).await?;
        let total = count(&lock, names).await.map_err(failed)?;
        lock.back = Some((names.dead(), u32::try_from(total).unwrap_or(u32::MAX)));
        let read = async {
            let (mut seen, mut room, mut streams, mut tags) = (0, FIRST, SelectAll::new(), Vec::new());
            let mut asked = 0;
            while seen < total {
                if seen == asked {
                    let options = BasicQosOptions::default();
                    lock.link.within(lock.channel.basic_qos(room, options)).await?;
                    let (queue, tag) = (names.dead(), ShortString::from(format!("letters-{asked}")));
                    tags.push(tag.clone());
                    let options = BasicConsumeOptions::default();
                    let consuming = lock.channel.basic_consume(queue, tag, options, FieldTable::default());
                    streams.push(lock.link.within(consuming).await?);
                    asked += u64::from(room);
                    room = room.saturating_mul(16);
                }
                let next =
                    lock.link.within(async { streams.next().await.unwrap_or_else(|| Err(late())) }).await?;
                seen += 1;
                if see(Message::read(next, self.shared.config.max_event_size)).is_break() {
                    break;
                }
            }
            Ok((total, tags))
        };
        match read.await {
            Ok((total, tags)) => Ok(Opened { lock, total, tags }),
            Err(error) => {
                lock.release().await;
                Err(failed(error))
            }
        }
    }

    /// Reads the first dead letters after one.
    async fn look(&self, after: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>> {
        let alone = Door::close(&self.shared.graveyards).await;
        let mut letters = std::collections::BTreeMap::new();
        for names in self.names().await? {
            let see = |message: Message| {
                let id = number(&message);
                if after.is_none_or(|after| id > after) {
                    letters.insert(id, message);
                    if letters.len() > limit {
                        letters.pop_last();
                    }
                }
                ControlFlow::Continue(())
            };
            leave(self.browse((&names, &alone), see).await?, &names).await;
        }
        Ok(letters.into_values().map(letter).collect())
    }

    /// Takes a dead letter out, to hand it out again or for good.
    async fn take(&self, id: u64, fate: Fate) -> Result<bool> {
        let alone = Door::close(&self.shared.graveyards).await;
        self.shared.settled().await;
        for names in names(&self.shared, &self.group).await? {
            let mut found = None;
            let see = |message: Message| match number(&message) == id {
                true => {
                    found = Some(message);
                    ControlFlow::Break(())
                }
                false => ControlFlow::Continue(()),
            };
            let mut opened = self.browse((&names, &alone), see).await?;
            let taken = match found {
                Some(message) => self.end(&names, &opened.lock, (message, fate)).await.map(|()| true),
                None => Ok(false),
            };
            opened.total -= u64::from(taken.as_ref().is_ok_and(|taken| *taken));
            leave(opened, &names).await;
            if taken? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Stores a dead letter where it goes, then removes it here.
    async fn end(&self, names: &Names, lock: &Lock, (message, fate): (Message, Fate)) -> Result<()> {
        self.shared.publishing.question().await.map_err(|error| transient("redriving", error))?;
        let mover = Mover::new(&self.shared.publishing);
        let mut parcels = onward(names, &message, fate).into_iter().peekable();
        while let Some(parcel) = parcels.next() {
            match mover.publish(&[parcel]).await.pop() {
                Some(Moved::Stored) => break,
                Some(Moved::Missing) if parcels.peek().is_some() => {}
                Some(Moved::Unknown(error)) => return Err(transient("redriving", error)),
                _ => return Err(Error::new(ErrorKind::NotSent, "redriving: the group's queue is not there")),
            }
        }
        let acked = lock.channel.basic_ack(message.tag, BasicAckOptions::default());
        lock.link.within(acked).await.map_err(|error| transient("removing a dead letter", error))
    }
}

/// What goes on when a dead letter goes: itself, or word that it holds its key no longer. Where it goes, and where else if
/// there is no such queue.
fn onward(names: &Names, message: &Message, fate: Fate) -> Vec<Parcel> {
    let (original, place) = (&message.original, message.place.unwrap_or(0));
    let label = Label { attempt: 1, place, ..Label::default() };
    match (original.kept(), fate) {
        (Some(kept), Fate::Again) => {
            let kept = Kept { stage: Stage::Waiting, turn: kept.turn + 1, ..kept };
            vec![original.labelled(&kept.home, &Label { kept: Some(&kept), ..label })]
        }
        (Some(kept), Fate::Gone) if original.dead().is_some_and(|dead| dead.holds) => {
            let kept = Kept { stage: Stage::Free, turn: kept.turn + 1, ..kept };
            let word = original.labelled(&kept.home, &Label { kept: Some(&kept), ..label });
            vec![Parcel { body: bytes::Bytes::new(), ..word }]
        }
        (None, Fate::Again) => {
            let again = names.again().to_string();
            // The broker moved it here by itself, perhaps from a group with order per key.
            let kept = original.died_in().map(|queue| format!("{queue}/kept"));
            [again].into_iter().chain(kept).map(|queue| original.labelled(&queue, &label)).collect()
        }
        (_, Fate::Gone) => Vec::new(),
    }
}

async fn count(lock: &Lock, names: &Names) -> lapin::Result<u64> {
    Ok(u64::from(lock.maker().look(names.dead()).await?.message_count()))
}

/// Gives everything back that was read, and the lock when it is there again: the broker takes a moment for that.
async fn leave(opened: Opened, names: &Names) {
    let Opened { mut lock, total, tags } = opened;
    let options = BasicNackOptions { multiple: true, requeue: true };
    let back = async {
        for tag in tags {
            lock.link.within(lock.channel.basic_cancel(tag, BasicCancelOptions::default())).await?;
        }
        lock.link.within(lock.channel.basic_nack(0, options)).await?;
        while count(&lock, names).await? < total {
            sleep(PAUSE).await;
        }
        Ok::<_, lapin::Error>(())
    };
    // Before long they are back in any case.
    let _ = timeout(BACK, back).await;
    lock.back = None;
    lock.release().await;
}

/// The number of a dead letter; one that the broker moved by itself gets one that is always the same.
fn number(message: &Message) -> u64 {
    if let Some(dead) = message.original.dead() {
        return dead.id;
    }
    let mut hasher = DefaultHasher::new();
    message.original.properties.message_id().as_ref().map(ShortString::as_str).hash(&mut hasher);
    message.original.body.hash(&mut hasher);
    let seconds = message.original.died().unwrap_or(EPOCH).saturating_sub(EPOCH);
    ((seconds * 1_000_000 + hasher.finish() % 1_000_000) << 8) | (hasher.finish() >> 56)
}

fn letter(message: Message) -> DeadLetter {
    let id = number(&message);
    let dead = message.original.dead();
    let history: History = message.history.map(|history| *history).unwrap_or_default();
    let unknown =
        if matches!(message.body, Body::Undecodable(_)) { Reason::Undecodable } else { Reason::Crashed };
    let died = message.original.died().and_then(|seconds| i64::try_from(seconds).ok());
    let died = died.map_or_else(Timestamp::now, |seconds| Timestamp::from_millis(seconds * 1000));
    DeadLetter {
        id,
        reason: dead.map_or(unknown, |dead| dead.reason),
        time: history.last().map_or(died, |failure| failure.time),
        attempts: message.written,
        history,
        holds_key: dead.is_some_and(|dead| dead.holds),
        body: message.body,
    }
}

#[async_trait]
impl DeadLetters for AmqpDeadLetters {
    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>> {
        let listed = self.look(after, limit).await;
        self.shared.rest().await;
        listed
    }

    async fn redrive(&self, id: u64) -> Result<bool> {
        let taken = self.take(id, Fate::Again).await;
        self.shared.rest().await;
        taken
    }

    async fn purge(&self, id: u64) -> Result<bool> {
        let taken = self.take(id, Fate::Gone).await;
        self.shared.rest().await;
        taken
    }
}

impl fmt::Debug for AmqpDeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AmqpDeadLetters of {}", self.group)
    }
}
