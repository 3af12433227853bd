//! Handlers: functions whose argument says which events they get, erased to one shape.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use tokio_util::sync::ReusableBoxFuture;

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

/// A running handler in memory that is used again for the next one.
pub(crate) type Running = ReusableBoxFuture<'static, HandlerResult>;

/// A handler whose argument nobody knows any more.
pub(crate) trait AnyHandler: Send + Sync {
    /// Decodes the event and begins to handle it, in `slot`.
    fn start(&self, event: AnyEvent, context: &Context, slot: &mut Option<Running>) -> Result<()>;
}

/// Erases a handler's argument.
pub(crate) fn erase<E: FromEvent, M: 'static, H: Handler<E, M>>(handler: H) -> Arc<dyn AnyHandler> {
    Arc::new(Erased(handler, PhantomData))
}

struct Erased<H, E, M>(H, PhantomData<fn(E, M)>);

impl<E: FromEvent, M: 'static, H: Handler<E, M>> AnyHandler for Erased<H, E, M> {
    fn start(&self, event: AnyEvent, context: &Context, slot: &mut Option<Running>) -> Result<()> {
        let running = self.0.call(E::from_event(event)?, context);
        put(slot, running);
        Ok(())
    }
}

/// Puts a future into the slot, in the memory of the one before where it fits.
pub(crate) fn put(slot: &mut Option<Running>, future: impl Future<Output = HandlerResult> + Send + 'static) {
    match slot {
        Some(slot) => slot.set(future),
        None => *slot = Some(ReusableBoxFuture::new(future)),
    }
}
