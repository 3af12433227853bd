//! The driver's part that receives, and joins the group again when that fails.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::RngExt as _;

use super::control::Control;
use super::driver::Driver;
use super::plan::Plan;
use super::retry::Retry;
use crate::error::{ErrorKind, Result};
use crate::transport::{Batch, Membership, Reader};

/// How many times the prefetch may wait in lanes before they count as held.
const LANES: usize = 16;

/// The longest pause between two tries to join the group again: work goes on soon after its broker is there again.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a receive or a reopening came to.
pub(super) enum Incoming {
    Batch(Box<dyn Reader>, Result<Batch>),
    Opened(Membership),
    Closed,
}

impl Driver {
    /// Asks for as many messages as there is room for; small requests wait until more is worth asking for.
    pub(super) fn receive(&mut self) {
        // Messages behind a slow one of their key are not in the way of other keys until there are many of them.
        let laned = self.lanes.queued().saturating_sub(self.plan.prefetch.end().saturating_mul(LANES));
        let held = self.backlog.len() + self.promoted.len() + laned + self.running.len();
        let credit = self.window.saturating_sub(held);
        if self.receiving.is_some()
            || self.alone
            || credit == 0
            || (self.backlog.len() > 0 && credit < self.window / 2)
        {
            return;
        }
        let credit = NonZeroU32::new(u32::try_from(credit).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
        let Some(mut reader) = self.resting.take() else { return };
        self.receives += 1;
        self.receiving = Some(Box::pin(async move {
            let batch = reader.receive(credit).await;
            Incoming::Batch(reader, batch)
        }));
    }

    /// Takes in what was received; `false` when there will never be more.
    pub(super) fn take_in(&mut self, incoming: Incoming) -> bool {
        match incoming {
            Incoming::Closed => return false,
            Incoming::Opened(membership) => {
                self.reopening = false;
                self.settler = membership.settler;
                self.resting = Some(membership.reader);
                self.control.trouble(None);
                self.control.stats.reopened.fetch_add(1, Ordering::Relaxed);
            }
            Incoming::Batch(reader, Ok(batch)) => {
                self.resting = Some(reader);
                let receive = self.receives;
                self.backlog.push(receive, batch);
            }
            Incoming::Batch(reader, Err(error)) => {
                drop(reader);
                if error.kind() == ErrorKind::Closed {
                    return false;
                }
                tracing::warn!(group = %self.plan.group, %error, "receiving failed; joining the group again");
                self.control.trouble(Some(format!("receiving failed: {error}")));
                self.lose();
                self.reopening = true;
                self.receiving = Some(Box::pin(reopen(Arc::clone(&self.plan), Arc::clone(&self.control))));
            }
        }
        true
    }

    /// Forgets what the lost membership held: the transport hands it out again.
    fn lose(&mut self) {
        self.membership += 1;
        self.backlog.drain();
        self.promoted.clear();
        self.lanes.lose();
        self.settlements.clear();
    }
}

/// Joins the group again, for as long as it takes.
async fn reopen(plan: Arc<Plan>, control: Arc<Control>) -> Incoming {
    let pauses = Retry::exponential(Duration::from_millis(50)..=LONGEST_PAUSE);
    for attempt in 1.. {
        match plan.transport.open(&plan.spec).await {
            Ok(membership) => return Incoming::Opened(membership),
            Err(error) if error.kind() == ErrorKind::Closed => return Incoming::Closed,
            Err(error) => {
                tracing::warn!(group = %plan.group, %error, attempt, "joining the group failed");
                control.trouble(Some(format!("joining the group failed: {error}")));
            }
        }
        let pause = pauses.pause(attempt, rand::rng().random());
        tokio::time::sleep(pause).await;
    }
    Incoming::Closed
}
