//! Work that is done to its end, also when nobody waits for it any more.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::CatchUnwind;
use tokio::runtime::Handle;

/// Work in its own caller's task, which goes on in another one when its caller goes away.
pub(super) struct Uncancelled<F>(Option<Pin<Box<F>>>)
where
    F: Future<Output: Send> + Send + 'static;

/// Does this work to its end, whatever becomes of its caller, as long as the runtime is there. A panic of it is an error.
pub(super) fn uncancelled<F>(work: F) -> Uncancelled<CatchUnwind<AssertUnwindSafe<F>>>
where
    F: Future<Output: Send> + Send + 'static,
{
    Uncancelled(Some(Box::pin(AssertUnwindSafe(work).catch_unwind())))
}

impl<F> Future for Uncancelled<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<F> Drop for Uncancelled<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        if let (Some(rest), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            drop(runtime.spawn(rest));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_is_done_also_when_its_caller_goes_away() {
        let ((open, gate), (done, end)) = (oneshot::channel::<()>(), oneshot::channel());
        let work = async move {
            let opened = gate.await;
            done.send(opened).unwrap();
        };
        let mut work = uncancelled(work);
        assert!((&mut work).now_or_never().is_none(), "it waits");
        drop(work);
        open.send(()).unwrap();
        assert_eq!(end.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn it_gives_what_came_of_it() {
        assert_eq!(uncancelled(async { 7 }).await.unwrap(), 7);
        assert!(uncancelled(async { panic!("it panics, and its caller does not") }).await.is_err());
    }
}
