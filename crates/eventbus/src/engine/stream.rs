//! Messages settled by hand: a stream over the same engine, where the handler's part is done by whoever polls it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::attempt::Unsettled;
use super::control::{Command, Control};
use super::failure::{HandlerError, HandlerResult};
use super::handler::{AnyHandler, Context, from_fn};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{AnyEvent, Event, EventKind, FromEvent as _};

/// A message to be settled by hand.
///
/// Settling takes it by value, so it is settled once. One that is dropped counts as failed and is tried again by the
/// subscription's retry policy.
#[must_use = "a message that is dropped is tried again"]
pub struct Message {
    event: AnyEvent,
    context: Context,
    verdict: oneshot::Sender<HandlerResult>,
}

impl Message {
    /// The event.
    pub fn event(&self) -> &AnyEvent {
        &self.event
    }

    /// The event with its type.
    ///
    /// # Errors
    /// [`Undecodable`](ErrorKind::Undecodable) when it is of another type, or its object is not what the type says.
    pub fn typed<T: EventKind>(&self) -> Result<Event<T>> {
        Event::from_event(self.event.clone())
    }

    /// What else is known about the message: attempt, lost events, last failure.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Says that the message is done, for good. `Ok` means that the engine has it and settles it with its next batch.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the message is no longer this subscription's, because it took longer than
    /// its time-out or the subscription ended; it will be handed out again.
    pub async fn ack(self) -> Result<()> {
        self.settle(Ok(()))
    }

    /// Says that the message failed; the error's class and the retry policy decide what becomes of it.
    ///
    /// # Errors
    /// As [`ack`](Self::ack).
    pub async fn fail(self, error: impl Into<HandlerError>) -> Result<()> {
        self.settle(Err(error.into()))
    }

    /// Asks for the message again after this time; counts as an attempt.
    ///
    /// # Errors
    /// As [`ack`](Self::ack).
    pub async fn retry_after(self, delay: Duration) -> Result<()> {
        self.settle(Err(HandlerError::retry_after(delay, "asked for again")))
    }

    /// Sends the message to the group's dead letters.
    ///
    /// # Errors
    /// As [`ack`](Self::ack).
    pub async fn dead_letter(self, why: impl Into<String>) -> Result<()> {
        self.settle(Err(HandlerError::permanent(why.into())))
    }

    fn settle(self, result: HandlerResult) -> Result<()> {
        let gone =
            || Error::new(ErrorKind::NotFound, "the message is no longer this subscription's to settle");
        self.verdict.send(result).map_err(|_| gone())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("event", &self.event).field("attempt", &self.context.attempt).finish()
    }
}

/// The messages of a subscription as a [`Stream`]; it ends when the subscription does.
///
/// Dropping it ends the subscription: what was not settled goes back to the group.
pub struct Messages {
    incoming: mpsc::Receiver<Message>,
    control: Arc<Control>,
}

impl Messages {
    /// Waits for the next message.
    pub async fn next(&mut self) -> Option<Message> {
        self.incoming.recv().await
    }
}

impl Stream for Messages {
    type Item = Message;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<Message>> {
        self.incoming.poll_recv(context)
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.control.tell(Command::Stop(Instant::now()));
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Messages")
    }
}

/// The handler behind a stream, which hands each message over and waits for the verdict; and the stream its messages
/// come out of.
pub(crate) fn by_hand(buffer: usize, control: &Arc<Control>) -> (Arc<dyn AnyHandler>, Messages) {
    let (sender, incoming) = mpsc::channel(buffer);
    let handler = from_fn(move |event, context: &Context| {
        let (sender, context) = (sender.clone(), context.clone());
        Ok(async move {
            let (verdict, settled) = oneshot::channel();
            let sent = sender.send(Message { event, context, verdict }).await.is_ok();
            match settled.await {
                Ok(result) => result,
                Err(_) if sent && !sender.is_closed() => Err(HandlerError::transient(Unsettled)),
                // The stream is gone, and with it the subscription: its stop gives the message back.
                Err(_) => std::future::pending().await,
            }
        })
    });
    (handler, Messages { incoming, control: Arc::clone(control) })
}
