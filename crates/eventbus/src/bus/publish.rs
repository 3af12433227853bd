//! Publishing: now, many at once, or later.

use std::fmt;
use std::time::Duration;

use super::EventBus;
use crate::engine::{is_handling, trace};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{AnyEvent, EventId, IntoEvent, Timestamp};
use crate::transport::{Publishing, WhenFull};

/// The proof that an event was stored.
#[derive(Debug, Clone)]
pub struct Receipt(AnyEvent);

impl Receipt {
    /// The id the event was stored under.
    pub fn id(&self) -> &EventId {
        self.0.id()
    }

    /// The event as it was published.
    pub fn event(&self) -> &AnyEvent {
        &self.0
    }
}

/// Not every event of a batch was stored.
#[derive(Debug)]
pub struct BatchError {
    outcomes: Vec<Result<()>>,
}

impl BatchError {
    /// One outcome per event in the order of the batch; a single one when the batch was refused before publishing.
    pub fn outcomes(&self) -> &[Result<()>] {
        &self.outcomes
    }

    /// How many events were not stored, as far as that is known.
    pub fn failed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.is_err()).count()
    }

    fn first(&self) -> Option<&Error> {
        self.outcomes.iter().find_map(|outcome| outcome.as_ref().err())
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} events were not stored", self.failed(), self.outcomes.len())?;
        self.first().map_or(Ok(()), |error| write!(f, ": {error}"))
    }
}

impl std::error::Error for BatchError {}

impl From<BatchError> for Error {
    /// The kind is the first failure's.
    fn from(error: BatchError) -> Self {
        let kind = error.first().map_or(ErrorKind::Unknown, Error::kind);
        Self::new(kind, error.to_string()).with_source(error)
    }
}

impl EventBus {
    /// Publishes an event; `Ok` only when the transport holds it as durably as its capabilities claim.
    ///
    /// An event that no group wants is `Ok`. Waits for room when a group that wants it is full, but fails at once
    /// inside a handler of this bus, which would otherwise wait for itself. Inside a handler the handled event's trace
    /// is carried on.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) when the event breaks a rule or is too large. [`Full`](ErrorKind::Full) and
    /// [`NotSent`](ErrorKind::NotSent) when nothing was stored; [`Unknown`](ErrorKind::Unknown) when it may have been:
    /// publish again with the same id. [`Closed`](ErrorKind::Closed) after a shutdown began.
    pub async fn publish(&self, event: impl IntoEvent) -> Result<Receipt> {
        let event = self.accept(event.into_event())?;
        let mut outcomes = self.0.transport.publish(std::slice::from_ref(&event), self.publishing()).await;
        outcomes.pop().unwrap_or_else(|| Err(no_outcome())).map(|()| Receipt(event))
    }

    /// Publishes events in order, as one batch: waiting and confirms are paid for once. `Ok` when all are stored.
    ///
    /// # Errors
    /// A [`BatchError`] with one outcome per event, each as for [`publish`](Self::publish). When an event breaks a
    /// rule, nothing was published.
    pub async fn publish_all<E: IntoEvent>(
        &self,
        events: impl IntoIterator<Item = E>,
    ) -> Result<usize, BatchError> {
        let events = events.into_iter().map(|event| self.accept(event.into_event()));
        let mut batch = Vec::new();
        for (index, event) in events.enumerate() {
            batch.push(event.map_err(|error| BatchError { outcomes: vec![Err(at(index, &error))] })?);
        }
        let mut outcomes = self.0.transport.publish(&batch, self.publishing()).await;
        outcomes.resize_with(batch.len(), || Err(no_outcome()));
        if outcomes.iter().all(Result::is_ok) { Ok(batch.len()) } else { Err(BatchError { outcomes }) }
    }

    /// Publishes an event after a delay, kept by the transport; [`cancel`](Self::cancel) takes it back until then.
    ///
    /// # Errors
    /// As [`publish`](Self::publish); [`Unsupported`](ErrorKind::Unsupported) where the transport cannot.
    pub async fn publish_in(&self, delay: Duration, event: impl IntoEvent) -> Result<Receipt> {
        let event = self.accept(event.into_event())?;
        self.0.transport.schedule(&event, delay).await.map(|()| Receipt(event))
    }

    /// Publishes an event at an instant; at once when that has passed.
    ///
    /// # Errors
    /// As [`publish_in`](Self::publish_in).
    pub async fn publish_at(&self, time: Timestamp, event: impl IntoEvent) -> Result<Receipt> {
        let event = self.accept(event.into_event())?;
        let delay = time.since(Timestamp::now());
        self.0.transport.schedule(&event, delay).await.map(|()| Receipt(event))
    }

    /// Takes back an event that was to be published later; `false` when there is none with this id, or it has been
    /// published already.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) where the transport cannot.
    pub async fn cancel(&self, id: &EventId) -> Result<bool> {
        self.0.transport.cancel(id).await
    }

    fn publishing(&self) -> Publishing {
        let when_full = if is_handling(self.0.number) { WhenFull::Fail } else { WhenFull::Wait };
        Publishing { deadline: self.0.config.publish_deadline, when_full }
    }

    /// Checks an event at the border of the bus, and puts it into the trace of the event that is being handled.
    fn accept(&self, event: Result<AnyEvent>) -> Result<AnyEvent> {
        self.is_open()?;
        let mut event = event?;
        if event.trace().is_none()
            && let Some(trace) = trace()
        {
            event = event.with_envelope(|envelope| envelope.trace = Some(trace.child()));
        }
        if self.capabilities().encodes {
            event.to_json()?;
        }
        match (event.encoded_len(), self.0.config.max_event_size) {
            (Some(size), most) if size > most => {
                Err(Error::invalid(format!("event: has {size} bytes, more than {most}")))
            }
            _ => Ok(event),
        }
    }
}

/// A transport that breaks its contract and gives too few outcomes must not make an event look stored.
fn no_outcome() -> Error {
    Error::new(ErrorKind::Unknown, "the transport gave no outcome for the event")
}

/// Says which event of a batch broke a rule.
fn at(index: usize, error: &Error) -> Error {
    Error::new(error.kind(), format!("event {index} of the batch: {error}"))
}
