//! A message: an event received, with its settlement.

use std::fmt;
use std::time::Duration;
use std::vec::IntoIter;

use bytes::Bytes;

use crate::error::Error;
use crate::event::{AnyEvent, Timestamp};

/// Names a received message to the transport that it came from; meaningless to everybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// A message as it comes from a transport.
#[derive(Debug)]
pub struct Received {
    /// What it is settled by.
    pub token: Token,
    /// Which time this message is handed out, from 1. Counts retries and members that were lost with it, but not
    /// [`Settlement::Return`].
    pub attempt: u32,
    /// How many events of this group were dropped just before this one; not 0 only with
    /// [`Overflow::DropOldest`](super::Overflow::DropOldest).
    pub lost: u32,
    /// The event, or the bytes that are none.
    pub body: Body,
    /// The failures so far, `None` at the first attempt.
    pub history: Option<Box<History>>,
}

impl Received {
    /// A message that is handed out for the first time.
    pub fn first(token: Token, event: AnyEvent) -> Self {
        Self { token, attempt: 1, lost: 0, body: Body::Event(event), history: None }
    }

    /// How many members were lost while they had this message: attempts that ended in no known failure.
    pub fn crashes(&self) -> u32 {
        let failures = self.history.as_ref().map_or(0, |history| history.count);
        self.attempt.saturating_sub(1).saturating_sub(failures)
    }
}

/// Messages that came together, made one by one as they are taken.
///
/// `Vec::into` makes one of messages that are there. A transport whose messages lie in memory anyway may make each only
/// when its turn comes, with [`lazy`](Self::lazy).
pub struct Batch(Source);

enum Source {
    Ready(IntoIter<Received>),
    Lazy(Box<dyn ExactSizeIterator<Item = Received> + Send>),
}

impl Batch {
    /// Messages that are made as they are taken. Only for transports without a [lease](super::Capabilities::lease):
    /// what is not made yet has no token to extend. Those that are never taken count as held by the member all the same.
    pub fn lazy(messages: impl ExactSizeIterator<Item = Received> + Send + 'static) -> Self {
        Self(Source::Lazy(Box::new(messages)))
    }

    /// The tokens of the messages that have not been taken and are there already.
    pub fn tokens(&self) -> impl Iterator<Item = Token> {
        let ready = match &self.0 {
            Source::Ready(ready) => ready.as_slice(),
            Source::Lazy(_) => &[],
        };
        ready.iter().map(|received| received.token)
    }
}

impl Iterator for Batch {
    type Item = Received;

    fn next(&mut self) -> Option<Received> {
        match &mut self.0 {
            Source::Ready(ready) => ready.next(),
            Source::Lazy(lazy) => lazy.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Source::Ready(ready) => ready.size_hint(),
            Source::Lazy(lazy) => lazy.size_hint(),
        }
    }
}

impl ExactSizeIterator for Batch {}

impl From<Vec<Received>> for Batch {
    fn from(messages: Vec<Received>) -> Self {
        Self(Source::Ready(messages.into_iter()))
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch of {}", self.len())
    }
}

/// What a message carries.
#[derive(Debug)]
pub enum Body {
    /// An event.
    Event(AnyEvent),
    /// Bytes that could not be read as one.
    Undecodable(Box<Undecodable>),
}

/// Bytes that are no event.
#[derive(Debug)]
pub struct Undecodable {
    /// The bytes as they came.
    pub bytes: Bytes,
    /// Why they are none.
    pub error: Error,
}

/// What becomes of a message.
///
/// In a subscription with [`Order::PerKey`](super::Order::PerKey) the transport *holds* a key while a message of it
/// waits for its retry, and while a message of it lies among the dead letters with `hold`: nothing of that key is
/// handed out meanwhile; what is published or returned meanwhile is parked and follows, in order, when the key is free.
#[derive(Debug, Clone)]
pub enum Settlement {
    /// Done, for good.
    Ack,
    /// To be handed out again after the delay, counted as an attempt; the transport keeps the delay.
    RetryAfter {
        /// How long to wait.
        delay: Duration,
        /// Why; the transport adds it to the message's history.
        failure: Box<Failure>,
    },
    /// Never again: to the group's dead letters.
    DeadLetter {
        /// Why; the transport adds it to the message's history.
        failure: Box<Failure>,
        /// Whether the key stays held until the dead letter is redriven or purged.
        hold: bool,
    },
    /// To be handed out again at its old place, not counted as an attempt.
    Return,
}

