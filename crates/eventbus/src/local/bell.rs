//! Waking: one flag to look at while everybody is busy, one pass over the sleepers when somebody is not.

use std::task::{Context, Poll};

use futures::task::AtomicWaker;

use super::sync::{Arc, AtomicBool, AtomicUsize, Mutex, Ordering, lock};

/// Wakes readers that found nothing.
///
/// A reader *rests* first and then looks again; whoever adds something first adds it and then *rings*. Both orders are
/// sequentially consistent, so either the reader sees the addition or the ringer sees the reader.
pub(super) struct Bell {
    resting: AtomicUsize,
    readers: Mutex<Arc<[Arc<Sleeper>]>>,
}

/// One reader's place to sleep.
pub(super) struct Sleeper {
    waker: AtomicWaker,
    resting: AtomicBool,
}

impl Sleeper {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { waker: AtomicWaker::new(), resting: AtomicBool::new(false) })
    }
}

impl Bell {
    pub(super) fn new() -> Self {
        Self { resting: AtomicUsize::new(0), readers: Mutex::new(Arc::from([])) }
    }

    pub(super) fn join(&self, sleeper: &Arc<Sleeper>) {
        let mut readers = lock(&self.readers);
        *readers = readers.iter().chain([sleeper]).cloned().collect();
    }

    pub(super) fn leave(&self, sleeper: &Arc<Sleeper>) {
        let mut readers = lock(&self.readers);
        *readers = readers.iter().filter(|other| !Arc::ptr_eq(other, sleeper)).cloned().collect();
        drop(readers);
        self.rouse(sleeper);
    }

    /// Wakes everybody who rests; costs one load when nobody does.
    pub(super) fn ring(&self) {
        if self.resting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let readers = Arc::clone(&lock(&self.readers));
        for sleeper in readers.iter() {
            self.rouse(sleeper);
        }
    }

    /// Wakes one reader.
    pub(super) fn rouse(&self, sleeper: &Sleeper) {
        if sleeper.resting.swap(false, Ordering::SeqCst) {
            self.resting.fetch_sub(1, Ordering::SeqCst);
            sleeper.waker.wake();
        }
    }

    /// Tries; when there is nothing, rests and tries once more before it says `Pending`.
    pub(super) fn poll<T>(
        &self,
        sleeper: &Sleeper,
        context: &mut Context<'_>,
        mut attempt: impl FnMut() -> Option<T>,
    ) -> Poll<T> {
        if let Some(found) = attempt() {
            return Poll::Ready(found);
        }
        sleeper.waker.register(context.waker());
        // Counted before it rests: whoever rouses this reader takes its own count away, not another's.
        self.resting.fetch_add(1, Ordering::SeqCst);
        if sleeper.resting.swap(true, Ordering::SeqCst) {
            self.resting.fetch_sub(1, Ordering::SeqCst);
        }
        let Some(found) = attempt() else { return Poll::Pending };
        self.rouse(sleeper);
        Poll::Ready(found)
    }
}
