//! The idempotency guard: three states, so that a duplicate is neither run again nor taken for done too early.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::time::Instant;

use super::control::FOREVER;
use super::failure::{HandlerError, HandlerResult};
use super::handler::{AnyHandler, Context, from_fn, handle};
use crate::error::{Error, ErrorKind, Result};
use crate::event::AnyEvent;

/// Where the states of an [`Idempotency`] guard are kept: claimed, done, or free.
#[async_trait]
pub trait IdempotencyStore: Debug + Send + Sync + 'static {
    /// Claims a key for as long as the lease.
    ///
    /// # Errors
    /// Transient ones: the message is then tried again, not run unguarded.
    async fn claim(&self, key: &str, lease: Duration) -> Result<Claim>;

    /// Marks a claimed key as done for a while. Does nothing when the claim is no longer the caller's.
    ///
    /// # Errors
    /// Transient ones.
    async fn done(&self, key: &str, claim: u64, keep: Duration) -> Result<()>;

    /// Gives a claimed key free. Does nothing when the claim is no longer the caller's.
    ///
    /// # Errors
    /// Transient ones.
    async fn free(&self, key: &str, claim: u64) -> Result<()>;
}

/// The answer to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is the caller's, under this number.
    Claimed(u64),
    /// Somebody has it; it may be free or done after this time.
    InProgress(Duration),
    /// It was done before.
    Done,
}

/// Runs a handler at most once per event that succeeded, however often the event is delivered.
///
/// An event is claimed before its handler runs, marked done after it succeeded, and freed after it failed. A duplicate
/// of a done event is acknowledged without running; a duplicate of one in progress is deferred, never dropped. When a
/// process dies between the handler's effect and the mark, the handler runs again after the lease: put the effect and a
/// mark of your own into one transaction where that must not be.
#[derive(Clone)]
pub struct Idempotency {
    store: Arc<dyn IdempotencyStore>,
    window: Duration,
    lease: Duration,
    key: Option<Arc<KeyOf>>,
}

type KeyOf = dyn Fn(&AnyEvent) -> String + Send + Sync;

impl Idempotency {
    /// A guard over this store: done events are remembered for 7 days, claims last 5 minutes, the key is the event's id.
    pub fn new(store: impl IdempotencyStore) -> Self {
        const DAY: u64 = 24 * 3600;
        let (window, lease) = (Duration::from_secs(7 * DAY), Duration::from_secs(300));
        Self { store: Arc::new(store), window, lease, key: None }
    }

    /// Sets how long a done event is remembered.
    #[must_use]
    pub fn window(self, window: Duration) -> Self {
        Self { window, ..self }
    }

    /// Sets how long a claim lasts; it must be longer than the handler's time-out.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Sets what makes two events the same, such as a provider's idempotency key.
    #[must_use]
    pub fn key(self, key: impl Fn(&AnyEvent) -> String + Send + Sync + 'static) -> Self {
        Self { key: Some(Arc::new(key)), ..self }
    }

    /// Refuses a lease that a slow handler could outlive.
    pub(crate) fn check(&self, timeout: Option<Duration>) -> Result<()> {
        match timeout {
            Some(timeout) if timeout < self.lease => Ok(()),
            _ => Err(Error::invalid("idempotency lease: must be longer than the handler's time-out")),
        }
    }

    pub(crate) fn guard(&self, inner: Arc<dyn AnyHandler>) -> Arc<dyn AnyHandler> {
        let guard = self.clone();
        from_fn(move |event, context: &Context| {
            let name = guard.key.as_ref().map_or_else(|| event.id().to_string(), |key| key(&event));
            let key = format!("{}:{name}", context.group);
            let (guard, inner, context) = (guard.clone(), Arc::clone(&inner), context.clone());
            Ok(Guarding { guard, key, inner, event, context }.run())
        })
    }
}

/// One guarded attempt.
struct Guarding {
    guard: Idempotency,
    key: String,
    inner: Arc<dyn AnyHandler>,
    event: AnyEvent,
    context: Context,
}

