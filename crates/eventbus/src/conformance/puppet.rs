//! A transport on strings: the same transport, seen by a process that can be killed, cut off and lied to.
//!
//! It works over every transport, because all it does to the one beneath is to drop a reader, as a lost process does.

use std::fmt;
use std::mem;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};

use crate::engine::{Context, HandlerResult};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{AnyEvent, EventId};
use crate::transport::{
    Backlog, Batch, Body, Capabilities, DeadLetters, Group, Membership, Publishing, Reader, Received,
    Settled, Settlement, Settler, SubscriptionSpec, Token, Transport, Undecodable,
};

/// Turns the outcomes of publishing into what the publisher is told.
pub(super) type Told = fn(Vec<Result<()>>) -> Vec<Result<()>>;

/// A handler's future.
type Handled = BoxFuture<'static, HandlerResult>;

/// A process's view of a transport.
#[derive(Clone)]
pub(super) struct Puppet {
    inner: Arc<dyn Transport>,
    strings: Arc<Strings>,
}

struct Strings {
    capabilities: Option<Capabilities>,
    /// Whether a lease heartbeat never comes back.
    wedged: bool,
    /// Which events arrive as bytes that are none.
    garbles: Option<fn(&AnyEvent) -> bool>,
    /// What the publisher is told instead of the truth.
    outcomes: Option<Told>,
    state: watch::Sender<State>,
    places: Mutex<Vec<Place>>,
}

#[derive(Clone, Copy, Default)]
struct State {
    dead: bool,
    /// Counts failures: readers opened before the latest one fail.
    failures: u64,
    /// Whether joining fails as well.
    refuses: bool,
}

impl Puppet {
    /// A view that does nothing of its own.
    pub(super) fn new(inner: Arc<dyn Transport>) -> Self {
        Self::with(inner, |_| {})
    }

    /// Claims other capabilities than the transport has.
    pub(super) fn claiming(inner: Arc<dyn Transport>, capabilities: Capabilities) -> Self {
        Self::with(inner, |strings| strings.capabilities = Some(capabilities))
    }

    /// Never comes back from a lease heartbeat.
    pub(super) fn wedged(inner: Arc<dyn Transport>, lease: Duration) -> Self {
        let capabilities = Capabilities { lease: Some(lease), ..inner.capabilities() };
        Self::with(inner, |strings| (strings.capabilities, strings.wedged) = (Some(capabilities), true))
    }

    /// Tells publishers something else than the truth.
    pub(super) fn telling(inner: Arc<dyn Transport>, outcomes: Told) -> Self {
        Self::with(inner, |strings| strings.outcomes = Some(outcomes))
    }

    /// Hands out some events as bytes that are none.
    pub(super) fn garbling(inner: Arc<dyn Transport>, which: fn(&AnyEvent) -> bool) -> Self {
        Self::with(inner, |strings| strings.garbles = Some(which))
    }

    /// A handler of this process: once it was killed it starts nothing, also before its tasks here have noticed.
    pub(super) fn living<H>(
        &self,
        handler: H,
    ) -> impl Fn(AnyEvent, Context) -> Handled + Send + Sync + 'static
    where
        H: Fn(AnyEvent, Context) -> Handled + Send + Sync + 'static,
    {
        let strings = Arc::clone(&self.strings);
        move |event, about| {
            let dead = strings.state.borrow().dead;
            if dead { Box::pin(std::future::pending()) } else { handler(event, about) }
        }
    }

    fn with(inner: Arc<dyn Transport>, set: impl FnOnce(&mut Strings)) -> Self {
        let mut strings = Strings {
            capabilities: None,
            wedged: false,
            garbles: None,
            outcomes: None,
            state: watch::Sender::default(),
            places: Mutex::default(),
        };
        set(&mut strings);
        Self { inner, strings: Arc::new(strings) }
    }

    /// Ends the process: its members are lost with everything they hold, and nothing it says is heard any more.
    pub(super) fn kill(&self) {
        self.strings.state.send_modify(|state| state.dead = true);
        for place in lock(&self.strings.places).drain(..) {
            if let Whereabouts::Receiving(receiving) = mem::replace(&mut *lock(&place), Whereabouts::Gone) {
                receiving.abort();
            }
        }
    }

    /// Breaks the connection of every member; they may join again at once.
    pub(super) fn fail(&self) {
        self.strings.state.send_modify(|state| state.failures += 1);
    }

    /// Breaks the connections, and makes no new ones until it is [mended](Self::mend).
    pub(super) fn sever(&self) {
        self.strings.state.send_modify(|state| (state.failures, state.refuses) = (state.failures + 1, true));
    }

    /// Lets members join again.
    pub(super) fn mend(&self) {
        self.strings.state.send_modify(|state| state.refuses = false);
    }

    fn alive(&self) -> Result<()> {
        let state = *self.strings.state.borrow();
        match state {
            State { dead: true, .. } => Err(killed()),
            State { refuses: true, .. } => Err(cut()),
            _ => Ok(()),
        }
    }
}

fn killed() -> Error {
    Error::new(ErrorKind::Closed, "this process was killed")
}

fn cut() -> Error {
    Error::new(ErrorKind::NotSent, "the connection was cut")
}

#[async_trait]
impl Transport for Puppet {
    fn capabilities(&self) -> Capabilities {
        self.strings.capabilities.clone().unwrap_or_else(|| self.inner.capabilities())
    }

