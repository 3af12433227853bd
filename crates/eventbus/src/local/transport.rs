//! The local transport: publishing, joining, scheduling, and its one background task.

use std::fmt;
use std::sync::{OnceLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::channel::{Channel, NoRoom};
use super::config::LocalConfig;
use super::dead::{DeadStore, LocalDeadLetters};
use super::group::Parts;
use super::reader::join;
use super::registry::{Registry, Route};
use super::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, lock};
use super::waiters::Waiters;
use super::wheel::{Due, LONGEST, Wheel};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{AnyEvent, EventId, shorten};
use crate::transport::{
    Backlog, Capabilities, DeadLetters, Durability, Group, Membership, Mode, Publishing, SubscriptionSpec,
    Transport, WhenFull,
};

/// Events within one process: bounded queues, no encoding, no lock that all publishers share.
///
/// It keeps every promise that needs no disk. What it holds is gone when the process ends; a shutdown of the bus drains
/// it first. A clone is the same transport.
#[derive(Clone)]
pub struct LocalTransport(Arc<Inner>);

struct Inner {
    config: LocalConfig,
    registry: Registry,
    wheel: Arc<Wheel>,
    /// Publishes and hands back what is due; started with the first member or scheduled event.
    timekeeper: OnceLock<Mutex<Option<JoinHandle<()>>>>,
    quiet: Arc<Waiters>,
    instances: AtomicU64,
    closed: AtomicBool,
}

impl LocalTransport {
    /// A transport with these settings.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) when a bound is 0.
    pub fn new(config: LocalConfig) -> Result<Self> {
        config.check()?;
        let quiet = Arc::new(Waiters::default());
        Ok(Self(Arc::new(Inner {
            config,
            registry: Registry::new(Arc::clone(&quiet)),
            wheel: Arc::new(Wheel::default()),
            timekeeper: OnceLock::new(),
            quiet,
            instances: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        })))
    }

    /// Waits until nothing is queued, in flight or due to come back, in any group with members, and nothing is
    /// scheduled.
    ///
    /// Messages parked behind a dead letter that holds their key do not count: only an operator can move them.
    pub async fn quiet(&self) {
        self.until(|inner| inner.registry.is_idle(|| inner.wheel.scheduled() == 0)).await;
    }

    async fn until(&self, condition: impl Fn(&Inner) -> bool) {
        self.0.quiet.until(|| condition(&self.0).then_some(())).await;
    }

    fn start(&self) {
        self.0.timekeeper.get_or_init(|| {
            let (inner, wheel) = (Arc::downgrade(&self.0), Arc::clone(&self.0.wheel));
            Mutex::new(Some(tokio::spawn(keep_time(inner, wheel))))
        });
    }
}

/// Hands out what is due until the transport is gone.
async fn keep_time(transport: Weak<Inner>, wheel: Arc<Wheel>) {
    loop {
        let due = wheel.due().await;
        let Some(transport) = transport.upgrade() else { return };
        for due in due {
            match due {
                Due::Retry(group, stored) => {
                    if let Some(group) = group.upgrade() {
                        group.due(stored);
                    }
                }
                Due::Publish(event, number) => {
                    transport.force(&event);
                    wheel.published(event.id(), number);
                }
            }
        }
        transport.quiet.wake();
    }
}

impl Drop for Inner {
    /// A transport that nobody closed takes its task along.
    fn drop(&mut self) {
        if let Some(task) = self.timekeeper.get().and_then(|handle| lock(handle).take()) {
            task.abort();
        }
    }
}

impl Inner {
    /// Publishes an event that was accepted before: it has its room already, among the scheduled.
    fn force(&self, event: &AnyEvent) {
        for channel in &self.registry.route(event).channels {
            channel.append(&mut channel.lock(), std::slice::from_ref(event));
            channel.shared.bell.ring();
        }
    }

    /// Appends as many of the events as there is room for in all channels; they share their route.
    fn store(&self, route: &Route, events: &[AnyEvent]) -> Result<usize, (Arc<Channel>, NoRoom)> {
        let mut room = events.len();
        let mut ends = Vec::with_capacity(route.channels.len());
        for channel in &route.channels {
            let mut end = channel.lock();
            room = end.room(room).map_err(|none| (Arc::clone(channel), none))?;
            ends.push(end);
        }
        // Under the locks: what is stored before the end of the transport is there when the end is reported.
        if self.closed.load(Ordering::SeqCst) {
            return Ok(0);
        }
        for (channel, end) in route.channels.iter().zip(&mut ends) {
            channel.append(end, &events[..room]);
        }
        drop(ends);
        route.channels.iter().for_each(|channel| channel.shared.bell.ring());
        Ok(room)
    }

