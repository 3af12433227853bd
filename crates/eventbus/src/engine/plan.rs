//! What a subscription is to do: everything that does not change while it runs.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::dispatch::Dispatch;
use super::retry::Retry;
use crate::transport::{Group, SubscriptionSpec, Transport};

/// A subscription's plan.
pub(crate) struct Plan {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) spec: SubscriptionSpec,
    pub(crate) group: Arc<Group>,
    pub(crate) dispatch: Dispatch,
    pub(crate) retry: Retry,
    pub(crate) on_dead_letter: OnDeadLetter,
    pub(crate) timeout: Option<Duration>,
    /// How many handlers run at once.
    pub(crate) concurrency: usize,
    /// How many messages are held at once, running ones included: the least, kept while handlers take time, and the
    /// most, reached while they are done at once.
    pub(crate) prefetch: RangeInclusive<usize>,
    /// Which bus this is, for code that asks whether it runs inside one of its handlers.
    pub(crate) bus: u64,
}

/// What becomes of a key's later messages when one of it is dead-lettered, with order per key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDeadLetter {
    /// They wait until the dead letter is redriven or purged: nothing ever overtakes.
    #[default]
    HoldKey,
    /// They go on without it.
    Skip,
}
