//! How a bus and its subscriptions are.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::EventBus;
use super::subscription::Running;
use crate::engine::{Command, HEARTBEAT};
use crate::transport::Group;

/// How a bus is.
#[derive(Debug, Clone)]
pub struct Health {
    /// Its subscriptions, in the order they were started.
    pub subscriptions: Vec<SubscriptionHealth>,
    /// What is wrong with the transport at this moment, in its words.
    pub troubles: Vec<String>,
    /// What somebody should look at although nothing is broken here, such as a group that nobody reads.
    pub warnings: Vec<String>,
    /// Whether it accepts events.
    pub open: bool,
}

impl Health {
    /// Tells whether the bus is open, its transport has no troubles, and every subscription runs, or is paused on purpose.
    pub fn is_healthy(&self) -> bool {
        self.open && self.troubles.is_empty() && self.subscriptions.iter().all(SubscriptionHealth::is_healthy)
    }
}

/// How a subscription is; its counters start with the subscription.
#[derive(Debug, Clone)]
pub struct SubscriptionHealth {
    /// The group.
    pub group: Group,
    /// What it is doing.
    pub state: SubscriptionState,
    /// How long ago its receive loop last turned; it turns every second when nothing happens.
    pub heartbeat: Duration,
    /// Messages whose handlers run.
    pub running: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Attempts that are followed by another.
    pub retried: u64,
    /// Messages dead-lettered.
    pub dead_lettered: u64,
    /// Messages given back without an attempt.
    pub returned: u64,
    /// Handlers dropped at the deadline of a stop.
    pub aborted: u64,
    /// Events dropped by [`Overflow::DropOldest`](crate::transport::Overflow::DropOldest), as messages told of them.
    pub lost: u64,
    /// Settlements that did not reach their message; it is handed out again.
    pub settle_lost: u64,
    /// How often the group was joined again after a fault.
    pub reopened: u64,
}

/// What a subscription is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriptionState {
    /// It receives.
    Running,
    /// It was paused.
    Paused,
    /// Something is wrong, which it mends by itself.
    Degraded(String),
    /// Its receive loop does not turn: a handler blocks the thread.
    Stalled,
    /// It is stopping, or has stopped.
    Stopped,
}

impl SubscriptionHealth {
    pub(super) fn of(running: &Running) -> Self {
        let stats = &running.control.stats;
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let heartbeat = running.control.silence();
        let trouble = stats.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let state = match (running.control.current(), trouble) {
            _ if running.is_over() => SubscriptionState::Stopped,
            (Command::Stop(_), _) => SubscriptionState::Stopped,
            _ if heartbeat > HEARTBEAT * 5 => SubscriptionState::Stalled,
            (_, Some(trouble)) => SubscriptionState::Degraded(trouble),
            (Command::Pause, None) => SubscriptionState::Paused,
            (Command::Run, None) => SubscriptionState::Running,
        };
        Self {
            group: (*running.plan.group).clone(),
            state,
            heartbeat,
            running: read(&stats.running),
            acked: read(&stats.acked),
            retried: read(&stats.retried),
            dead_lettered: read(&stats.dead),
            returned: read(&stats.returned),
            aborted: read(&stats.aborted),
            lost: read(&stats.lost),
            settle_lost: read(&stats.settle_lost),
            reopened: read(&stats.reopened),
        }
    }

    /// Tells whether it runs, or is paused on purpose.
    pub fn is_healthy(&self) -> bool {
        matches!(self.state, SubscriptionState::Running | SubscriptionState::Paused)
    }
}

impl EventBus {
    /// How the bus and its subscriptions are. Cheap; asks nobody.
    pub fn health(&self) -> Health {
        let subscriptions = self.running().iter().map(|running| SubscriptionHealth::of(running)).collect();
        let (troubles, warnings) = (self.0.transport.troubles(), self.0.transport.warnings());
        Health { subscriptions, troubles, warnings, open: self.is_open().is_ok() }
    }
}