    /// Stores events of one route, waiting for room where that is allowed; tells how many, and why not the rest.
    async fn store_all(
        &self,
        route: &Route,
        events: &[AnyEvent],
        publishing: &mut Deadline,
    ) -> (usize, Result<()>) {
        let mut stored = 0;
        while stored < events.len() {
            match self.store(route, &events[stored..]) {
                Ok(0) => return (stored, Err(Error::closed("the local transport"))),
                Ok(count) => stored += count,
                Err((_, NoRoom::Fail(group))) => {
                    return (stored, Err(full(&group, "its overflow setting is to fail")));
                }
                Err((channel, NoRoom::Wait(group))) => {
                    if publishing.when_full == WhenFull::Fail {
                        return (
                            stored,
                            Err(full(&group, "a handler must not wait for a queue it may have to empty")),
                        );
                    }
                    let room = channel.shared.room.until(|| {
                        let open = channel.lock().room(1).is_ok() || self.closed.load(Ordering::SeqCst);
                        open.then_some(())
                    });
                    if timeout_at(publishing.until(), room).await.is_err() {
                        return (stored, Err(full(&group, "it had no room before the deadline")));
                    }
                }
            }
        }
        (stored, Ok(()))
    }

    fn forget(&self, group: &Group) -> bool {
        let removed = self.registry.remove(group);
        removed.inspect(|queue| queue.dead.forget(queue)).is_some()
    }
}

/// How long a publish may go on.
struct Deadline {
    within: Duration,
    /// Fixed when it first waits: most never do.
    until: Option<Instant>,
    when_full: WhenFull,
}

impl Deadline {
    fn until(&mut self) -> Instant {
        *self.until.get_or_insert_with(|| Instant::now() + self.within.min(LONGEST))
    }
}

/// In what a group differs from what a new member asks for.
fn conflict(group: &SubscriptionSpec, asked: &SubscriptionSpec) -> Option<&'static str> {
    let capacity = asked.capacity.is_some() && asked.capacity != group.capacity;
    let differences = [
        (asked.filters != group.filters, "other event types"),
        (asked.order != group.order, "another order"),
        (asked.ephemeral != group.ephemeral, "another life span: ephemeral or not"),
        (asked.overflow != group.overflow || capacity, "another overflow or capacity"),
    ];
    differences.iter().find(|(differs, _)| *differs).map(|(_, what)| *what)
}

fn full(group: &Group, why: &str) -> Error {
    Error::new(ErrorKind::Full, format!("the queue of group {:?} is full: {why}", shorten(group.as_str())))
}