    async fn publish(&self, batch: &[AnyEvent], publishing: Publishing) -> Vec<Result<()>> {
        if let Err(error) = self.alive() {
            let kind = error.kind();
            return batch.iter().map(|_| Err(Error::new(kind, error.to_string()))).collect();
        }
        let outcomes = self.inner.publish(batch, publishing).await;
        match self.strings.outcomes {
            Some(tell) => tell(outcomes),
            None => outcomes,
        }
    }

    async fn schedule(&self, event: &AnyEvent, delay: Duration) -> Result<()> {
        self.alive()?;
        self.inner.schedule(event, delay).await
    }

    async fn cancel(&self, id: &EventId) -> Result<bool> {
        self.inner.cancel(id).await
    }

    async fn scheduled(&self) -> u64 {
        self.inner.scheduled().await
    }

    async fn open(&self, subscription: &SubscriptionSpec) -> Result<Membership> {
        self.alive()?;
        let Membership { reader, settler } = self.inner.open(subscription).await?;
        let (strings, seen) = (Arc::clone(&self.strings), self.strings.state.borrow().failures);
        let place: Place = Arc::new(Mutex::new(Whereabouts::Resting(reader)));
        lock(&strings.places).push(Arc::clone(&place));
        let reader = Hand { place, strings: Arc::clone(&strings), seen };
        Ok(Membership { reader: Box::new(reader), settler: Arc::new(Voice { inner: settler, strings }) })
    }

    async fn forget(&self, group: &Group) -> Result<bool> {
        self.inner.forget(group).await
    }

    async fn backlog(&self, group: &Group) -> Result<Option<Backlog>> {
        self.inner.backlog(group).await
    }

    fn troubles(&self) -> Vec<String> {
        let cut = self.alive().err().map(|error| error.to_string());
        self.inner.troubles().into_iter().chain(cut).collect()
    }

    fn warnings(&self) -> Vec<String> {
        self.inner.warnings()
    }

    async fn drained(&self) {
        self.inner.drained().await;
    }

    fn dead_letters(&self, group: &Group) -> Arc<dyn DeadLetters> {
        self.inner.dead_letters(group)
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

/// The receiving half of a member.
struct Hand {
    place: Place,
    strings: Arc<Strings>,
    seen: u64,
}

/// Where a reader is, so that a kill finds it also when nobody waits for it.
type Place = Arc<Mutex<Whereabouts>>;

enum Whereabouts {
    Resting(Box<dyn Reader>),
    /// On a task of its own.
    Receiving(AbortHandle),
    Gone,
}

impl Hand {
    /// Receives on a task of its own, which a kill can end from outside.
    fn begin(&self, credit: NonZeroU32) -> Result<Receiving> {
        let mut place = lock(&self.place);
        let Whereabouts::Resting(mut reader) = mem::replace(&mut *place, Whereabouts::Gone) else {
            return Err(killed());
        };
        let receiving = tokio::spawn(async move {
            let batch = reader.receive(credit).await;
            (reader, batch)
        });
        *place = Whereabouts::Receiving(receiving.abort_handle());
        Ok(receiving)
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        if let Whereabouts::Receiving(receiving) = mem::replace(&mut *lock(&self.place), Whereabouts::Gone) {
            receiving.abort();
        }
        lock(&self.strings.places).retain(|place| !Arc::ptr_eq(place, &self.place));
    }
}

type Receiving = JoinHandle<(Box<dyn Reader>, Result<Batch>)>;

#[async_trait]
impl Reader for Hand {
    async fn receive(&mut self, credit: NonZeroU32) -> Result<Batch> {
        let mut state = self.strings.state.subscribe();
        let seen = self.seen;
        let mut receiving = self.begin(credit)?;
        let received = tokio::select! {
            biased;
            _ = state.wait_for(|state| state.dead || state.failures > seen) => None,
            received = &mut receiving => received.ok(),
        };
        let mut place = lock(&self.place);
        match received {
            Some((reader, batch)) if !self.strings.state.borrow().dead => {
                *place = Whereabouts::Resting(reader);
                batch.map(|batch| garble(batch, self.strings.garbles))
            }
            _ => {
                receiving.abort();
                *place = Whereabouts::Gone;
                Err(if self.strings.state.borrow().dead { killed() } else { cut() })
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes events for bytes that are none.
fn garble(batch: Batch, which: Option<fn(&AnyEvent) -> bool>) -> Batch {
    let Some(which) = which else { return batch };
    let garbled = batch.map(|received| match &received.body {
        Body::Event(event) if which(event) => {
            let bytes = event.to_json().expect("it has a body").slice(1..);
            let error = Error::new(ErrorKind::Undecodable, "not valid JSON");
            Received { body: Body::Undecodable(Box::new(Undecodable { bytes, error })), ..received }
        }
        _ => received,
    });
    garbled.collect::<Vec<_>>().into()
}

/// The settling half of a member.
struct Voice {
    inner: Arc<dyn Settler>,
    strings: Arc<Strings>,
}

#[async_trait]
impl Settler for Voice {
    async fn settle(&self, settlements: &[(Token, Settlement)]) -> Vec<Settled> {
        if self.strings.state.borrow().dead {
            return vec![Settled::Unknown; settlements.len()];
        }
        self.inner.settle(settlements).await
    }

    async fn extend(&self, tokens: &[Token]) -> Vec<Settled> {
        if self.strings.wedged {
            std::future::pending::<()>().await;
        }
        self.inner.extend(tokens).await
    }

    async fn stop(&self) {
        self.inner.stop().await;
    }
}

impl fmt::Debug for Puppet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Puppet").field(&self.inner).finish()
    }
}

impl fmt::Debug for Hand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hand({})", self.seen)
    }
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Voice").field(&self.inner).finish()
    }
}
