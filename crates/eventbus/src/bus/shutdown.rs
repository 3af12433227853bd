//! Ending well: stop accepting, finish what can be finished, say what could not.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::subscription::Running;
use super::{CLOSED, DRAINING, EventBus};
use crate::engine::{Command, FOREVER};
use crate::transport::{Backlog, Group, Mode};

/// What a shutdown did, and what it left.
#[derive(Debug, Clone)]
pub struct ShutdownReport {
    /// One report per subscription.
    pub groups: Vec<GroupReport>,
    /// Events that were to be published later, and end with this process.
    pub scheduled: u64,
    /// How the transport's end failed, if it did.
    pub transport: Option<String>,
}

impl ShutdownReport {
    /// Tells whether nothing was left undone that ends with this process, and no handler was cut short.
    pub fn is_complete(&self) -> bool {
        self.transport.is_none()
            && self.scheduled == 0
            && self.groups.iter().all(|group| group.aborted == 0 && group.unfinished() == 0)
    }
}

/// What one subscription did in its life, and what its group holds after it.
#[derive(Debug, Clone)]
pub struct GroupReport {
    /// The group.
    pub group: Group,
    /// Messages acknowledged.
    pub acked: u64,
    /// Messages dead-lettered.
    pub dead_lettered: u64,
    /// Handlers dropped at the deadline; their messages went back to the group.
    pub aborted: u64,
    /// What the group holds now, or held when it went with its last member; `None` when the transport did not say.
    pub left: Option<Backlog>,
    /// Whether what is left outlives this process.
    pub kept: bool,
}

impl GroupReport {
    pub(super) async fn of(running: &Running) -> Self {
        let (plan, stats) = (&running.plan, &running.control.stats);
        // A group that goes with its last member takes along what it holds, however durable the transport is.
        let stays = plan.spec.mode == Mode::Shared && !plan.spec.ephemeral;
        let noted = *stats.left.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            group: (*plan.group).clone(),
            acked: stats.acked.load(Ordering::Relaxed),
            dead_lettered: stats.dead.load(Ordering::Relaxed),
            aborted: stats.aborted.load(Ordering::Relaxed),
            left: match noted {
                Some(left) => Some(left),
                None => plan.transport.backlog(&plan.group).await.ok().flatten(),
            },
            kept: stays && plan.transport.capabilities().durability.outlives_process(),
        }
    }

    /// How many messages end with this process without having been handled: unsettled ones, dead letters, and dropped
    /// ones that nobody was told of.
    pub fn unfinished(&self) -> u64 {
        match &self.left {
            Some(left) if !self.kept => left.unsettled() + left.dead + left.lost,
            _ => 0,
        }
    }
}

impl EventBus {
    /// Shuts the bus down: events are accepted from handlers only, what ends with this process is drained, then
    /// subscriptions stop, handlers finish until the deadline, and the transport is closed.
    ///
    /// Returns at the deadline at the latest, but for handlers that block their thread. Idempotent: a second call waits
    /// for nothing new and reports again.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let deadline = Instant::now() + deadline.min(FOREVER);
        let _ = self.0.phase.compare_exchange(super::OPEN, DRAINING, Ordering::SeqCst, Ordering::SeqCst);
        let running = self.running().clone();
        let (paused, active): (Vec<_>, Vec<_>) =
            running.into_iter().partition(|running| running.control.current() == Command::Pause);
        let mut groups = join_all(paused.iter().map(|running| running.stop(deadline))).await;
        if !self.capabilities().durability.outlives_process() {
            // Whether it ended or the deadline did: the reports below say what is left.
            let _ = timeout_at(deadline, self.0.transport.drained()).await;
        }
        self.0.phase.store(CLOSED, Ordering::SeqCst);
        groups.extend(join_all(active.iter().map(|running| running.stop(deadline))).await);
        let scheduled = self.0.transport.scheduled().await;
        let transport = self.0.transport.close().await.err().map(|error| error.to_string());
        for group in &mut groups {
            // Once more, for what was stored until the very end; a group that is gone keeps what it said when it went.
            if let Ok(Some(left)) = self.0.transport.backlog(&group.group).await {
                group.left = Some(left);
            }
        }
        ShutdownReport { groups, scheduled, transport }
    }
}
