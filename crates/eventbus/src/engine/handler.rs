//! Handlers: functions whose argument says which events they get, erased to one shape.

use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use super::failure::HandlerResult;
use crate::error::Result;
use crate::event::{AnyEvent, FromEvent};
use crate::transport::{Failure, Group, History};

/// What is known about a message beside its event; a handler's optional second argument.
#[derive(Debug, Clone)]
pub struct Context {
    pub(crate) group: Arc<Group>,
    pub(crate) attempt: u32,
    pub(crate) lost: u32,
    pub(crate) history: Option<Arc<History>>,
}

impl Context {
    /// The group that handles the message.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// How many events were dropped just before this one; only ever above 0 with
    /// [`Overflow::DropOldest`](crate::transport::Overflow::DropOldest).
    pub fn lost(&self) -> u32 {
        self.lost
    }

    /// Why the previous attempt failed.
    pub fn last_failure(&self) -> Option<&Failure> {
        self.history.as_deref().and_then(History::last)
    }
}

/// A function that handles events: `async fn(E) -> HandlerResult`, or with a [`Context`] after the event.
///
/// `E` is anything that is [`FromEvent`]: [`Event<T>`](crate::Event), a catalogue's enum, or [`AnyEvent`]. `M` only
/// tells the two forms apart; it is never written.
pub trait Handler<E: FromEvent, M>: Send + Sync + 'static {
    /// What the function returns.
    type Running: Future<Output = HandlerResult> + Send + 'static;

    /// Begins to handle an event.
    fn call(&self, event: E, context: &Context) -> Self::Running;
}

impl<F, E, R> Handler<E, (E,)> for F
where
    F: Fn(E) -> R + Send + Sync + 'static,
    E: FromEvent,
    R: Future<Output = HandlerResult> + Send + 'static,
{
    type Running = R;
    fn call(&self, event: E, _: &Context) -> R {
        self(event)
    }
}

impl<F, E, R> Handler<E, (E, Context)> for F
where
    F: Fn(E, Context) -> R + Send + Sync + 'static,
    E: FromEvent,
    R: Future<Output = HandlerResult> + Send + 'static,
{
    type Running = R;
    fn call(&self, event: E, context: &Context) -> R {
        self(event, context.clone())
    }
}

/// A handler whose argument nobody knows any more.
pub(crate) trait AnyHandler: Send + Sync {
    /// Memory in which this handler handles one message after the other.
    fn slot(&self) -> Box<dyn Slot>;
}

/// Memory for one running handler, used again for the next message when it is done.
pub(crate) trait Slot: Send {
    /// Decodes the event and begins to handle it; ready at once only when that fails.
    fn begin(&mut self, event: AnyEvent, about: &Context) -> Result<()>;

    /// Goes on with what was begun.
    fn poll(&mut self, context: &mut TaskContext<'_>) -> Poll<HandlerResult>;

    /// Both, because most handlers are done by then.
    fn run(&mut self, event: AnyEvent, about: &Context, context: &mut TaskContext<'_>)
    -> Poll<HandlerResult>;
}

/// Handles one event from beginning to end, in memory of its own.
pub(crate) async fn handle(handler: &dyn AnyHandler, event: AnyEvent, about: &Context) -> HandlerResult {
    let mut slot = handler.slot();
    slot.begin(event, about)?;
    poll_fn(|context| slot.poll(context)).await
}

/// Erases a handler's argument.
pub(crate) fn erase<E: FromEvent, M: 'static, H: Handler<E, M>>(handler: H) -> Arc<dyn AnyHandler> {
    let handler = Arc::new(handler);
    let start = move |event, about: &Context| Ok(handler.call(E::from_event(event)?, about));
    from_fn(start)
}

/// A handler that is a function from an event, not decoded yet, to a future.
pub(crate) fn from_fn<F, R>(start: F) -> Arc<dyn AnyHandler>
where
    F: Fn(AnyEvent, &Context) -> Result<R> + Send + Sync + 'static,
    R: Future<Output = HandlerResult> + Send + 'static,
{
    Arc::new(Start(Arc::new(start), PhantomData))
}

struct Start<F, R>(Arc<F>, PhantomData<fn() -> R>);

impl<F, R> AnyHandler for Start<F, R>
where
    F: Fn(AnyEvent, &Context) -> Result<R> + Send + Sync + 'static,
    R: Future<Output = HandlerResult> + Send + 'static,
{
    fn slot(&self) -> Box<dyn Slot> {
        Box::new(Running { start: Arc::clone(&self.0), future: None })
    }
}

struct Running<F, R> {
    start: Arc<F>,
    future: Option<Pin<Box<R>>>,
}

impl<F, R> Slot for Running<F, R>
where
    F: Fn(AnyEvent, &Context) -> Result<R> + Send + Sync + 'static,
    R: Future<Output = HandlerResult> + Send + 'static,
{
    fn begin(&mut self, event: AnyEvent, about: &Context) -> Result<()> {
        let next = (self.start)(event, about)?;
        match &mut self.future {
            Some(future) => future.set(next),
            None => self.future = Some(Box::pin(next)),
        }
        Ok(())
    }

    fn poll(&mut self, context: &mut TaskContext<'_>) -> Poll<HandlerResult> {
        match &mut self.future {
            Some(future) => future.as_mut().poll(context),
            None => Poll::Ready(Ok(())),
        }
    }

    fn run(
        &mut self,
        event: AnyEvent,
        about: &Context,
        context: &mut TaskContext<'_>,
    ) -> Poll<HandlerResult> {
        match self.begin(event, about) {
            Ok(()) => self.poll(context),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}
