//! Building a subscription.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tower::{BoxError, Layer, Service};

use super::EventBus;
use super::subscription::{Running, Subscription};
use crate::engine::{
    AnyHandler, AnyLayer, Control, Dispatch, Driver, Handler, HandlerService, Idempotency, Invocation,
    Messages, OnDeadLetter, Plan, Retry, by_hand, erase, erase_layer,
};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{AnyEvent, Filter, FromEvent, Pattern};
use crate::transport::{Capabilities, Group, Mode, Order, Overflow, Start, SubscriptionSpec};

/// A subscription in the making: handlers, group and policies.
///
/// Defaults: members share the group, no order, 16 handlers at once, a time-out of 30 s per attempt, 12 attempts with
/// exponential back-off from 1 s to 10 min.
#[must_use = "a subscription does nothing until it is started"]
pub struct SubscriptionBuilder {
    bus: EventBus,
    group: String,
    dispatch: Dispatch,
    /// The first thing that is wrong, reported by `start`.
    failed: Option<Error>,
    mode: Mode,
    ephemeral: bool,
    order: Order,
    on_dead_letter: OnDeadLetter,
    overflow: Option<Overflow>,
    capacity: Option<usize>,
    start: Start,
    concurrency: usize,
    prefetch: Option<usize>,
    timeout: Timeout,
    retry: Retry,
    idempotency: Option<Idempotency>,
    layers: Vec<AnyLayer>,
}

/// The time-out of an attempt: hand-settled messages have none unless one is set.
#[derive(Clone, Copy)]
enum Timeout {
    Default,
    Set(Option<Duration>),
}

const CONCURRENCY: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most that is prefetched, unless set, while handlers are done at once.
const PREFETCH: usize = 256;

impl SubscriptionBuilder {
    pub(super) fn new(bus: EventBus, group: String) -> Self {
        Self {
            bus,
            group,
            dispatch: Dispatch::default(),
            failed: None,
            mode: Mode::Shared,
            ephemeral: false,
            order: Order::None,
            on_dead_letter: OnDeadLetter::default(),
            overflow: None,
            capacity: None,
            start: Start::Now,
            concurrency: CONCURRENCY,
            prefetch: None,
            timeout: Timeout::Default,
            retry: Retry::default(),
            idempotency: None,
            layers: Vec::new(),
        }
    }

