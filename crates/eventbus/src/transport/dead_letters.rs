//! What a transport does with dead letters: keep, list, put back, remove.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

use super::capabilities::Capabilities;
use super::message::{Body, Failure, History, Reason};
use crate::error::Result;
use crate::event::{AnyEvent, Timestamp};

/// A message a group gave up.
#[derive(Debug)]
pub struct DeadLetter {
    /// Names it within its group; grows with time.
    pub id: u64,
    /// The event with its own id, or the raw bytes that are none.
    pub body: Body,
    /// The last failure's class.
    pub reason: Reason,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed, first and last times.
    pub history: History,
    /// When it was dead-lettered.
    pub time: Timestamp,
    /// Whether its key is held because of it.
    pub holds_key: bool,
}

impl DeadLetter {
    /// The event, unless the bytes are none.
    pub fn event(&self) -> Option<&AnyEvent> {
        match &self.body {
            Body::Event(event) => Some(event),
            Body::Undecodable(_) => None,
        }
    }

    /// Why it was given up.
    pub fn last_failure(&self) -> Option<&Failure> {
        self.history.last()
    }

    /// The bytes of the message, exactly as they came where they came as bytes.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable) when a published object cannot be encoded.
    pub fn raw(&self) -> Result<Bytes> {
        match &self.body {
            Body::Event(event) => event.to_json(),
            Body::Undecodable(undecodable) => Ok(undecodable.bytes.clone()),
        }
    }
}

/// The dead letters of one group. Selecting, dry runs and rates are the bus's, above this.
#[async_trait]
pub trait DeadLetters: Debug + Send + Sync {
    /// Up to `limit` dead letters whose id is above `after`, in order of id.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such group.
    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>>;

    /// Hands a dead letter out to the group again, with its event's id, as a first attempt, and frees its key; later
    /// messages of the key follow it. `false` when it is not there (any more).
    ///
    /// # Errors
    /// Transient ones only.
    async fn redrive(&self, id: u64) -> Result<bool>;

    /// Removes a dead letter for good and frees its key; `false` when it is not there (any more).
    ///
    /// # Errors
    /// Transient ones only.
    async fn purge(&self, id: u64) -> Result<bool>;
}

/// The dead letters of a transport that keeps none.
#[derive(Debug)]
pub(super) struct NoDeadLetters(pub(super) Capabilities);

#[async_trait]
impl DeadLetters for NoDeadLetters {
    async fn list(&self, _: Option<u64>, _: usize) -> Result<Vec<DeadLetter>> {
        Err(self.0.lack("dead letters"))
    }

    async fn redrive(&self, _: u64) -> Result<bool> {
        Err(self.0.lack("dead letters"))
    }

    async fn purge(&self, _: u64) -> Result<bool> {
        Err(self.0.lack("dead letters"))
    }
}
