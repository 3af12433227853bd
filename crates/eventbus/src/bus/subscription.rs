//! A running subscription, and the handle to it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::health::SubscriptionHealth;
use super::shutdown::GroupReport;
use crate::engine::{Command, Control, Plan};
use crate::transport::Group;

/// A subscription that runs until it is stopped, its bus is shut down or its transport closes.
///
/// Dropping the handle changes nothing: the subscription goes on.
#[derive(Clone)]
pub struct Subscription(Arc<Running>);

pub(super) struct Running {
    pub(super) plan: Arc<Plan>,
    pub(super) control: Arc<Control>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Running {
    pub(super) fn new(plan: Arc<Plan>, control: Arc<Control>, task: JoinHandle<()>) -> Self {
        Self { plan, control, task: Mutex::new(Some(task)) }
    }

    pub(super) fn is_over(&self) -> bool {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        task.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it: nothing starts any more, what runs may finish until the deadline.
    pub(super) async fn stop(&self, deadline: Instant) -> GroupReport {
        self.control.tell(Command::Stop(deadline));
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
            && error.is_panic()
        {
            tracing::error!(group = %self.plan.group, "the subscription's task panicked: a bug of this library");
        }
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
        self.0.stop(Instant::now() + deadline).await
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
