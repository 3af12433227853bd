//! The driver's part that starts messages and concludes them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use rand::RngExt as _;
use tokio::task::{Id, JoinError};

use super::attempt::{Attempt, Verdict, caught};
use super::backlog::Message;
use super::current::Handling;
use super::driver::{Driver, Tag};
use super::failure::{Class, HandlerResult};
use super::lanes::Admission;
use super::plan::OnDeadLetter;
use super::retry::Decision;
use crate::event::{AnyEvent, Key, TraceContext};
use crate::transport::{Body, Failure, Order, Reason, Received, Settlement};

/// What the beginning of an attempt came to; a panic is a verdict.
type Begun = Result<Poll<HandlerResult>, Verdict>;

/// After this many lost members a message is taken for what they died of.
const FENCE: u32 = 5;
/// After this many it is run alone, so that the next loss is charged to it and not to its neighbours.
const SUSPECT: u32 = 2;

impl Driver {
    /// Starts a message that members were lost with: when nothing else runs, and when nothing else is held, which it is
    /// until the transport knows that it was given back.
    pub(super) fn isolate(&mut self, message: Message, context: &mut TaskContext<'_>) {
        self.window = 1;
        self.alone = true;
        self.backlog.drain().iter().for_each(|other| self.give_back(other));
        match self.running.is_empty() && !self.is_settling() {
            true => self.start(message, context),
            false => self.backlog.put_back(message),
        }
    }

    /// Starts a message, unless its key makes it wait or go back.
    pub(super) fn start(&mut self, mut message: Message, context: &mut TaskContext<'_>) {
        if self.plan.spec.order == Order::None {
            return self.start_now(message, context);
        }
        let keyed = message.event().filter(|event| event.key().is_some()).cloned();
        let Some((key, event)) = keyed.as_ref().and_then(|event| event.key().zip(Some(event))) else {
            return self.start_now(message, context);
        };
        message.keyed = Some(event.clone());
        match self.lanes.admit(key, message.receive, message) {
            Admission::Run(message) => self.start_now(message, context),
            Admission::Queued => {}
            Admission::Return(message) => self.give_back(&message),
        }
    }

    pub(super) fn start_now(&mut self, message: Message, context: &mut TaskContext<'_>) {
        let Message { received, keyed, .. } = message;
        let crashes = received.crashes();
        let Received { token, attempt, lost, body, history } = received;
        let tag = Tag { token, membership: self.membership, attempt, keyed };
        if lost > 0 {
            self.control.stats.lost.fetch_add(u64::from(lost), Ordering::Relaxed);
        }
        let event = match body {
            Body::Event(event) => event,
            Body::Undecodable(undecodable) => {
                return self.conclude(&tag, Verdict::undecodable(&undecodable.error));
            }
        };
        if crashes >= FENCE {
            let text = format!("its member was lost {crashes} times while it had this message");
            return self.conclude(&tag, Verdict::failed(Class::Permanent, Reason::Crashed, text));
        }
        let Some(row) = self.memo.find(&self.plan.dispatch, &event) else {
            let text = format!("no handler wants {} of {}", event.event_type(), event.source());
            return self.conclude(&tag, Verdict::failed(Class::Permanent, Reason::Unhandled, text));
        };
        self.about.attempt = attempt;
        self.about.lost = lost;
        self.about.history = history.map(Arc::from);
        let trace = event.trace().cloned();
        match self.begin(row, event, context) {
            Ok(Poll::Ready(Ok(()))) => self.acknowledge(&tag),
            Ok(Poll::Ready(failed)) => self.conclude(&tag, Verdict::of(failed, &self.plan.retry)),
            Ok(Poll::Pending) => {
                let attempt = Attempt { slot: self.slots[row].take(), ..self.attempt(trace) };
                self.go_on(tag, attempt);
            }
            Err(panicked) => {
                let slot = self.slots[row].take();
                // It may panic once more while it is dropped; the first panic is the verdict.
                drop(caught(|| drop(slot)));
                self.conclude(&tag, panicked);
            }
        }
    }

    /// Begins an attempt in the slot of its handler and, unless handlers have been found slow, polls it once.
    fn begin(&mut self, row: usize, event: AnyEvent, context: &mut TaskContext<'_>) -> Begun {
        let slot = self.slots[row].get_or_insert_with(|| self.plan.dispatch.slot(row));
        let about = &self.about;
        let spread = self.spread > 0;
        caught(|| {
            let _trace = event.trace().map(|trace| Handling::enter(self.plan.bus, Some(trace)));
            if !spread {
                return slot.run(event, about, context);
            }
            slot.begin(event, about).map_or_else(|error| Poll::Ready(Err(error.into())), |()| Poll::Pending)
        })
    }

    fn attempt(&self, trace: Option<TraceContext>) -> Attempt {
        Attempt { slot: None, retry: self.plan.retry.clone(), bus: self.plan.bus, trace }
    }

