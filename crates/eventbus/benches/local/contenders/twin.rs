//! What a user would write by hand to get the same guarantees: a routing table from type to the bounded queues of the
//! groups that want it, and per group a task that keeps a message until its handler is done.
//!
//! As in ours a handler is polled once where it is, and gets a task and a time-out only when it is not done by then;
//! errors and panics are retried after a delay; a handler that publishes does not wait for room.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use eventbus::{AnyEvent, EventType, HandlerError, HandlerResult};
use foldhash::fast::RandomState;
use futures::StreamExt as _;
use slab::Slab;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::ReusableBoxFuture;
use tokio_util::time::DelayQueue;

use crate::load::{Contender, Groups, Handle, Load, Wants};

const CAPACITY: usize = 65_536;
const PREFETCH: usize = 256;
const CONCURRENCY: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(30);
const DELAY: Duration = Duration::from_secs(1);
const ATTEMPTS: u32 = 12;

type Route = Arc<[Sender<AnyEvent>]>;
type Running = ReusableBoxFuture<'static, HandlerResult>;

thread_local! {
    /// Whether a handler runs on this thread right now.
    static HANDLING: Cell<bool> = const { Cell::new(false) };
}

pub(crate) struct Twin {
    routes: RwLock<Routes>,
    groups: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Routes {
    exact: HashMap<EventType, Route, RandomState>,
    /// For types that no group asked for by name.
    rest: Option<Route>,
}

impl Twin {
    fn route(&self, event: &AnyEvent) -> Option<Route> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.exact.get(event.event_type()).or(routes.rest.as_ref()).cloned()
    }

    async fn store(&self, events: &[AnyEvent]) {
        let mut rest = events;
        while let Some(first) = rest.first() {
            let Some(route) = self.route(first) else {
                rest = &rest[1..];
                continue;
            };
            let alike = |event: &&AnyEvent| event.event_type() == first.event_type();
            let run = rest.iter().take_while(alike).count();
            for queue in route.iter() {
                send(queue, &rest[..run]).await;
            }
            rest = &rest[run..];
        }
    }
}

/// Waits for room, except in a handler.
async fn send(queue: &Sender<AnyEvent>, events: &[AnyEvent]) {
    if let ([event], false) = (events, HANDLING.get()) {
        queue.send(event.clone()).await.expect("groups live as long as the bus");
    } else if HANDLING.get() {
        let permits = queue.try_reserve_many(events.len()).expect("handlers do not wait for room");
        permits.zip(events).for_each(|(permit, event)| permit.send(event.clone()));
    } else {
        let permits = queue.reserve_many(events.len()).await.expect("groups live as long as the bus");
        permits.zip(events).for_each(|(permit, event)| permit.send(event.clone()));
    }
}

impl Contender for Twin {
    async fn start<H: Handle>(groups: &Groups, handler: impl Fn(usize) -> H + Send + Sync) -> Self {
        let mut tasks = Vec::new();
        let (mut exact, mut rest) = (HashMap::<EventType, Vec<_>, RandomState>::default(), Vec::new());
        for (number, wants) in groups.wants.iter().enumerate() {
            let (sender, queue) = channel(CAPACITY);
            tasks.push(tokio::spawn(Group::new(queue, handler(number)).run()));
            match wants {
                Wants::All => rest.push(sender),
                Wants::Type(wanted) => exact.entry(wanted.clone()).or_default().push(sender),
            }
        }
        let exact = exact.into_iter().map(|(name, mut senders)| {
            senders.extend_from_slice(&rest);
            (name, Route::from(senders))
        });
        let routes = Routes { exact: exact.collect(), rest: (!rest.is_empty()).then(|| Route::from(rest)) };
        Self { routes: RwLock::new(routes), groups: tasks }
    }

    async fn send(&self, event: &AnyEvent) {
        self.store(std::slice::from_ref(event)).await;
    }

    async fn publish(&self, load: &Load) {
        for _ in 0..load.rounds {
            for batch in load.pool.chunks(load.batch) {
                self.store(batch).await;
            }
        }
    }

