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
    /// An event to be published, and the number it was scheduled under.
    Publish(AnyEvent, u64),
}

/// What waits on the wheel.
enum Content {
    Retry(Weak<GroupQueue>, Stored),
    Publish(AnyEvent),
}

/// The timers of a transport.
#[derive(Default)]
pub(super) struct Wheel(Mutex<State>);

#[derive(Default)]
struct State {
    queue: DelayQueue<(u64, Content)>,
    /// Scheduled events by id, so that they can be taken back.
    /// One that is due and not published yet has no key any more.
    scheduled: HashMap<EventId, (u64, Option<delay_queue::Key>)>,
    /// Numbers insertions: what is due at the same time keeps its order.
    next: u64,
}

impl Wheel {
    pub(super) fn retry(&self, group: Weak<GroupQueue>, stored: Stored, delay: Duration) {
        lock(&self.0).insert(Content::Retry(group, stored), delay);
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
        let (number, key) = state.insert(Content::Publish(event), delay);
        state.scheduled.insert(id, (number, Some(key)));
        true
    }

    pub(super) fn cancel(&self, id: &EventId) -> bool {
        lock(&self.0).cancel(id)
    }

    /// An event that was due has been published: only now it is no longer scheduled, so that it is never nowhere.
    pub(super) fn published(&self, id: &EventId, number: u64) {
        let mut state = lock(&self.0);
        if state.scheduled.get(id).is_some_and(|(current, _)| *current == number) {
            state.scheduled.remove(id);
        }
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
    fn insert(&mut self, content: Content, delay: Duration) -> (u64, delay_queue::Key) {
        let number = self.next;
        self.next += 1;
        (number, self.queue.insert((number, content), delay.min(LONGEST)))
    }

    fn cancel(&mut self, id: &EventId) -> bool {
        let Some(key) = self.scheduled.get_mut(id).and_then(|(_, key)| key.take()) else { return false };
        self.scheduled.remove(id);
        self.queue.try_remove(&key).is_some()
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Vec<Due>> {
        let mut expired: Vec<(Instant, u64, Due)> = Vec::new();
        while let Poll::Ready(Some(entry)) = self.queue.poll_expired(context) {
            let deadline = entry.deadline();
            let (number, content) = entry.into_inner();
            let due = match content {
                Content::Retry(group, stored) => Due::Retry(group, stored),
                Content::Publish(event) => {
                    if let Some((_, key)) = self.scheduled.get_mut(event.id()) {
                        *key = None;
                    }
                    Due::Publish(event, number)
                }
            };
            expired.push((deadline, number, due));
        }
        if expired.is_empty() {
            return Poll::Pending;
        }
        expired.sort_by_key(|(deadline, number, _)| (*deadline, *number));
        Poll::Ready(expired.into_iter().map(|(.., due)| due).collect())
    }
}