impl Guarding {
    async fn run(self) -> HandlerResult {
        let Self { guard, key, inner, event, context } = self;
        let claim = match guard.store.claim(&key, guard.lease).await? {
            Claim::Done => return Ok(()),
            Claim::InProgress(rest) => return Err(HandlerError::retry_after(rest, InProgress)),
            Claim::Claimed(claim) => claim,
        };
        // A panic or a time-out drops this future: then the claim must not outlive it by its lease.
        let claimed = Claimed { guard: &guard, key: &key, claim, open: true };
        let result = handle(&*inner, event, &context).await;
        claimed.close();
        match &result {
            Ok(()) => {
                if let Err(error) = guard.store.done(&key, claim, guard.window).await {
                    // The effect has happened: trying again would repeat it, so the message is acknowledged.
                    tracing::warn!(%error, %key, "an event was handled but could not be marked done");
                }
            }
            Err(_) => {
                if let Err(error) = guard.store.free(&key, claim).await {
                    // The handler's own error decides; the lease ends the claim.
                    tracing::warn!(%error, %key, "a claim could not be freed; its lease will end it");
                }
            }
        }
        result
    }
}

/// A claim whose handler runs.
struct Claimed<'a> {
    guard: &'a Idempotency,
    key: &'a str,
    claim: u64,
    open: bool,
}

impl Claimed<'_> {
    fn close(mut self) {
        self.open = false;
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (store, key, claim) = (Arc::clone(&self.guard.store), self.key.to_owned(), self.claim);
            runtime.spawn(async move {
                if let Err(error) = store.free(&key, claim).await {
                    tracing::warn!(%error, %key, "a claim could not be freed; its lease will end it");
                }
            });
        }
    }
}

impl Debug for Idempotency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Idempotency({:?}, window {:?}, lease {:?})", self.store, self.window, self.lease)
    }
}

/// Why a duplicate was deferred.
#[derive(Debug)]
pub(crate) struct InProgress;

impl fmt::Display for InProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the same event is being handled elsewhere")
    }
}

impl std::error::Error for InProgress {}

/// The states of a guard in this process's memory, bounded.
///
/// When it is full of states that are still needed, a claim fails as [`Full`](ErrorKind::Full) and the message is
/// tried again later: forgetting a done event early could run it twice.
pub struct MemoryStore {
    states: DashMap<String, State>,
    capacity: usize,
    claims: std::sync::atomic::AtomicU64,
}

#[derive(Clone, Copy)]
struct State {
    claim: u64,
    done: bool,
    until: Instant,
}

impl MemoryStore {
    /// A store for up to this many events.
    pub fn new(capacity: usize) -> Self {
        Self { states: DashMap::new(), capacity, claims: 0.into() }
    }

    fn make_room(&self) -> Result<()> {
        if self.states.len() < self.capacity {
            return Ok(());
        }
        let now = Instant::now();
        self.states.retain(|_, state| state.until > now);
        match self.states.len() < self.capacity {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::Full,
                "the idempotency store is full of events inside their window",
            )),
        }
    }
}

#[async_trait]
impl IdempotencyStore for MemoryStore {
    async fn claim(&self, key: &str, lease: Duration) -> Result<Claim> {
        if !self.states.contains_key(key) {
            self.make_room()?;
        }
        let now = Instant::now();
        let claim = self.claims.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let fresh = State { claim, done: false, until: now + lease.min(FOREVER) };
        Ok(match self.states.entry(key.to_owned()) {
            Entry::Occupied(held) if held.get().until > now => match held.get().done {
                true => Claim::Done,
                false => Claim::InProgress(held.get().until - now),
            },
            Entry::Occupied(mut expired) => {
                expired.insert(fresh);
                Claim::Claimed(claim)
            }
            Entry::Vacant(free) => {
                free.insert(fresh);
                Claim::Claimed(claim)
            }
        })
    }

    async fn done(&self, key: &str, claim: u64, keep: Duration) -> Result<()> {
        if let Some(mut state) = self.states.get_mut(key).filter(|state| state.claim == claim) {
            *state = State { claim, done: true, until: Instant::now() + keep.min(FOREVER) };
        }
        Ok(())
    }

    async fn free(&self, key: &str, claim: u64) -> Result<()> {
        self.states.remove_if(key, |_, state| state.claim == claim && !state.done);
        Ok(())
    }
}

impl Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStore({} of {})", self.states.len(), self.capacity)
    }
}
