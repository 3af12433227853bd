//! Attempts: one HTTP request of a delivery, and what follows from it.

use std::time::Duration;

use eventbus::Timestamp;

use super::delivery::{DeliveryKey, Ending, Lease};
use super::notice::Notice;
use super::outcome::{Answer, Outcome};

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Delivered.
    Succeeded,
    /// Tried again at this time.
    Retry(Timestamp),
    /// Given up.
    Failed(Ending),
    /// Kept for whoever mends the bridge.
    Parked,
}

/// One request that was made, with the decision about what follows: stored in one transaction.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The delivery it belongs to.
    pub delivery: DeliveryKey,
    /// The lease it was made under; when it is no longer the delivery's, nothing is stored.
    pub lease: Lease,
    /// Its number, from 1.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// What became of it.
    pub outcome: Outcome,
    /// What is kept of the answer.
    pub answer: Answer,
    /// What follows.
    pub next: Next,
}

impl Attempt {
    /// When it ended.
    pub fn ended_at(&self) -> Timestamp {
        self.started_at.plus(self.duration)
    }
}

/// Whether the store took an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    /// Attempt and next state are stored.
    Stored,
    /// So they are, and the endpoint failed so often that it is left alone for a while.
    Opened,
    /// So they are, and an event that tells the endpoint's owner how it is doing.
    Told(Box<Notice>),
    /// The lease had run out, and somebody else has the delivery: nothing is stored.
    Lost,
}
