//! [`TestBus`]: a local bus that is watched and can be broken.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::fault::{Fault, Injected, Script};
use super::record::Record;
use super::transport::Scripted;
use crate::bus::{BusConfig, EventBus};
use crate::error::Result;
use crate::event::{AnyEvent, Event, EventKind, FromEvent as _};
use crate::local::{LocalConfig, LocalTransport};

/// An [`EventBus`] for tests: it records what was published and handled, waits until all is done, and injects faults.
///
/// It dereferences to the [`EventBus`], and gives it away with [`bus`](Self::bus). A clone of it is the same bus. Made for
/// the current-thread runtime, which is what `#[tokio::test]` gives: there, a member that crashed has joined again before
/// anybody else runs.
#[derive(Clone)]
pub struct TestBus {
    bus: EventBus,
    local: LocalTransport,
    script: Arc<Script>,
    record: Arc<Record>,
}

impl TestBus {
    /// A bus with the default settings.
    ///
    /// # Errors
    /// None with the default settings; `async` like every other way to a bus.
    pub async fn new() -> Result<Self> {
        Self::with(LocalConfig::new(), BusConfig::new())
    }

    /// A bus with these settings.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when a bound is 0.
    pub fn with(local: LocalConfig, config: BusConfig) -> Result<Self> {
        let local = LocalTransport::new(local)?;
        let (script, record) = (Arc::new(Script::default()), Arc::new(Record::default()));
        let transport = Scripted::new(Arc::new(local.clone()), Arc::clone(&script), Arc::clone(&record));
        Ok(Self { bus: EventBus::new(Arc::new(transport), config), local, script, record })
    }

    /// The bus itself, for code under test that keeps one.
    pub fn bus(&self) -> EventBus {
        self.bus.clone()
    }

    /// Everything that was published so far, in order; an event for later is there once its time has come.
    ///
    /// Published means stored, whether the publisher was told so or not.
    pub fn published(&self) -> Vec<AnyEvent> {
        self.record.published_by_now()
    }

    /// What was published so far of one type. Events whose object is not what the type says are left out.
    pub fn published_of<T: EventKind>(&self) -> Vec<Event<T>> {
        self.published().into_iter().filter_map(|event| Event::from_event(event).ok()).collect()
    }

    /// The events a group has acknowledged, in the order of their acks; a duplicate that was acknowledged counts again.
    pub fn handled(&self, group: &str) -> Vec<AnyEvent> {
        self.record.handled_by(group)
    }

    /// Waits until the bus is quiet: nothing is queued, in flight or waiting for a retry in any group with members, and
    /// nothing is scheduled.
    ///
    /// Messages behind a dead letter that holds their key do not count; a paused subscription with messages is waited
    /// for until somebody resumes it.
    pub async fn settled(&self) {
        self.local.quiet().await;
    }

    /// Scripts a fault, after those that were scripted before.
    pub fn inject(&self, fault: Fault) {
        self.script.add(fault);
    }

    /// The faults that have struck so far, in order.
    pub fn injected(&self) -> Vec<Injected> {
        self.script.injected()
    }
}

impl Deref for TestBus {
    type Target = EventBus;
    fn deref(&self) -> &EventBus {
        &self.bus
    }
}

impl fmt::Debug for TestBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestBus")
            .field("script", &self.script)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}
