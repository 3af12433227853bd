//! A transport of one's own: events in memory, for groups whose members share them, and nothing beyond that.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use eventbus::transport::{
    Backlog, Batch, Capabilities, Group, History, Membership, Publishing, Reader, Received, Settled,
    Settlement, Settler, SubscriptionSpec, Token, Transport,
};
use eventbus::{AnyEvent, Error, ErrorKind, Result};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, timeout_at};

/// The most messages a group holds; a publisher is told when there is no room.
const ROOM: usize = 65_536;

/// All groups in one cell, which tells every member when something changed. A clone is the same transport.
#[derive(Debug, Clone, Default)]
pub(crate) struct QueueTransport(Arc<watch::Sender<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    groups: HashMap<Group, Queue>,
    closed: bool,
    /// Numbers messages and members.
    last: u64,
}

#[derive(Debug)]
struct Queue {
    spec: SubscriptionSpec,
    members: u64,
    /// In the order they were published.
    messages: BTreeMap<Token, Message>,
}

#[derive(Debug)]
struct Message {
    event: AnyEvent,
    attempt: u32,
    history: Option<Box<History>>,
    /// When it may be handed out.
    due: Instant,
    /// The member that has it.
    owner: Option<u64>,
}

impl QueueTransport {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut result = None;
        self.0.send_modify(|state| result = Some(change(state)));
        result.expect("the change was made")
    }
}

impl State {
    fn open(&self) -> Result<()> {
        if self.closed { Err(Error::closed("the queue transport")) } else { Ok(()) }
    }

    /// Stores an event for every group that wants it, or for none.
    fn store(&mut self, event: &AnyEvent) -> Result<()> {
        self.open()?;
        self.last += 1;
        let wanting = |queue: &&mut Queue| queue.spec.wants(event);
        if self.groups.values_mut().filter(wanting).any(|queue| queue.messages.len() >= ROOM) {
            return Err(Error::new(ErrorKind::Full, "a group has no room"));
        }
        for queue in self.groups.values_mut().filter(wanting) {
            let (event, due) = (event.clone(), Instant::now());
            queue
                .messages
                .insert(Token(self.last), Message { event, attempt: 1, history: None, due, owner: None });
        }
        Ok(())
    }
}

impl Queue {
    /// Hands out what nobody has, oldest first.
    fn take(&mut self, member: u64, credit: NonZeroU32) -> Vec<Received> {
        let now = Instant::now();
        let free =
            self.messages.iter_mut().filter(|(_, message)| message.owner.is_none() && message.due <= now);
        let hand = |(token, message): (&Token, &mut Message)| {
            message.owner = Some(member);
            let (attempt, history) = (message.attempt, message.history.clone());
            Received { attempt, history, ..Received::first(*token, message.event.clone()) }
        };
        free.take(credit.get() as usize).map(hand).collect()
    }

    /// When there is something to hand out, if nothing changes before.
    fn due(&self) -> Option<Instant> {
        self.messages.values().filter(|message| message.owner.is_none()).map(|message| message.due).min()
    }

    fn settle(&mut self, member: u64, token: Token, settlement: &Settlement) -> Settled {
        let Some(message) = self.messages.get_mut(&token).filter(|message| message.owner == Some(member))
        else {
            return Settled::Lost;
        };
        message.owner = None;
        match settlement {
            Settlement::Return => {}
            Settlement::RetryAfter { delay, failure } => {
                (message.attempt, message.due) = (message.attempt + 1, Instant::now() + *delay);
                message.history.get_or_insert_default().push((**failure).clone());
            }
            Settlement::Ack | Settlement::DeadLetter { .. } => drop(self.messages.remove(&token)),
        }
        Settled::Applied
    }

    fn leave(&mut self, member: u64) {
        self.members -= 1;
        for message in self.messages.values_mut().filter(|message| message.owner == Some(member)) {
            (message.attempt, message.owner) = (message.attempt + 1, None);
        }
    }

    fn backlog(&self) -> Backlog {
        let (now, mut backlog) = (Instant::now(), Backlog { members: self.members, ..Backlog::default() });
        for message in self.messages.values() {
            match message.owner {
                Some(_) => backlog.in_flight += 1,
                None if message.due > now => backlog.waiting += 1,
                None => backlog.queued += 1,
            }
        }
        backlog
    }
}

