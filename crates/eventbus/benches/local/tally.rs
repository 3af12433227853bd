//! Counting what was handled, the same way for everybody.

use std::future::Ready;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use eventbus::{AnyEvent, HandlerResult};
use tokio::sync::Notify;

/// What each group has handled, and whether that is all.
///
/// It lives as long as the program, so that no handler pays for sharing it.
pub(crate) struct Tally {
    groups: Box<[Group]>,
    /// Groups that have not handled everything.
    left: AtomicUsize,
    finished: Notify,
    at: Mutex<Instant>,
}

/// Kept apart, so that groups do not slow each other down here.
#[repr(align(128))]
#[derive(Default)]
struct Group {
    handled: AtomicU64,
    expected: AtomicU64,
}

impl Tally {
    pub(crate) fn new(groups: usize) -> &'static Self {
        let groups = std::iter::repeat_with(Group::default).take(groups).collect();
        let at = Mutex::new(Instant::now());
        Box::leak(Box::new(Self { groups, left: AtomicUsize::new(0), finished: Notify::new(), at }))
    }

    /// Says what each group is to handle from now on.
    pub(crate) fn expect(&self, more: &[u64]) {
        self.left.store(more.iter().filter(|more| **more > 0).count(), Ordering::SeqCst);
        for (group, more) in self.groups.iter().zip(more) {
            group.expected.fetch_add(*more, Ordering::SeqCst);
        }
    }

    /// A group has handled an event.
    pub(crate) fn hit(&self, group: usize) {
        let Group { handled, expected } = &self.groups[group];
        let handled = handled.fetch_add(1, Ordering::Relaxed) + 1;
        if handled == expected.load(Ordering::Relaxed) {
            self.finish();
        }
    }

    /// A group has handled everything; the time is set before anybody can ask for it.
    fn finish(&self) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.finished.notify_one();
        }
    }

    /// A handler that counts and does nothing else.
    pub(crate) fn handler(
        &'static self,
        group: usize,
    ) -> impl Fn(AnyEvent) -> Ready<HandlerResult> + Send + Sync + 'static {
        move |_| {
            self.hit(group);
            std::future::ready(Ok(()))
        }
    }

    /// Waits until all is handled, and says when that was.
    pub(crate) async fn finished(&self) -> Instant {
        while self.left.load(Ordering::SeqCst) > 0 {
            self.finished.notified().await;
        }
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing was lost and nothing came twice.
    pub(crate) fn check(&self) {
        for (number, group) in self.groups.iter().enumerate() {
            let (handled, expected) = (&group.handled, &group.expected);
            assert_eq!(handled.load(Ordering::SeqCst), expected.load(Ordering::SeqCst), "group {number}");
        }
    }
}
