//! One event of the agenda, and how much of all bodies is held.

use crate::message::Original;
use crate::plan::Plan;

/// How long an event rests that was refused, in ms; twice as long each time, up to the longest rest.
const REST: i64 = 200;
const LONGEST_REST: i64 = 60_000;

/// By how much clocks may differ, in ms: whoever kept the queue before may have published what was due so soon.
pub(crate) const SKEW: i64 = 5000;

/// An event that is to be published, without its body until shortly before.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) plan: Plan,
    pub(crate) size: usize,
    /// Its message; `None` while that was given back and has not come again.
    pub(crate) tag: Option<u64>,
    pub(crate) body: Option<Box<Original>>,
    /// Its body is here, is on its way out, or comes again.
    pub(crate) held: Option<Why>,
    /// Whether a copy is on its way to the end of the queue.
    pub(crate) is_copied: bool,
    pub(crate) state: State,
    /// When its message came.
    pub(crate) since: i64,
    /// When it is published: its time, or later if it was refused.
    pub(crate) time: i64,
    /// Whether another keeper may have published it.
    pub(crate) may_be_out: bool,
    /// How often it was refused.
    pub(crate) refusals: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its time has not come; it can be replaced and taken back.
    Waits,
    /// On its way out.
    IsPublished,
    /// It is being written down that it was taken back.
    IsBuried,
    /// Done with, but its message is still to come again.
    Gone,
}

impl Entry {
    pub(crate) fn new(plan: Plan, tag: u64, (size, since): (usize, i64)) -> Self {
        let (tag, state, time) = (Some(tag), State::Waits, plan.due);
        let (body, held, is_copied, refusals) = (None, None, false, 0);
        let may_be_out = may_be_out(&plan, since);
        Self { plan, size, tag, body, held, is_copied, state, since, time, may_be_out, refusals }
    }

    /// Where it belongs among all that wait.
    pub(crate) fn spot(&self) -> (i64, i64, i64) {
        (self.time, self.plan.place, self.plan.number)
    }

    /// It was refused: each try reaches those again that did not refuse it, so the pause grows.
    pub(crate) fn rest(&mut self, now: i64) {
        self.time = now + REST.saturating_mul(1 << self.refusals.min(20)).min(LONGEST_REST);
        self.refusals += 1;
    }

    pub(crate) fn hold(&mut self, why: Why, held: &mut Held) {
        self.release(held);
        self.held = Some(why);
        *held.of(why) += self.size;
        held.count += usize::from(why == Why::IsNear);
    }

    pub(crate) fn release(&mut self, held: &mut Held) {
        self.body = None;
        if let Some(why) = self.held.take() {
            *held.of(why) -= self.size;
            held.count -= usize::from(why == Why::IsNear);
        }
    }
}

/// Whether another keeper may have published what comes now.
pub(crate) fn may_be_out(plan: &Plan, now: i64) -> bool {
    plan.was_read && plan.due <= now + SKEW
}

/// Why a body is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// There was room when it came.
    HasRoom,
    /// Its time is near, or it is moved.
    IsNear,
}

/// How many bytes of bodies are held, and how many for their time is near.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) kept: usize,
    pub(crate) near: usize,
    pub(crate) count: usize,
}

impl Held {
    fn of(&mut self, why: Why) -> &mut usize {
        match why {
            Why::HasRoom => &mut self.kept,
            Why::IsNear => &mut self.near,
        }
    }
}