    /// Adds a handler; its argument's type says which events it gets.
    ///
    /// One handler gets each event: the one for its exact type before those for patterns, and among patterns the first
    /// that was added.
    pub fn on<E: FromEvent, M: 'static>(self, handler: impl Handler<E, M>) -> Self {
        self.add(Ok(E::filters()), &erase(handler))
    }

    /// Adds a handler for the types that a pattern matches, of every source.
    pub fn on_pattern<M: 'static>(self, pattern: &str, handler: impl Handler<AnyEvent, M>) -> Self {
        let filter = pattern.parse::<Pattern>().map(|pattern| vec![Filter::new(pattern)]);
        self.add(filter, &erase(handler))
    }

    /// Adds a handler for what a filter matches: a pattern of one source.
    pub fn on_filter<M: 'static>(self, filter: Filter, handler: impl Handler<AnyEvent, M>) -> Self {
        self.add(Ok(vec![filter]), &erase(handler))
    }

    fn add(mut self, filters: Result<Vec<Filter>>, handler: &Arc<dyn AnyHandler>) -> Self {
        let added = filters.and_then(|filters| self.dispatch.add(filters, handler));
        self.failed = self.failed.or(added.err());
        self
    }

    /// Gives every instance all events, instead of sharing them.
    pub fn broadcast(self) -> Self {
        Self { mode: Mode::Broadcast, ..self }
    }

    /// Lets the group go, with everything it holds, when its last member goes.
    pub fn ephemeral(self) -> Self {
        Self { ephemeral: true, ..self }
    }

    /// Sets where the group starts when it is new; one that exists goes on where it stands. Default: with what is
    /// published from now on. For transports that keep what was published.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> eventbus::Result<()> {
    /// # let bus = eventbus::EventBus::connect("local:").await?;
    /// use eventbus::AnyEvent;
    /// use eventbus::transport::Start;
    /// let start = if bus.capabilities().replay { Start::Beginning } else { Start::Now };
    /// bus.subscribe("audit").on(|_: AnyEvent| async { Ok(()) }).start_from(start).start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn start_from(self, start: Start) -> Self {
        Self { start, ..self }
    }

    /// Keeps the order of each key, also across retries; other keys flow.
    pub fn order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// With order per key: sets what becomes of a key when one of its messages is dead-lettered. Default: it is held.
    pub fn on_dead_letter(self, then: OnDeadLetter) -> Self {
        Self { on_dead_letter: then, ..self }
    }

    /// Sets how many handlers run at once; above 0. Default 16.
    pub fn concurrency(self, handlers: usize) -> Self {
        Self { concurrency: handlers, ..self }
    }

    /// Sets how many messages are held at once, running ones included; at least the concurrency. Default: twice the
    /// concurrency, growing to 256 while handlers are done at once. With order per key, messages behind another of
    /// their key count only beyond sixteen times that.
    pub fn prefetch(self, messages: usize) -> Self {
        Self { prefetch: Some(messages), ..self }
    }

    /// Sets how long an attempt may take. Default 30 s; none for hand-settled messages.
    pub fn timeout(self, limit: Duration) -> Self {
        Self { timeout: Timeout::Set(Some(limit)), ..self }
    }

    /// Lets an attempt take as long as it likes.
    pub fn no_timeout(self) -> Self {
        Self { timeout: Timeout::Set(None), ..self }
    }

    /// Sets how often a message is tried, and how long it waits between attempts.
    pub fn retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    /// Guards handlers against duplicates.
    pub fn idempotent(self, guard: Idempotency) -> Self {
        Self { idempotency: Some(guard), ..self }
    }

    /// Sets what happens to an event when the group's queue is full; for transports with a queue in this process.
    pub fn overflow(self, overflow: Overflow) -> Self {
        Self { overflow: Some(overflow), ..self }
    }

    /// Sets how many unsettled messages the group holds; for transports with a queue in this process.
    pub fn capacity(self, messages: NonZeroUsize) -> Self {
        Self { capacity: Some(messages.get()), ..self }
    }

    /// Puts a tower layer around the handlers; the last one added is the outermost.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<HandlerService> + Send + Sync + 'static,
        L::Service: Service<Invocation, Response = ()> + Clone + Send + Sync + 'static,
        <L::Service as Service<Invocation>>::Error: Into<BoxError>,
        <L::Service as Service<Invocation>>::Future: Send + 'static,
    {
        self.layers.push(erase_layer(layer));
        self
    }

    /// Starts it. When this returns, the group exists and gets everything that is published from now on, or earlier
    /// where it [starts](Self::start_from) there.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for a bad name, pattern or number, or when there is no handler;
    /// [`Unsupported`](ErrorKind::Unsupported) for what the transport cannot do; [`Conflict`](ErrorKind::Conflict) when
    /// two handlers want the same, or the group runs with other event types; [`NotFound`](ErrorKind::NotFound) when a
    /// new group is to start with an event that the transport does not have (any more); [`Closed`](ErrorKind::Closed)
    /// after a shutdown began.
    pub async fn start(self) -> Result<Subscription> {
        let control = Arc::new(Control::new());
        self.run(control, TIMEOUT).await
    }

    /// Starts it as a stream of messages that are settled by hand, for the types that a pattern matches.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`Conflict`](ErrorKind::Conflict) when it has handlers too.
    pub async fn stream(self, pattern: &str) -> Result<Messages> {
        if !self.dispatch.is_empty() {
            return Err(Error::new(ErrorKind::Conflict, "a subscription has handlers or a stream, not both"));
        }
        let control = Arc::new(Control::new());
        let (handler, messages) = by_hand(self.concurrency.max(1), &control);
        let filter = pattern.parse::<Pattern>().map(|pattern| vec![Filter::new(pattern)]);
        self.add(filter, &handler).run(control, Duration::MAX).await?;
        Ok(messages)
    }

    async fn run(mut self, control: Arc<Control>, timeout: Duration) -> Result<Subscription> {
        self.bus.is_open()?;
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        let timeout = match self.timeout {
            Timeout::Default => Some(timeout).filter(|timeout| *timeout != Duration::MAX),
            Timeout::Set(timeout) => timeout,
        };
        let spec = self.spec()?;
        self.check(&spec, timeout)?;
        for layer in &self.layers {
            self.dispatch.wrap(|handler| layer(handler));
        }
        if let Some(guard) = &self.idempotency {
            self.dispatch.wrap(|handler| guard.guard(handler));
        }
        let bus = self.bus.clone();
        let plan = Arc::new(self.plan(spec, timeout));
        let membership = plan.transport.open(&plan.spec).await?;
        let task = tokio::spawn(Driver::new(Arc::clone(&plan), Arc::clone(&control), membership).run());
        let running = Arc::new(Running::new(plan, control, task));
        let mut subscriptions = bus.running();
        subscriptions.retain(|other| !other.is_over());
        subscriptions.push(Arc::clone(&running));
        Ok(Subscription::new(running))
    }

    fn spec(&self) -> Result<SubscriptionSpec> {
        if self.dispatch.is_empty() {
            return Err(Error::invalid("subscription: has no handler"));
        }
        Ok(SubscriptionSpec {
            group: Group::new(self.group.clone())?,
            mode: self.mode,
            ephemeral: self.ephemeral,
            filters: self.dispatch.filters(),
            order: self.order,
            overflow: self.overflow,
            capacity: self.capacity,
            start: self.start.clone(),
        })
    }

    /// Refuses now what would fail at three in the morning.
    fn check(&self, spec: &SubscriptionSpec, timeout: Option<Duration>) -> Result<()> {
        if self.concurrency == 0 || self.prefetch.is_some_and(|prefetch| prefetch < self.concurrency) {
            return Err(Error::invalid("concurrency: must be above 0, and prefetch at least as much"));
        }
        if let Some(guard) = &self.idempotency {
            guard.check(timeout)?;
        }
        let can = self.bus.capabilities();
        can.check(spec)?;
        self.check_settling(can, timeout)?;
        let longest = *self.retry.bounds(u32::MAX).end();
        match can.retry_delay {
            _ if self.retry.limit() == 1 => Ok(()),
            None => Err(can.lack("retries: set Retry::never()")),
            Some(most) if longest > most => Err(can.lack("retry delays that long")),
            Some(_) => Ok(()),
        }
    }

    /// A message waits for a handler to be free, and then for its own.
    fn check_settling(&self, can: &Capabilities, timeout: Option<Duration>) -> Result<()> {
        let Some(limit) = can.settle_within else { return Ok(()) };
        let Some(timeout) = timeout else {
            tracing::warn!(group = %self.group, ?limit, "nothing ends a handler before the server takes its message back");
            return Ok(());
        };
        match timeout.saturating_mul(2) > limit {
            true => Err(can.lack(&format!(
                "handler time-outs of {timeout:?}: a message that waited for another is taken back after {limit:?}; set a \
                 shorter one, or raise the server's limit and tell the transport"
            ))),
            false => Ok(()),
        }
    }

    /// How many messages are read ahead, at least and at most.
    fn window(&self) -> RangeInclusive<usize> {
        let twice = self.concurrency.saturating_mul(2);
        match self.prefetch {
            Some(fixed) => fixed..=fixed,
            None => twice..=PREFETCH.max(twice),
        }
    }

    fn plan(self, spec: SubscriptionSpec, timeout: Option<Duration>) -> Plan {
        let prefetch = self.window();
        Plan {
            transport: Arc::clone(&self.bus.0.transport),
            group: Arc::new(spec.group.clone()),
            spec,
            dispatch: self.dispatch,
            retry: self.retry,
            on_dead_letter: self.on_dead_letter,
            timeout,
            concurrency: self.concurrency,
            prefetch,
            bus: self.bus.0.number,
        }
    }
}

impl fmt::Debug for SubscriptionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionBuilder").field("group", &self.group).finish_non_exhaustive()
    }
}