#[async_trait]
impl Transport for LocalTransport {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            durability: Durability::Process,
            key_order: true,
            broadcast: true,
            ephemeral: true,
            delayed_publish: true,
            retry_delay: Some(LONGEST),
            dead_letters: true,
            overflow: true,
            ..Capabilities::minimal("local")
        }
    }

    async fn publish(&self, batch: &[AnyEvent], publishing: Publishing) -> Vec<Result<()>> {
        let mut deadline =
            Deadline { within: publishing.deadline, until: None, when_full: publishing.when_full };
        let mut outcomes = Vec::with_capacity(batch.len());
        while outcomes.len() < batch.len() {
            let rest = &batch[outcomes.len()..];
            let (route, len) = self.0.registry.route_run(rest);
            let run = &rest[..len];
            let (stored, result) = self.0.store_all(&route, run, &mut deadline).await;
            outcomes.extend((0..stored).map(|_| Ok(())));
            if let Err(error) = result {
                // What follows is not tried, so that nothing overtakes the event that was not stored.
                let (kind, text) = (error.kind(), error.to_string());
                outcomes.push(Err(error));
                outcomes.resize_with(batch.len(), || Err(Error::new(kind, text.clone())));
            }
        }
        outcomes
    }

    async fn schedule(&self, event: &AnyEvent, delay: Duration) -> Result<()> {
        if self.0.closed.load(Ordering::SeqCst) {
            return Err(Error::closed("the local transport"));
        }
        if delay > LONGEST {
            return Err(Error::new(ErrorKind::Refused, "delay: must be at most 365 days"));
        }
        self.start();
        match self.0.wheel.schedule(event.clone(), delay, self.0.config.scheduled) {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Full, "too many events wait for their time of publication")),
        }
    }

    async fn cancel(&self, id: &EventId) -> Result<bool> {
        let cancelled = self.0.wheel.cancel(id);
        self.0.quiet.wake();
        Ok(cancelled)
    }

    async fn scheduled(&self) -> u64 {
        self.0.wheel.scheduled() as u64
    }

    async fn open(&self, subscription: &SubscriptionSpec) -> Result<Membership> {
        if self.0.closed.load(Ordering::SeqCst) {
            return Err(Error::closed("the local transport"));
        }
        self.capabilities().check(subscription)?;
        self.start();
        let mut spec = subscription.clone();
        spec.overflow = spec.overflow.or(Some(self.0.config.overflow));
        let name = self.name(&spec);
        let (inner, gone) = (Arc::downgrade(&self.0), spec.mode == Mode::Broadcast || spec.ephemeral);
        let of = name.clone();
        let left = move |left| {
            if let (0, true, Some(inner)) = (left, gone, inner.upgrade()) {
                inner.forget(&of);
            }
        };
        self.0.registry.enter(
            &name,
            || self.parts(spec.clone()),
            |group| {
                if let Some(what) = conflict(&group.spec, &spec) {
                    let text = format!("group {:?} runs with {what}", shorten(name.as_str()));
                    return Err(Error::new(ErrorKind::Conflict, text));
                }
                let (reader, settler) = join(group, left);
                Ok(Membership { reader: Box::new(reader), settler: Arc::new(settler) })
            },
        )
    }

    async fn forget(&self, group: &Group) -> Result<bool> {
        let forgotten = self.0.forget(group);
        if !forgotten && !self.0.registry.queues(group).is_empty() {
            let text = format!("group {:?} has members", shorten(group.as_str()));
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        Ok(forgotten)
    }

    async fn backlog(&self, group: &Group) -> Result<Option<Backlog>> {
        let queues = self.0.registry.queues(group);
        let dead = queues.first().map(|queue| queue.dead.len() as u64);
        let left = queues.iter().map(|queue| queue.backlog()).reduce(Backlog::plus);
        Ok(left.zip(dead).map(|(left, dead)| Backlog { dead, ..left }))
    }

    async fn drained(&self) {
        self.until(|inner| inner.registry.is_idle(|| true)).await;
    }

    fn dead_letters(&self, group: &Group) -> Arc<dyn DeadLetters> {
        Arc::new(LocalDeadLetters(self.dead(group)))
    }

    async fn close(&self) -> Result<()> {
        self.0.closed.store(true, Ordering::SeqCst);
        self.0.registry.settle_publishers();
        for group in self.0.registry.groups() {
            group.close();
        }
        self.0.wheel.clear();
        self.0.quiet.wake();
        let timekeeper = self.0.timekeeper.get().and_then(|handle| lock(handle).take());
        if let Some(task) = timekeeper {
            task.abort();
            match task.await {
                Err(error) if error.is_panic() => {
                    return Err(Error::new(
                        ErrorKind::Closed,
                        "the timekeeper of the local transport panicked",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl LocalTransport {
    /// The name of the queue: the group's, or a private one for an instance of a broadcast.
    fn name(&self, spec: &SubscriptionSpec) -> Group {
        match spec.mode {
            Mode::Shared => spec.group.clone(),
            Mode::Broadcast => spec.group.instance(self.0.instances.fetch_add(1, Ordering::Relaxed)),
        }
    }

    fn dead(&self, group: &Group) -> Option<Arc<DeadStore>> {
        self.0.registry.queues(group).first().map(|queue| Arc::clone(&queue.dead))
    }

    fn parts(&self, spec: SubscriptionSpec) -> Parts {
        Parts {
            capacity: spec.capacity.unwrap_or(self.0.config.capacity),
            dead: self.dead(&spec.group).unwrap_or_default(),
            spec,
            dead_capacity: self.0.config.dead_letters,
            wheel: Arc::clone(&self.0.wheel),
        }
    }
}

impl fmt::Debug for LocalTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTransport").field("config", &self.0.config).finish_non_exhaustive()
    }
}