/// What became of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Applied.
    Applied,
    /// The message was no longer this member's; somebody else has it or will get it.
    Lost,
    /// Perhaps applied: the answer was lost. The message may come again.
    Unknown,
    /// There is no room for another dead letter: the message is still this member's and must be settled in another way.
    Refused,
}

/// Why a message was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class of the failure.
    pub reason: Reason,
    /// The text of the error, cut to [`Failure::MAX_TEXT`] bytes.
    pub message: String,
    /// When it failed.
    pub time: Timestamp,
    /// The attempt that failed.
    pub attempt: u32,
}

impl Failure {
    /// The longest text that is kept of an error.
    pub const MAX_TEXT: usize = 1024;

    /// A failure now.
    pub fn now(reason: Reason, message: impl fmt::Display, attempt: u32) -> Self {
        let mut message = message.to_string();
        if message.len() > Self::MAX_TEXT {
            let end = (0..=Self::MAX_TEXT).rev().find(|&end| message.is_char_boundary(end)).unwrap_or(0);
            message.truncate(end);
        }
        Self { reason, message, time: Timestamp::now(), attempt }
    }
}

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The handler returned a transient error.
    Transient,
    /// The handler returned a permanent error.
    Permanent,
    /// The handler took longer than its time-out.
    TimedOut,
    /// The handler panicked.
    Panicked,
    /// The message is not what its type says.
    Undecodable,
    /// Nobody is known to have finished it, and it was handed out too often: the process may have died of it.
    Crashed,
    /// No handler of the subscription wants it.
    Unhandled,
}

impl Reason {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Transient,
        Self::Permanent,
        Self::TimedOut,
        Self::Panicked,
        Self::Undecodable,
        Self::Crashed,
        Self::Unhandled,
    ];

    /// The reason of this name, if it is one that this version knows.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == name)
    }

    /// The name in displays, metrics and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
            Self::Undecodable => "undecodable",
            Self::Crashed => "crashed",
            Self::Unhandled => "unhandled",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The failures of a message: the first, and the latest [`History::LATEST`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The first failure.
    pub first: Option<Failure>,
    /// The latest failures, oldest first; without the first.
    pub latest: Vec<Failure>,
    /// How many failures there were in all.
    pub count: u32,
}

impl History {
    /// How many of the latest failures are kept.
    pub const LATEST: usize = 8;

    /// Adds a failure, forgetting the oldest but the first.
    pub fn push(&mut self, failure: Failure) {
        self.count = self.count.saturating_add(1);
        if self.first.is_none() {
            self.first = Some(failure);
            return;
        }
        if self.latest.len() == Self::LATEST {
            self.latest.remove(0);
        }
        self.latest.push(failure);
    }

    /// The latest failure.
    pub fn last(&self) -> Option<&Failure> {
        self.latest.last().or(self.first.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    /// Of a variant that is new this says nothing yet: it does not compile until its place is here, and in `ALL`.
    fn place(reason: Reason) -> usize {
        match reason {
            Reason::Transient => 0,
            Reason::Permanent => 1,
            Reason::TimedOut => 2,
            Reason::Panicked => 3,
            Reason::Undecodable => 4,
            Reason::Crashed => 5,
            Reason::Unhandled => 6,
        }
    }

    #[test]
    fn every_reason_is_listed_once_and_found_by_its_own_name_alone() {
        let places: Vec<_> = Reason::ALL.iter().map(|reason| place(*reason)).collect();
        assert_eq!(places, (0..7).collect::<Vec<_>>());
        for reason in Reason::ALL {
            assert_eq!(Reason::find(reason.as_str()), Some(*reason));
        }
        for unknown in ["", "Transient", "timed out", "transient "] {
            assert_eq!(Reason::find(unknown), None, "{unknown:?}");
        }
    }
}
