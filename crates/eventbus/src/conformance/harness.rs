//! What the author of a transport implements to run the suite on it.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::child::Child;
use super::faults::{Fault, Faults};
use crate::error::Result;
use crate::transport::Transport;

/// Puts a transport on the stage: one value is one isolated server, made anew for every case.
///
/// ```
/// use std::sync::Arc;
/// use eventbus::conformance::Harness;
/// use eventbus::local::{LocalConfig, LocalTransport};
/// use eventbus::transport::Transport;
///
/// #[derive(Debug)]
/// struct Local(LocalTransport);
///
/// #[async_trait::async_trait]
/// impl Harness for Local {
///     async fn connect(&self) -> eventbus::Result<Arc<dyn Transport>> {
///         Ok(Arc::new(self.0.clone()))
///     }
/// }
/// let harness = Local(LocalTransport::new(LocalConfig::new())?);
/// # let _ = harness;
/// # Ok::<(), eventbus::Error>(())
/// ```
#[async_trait]
pub trait Harness: Debug + Send + Sync + 'static {
    /// Runs before each case, in its runtime, with the faults that the case inflicts: servers that break nothing may
    /// be shared. Transports without a server pause the clock here.
    async fn start(&self, faults: &[Fault]) {
        let _ = faults;
    }

    /// Connects to the server of this harness. A second call gives a second process's view of the same groups; a
    /// transport that lives in one process gives the same transport again.
    ///
    /// # Errors
    /// Whatever the transport says; the case fails with it.
    async fn connect(&self) -> Result<Arc<dyn Transport>>;

    /// The faults this harness can inflict; cases that need others are skipped.
    fn faults(&self) -> Option<&dyn Faults> {
        None
    }

    /// How to start a consumer of this server as a process of its own; cases about processes are skipped without.
    ///
    /// Its test is one line, see [`conformance_child!`](crate::conformance_child).
    fn child(&self) -> Option<Child> {
        None
    }

    /// How fast time goes by.
    fn pace(&self) -> Pace {
        Pace::default()
    }

    /// The most messages that may be handled twice when one connection is cut. Default 256: what the engine prefetches.
    fn duplicates_per_cut(&self) -> usize {
        256
    }

    /// The most messages that are a member's at the server, whether or not it has begun with them, when there is room for
    /// so many in it; where the server counts attempts, it counts all of those. Default: no more than there is room for.
    fn held(&self, prefetch: usize) -> usize {
        prefetch
    }

    /// Runs after each case that did not fail: stops servers, removes folders.
    async fn stop(&self) {}
}

/// How fast time goes by on a stage; cases count their delays in [`unit`](Self::unit).
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The delay that cases are written in: retries, slow handlers, delayed events.
    pub unit: Duration,
    /// How much later than asked something may happen. It may never happen earlier.
    pub slack: Duration,
    /// How long nothing has to happen until it counts as never happening.
    pub silence: Duration,
    /// How long something that must happen is waited for.
    pub patience: Duration,
    /// The longest time a case may let pass; cases that need more are skipped.
    pub longest: Duration,
}

impl Default for Pace {
    /// For a server on this machine and a clock that runs.
    fn default() -> Self {
        Self {
            unit: Duration::from_millis(200),
            slack: Duration::from_millis(500),
            silence: Duration::from_secs(2),
            patience: Duration::from_secs(30),
            longest: Duration::from_secs(180),
        }
    }
}

impl Pace {
    /// For a paused clock, where waiting costs nothing.
    pub fn paused() -> Self {
        Self {
            unit: Duration::from_secs(1),
            slack: Duration::from_millis(5),
            silence: Duration::from_secs(300),
            patience: Duration::from_secs(4 * 3600),
            longest: Duration::from_secs(24 * 3600),
        }
    }
}
