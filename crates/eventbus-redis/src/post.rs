//! Some events of one call of publish, from the queue to their outcomes.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use eventbus::{Error, ErrorKind, Result};
use redis::Cmd;

/// The most events of a post, and of a pipeline.
pub(crate) const MOST: usize = 128;
/// A post, and a pipeline, is closed when its events have this many bytes together.
pub(crate) const LARGE: usize = 128 << 10;

/// The command that stores one event.
pub(crate) struct Parcel {
    pub(crate) command: Cmd,
    /// How many bytes of it are sent, nearly.
    pub(crate) size: usize,
}

/// Some events of a call, which go out together.
pub(crate) struct Post {
    commands: Vec<Cmd>,
    size: usize,
    slip: Arc<Slip>,
}

/// What a post and the call it belongs to share.
struct Slip {
    count: usize,
    state: Mutex<State>,
}

enum State {
    /// Nothing of it can have been stored.
    Queued(Option<Waker>),
    Sent(Option<Waker>),
    Told(Vec<Result<()>>),
    /// Nobody waits for the outcomes.
    Left,
}

/// Waits for the outcomes of a post. What was not sent when this is dropped never will be.
pub(crate) struct Outcomes(Arc<Slip>);

impl Post {
    /// Takes as many events as a post may have; `None` when there are none.
    pub(crate) fn fill(parcels: &mut impl Iterator<Item = Parcel>) -> Option<(Self, Outcomes)> {
        let first = parcels.next()?;
        let mut commands = Vec::with_capacity(parcels.size_hint().1.unwrap_or(MOST).min(MOST - 1) + 1);
        let mut size = first.size;
        commands.push(first.command);
        while commands.len() < MOST
            && size < LARGE
            && let Some(parcel) = parcels.next()
        {
            size += parcel.size;
            commands.push(parcel.command);
        }
        let slip = Slip { count: commands.len(), state: Mutex::new(State::Queued(None)) };
        let slip = Arc::new(slip);
        Some((Self { commands, size, slip: Arc::clone(&slip) }, Outcomes(slip)))
    }

    pub(crate) fn count(&self) -> usize {
        self.slip.count
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Whether somebody waits for the outcomes: not after the deadline, nor when the caller went away.
    pub(crate) fn is_awaited(&self) -> bool {
        !matches!(*self.slip.lock(), State::Left)
    }

    /// Takes the commands to be sent; nothing when nobody waits for the outcomes.
    pub(crate) fn take(&mut self) -> Vec<Cmd> {
        let mut state = self.slip.lock();
        match &mut *state {
            State::Queued(waker) => {
                *state = State::Sent(waker.take());
                std::mem::take(&mut self.commands)
            }
            _ => Vec::new(),
        }
    }

    /// What became of the events, in order: takes as many outcomes as it has events.
    pub(crate) fn tell(&self, outcomes: impl Iterator<Item = Result<()>>) {
        let outcomes = outcomes.take(self.slip.count).collect();
        let state = std::mem::replace(&mut *self.slip.lock(), State::Told(outcomes));
        if let State::Queued(Some(waker)) | State::Sent(Some(waker)) = state {
            waker.wake();
        }
    }

    /// The same became of all its events.
    pub(crate) fn tell_all(&self, error: impl Fn() -> Error) {
        self.tell(std::iter::repeat_with(|| Err(error())));
    }
}

impl Drop for Post {
    /// Nobody waits for ever, whatever becomes of what is under way.
    fn drop(&mut self) {
        if matches!(*self.slip.lock(), State::Queued(_) | State::Sent(_)) {
            self.tell_all(|| Error::new(ErrorKind::Unknown, "the publisher has ended"));
        }
    }
}

impl Outcomes {
    /// The deadline has passed: what is not known by now stays so.
    pub(crate) fn expire(&self) -> Vec<Result<()>> {
        let error = match std::mem::replace(&mut *self.0.lock(), State::Left) {
            State::Told(outcomes) => return outcomes,
            State::Sent(_) => unanswered,
            State::Queued(_) | State::Left => unsent,
        };
        std::iter::repeat_with(|| Err(error())).take(self.0.count).collect()
    }
}

impl Future for Outcomes {
    type Output = Vec<Result<()>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock();
        match &mut *state {
            State::Told(outcomes) => Poll::Ready(std::mem::take(outcomes)),
            State::Queued(waker) | State::Sent(waker) => {
                match waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    None => *waker = Some(context.waker().clone()),
                }
                Poll::Pending
            }
            State::Left => Poll::Pending,
        }
    }
}

impl Drop for Outcomes {
    fn drop(&mut self) {
        *self.0.lock() = State::Left;
    }
}

impl Slip {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outcome of an event that was not sent before the deadline.
pub(crate) fn unsent() -> Error {
    Error::new(ErrorKind::NotSent, "the deadline passed before the event could be sent")
}

/// The outcome of an event that was sent, and whose answer did not come before the deadline.
fn unanswered() -> Error {
    Error::new(ErrorKind::Unknown, "no answer before the deadline; publish again with the same id")
}
