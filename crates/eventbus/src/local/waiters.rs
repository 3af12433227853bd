//! Tasks that wait for a condition, woken by whoever may have made it true; free of charge while nobody waits.

use std::pin::pin;

use tokio::sync::Notify;

use super::sync::{AtomicUsize, Ordering};

/// Tasks that wait for a condition.
#[derive(Default)]
pub(super) struct Waiters {
    count: AtomicUsize,
    notify: Notify,
}

impl Waiters {
    /// Lets everybody who waits look again.
    pub(super) fn wake(&self) {
        if self.count.load(Ordering::SeqCst) > 0 {
            self.notify.notify_waiters();
        }
    }

    /// Tries until there is a result; between tries it sleeps until [`wake`](Self::wake).
    pub(super) async fn until<T>(&self, mut attempt: impl FnMut() -> Option<T>) -> T {
        let _counted = Counted::new(&self.count);
        loop {
            let mut woken = pin!(self.notify.notified());
            woken.as_mut().enable();
            if let Some(result) = attempt() {
                return result;
            }
            woken.await;
        }
    }
}

/// Counts a waiter for as long as its future lives, also when it is dropped half-way.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