    async fn stop(self) {
        drop(self.routes);
        for group in self.groups {
            group.await.expect("groups do not panic");
        }
    }
}

/// One group at work.
struct Group<H> {
    queue: Receiver<AnyEvent>,
    handler: H,
    backlog: VecDeque<AnyEvent>,
    /// Messages from their receipt until they are acknowledged, given up or retried.
    in_flight: Slab<Message>,
    slot: Option<Running>,
    tasks: JoinSet<(usize, HandlerResult)>,
    retries: DelayQueue<Message>,
    dead: Vec<Message>,
    acked: u64,
}

struct Message {
    event: AnyEvent,
    attempt: u32,
}

impl<H, F> Group<H>
where
    H: Fn(AnyEvent) -> F + Send + 'static,
    F: Future<Output = HandlerResult> + Send + 'static,
{
    fn new(queue: Receiver<AnyEvent>, handler: H) -> Self {
        Self {
            queue,
            handler,
            backlog: VecDeque::new(),
            in_flight: Slab::new(),
            slot: None,
            tasks: JoinSet::new(),
            retries: DelayQueue::new(),
            dead: Vec::new(),
            acked: 0,
        }
    }

    async fn run(mut self) {
        let mut batch = Vec::with_capacity(PREFETCH);
        loop {
            while self.tasks.len() < CONCURRENCY
                && let Some(event) = self.backlog.pop_front()
            {
                self.begin(Message { event, attempt: 1 });
            }
            let room = if self.backlog.is_empty() { PREFETCH - self.tasks.len() } else { 0 };
            tokio::select! {
                biased;
                Some(finished) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    let (id, result) = finished.expect("panics are caught within");
                    self.settle(id, &result);
                }
                Some(due) = self.retries.next(), if !self.retries.is_empty() => self.begin(due.into_inner()),
                received = self.queue.recv_many(&mut batch, room), if room > 0 => {
                    if received == 0 {
                        break;
                    }
                    self.backlog.extend(batch.drain(..));
                }
            }
        }
        assert!(self.in_flight.is_empty() && self.dead.is_empty() && self.acked > 0);
    }

    /// Runs a handler, as far as it goes at once.
    fn begin(&mut self, message: Message) {
        let event = message.event.clone();
        let id = self.in_flight.insert(message);
        let (slot, handler) = (&mut self.slot, &self.handler);
        let polled = caught(|| {
            let running = handler(event);
            let slot = match slot {
                Some(slot) => {
                    slot.set(running);
                    slot
                }
                None => slot.insert(Running::new(running)),
            };
            slot.poll(&mut Context::from_waker(Waker::noop()))
        });
        match polled {
            Ok(Poll::Ready(result)) => self.settle(id, &result),
            Ok(Poll::Pending) => {
                let running = self.slot.take().expect("it was put there above");
                self.tasks.spawn(async move { (id, finish(running).await) });
            }
            Err(panicked) => {
                self.slot = None;
                self.settle(id, &Err(panicked));
            }
        }
    }

    fn settle(&mut self, id: usize, result: &HandlerResult) {
        let Message { event, attempt } = self.in_flight.remove(id);
        match result {
            Ok(()) => self.acked += 1,
            Err(_) if attempt < ATTEMPTS => {
                self.retries.insert(Message { event, attempt: attempt + 1 }, DELAY);
            }
            Err(_) => self.dead.push(Message { event, attempt }),
        }
    }
}

/// The rest of a handler that was not done at once.
async fn finish(mut running: Running) -> HandlerResult {
    let polled = std::future::poll_fn(|context| match caught(|| running.poll(context)) {
        Ok(polled) => polled,
        Err(panicked) => Poll::Ready(Err(panicked)),
    });
    let late = || Err(HandlerError::transient("took too long"));
    tokio::time::timeout(TIMEOUT, polled).await.unwrap_or_else(|_| late())
}

fn caught<T>(piece: impl FnOnce() -> T) -> Result<T, HandlerError> {
    HANDLING.set(true);
    let result = catch_unwind(AssertUnwindSafe(piece));
    HANDLING.set(false);
    result.map_err(|_| HandlerError::transient("the handler panicked"))
}
