//! A running subscription, and the handle to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use super::health::SubscriptionHealth;
use super::shutdown::GroupReport;
use crate::engine::{Command, Control, FOREVER, Plan};
use crate::transport::Group;

/// A subscription that runs until it is stopped, its bus is shut down or its transport closes.
///
/// Dropping the handle changes nothing: the subscription goes on.
#[derive(Clone)]
pub struct Subscription(Arc<Running>);

pub(super) struct Running {
    pub(super) plan: Arc<Plan>,
    pub(super) control: Arc<Control>,
    /// Tells whether the task has ended.
    ended: AbortHandle,
    /// Taken by the stop that has seen its end; others that stop meanwhile wait for that.
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Running {
    pub(super) fn new(plan: Arc<Plan>, control: Arc<Control>, task: JoinHandle<()>) -> Self {
        Self { plan, control, ended: task.abort_handle(), task: Mutex::new(Some(task)) }
    }

    pub(super) fn is_over(&self) -> bool {
        self.ended.is_finished()
    }

    /// Ends it: nothing starts any more, what runs may finish until the deadline.
    pub(super) async fn stop(&self, deadline: Instant) -> GroupReport {
        self.control.tell(Command::Stop(deadline));
        let mut task = self.task.lock().await;
        if let Some(running) = task.as_mut() {
            if running.await.is_err_and(|error| error.is_panic()) {
                tracing::error!(group = %self.plan.group, "the subscription's task panicked: a bug of this library");
            }
            *task = None;
        }
        drop(task);
        GroupReport::of(self).await
    }
}

impl Subscription {
    pub(super) fn new(running: Arc<Running>) -> Self {
        Self(running)
    }

    /// The group.
    pub fn group(&self) -> &Group {
        &self.0.plan.group
    }

    /// Finishes what runs and starts nothing until [`resume`](Self::resume). Messages that were received already wait.
    ///
    /// With order per key it stays the member that its keys go to: they wait for it, and no other member gets them.
    pub fn pause(&self) {
        self.0.control.tell(Command::Pause);
    }

    /// Goes on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.0.control.tell(Command::Run);
    }

    /// Leaves the group: nothing starts any more, handlers may finish for this long, what they did not finish and what
    /// was received beforehand goes back to the group.
    pub async fn stop(&self, deadline: Duration) -> GroupReport {
        self.0.stop(Instant::now() + deadline.min(FOREVER)).await
    }

    /// How it is.
    pub fn health(&self) -> SubscriptionHealth {
        SubscriptionHealth::of(&self.0)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").field(self.group()).finish()
    }
}
