//! What the models have in common: groups on channels, publishers and members as the transport makes them.

use std::future::poll_fn;
use std::time::Duration;

use shuttle::future::block_on;

use super::bell::Sleeper;
use super::channel::{Channel, NoRoom};
use super::group::{GroupQueue, Parts};
use super::registry::Registry;
use super::sync::Arc;
use super::waiters::Waiters;
use super::wheel::Wheel;
use crate::event::{AnyEvent, Filter, Pattern, Step, Timestamp};
use crate::transport::{
    Batch, Body, Failure, Group, Mode, Order, Reason, Received, Settled, Settlement, Start, SubscriptionSpec,
    Token,
};

/// Room that no model fills.
pub(super) const PLENTY: usize = 100;

/// What a group is like.
pub(super) struct Like {
    filter: Filter,
    order: Order,
    capacity: usize,
}

impl Like {
    /// A group that wants the types a pattern matches.
    pub(super) fn of(pattern: &str) -> Self {
        let pattern: Pattern = pattern.parse().expect("a pattern");
        Self { filter: Filter::new(pattern), order: Order::None, capacity: PLENTY }
    }

    pub(super) fn order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    pub(super) fn capacity(self, capacity: usize) -> Self {
        Self { capacity, ..self }
    }
}

/// A registry with the wheel its groups share.
pub(super) struct Queues {
    pub(super) registry: Registry,
    pub(super) quiet: Arc<Waiters>,
    pub(super) wheel: Arc<Wheel>,
}

impl Queues {
    pub(super) fn new() -> Arc<Self> {
        let quiet = Arc::new(Waiters::default());
        Arc::new(Self { registry: Registry::new(Arc::clone(&quiet)), quiet, wheel: Arc::default() })
    }

    /// Finds or creates a group.
    pub(super) fn create(&self, name: &str, like: Like) -> Arc<GroupQueue> {
        self.registry.enter(&name_of(name), || self.parts(name, like), |group| group)
    }

    /// Finds or creates a group, and joins it before anybody can remove it.
    pub(super) fn join(&self, name: &str, like: Like) -> Member {
        self.registry.enter(&name_of(name), || self.parts(name, like), |group| Member::join(&group))
    }

    fn parts(&self, name: &str, like: Like) -> Parts {
        let spec = SubscriptionSpec {
            group: name_of(name),
            mode: Mode::Shared,
            ephemeral: false,
            filters: vec![like.filter],
            order: like.order,
            overflow: None,
            capacity: None,
            start: Start::Now,
        };
        let (dead, wheel) = (Arc::default(), Arc::clone(&self.wheel));
        Parts { spec, capacity: like.capacity, dead, dead_capacity: 1, wheel }
    }

    pub(super) fn remove(&self, name: &str) {
        let removed = self.registry.remove(&name_of(name));
        assert!(removed.is_some(), "{name} was there");
    }

    /// Publishes as the transport does: all channels of the route are locked in order, and waits when one has no room.
    pub(super) fn publish(&self, event: &AnyEvent) {
        while let Err(full) = self.try_publish(event) {
            block_on(full.shared.room.until(|| full.lock().room(1).is_ok().then_some(())));
        }
    }

    fn try_publish(&self, event: &AnyEvent) -> Result<(), Arc<Channel>> {
        let route = self.registry.route(event);
        let mut ends = Vec::new();
        for channel in &route.channels {
            let mut end = channel.lock();
            if let Err(NoRoom::Wait(_) | NoRoom::Fail(_)) = end.room(1) {
                return Err(Arc::clone(channel));
            }
            ends.push(end);
        }
        for (channel, end) in route.channels.iter().zip(&mut ends) {
            channel.append(end, std::slice::from_ref(event));
        }
        drop(ends);
        route.channels.iter().for_each(|channel| channel.shared.bell.ring());
        Ok(())
    }
}

pub(super) fn name_of(group: &str) -> Group {
    Group::new(group.to_owned()).expect("a legal name")
}

/// A member of a group.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) group: Arc<GroupQueue>,
    number: u64,
    sleeper: Arc<Sleeper>,
}

impl Member {
    pub(super) fn join(group: &Arc<GroupQueue>) -> Self {
        let sleeper = Sleeper::new();
        Self { group: Arc::clone(group), number: group.join(&sleeper), sleeper }
    }

    /// Waits for messages as the reader does; `None` when the group is closed.
    pub(super) fn receive(&self, credit: usize) -> Option<Batch> {
        let take = || match self.group.is_closed() {
            true => Some(None),
            false => self.group.take(self.number, credit).map(Some),
        };
        block_on(poll_fn(|context| self.group.bell().poll(&self.sleeper, context, take)))
    }

    pub(super) fn settle(&self, settlements: &[(Token, Settlement)]) -> Vec<Settled> {
        self.group.settle(self.number, settlements)
    }

    pub(super) fn leave(&self) {
        self.group.leave(self.number, &self.sleeper);
    }

    pub(super) fn close(&self) {
        self.group.close();
    }
}

/// The event of a message.
pub(super) fn event(received: &Received) -> &AnyEvent {
    match &received.body {
        Body::Event(event) => event,
        Body::Undecodable(_) => unreachable!("the local transport encodes nothing"),
    }
}

/// The number of a message's event within its key.
pub(super) fn number(event: &AnyEvent) -> u32 {
    event.object::<Step>().expect("the object it was published with").number
}

/// A settlement that asks for another attempt.
pub(super) fn retry(delay: Duration) -> Settlement {
    let time = Timestamp::from_millis(0);
    let failure = Failure { reason: Reason::Transient, message: String::new(), time, attempt: 1 };
    Settlement::RetryAfter { delay, failure: Box::new(failure) }
}
