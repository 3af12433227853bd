//! One call of publish, from its events to their outcomes.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::IntoIter;

use eventbus::{Error, ErrorKind, Result};
use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::message::Parcel;

/// One call of publish.
pub(crate) struct Post {
    /// How many events it has.
    count: usize,
    state: Mutex<State>,
}

struct State {
    /// The events that were not taken to be sent.
    parcels: IntoIter<Parcel>,
    /// Who waits for the outcomes; `None` once they are told.
    caller: Option<Sender<Vec<Result<()>>>>,
    /// The outcomes that are known; empty while none is.
    outcomes: Vec<Option<Result<()>>>,
    /// How many events were taken to be sent.
    taken: usize,
    /// How many outcomes are not known.
    open: usize,
}

/// Some events of a call, taken to be sent together.
pub(crate) struct Piece {
    pub(crate) parcels: Vec<Parcel>,
    pub(crate) end: End,
}

/// Where the outcomes of such events go.
pub(crate) struct End {
    post: Arc<Post>,
    places: Range<usize>,
}

impl Post {
    pub(crate) fn new(parcels: Vec<Parcel>) -> (Arc<Self>, Receiver<Vec<Result<()>>>) {
        let (caller, outcomes) = channel();
        let count = parcels.len();
        let parcels = parcels.into_iter();
        let state = State { parcels, caller: Some(caller), outcomes: Vec::new(), taken: 0, open: count };
        (Arc::new(Self { count, state: Mutex::new(state) }), outcomes)
    }

    /// Takes the next events, as many as there is room for, but one at least; tells whether they are the last.
    pub(crate) fn take(self: &Arc<Self>, most: usize, bytes: usize) -> (Piece, bool) {
        let mut state = self.lock();
        let most = if state.is_awaited() { most } else { 0 };
        let (start, mut size, mut parcels) = (state.taken, 0, Vec::new());
        while parcels.len() < most
            && size < bytes
            && let Some(parcel) = state.parcels.next()
        {
            size += parcel.size();
            parcels.push(parcel);
        }
        state.taken += parcels.len();
        let end = End { post: Arc::clone(self), places: start..state.taken };
        (Piece { parcels, end }, most == 0 || state.taken == self.count)
    }

    /// Whether somebody waits for the outcomes: not after the deadline, nor when the caller went away.
    pub(crate) fn is_awaited(&self) -> bool {
        self.lock().is_awaited()
    }

    /// What was not taken is not sent any more, because the transport closes.
    pub(crate) fn refuse(&self) {
        let mut state = self.lock();
        let places = state.taken..self.count;
        state.taken = self.count;
        let closed = std::iter::repeat_with(|| Err(Error::closed("the AMQP transport")));
        state.end((places, self.count), closed);
    }

    /// The deadline has passed: what is not known by now stays so.
    pub(crate) fn expire(&self) {
        self.lock().tell(self.count);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl End {
    /// What became of the events, in order.
    pub(crate) fn tell(self, outcomes: impl Iterator<Item = Result<()>>) {
        self.post.lock().end((self.places, self.post.count), outcomes);
    }
}

impl State {
    fn is_awaited(&self) -> bool {
        self.caller.as_ref().is_some_and(|caller| !caller.is_closed())
    }

    fn end(&mut self, (places, count): (Range<usize>, usize), outcomes: impl Iterator<Item = Result<()>>) {
        self.open -= places.len();
        if places.len() == count {
            self.answer(outcomes.take(count).collect());
            return;
        }
        if self.outcomes.is_empty() {
            self.outcomes.resize_with(count, || None);
        }
        for (place, outcome) in places.zip(outcomes) {
            self.outcomes[place] = Some(outcome);
        }
        if self.open == 0 {
            self.tell(count);
        }
    }

    fn tell(&mut self, count: usize) {
        let mut outcomes = std::mem::take(&mut self.outcomes);
        outcomes.resize_with(count, || None);
        let taken = self.taken;
        let told = |(place, outcome): (usize, Option<Result<()>>)| match outcome {
            Some(outcome) => outcome,
            None if place < taken => Err(unanswered()),
            None => Err(unsent()),
        };
        self.answer(outcomes.into_iter().enumerate().map(told).collect());
    }

    fn answer(&mut self, outcomes: Vec<Result<()>>) {
        // After the deadline, and when the caller does not wait any more, there is nobody to be told.
        if let Some(caller) = self.caller.take() {
            let _ = caller.send(outcomes);
        }
    }
}

/// The outcome of an event that was not sent before the deadline.
fn unsent() -> Error {
    Error::new(ErrorKind::NotSent, "the deadline passed before the event could be sent")
}

/// The outcome of an event that was sent, and whose answer did not come before the deadline.
pub(crate) fn unanswered() -> Error {
    Error::new(ErrorKind::Unknown, "no answer before the deadline; publish again with the same id")
}