    /// The handler said `Ok`.
    fn acknowledge(&mut self, tag: &Tag) {
        self.acked += 1;
        self.push(tag, Settlement::Ack);
        if let Some(next) = tag.key().and_then(|key| self.lanes.advance(key)) {
            self.promoted.push_back(next);
        }
    }

    /// Lets an attempt go on by itself.
    fn go_on(&mut self, tag: Tag, attempt: Attempt) {
        if let Some(key) = tag.key() {
            self.lanes.occupy(key);
        }
        self.spread = self.spread.saturating_sub(1);
        self.window = *self.plan.prefetch.start();
        let task = self.tasks.spawn(attempt.run(self.plan.timeout));
        self.running.insert(task.id(), tag);
        self.control.stats.running.store(self.running.len() as u64, Ordering::Relaxed);
    }

    /// An attempt on a task of its own has ended, or was dropped at the deadline of a stop.
    pub(super) fn finish(&mut self, finished: Result<(Id, Verdict), JoinError>) {
        let (id, verdict) = match finished {
            Ok((id, verdict)) => (id, Some(verdict)),
            // What a handler left behind may panic while it is dropped.
            Err(error) => {
                let panicked = "the handler panicked while it was dropped";
                let verdict = || Verdict::failed(Class::Transient, Reason::Panicked, panicked);
                (error.id(), error.is_panic().then(verdict))
            }
        };
        let Some(tag) = self.running.remove(&id) else { return };
        self.alone &= !self.running.is_empty();
        self.control.stats.running.store(self.running.len() as u64, Ordering::Relaxed);
        match verdict {
            Some(verdict) => self.conclude(&tag, verdict),
            None => {
                self.control.stats.aborted.fetch_add(1, Ordering::Relaxed);
                self.push(&tag, Settlement::Return);
            }
        }
    }

    /// Turns a verdict into a settlement, and lets the key's next message go, wait or go back.
    fn conclude(&mut self, tag: &Tag, verdict: Verdict) {
        let Some((settlement, holds)) = self.decide(tag, verdict) else { return self.acknowledge(tag) };
        self.push(tag, settlement);
        let Some(key) = tag.key() else { return };
        if holds && tag.membership == self.membership {
            // The settlement above goes with the batch after the one that is under way.
            let back = self.lanes.hold(key, self.batches + 1);
            back.into_iter().for_each(|message| self.give_back(&message));
        } else if let Some(next) = self.lanes.advance(key) {
            self.promoted.push_back(next);
        }
    }

    /// What becomes of a message, and whether its key waits for it; `None` when it is done.
    fn decide(&self, tag: &Tag, verdict: Verdict) -> Option<(Settlement, bool)> {
        let stats = &self.control.stats;
        let (class, failure) = match verdict {
            Verdict::Done => return None,
            Verdict::Deferred(delay) => {
                stats.retried.fetch_add(1, Ordering::Relaxed);
                let failure =
                    failure(Reason::Transient, "deferred: the same event is being handled elsewhere", tag);
                return Some((Settlement::RetryAfter { delay: self.longest(delay), failure }, true));
            }
            Verdict::Failed { class, reason, text } => (class, failure(reason, &text, tag)),
        };
        match self.plan.retry.decide(class, tag.attempt, rand::rng().random()) {
            Decision::Retry(delay) => {
                stats.retried.fetch_add(1, Ordering::Relaxed);
                Some((Settlement::RetryAfter { delay: self.longest(delay), failure }, true))
            }
            Decision::GiveUp => {
                stats.dead.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(group = %self.plan.group, reason = %failure.reason, attempt = tag.attempt,
                    error = %failure.message, "a message was dead-lettered");
                let hold = tag.key().is_some() && self.plan.on_dead_letter == OnDeadLetter::HoldKey;
                Some((Settlement::DeadLetter { failure, hold }, hold))
            }
        }
    }

    /// A delay the transport can keep.
    fn longest(&self, delay: Duration) -> Duration {
        delay.min(self.longest_delay)
    }

    /// Gives a message back that was not started.
    pub(super) fn give_back(&mut self, message: &Message) {
        self.control.stats.returned.fetch_add(1, Ordering::Relaxed);
        self.settlements.push((message.received.token, Settlement::Return));
    }

    fn push(&mut self, tag: &Tag, settlement: Settlement) {
        if tag.membership == self.membership {
            self.settlements.push((tag.token, settlement));
        } else {
            self.control.stats.settle_lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn failure(reason: Reason, text: &str, tag: &Tag) -> Box<Failure> {
    Box::new(Failure::now(reason, text, tag.attempt))
}

/// Whether members may have died of a message.
pub(super) fn is_suspect(received: &Received) -> bool {
    received.attempt > SUSPECT && received.crashes() >= SUSPECT
}

impl Tag {
    fn key(&self) -> Option<&Key> {
        self.keyed.as_ref().and_then(AnyEvent::key)
    }
}
