//! Faults: scripted beforehand, striking when their turn comes, reported afterwards.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::AnyEvent;
use crate::transport::Group;

/// A fault in the making: what goes wrong, how often, and for which events. It strikes once unless told otherwise.
///
/// ```
/// use eventbus::testing::Fault;
/// let twice = Fault::duplicate("ledger").times(2);
/// let renewals = Fault::crash_before_ack("ledger").matching(|event| event.event_type() == "customer.subscription.renewed");
/// # let _ = (twice, renewals);
/// ```
#[derive(Clone)]
#[must_use = "a fault does nothing until it is injected"]
pub struct Fault {
    kind: FaultKind,
    /// The group it is for; faults of publishing have none.
    group: Option<String>,
    /// How often it will still strike.
    left: u32,
    seed: u64,
    matching: Arc<Matching>,
}

type Matching = dyn Fn(&AnyEvent) -> bool + Send + Sync;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// See [`Fault::crash_before_ack`].
    CrashBeforeAck,
    /// See [`Fault::duplicate`].
    Duplicate,
    /// See [`Fault::reorder`].
    Reorder,
    /// See [`Fault::lose_confirm`].
    LoseConfirm,
    /// See [`Fault::refuse_publish`].
    RefusePublish,
}

/// A fault that struck.
#[derive(Debug, Clone)]
pub struct Injected {
    /// What went wrong.
    pub kind: FaultKind,
    /// In which group; faults of publishing have none.
    pub group: Option<String>,
    /// The events it struck. For a crash: the one that had been handled, then what else the member held. For a
    /// reordering: all that were handed out together, in their new order.
    pub events: Vec<AnyEvent>,
}

impl Fault {
    fn new(kind: FaultKind, group: Option<String>) -> Self {
        Self { kind, group, left: 1, seed: 0, matching: Arc::new(|_| true) }
    }

    /// A handler of the group succeeds, and its member dies before the ack: everything the member holds comes back,
    /// counted as an attempt.
    pub fn crash_before_ack(group: impl Into<String>) -> Self {
        Self::new(FaultKind::CrashBeforeAck, Some(group.into()))
    }

    /// A message of the group is handed out twice, one right after the other; both have to be settled. It needs a
    /// prefetch of at least 2.
    pub fn duplicate(group: impl Into<String>) -> Self {
        Self::new(FaultKind::Duplicate, Some(group.into()))
    }

    /// Messages that the group hands out together are shuffled, the same way for the same seed. With order per key
    /// the messages of one key keep theirs, because no transport may break it. It counts once per batch that can be
    /// shuffled.
    pub fn reorder(group: impl Into<String>, seed: u64) -> Self {
        Self { seed, ..Self::new(FaultKind::Reorder, Some(group.into())) }
    }

    /// An event is stored and the publisher is told [`Unknown`](crate::ErrorKind::Unknown).
    pub fn lose_confirm() -> Self {
        Self::new(FaultKind::LoseConfirm, None)
    }

    /// An event is not stored, nor what follows it in its batch: the publisher is told
    /// [`NotSent`](crate::ErrorKind::NotSent).
    pub fn refuse_publish() -> Self {
        Self::new(FaultKind::RefusePublish, None)
    }

    /// Sets how often it strikes.
    pub fn times(self, times: u32) -> Self {
        Self { left: times, ..self }
    }

    /// Lets it strike every time.
    pub fn always(self) -> Self {
        self.times(u32::MAX)
    }

    /// Limits it to events that a function says yes to. The function must not use the bus.
    pub fn matching(self, matching: impl Fn(&AnyEvent) -> bool + Send + Sync + 'static) -> Self {
        Self { matching: Arc::new(matching), ..self }
    }

    fn is_armed(&self, kind: FaultKind, group: Option<&Group>) -> bool {
        self.left > 0 && self.kind == kind && self.group.as_deref() == group.map(Group::as_str)
    }

    fn spend(&mut self) {
        if self.left < u32::MAX {
            self.left -= 1;
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("kind", &self.kind)
            .field("group", &self.group)
            .field("left", &self.left)
            .finish()
    }
}

/// The faults of a bus: to come, and past.
#[derive(Debug, Default)]
pub(super) struct Script {
    faults: Mutex<Vec<Fault>>,
    injected: Mutex<Vec<Injected>>,
}

impl Script {
    pub(super) fn add(&self, fault: Fault) {
        lock(&self.faults).push(fault);
    }

    pub(super) fn injected(&self) -> Vec<Injected> {
        lock(&self.injected).clone()
    }

    /// Tells whether a fault of this kind may still strike the group.
    pub(super) fn is_armed(&self, kind: FaultKind, group: &Group) -> bool {
        lock(&self.faults).iter().any(|fault| fault.is_armed(kind, Some(group)))
    }

    /// Lets a fault of this kind strike an event, if there is one for it.
    pub(super) fn strikes(&self, kind: FaultKind, group: Option<&Group>, event: &AnyEvent) -> bool {
        let mut faults = lock(&self.faults);
        let found = faults.iter_mut().find(|fault| fault.is_armed(kind, group) && (fault.matching)(event));
        found.map(Fault::spend).is_some()
    }

    /// Lets a reordering strike a batch: `shuffle` gets the seed and who takes part, and says whether it changed
    /// anything.
    pub(super) fn reorders(&self, group: &Group, shuffle: impl FnOnce(u64, &Matching) -> bool) -> bool {
        let mut faults = lock(&self.faults);
        let Some(fault) = faults.iter_mut().find(|fault| fault.is_armed(FaultKind::Reorder, Some(group)))
        else {
            return false;
        };
        let changed = shuffle(fault.seed, &*fault.matching);
        if changed {
            fault.spend();
            fault.seed = fault.seed.wrapping_add(1);
        }
        changed
    }

    pub(super) fn note(&self, kind: FaultKind, group: Option<&Group>, events: Vec<AnyEvent>) {
        let group = group.map(|group| group.as_str().to_owned());
        lock(&self.injected).push(Injected { kind, group, events });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
