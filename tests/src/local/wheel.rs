//! In the place of the timer wheel: retries in the order they were asked for, due whenever the model says so.

use std::collections::VecDeque;
use std::sync::{PoisonError, Weak};
use std::time::Duration;

use shuttle::sync::Condvar;

use super::group::GroupQueue;
use super::message::Stored;
use super::sync::{Mutex, lock};

/// Retries that wait.
#[derive(Default)]
pub(super) struct Wheel {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    retries: VecDeque<(Weak<GroupQueue>, Stored)>,
    over: bool,
}

impl Wheel {
    pub(super) fn retry(&self, group: Weak<GroupQueue>, stored: Stored, _: Duration) {
        lock(&self.state).retries.push_back((group, stored));
        self.changed.notify_all();
    }

    /// Hands back what waits, until the model is over.
    pub(super) fn turn(&self) {
        loop {
            let mut state = lock(&self.state);
            while state.retries.is_empty() && !state.over {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let Some((group, stored)) = state.retries.pop_front() else { return };
            drop(state);
            if let Some(group) = group.upgrade() {
                group.due(stored);
            }
        }
    }

    /// Nothing will be asked for any more.
    pub(super) fn end(&self) {
        lock(&self.state).over = true;
        self.changed.notify_all();
    }
}
