//! The driver's part that starts messages and concludes them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use rand::RngExt as _;
use tokio::task::{Id, JoinError};

use super::attempt::{Attempt, Verdict, caught};
use super::current::Handling;
use super::driver::{Driver, Message, Tag};
use super::failure::Class;
use super::handler::Context;
use super::lanes::Admission;
use super::plan::OnDeadLetter;
use super::retry::Decision;
use crate::event::{AnyEvent, Key};
use crate::transport::{Body, Failure, Order, Reason, Received, Settlement};

impl Driver {
    /// Starts a message, unless its key makes it wait or go back.
    pub(super) fn start(&mut self, message: Message, context: &mut TaskContext<'_>) {
        let ordered = self.plan.spec.order == Order::PerKey;
        let key = ordered.then(|| message.key().cloned()).flatten();
        let Some(key) = key else { return self.start_now(message, context) };
        match self.lanes.admit(&key, message.receive, message) {
            Admission::Run(message) => self.start_now(message, context),
            Admission::Queued => {}
            Admission::Return(message) => self.give_back(&message),
        }
    }

    pub(super) fn start_now(&mut self, message: Message, context: &mut TaskContext<'_>) {
        let received = message.received;
        let Received { token, attempt, lost, body, history } = received;
        let mut tag = Tag { token, membership: self.membership, attempt, keyed: None };
        let event = match body {
            Body::Event(event) => event,
            Body::Undecodable(_, error) => return self.conclude(tag, Verdict::undecodable(&error)),
        };
        if self.plan.spec.order == Order::PerKey {
            tag.keyed = Some(event.clone());
        }
        if attempt > self.plan.retry.limit() && history.as_ref().is_none_or(|history| history.count < attempt - 1) {
            let text = format!("handed out {} times without being settled", attempt - 1);
            return self.conclude(tag, Verdict::failed(Class::Permanent, Reason::Crashed, text));
        }
        let about = Context { group: Arc::clone(&self.plan.group), attempt, lost, history: history.map(Arc::from) };
        match self.begin(event, &about, context) {
            Ok(verdict) => self.conclude(tag, verdict),
            Err(unfinished) => self.go_on(tag, unfinished),
        }
    }

    /// Begins an attempt and, unless handlers have been found slow, polls it once; gives the attempt when it goes on.
    fn begin(&mut self, event: AnyEvent, about: &Context, context: &mut TaskContext<'_>) -> Result<Verdict, Attempt> {
        let Some(handler) = self.memo.find(&self.plan.dispatch, &event) else {
            let text = format!("no handler wants {} of {}", event.event_type(), event.source());
            return Ok(Verdict::failed(Class::Permanent, Reason::Unhandled, text));
        };
        let (bus, trace) = (self.plan.bus, event.trace().cloned());
        let (spread, slot) = (self.spread > 0, &mut self.slot);
        let polled = caught(|| {
            let _handling = Handling::enter(bus, trace.as_ref());
            handler.start(event, about, slot)?;
            Ok(match slot {
                Some(running) if !spread => running.poll(context),
                _ => Poll::Pending,
            })
        });
        match polled {
            Ok(Ok(Poll::Ready(result))) => Ok(Verdict::of(result, &self.plan.retry)),
            Ok(Ok(Poll::Pending)) => {
                self.spread = self.spread.saturating_sub(1);
                Err(Attempt { running: self.slot.take(), retry: self.plan.retry.clone(), bus, trace })
            }
            Ok(Err(error)) => Ok(Verdict::of(Err(error), &self.plan.retry)),
            Err(panicked) => {
                self.slot = None;
                Ok(panicked)
            }
        }
    }

    /// Lets an attempt go on by itself.
    fn go_on(&mut self, tag: Tag, attempt: Attempt) {
        if let Some(key) = tag.key() {
            self.lanes.occupy(key);
        }
        let task = self.tasks.spawn(attempt.run(self.plan.timeout));
        self.running.insert(task.id(), tag);
        self.control.stats.running.store(self.running.len() as u64, Ordering::Relaxed);
    }

    /// An attempt on a task of its own has ended, or was dropped at the deadline of a stop.
    pub(super) fn finish(&mut self, finished: Result<(Id, Verdict), JoinError>) {
        let (id, verdict) = match finished {
            Ok((id, verdict)) => (id, Some(verdict)),
            Err(error) => (error.id(), None),
        };
        let Some(tag) = self.running.remove(&id) else { return };
        self.control.stats.running.store(self.running.len() as u64, Ordering::Relaxed);
        match verdict {
            Some(verdict) => self.conclude(tag, verdict),
            None => {
                self.control.stats.aborted.fetch_add(1, Ordering::Relaxed);
                self.push(&tag, Settlement::Return);
            }
        }
    }

    /// Turns a verdict into a settlement, and lets the key's next message go, wait or go back.
    fn conclude(&mut self, tag: Tag, verdict: Verdict) {
        let stats = &self.control.stats;
        let (settlement, holds) = match self.decide(&tag, verdict) {
            Settlement::Ack => {
                stats.acked.fetch_add(1, Ordering::Relaxed);
                (Settlement::Ack, false)
            }
            Settlement::DeadLetter { failure, hold } => {
                stats.dead.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(group = %self.plan.group, reason = %failure.reason, attempt = tag.attempt,
                    error = %failure.message, "a message was dead-lettered");
                (Settlement::DeadLetter { failure, hold }, hold)
            }
            other => {
                stats.retried.fetch_add(1, Ordering::Relaxed);
                (other, true)
            }
        };
        self.push(&tag, settlement);
        let Some(key) = tag.key() else { return };
        if holds && tag.membership == self.membership {
            // The settlement above goes with the batch after the one that is under way.
            let back = self.lanes.hold(key, self.batches + 1);
            back.into_iter().for_each(|message| self.give_back(&message));
        } else if let Some(next) = self.lanes.advance(key) {
            self.promoted.push_back(next);
        }
    }

    fn decide(&self, tag: &Tag, verdict: Verdict) -> Settlement {
        let (class, reason, text) = match verdict {
            Verdict::Done => return Settlement::Ack,
            Verdict::Deferred(delay) => {
                let text = "deferred: the same event is being handled elsewhere";
                return Settlement::RetryAfter { delay: self.longest(delay), failure: failure(Reason::Transient, text, tag) };
            }
            Verdict::Failed { class, reason, text } => (class, reason, text),
        };
        let failure = failure(reason, &text, tag);
        match self.plan.retry.decide(class, tag.attempt, rand::rng().random()) {
            Decision::Retry(delay) => Settlement::RetryAfter { delay: self.longest(delay), failure },
            Decision::GiveUp => {
                let hold = self.plan.spec.order == Order::PerKey && self.plan.on_dead_letter == OnDeadLetter::HoldKey;
                Settlement::DeadLetter { failure, hold: hold && tag.key().is_some() }
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

impl Message {
    fn key(&self) -> Option<&Key> {
        match &self.received.body {
            Body::Event(event) => event.key(),
            Body::Undecodable(..) => None,
        }
    }
}

impl Tag {
    fn key(&self) -> Option<&Key> {
        self.keyed.as_ref().and_then(AnyEvent::key)
    }
}
