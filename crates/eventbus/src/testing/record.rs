//! What went through a bus.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::event::{AnyEvent, EventId};
use crate::transport::Group;

/// The events of a bus: published, and handled by group.
#[derive(Default)]
pub(super) struct Record(Mutex<State>);

#[derive(Default)]
struct State {
    /// With the instant of their publication, which lies ahead for those that are scheduled.
    published: Vec<(Instant, AnyEvent)>,
    handled: HashMap<String, Vec<AnyEvent>>,
}

impl Record {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn published(&self, event: &AnyEvent) {
        self.state().published.push((Instant::now(), event.clone()));
    }

    /// An event is to be published later; it takes the place of one with its id that still waits.
    pub(super) fn scheduled(&self, event: &AnyEvent, delay: Duration) {
        self.cancelled(event.id());
        self.state().published.push((Instant::now() + delay, event.clone()));
    }

    pub(super) fn cancelled(&self, id: &EventId) {
        let now = Instant::now();
        self.state().published.retain(|(at, event)| *at <= now || event.id() != id);
    }

    /// Nothing will be published any more.
    pub(super) fn closed(&self) {
        let now = Instant::now();
        self.state().published.retain(|(at, _)| *at <= now);
    }

    pub(super) fn handled(&self, group: &Group, event: &AnyEvent) {
        self.state().handled.entry(group.as_str().to_owned()).or_default().push(event.clone());
    }

    /// The acknowledgement did not reach its message after all.
    pub(super) fn not_handled(&self, group: &Group, event: &AnyEvent) {
        if let Some(handled) = self.state().handled.get_mut(group.as_str())
            && let Some(at) = handled.iter().rposition(|other| other.same(event))
        {
            handled.remove(at);
        }
    }

    pub(super) fn published_by_now(&self) -> Vec<AnyEvent> {
        let now = Instant::now();
        let mut published: Vec<_> =
            self.state().published.iter().filter(|(at, _)| *at <= now).cloned().collect();
        published.sort_by_key(|(at, _)| *at);
        published.into_iter().map(|(_, event)| event).collect()
    }

    pub(super) fn handled_by(&self, group: &str) -> Vec<AnyEvent> {
        self.state().handled.get(group).cloned().unwrap_or_default()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} published", self.published_by_now().len())
    }
}
