//! What the engine asks of a transport: groups, their order, and how publishing may wait.

use std::time::Duration;

use crate::event::{AnyEvent, EventId, Filter, Timestamp, name};

name! {
    /// The name of a subscription: subscribers of one name share the work, and every group gets every event.
    ///
    /// Letters, digits, `_`, `-` and `.`, at most 100 characters, so that it fits every broker's names.
    Group, group_rule
}

impl Group {
    const FIELD: &str = "group";

    /// The name of one instance of a broadcast: none that a user can give.
    pub(crate) fn instance(&self, number: u64) -> Self {
        Self(format!("{self}#{number}").into())
    }
}

fn group_rule(name: &[u8]) -> Result<(), &'static str> {
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    match name.len() {
        0 => Err("must not be empty"),
        101.. => Err("must have at most 100 characters"),
        _ if name.iter().all(legal) => Ok(()),
        _ => Err("may only have letters, digits, '_', '-' and '.'"),
    }
}

/// A subscription, as far as a transport has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionSpec {
    /// The group.
    pub group: Group,
    /// Who shares with whom.
    pub mode: Mode,
    /// Whether the group goes when its last member goes.
    pub ephemeral: bool,
    /// The addresses that are wanted: sorted, without repetition, never empty.
    pub filters: Vec<Filter>,
    /// Whether keys keep their order.
    pub order: Order,
    /// What happens when the group's queue is full; `None` leaves it to the transport's configuration.
    pub overflow: Option<Overflow>,
    /// The most messages the group holds; `None` leaves it to the transport's configuration.
    pub capacity: Option<usize>,
    /// Where the group starts when it is new; no part of what makes two subscriptions the same.
    pub start: Start,
}

impl SubscriptionSpec {
    /// Tells whether the group gets an event.
    pub fn wants(&self, event: &AnyEvent) -> bool {
        let (source, event_type) = (event.source().as_str(), event.event_type().as_str());
        self.filters.iter().any(|filter| filter.matches(source, event_type))
    }
}

/// Who shares a group's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Members of the group share.
    #[default]
    Shared,
    /// Every member gets everything.
    Broadcast,
}

/// Whether the messages of a key keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// No order: a message that waits for a retry holds up nothing.
    #[default]
    None,
    /// Events of one key reach the group in the order they were published, also across retries; other keys flow, until
    /// sixteen times the subscription's [prefetch](crate::SubscriptionBuilder::prefetch) waits behind slow ones of theirs.
    PerKey,
}

/// Where a new group starts.
///
/// It counts only when the group is created: a group that exists goes on where it stands. A group that goes with its
/// members, such as a broadcast's instance, is created anew, and starts there again, each time it is joined.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Start {
    /// With what is published from now on.
    #[default]
    Now,
    /// With the oldest event the transport still has.
    Beginning,
    /// With the event of this id, itself included.
    Event(EventId),
    /// With the first event stored at this time or later: by the transport's clock, not by the event's own time.
    Time(Timestamp),
}

/// What happens to an event when a group's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// Publishing waits for room: nothing is lost.
    #[default]
    Wait,
    /// Publishing fails at once with [`Full`](crate::ErrorKind::Full).
    Fail,
    /// The group's oldest queued events are dropped, and their number is told with the next message. Where all the room
    /// is taken by messages that are in flight, waiting or parked, that is the newest too.
    DropOldest,
}

/// How a publish may take its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publishing {
    /// The longest it may take, waiting for room and for confirms together.
    pub deadline: Duration,
    /// Whether it may wait for room at all.
    pub when_full: WhenFull,
}

/// What a publish does when a group that wants the event has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// Waits until there is room, or the deadline.
    Wait,
    /// Fails at once: a handler that waits for the queue it has to empty would wait for ever.
    Fail,
}

/// What a group holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Messages that could be received now.
    pub queued: u64,
    /// Messages received and not settled.
    pub in_flight: u64,
    /// Messages that wait for a retry.
    pub waiting: u64,
    /// Messages parked behind a held key.
    pub parked: u64,
    /// Keys that are held, by a retry or by a dead letter.
    pub held_keys: u64,
    /// Dead letters.
    pub dead: u64,
    /// Members that have joined.
    pub members: u64,
    /// Dropped events that no message has told of yet; only with [`Overflow::DropOldest`].
    pub lost: u64,
}

impl Backlog {
    /// What two queues hold together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            queued: self.queued + other.queued,
            in_flight: self.in_flight + other.in_flight,
            waiting: self.waiting + other.waiting,
            parked: self.parked + other.parked,
            held_keys: self.held_keys + other.held_keys,
            dead: self.dead + other.dead,
            members: self.members + other.members,
            lost: self.lost + other.lost,
        }
    }

    /// Everything that is not settled and not dead.
    pub fn unsettled(&self) -> u64 {
        self.queued + self.in_flight + self.waiting + self.parked
    }
}
