//! Tower layers around handlers.

use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use futures::future::BoxFuture;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, Service, ServiceExt as _};

use super::failure::HandlerError;
use super::handler::{AnyHandler, Context, from_fn, handle};
use crate::event::AnyEvent;

/// One attempt to handle a message: the request that layers see.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The event, not decoded yet.
    pub event: AnyEvent,
    /// What else is known about the message.
    pub context: Context,
}

/// A handler as a tower service: what a subscription's layers wrap.
///
/// Its error is a [`HandlerError`] in a box; a layer may add errors of its own, which count as transient, and cannot
/// make a failure look like a success without saying `Ok` itself.
#[derive(Clone)]
pub struct HandlerService(Arc<dyn AnyHandler>);

impl Service<Invocation> for HandlerService {
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, invocation: Invocation) -> Self::Future {
        let handler = Arc::clone(&self.0);
        Box::pin(async move {
            let Invocation { event, context } = invocation;
            handle(&*handler, event, &context).await.map_err(|error| Passed(error).into())
        })
    }
}

impl fmt::Debug for HandlerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandlerService")
    }
}

/// A handler's error on its way through layers, which want errors that are `std::error::Error`.
struct Passed(HandlerError);

impl fmt::Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Passed {}

/// A layer of any type: turns a handler into a handler.
pub(crate) type AnyLayer = Arc<dyn Fn(Arc<dyn AnyHandler>) -> Arc<dyn AnyHandler> + Send + Sync>;

/// Erases a layer's type.
pub(crate) fn erase_layer<L>(layer: L) -> AnyLayer
where
    L: Layer<HandlerService> + Send + Sync + 'static,
    L::Service: Service<Invocation, Response = ()> + Clone + Send + Sync + 'static,
    <L::Service as Service<Invocation>>::Error: Into<BoxError>,
    <L::Service as Service<Invocation>>::Future: Send + 'static,
{
    Arc::new(move |handler| {
        let service = layer.layer(HandlerService(handler)).map_err(Into::<BoxError>::into);
        let service = BoxCloneSyncService::new(service);
        from_fn(move |event, context: &Context| {
            let (service, context) = (service.clone(), context.clone());
            Ok(async move { service.oneshot(Invocation { event, context }).await.map_err(unbox) })
        })
    })
}

/// Finds the handler's own error again; anything else came from a layer.
fn unbox(error: BoxError) -> HandlerError {
    match error.downcast::<Passed>() {
        Ok(passed) => passed.0,
        Err(error) => match error.downcast::<crate::Error>() {
            Ok(error) => (*error).into(),
            Err(error) => HandlerError::transient(error),
        },
    }
}