#[async_trait]
impl Transport for QueueTransport {
    fn capabilities(&self) -> Capabilities {
        let day = Duration::from_secs(24 * 3600);
        Capabilities { retry_delay: Some(day), ..Capabilities::minimal("queue") }
    }

    async fn publish(&self, batch: &[AnyEvent], _: Publishing) -> Vec<Result<()>> {
        self.change(|state| batch.iter().map(|event| state.store(event)).collect())
    }

    async fn open(&self, spec: &SubscriptionSpec) -> Result<Membership> {
        self.capabilities().check(spec)?;
        let number = self.change(|state| {
            state.open()?;
            state.last += 1;
            let fresh = || Queue { spec: spec.clone(), members: 0, messages: BTreeMap::new() };
            let queue = state.groups.entry(spec.group.clone()).or_insert_with(fresh);
            if queue.spec.filters != spec.filters {
                return Err(Error::new(ErrorKind::Conflict, "the group runs with other event types"));
            }
            queue.members += 1;
            Ok(state.last)
        })?;
        let (transport, group, stopped) = (self.clone(), spec.group.clone(), AtomicBool::new(false));
        let member = Arc::new(Member { transport, group, number, stopped });
        Ok(Membership { reader: Box::new(QueueReader(Arc::clone(&member))), settler: member })
    }

    async fn forget(&self, group: &Group) -> Result<bool> {
        self.change(|state| match state.groups.get(group) {
            Some(queue) if queue.members > 0 => Err(Error::new(ErrorKind::Conflict, "the group has members")),
            _ => Ok(state.groups.remove(group).is_some()),
        })
    }

    async fn backlog(&self, group: &Group) -> Result<Option<Backlog>> {
        Ok(self.0.borrow().groups.get(group).map(Queue::backlog))
    }

    async fn drained(&self) {
        let busy = |queue: &Queue| queue.members > 0 && !queue.messages.is_empty();
        // Cannot fail: the sender is this transport.
        drop(self.0.subscribe().wait_for(|state| !state.groups.values().any(busy)).await);
    }

    async fn close(&self) -> Result<()> {
        self.change(|state| state.closed = true);
        Ok(())
    }
}

/// One member of a group.
#[derive(Debug)]
struct Member {
    transport: QueueTransport,
    group: Group,
    number: u64,
    stopped: AtomicBool,
}

/// Receives; when it is dropped, the member has left.
#[derive(Debug)]
struct QueueReader(Arc<Member>);

#[async_trait]
impl Reader for QueueReader {
    async fn receive(&mut self, credit: NonZeroU32) -> Result<Batch> {
        let Member { transport, group, number, stopped } = &*self.0;
        let mut changes = transport.0.subscribe();
        loop {
            changes.borrow_and_update().open()?;
            let (mut batch, mut due) = (Vec::new(), None);
            // Tells nobody: what one takes is news to nobody else.
            transport.0.send_if_modified(|state| {
                if let Some(queue) = state.groups.get_mut(group) {
                    (batch, due) = (queue.take(*number, credit), queue.due());
                }
                false
            });
            if !batch.is_empty() || stopped.load(Ordering::SeqCst) {
                return Ok(batch.into());
            }
            // Whichever comes first, it looks again.
            match due {
                Some(due) => drop(timeout_at(due, changes.changed()).await),
                None => drop(changes.changed().await),
            }
        }
    }
}

impl Drop for QueueReader {
    fn drop(&mut self) {
        let Member { transport, group, number, .. } = &*self.0;
        transport.change(|state| state.groups.get_mut(group).map(|queue| queue.leave(*number)));
    }
}

#[async_trait]
impl Settler for Member {
    async fn settle(&self, settlements: &[(Token, Settlement)]) -> Vec<Settled> {
        self.transport.change(|state| {
            let mut queue = state.groups.get_mut(&self.group);
            let settle = |(token, settlement): &(Token, Settlement)| match &mut queue {
                Some(queue) => queue.settle(self.number, *token, settlement),
                None => Settled::Lost,
            };
            settlements.iter().map(settle).collect()
        })
    }

    async fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.transport.change(|_| ());
    }
}
