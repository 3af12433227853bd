//! What becomes due: retries and scheduled events, on one timer wheel instead of a task each.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Weak;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::time::{DelayQueue, delay_queue};

use super::group::GroupQueue;
use super::message::Stored;
use super::sync::{Mutex, lock};
use crate::event::{AnyEvent, EventId};

/// The longest delay; the wheel itself could do a little over two years.
pub(super) const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Something that became due.
pub(super) enum Due {
    /// A message to be tried again.
    Retry(Weak<GroupQueue>, Stored),
    /// An event to be published.
    Publish(AnyEvent),
}

/// The timers of a transport.
#[derive(Default)]
pub(super) struct Wheel(Mutex<State>);

#[derive(Default)]
struct State {
    queue: DelayQueue<(u64, Due)>,
    /// Scheduled events by id, so that they can be taken back.
    scheduled: HashMap<EventId, delay_queue::Key>,
    /// Numbers insertions: what is due at the same time keeps its order.
    next: u64,
}

impl Wheel {
    pub(super) fn retry(&self, group: Weak<GroupQueue>, stored: Stored, delay: Duration) {
        lock(&self.0).insert(Due::Retry(group, stored), delay);
    }

    /// Keeps an event for later; `false` when there are `most` already. An event with the same id takes the place of
    /// the earlier one.
    pub(super) fn schedule(&self, event: AnyEvent, delay: Duration, most: usize) -> bool {
        let mut state = lock(&self.0);
        state.cancel(event.id());
        if state.scheduled.len() >= most {
            return false;
        }
        let id = event.id().clone();
        let key = state.insert(Due::Publish(event), delay);
        state.scheduled.insert(id, key);
        true
    }

    pub(super) fn cancel(&self, id: &EventId) -> bool {
        lock(&self.0).cancel(id)
    }

    /// How many events wait for their publication.
    pub(super) fn scheduled(&self) -> usize {
        lock(&self.0).scheduled.len()
    }

    /// Waits until something is due and takes all of it, in order of time and insertion.
    pub(super) async fn due(&self) -> Vec<Due> {
        poll_fn(|context| lock(&self.0).poll(context)).await
    }

    /// Drops everything, retries and scheduled events alike.
    pub(super) fn clear(&self) {
        let mut state = lock(&self.0);
        state.queue.clear();
        state.scheduled.clear();
    }
}

impl State {
    fn insert(&mut self, due: Due, delay: Duration) -> delay_queue::Key {
        let number = self.next;
        self.next += 1;
        self.queue.insert((number, due), delay.min(LONGEST))
    }

    fn cancel(&mut self, id: &EventId) -> bool {
        self.scheduled.remove(id).is_some_and(|key| self.queue.try_remove(&key).is_some())
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Vec<Due>> {
        let mut expired: Vec<(Instant, u64, Due)> = Vec::new();
        while let Poll::Ready(Some(entry)) = self.queue.poll_expired(context) {
            let deadline = entry.deadline();
            let (number, due) = entry.into_inner();
            if let Due::Publish(event) = &due {
                self.scheduled.remove(event.id());
            }
            expired.push((deadline, number, due));
        }
        if expired.is_empty() {
            return Poll::Pending;
        }
        expired.sort_by_key(|(deadline, number, _)| (*deadline, *number));
        Poll::Ready(expired.into_iter().map(|(.., due)| due).collect())
    }
}
