//! What users hold: the [`EventBus`], and everything that is done through it.

mod connect;
mod dead_letters;
mod health;
mod publish;
mod shutdown;
mod subscribe;
mod subscription;

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::local::{LocalConfig, LocalTransport};
use crate::transport::{Backlog, Capabilities, Group, Transport};

pub use connect::{Connector, install};
pub use dead_letters::{DeadLetterQueue, Redrive, Redriven, Select};
pub use health::{Health, SubscriptionHealth, SubscriptionState};
pub use publish::{BatchError, Receipt};
pub use shutdown::{GroupReport, ShutdownReport};
pub use subscribe::SubscriptionBuilder;
pub use subscription::Subscription;

use subscription::Running;

/// Publishes events and runs subscriptions, on whatever transport its URL names.
///
/// Cheap to clone; all clones are the same bus. Dropping the last one leaves running subscriptions to themselves: call
/// [`shutdown`](Self::shutdown) to drain them.
///
/// ```
/// use eventbus::payment_kit::{CustomerSubscriptionRenewed, Subscription};
/// use eventbus::{Event, EventBus};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> eventbus::Result<()> {
/// let bus = EventBus::connect("local:").await?;
/// bus.subscribe("entitlements")
///     .on(|renewed: Event<CustomerSubscriptionRenewed>| async move {
///         println!("extend {:?}", renewed.object().customer_id);
///         Ok(())
///     })
///     .start()
///     .await?;
/// let subscription = Subscription { id: "sub_1".into(), ..Subscription::default() };
/// bus.publish(CustomerSubscriptionRenewed::new(subscription)).await?;
/// let report = bus.shutdown(Duration::from_secs(10)).await;
/// assert!(report.is_complete());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EventBus(Arc<Inner>);

struct Inner {
    transport: Arc<dyn Transport>,
    capabilities: Capabilities,
    config: BusConfig,
    /// Tells this bus from others of the process.
    number: u64,
    phase: AtomicU8,
    subscriptions: Mutex<Vec<Arc<Running>>>,
}

/// The settings of a bus, whatever its transport.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusConfig {
    /// The largest event that is accepted, in bytes of its JSON form, where it has or needs one. Default 1 MiB.
    pub max_event_size: usize,
    /// The longest a publish may take, waiting for room and for confirms together. Default 30 s.
    pub publish_deadline: Duration,
}

impl Default for BusConfig {
    fn default() -> Self {
        Self { max_event_size: 1 << 20, publish_deadline: Duration::from_secs(30) }
    }
}

impl BusConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the largest event that is accepted, in bytes.
    #[must_use]
    pub fn max_event_size(self, bytes: usize) -> Self {
        Self { max_event_size: bytes, ..self }
    }

    /// Sets the longest a publish may take.
    #[must_use]
    pub fn publish_deadline(self, deadline: Duration) -> Self {
        Self { publish_deadline: deadline, ..self }
    }
}

/// Accepts what is published.
const OPEN: u8 = 0;
/// Accepts only what handlers publish.
const DRAINING: u8 = 1;
/// Accepts nothing.
const CLOSED: u8 = 2;

impl EventBus {
    /// Connects to the transport that the URL names: `local:` always, others once their crate is
    /// [installed](install).
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for an unknown scheme or option, naming the known ones; whatever the
    /// transport says when it cannot be reached.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(url, BusConfig::default()).await
    }

    /// Connects with settings other than the defaults.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with(url: &str, config: BusConfig) -> Result<Self> {
        Ok(Self::new(connect::transport(url).await?, config))
    }

    /// A bus over a transport that was made in code.
    pub fn new(transport: Arc<dyn Transport>, config: BusConfig) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let (phase, subscriptions) = (AtomicU8::new(OPEN), Mutex::default());
        let capabilities = transport.capabilities();
        Self(Arc::new(Inner { transport, capabilities, config, number, phase, subscriptions }))
    }

    /// A bus within this process.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when a bound is 0.
    pub fn local(config: LocalConfig) -> Result<Self> {
        Ok(Self::new(Arc::new(LocalTransport::new(config)?), BusConfig::default()))
    }

    /// Begins a subscription; its name is the group: subscribers of one name share the work.
    pub fn subscribe(&self, group: impl Into<String>) -> SubscriptionBuilder {
        SubscriptionBuilder::new(self.clone(), group.into())
    }

    /// What the transport can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    /// What a group holds at this moment; `None` when there is no such group.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for an illegal name; the transport's transient ones.
    pub async fn backlog(&self, group: &str) -> Result<Option<Backlog>> {
        self.0.transport.backlog(&Group::new(group.to_owned())?).await
    }

    /// Removes a group with everything it holds, dead letters included; `false` when there was none.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) while the group has members.
    pub async fn forget(&self, group: &str) -> Result<bool> {
        self.0.transport.forget(&Group::new(group.to_owned())?).await
    }

    /// The dead letters of a group.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for an illegal name.
    pub fn dead_letters(&self, group: &str) -> Result<DeadLetterQueue> {
        Ok(DeadLetterQueue::new(self.0.transport.dead_letters(&Group::new(group.to_owned())?)))
    }

    fn is_open(&self) -> Result<()> {
        match self.0.phase.load(Ordering::SeqCst) {
            OPEN => Ok(()),
            DRAINING if crate::engine::is_handling(self.0.number) => Ok(()),
            _ => Err(Error::closed("the bus")),
        }
    }

    fn running(&self) -> MutexGuard<'_, Vec<Arc<Running>>> {
        self.0.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for EventBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBus").field("transport", &self.0.transport).finish_non_exhaustive()
    }
}
