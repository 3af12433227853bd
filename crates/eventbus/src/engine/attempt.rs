//! One attempt: a handler run to its end, whatever that end is.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::current::Handling;
use super::failure::{Class, HandlerError, HandlerResult};
use super::handler::Slot;
use super::idempotency::InProgress;
use super::retry::Retry;
use crate::error::{Error, ErrorKind};
use crate::event::TraceContext;
use crate::transport::Reason;

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The handler said `Ok`.
    Done,
    /// It did not.
    Failed {
        /// What becomes of the message.
        class: Class,
        /// Why, for the record.
        reason: Reason,
        /// The error's text.
        text: String,
    },
    /// The same event is being handled elsewhere; not the message's fault.
    Deferred(Duration),
}

impl Verdict {
    /// The verdict on a handler's result. The classes of errors and their texts are the user's code too, so that may
    /// panic like the handler.
    pub(crate) fn of(result: HandlerResult, retry: &Retry) -> Self {
        caught(|| Self::judge(result, retry)).unwrap_or_else(|panicked| panicked)
    }

    fn judge(result: HandlerResult, retry: &Retry) -> Self {
        let Err(error) = result else { return Self::Done };
        if let (Some(InProgress), Class::RetryAfter(rest)) = (error.downcast_ref(), error.class()) {
            return Self::Deferred(rest);
        }
        if error.downcast_ref::<Unsettled>().is_some() {
            return Self::failed(Class::Transient, Reason::Transient, error.to_string());
        }
        let class = retry.class(&error);
        let undecodable =
            error.downcast_ref::<Error>().is_some_and(|error| error.kind() == ErrorKind::Undecodable);
        let reason = match class {
            Class::Permanent if undecodable => Reason::Undecodable,
            Class::Permanent => Reason::Permanent,
            _ => Reason::Transient,
        };
        Self::failed(class, reason, error.to_string())
    }

    pub(crate) fn failed(class: Class, reason: Reason, text: impl Into<String>) -> Self {
        Self::Failed { class, reason, text: text.into() }
    }

    /// The verdict on bytes that are no event, or not the one their type says.
    pub(crate) fn undecodable(error: &Error) -> Self {
        Self::failed(
            Class::Permanent,
            Reason::Undecodable,
            HandlerError::permanent(error.to_string()).to_string(),
        )
    }

    fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Self::failed(
            Class::Transient,
            Reason::Panicked,
            text.unwrap_or_else(|| "the handler panicked".to_owned()),
        )
    }
}

/// What a hand-settled message leaves behind when it is dropped.
#[derive(Debug)]
pub(crate) struct Unsettled;

impl std::fmt::Display for Unsettled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the message was dropped without being settled")
    }
}

impl std::error::Error for Unsettled {}

/// Runs a piece of a handler, turning a panic into a verdict.
///
/// The piece is not used again after a panic, so nobody sees what the panic left half-done.
pub(crate) fn caught<T>(piece: impl FnOnce() -> T) -> Result<T, Verdict> {
    catch_unwind(AssertUnwindSafe(piece)).map_err(|payload| Verdict::panicked(&*payload))
}

/// A handler on its own task, with its time-out.
pub(crate) struct Attempt {
    pub(crate) slot: Option<Box<dyn Slot>>,
    pub(crate) retry: Retry,
    pub(crate) bus: u64,
    pub(crate) trace: Option<TraceContext>,
}

impl Attempt {
    pub(crate) async fn run(self, timeout: Option<Duration>) -> Verdict {
        let Some(limit) = timeout else { return self.await };
        match tokio::time::timeout(limit, self).await {
            Ok(verdict) => verdict,
            Err(_) => {
                Verdict::failed(Class::Transient, Reason::TimedOut, format!("took longer than {limit:?}"))
            }
        }
    }
}

impl Future for Attempt {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Verdict> {
        let this = &mut *self;
        let Some(slot) = &mut this.slot else { return Poll::Pending };
        let polled = caught(|| {
            let _handling = Handling::enter(this.bus, this.trace.as_ref());
            slot.poll(context)
        });
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => Poll::Ready(Verdict::of(result, &this.retry)),
            Err(verdict) => {
                this.slot = None;
                Poll::Ready(verdict)
            }
        }
    }
}
