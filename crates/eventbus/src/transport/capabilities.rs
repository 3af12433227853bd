//! What a transport can do, as plain flags.

use std::time::Duration;

use super::spec::{Mode, Order, Overflow, Start, SubscriptionSpec};
use crate::error::{Error, ErrorKind, Result};

/// What a transport can do.
///
/// The engine compares it with what a subscription asks for and refuses the rest at once. A transport fills in what it
/// can do over [`minimal`](Self::minimal): `Capabilities { broadcast: true, ..Capabilities::minimal("mine") }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The name of the transport, for messages.
    pub transport: &'static str,
    /// What it means that an event is stored.
    pub durability: Durability,
    /// Keeps the order per key within a group, holds keys ([`Order::PerKey`](super::Order::PerKey)).
    pub key_order: bool,
    /// Gives every instance all events ([`Mode::Broadcast`](super::Mode::Broadcast)).
    pub broadcast: bool,
    /// Has groups that go when their last member goes.
    pub ephemeral: bool,
    /// Keeps events for groups that come later, so that they can start in the past ([`Start`](super::Start)).
    pub replay: bool,
    /// Can publish later, and take that back.
    pub delayed_publish: bool,
    /// Keeps a retry's delay; the longest one.
    pub retry_delay: Option<Duration>,
    /// Keeps dead letters. Without them, what a subscription gives up is dropped, with a warning in the log.
    pub dead_letters: bool,
    /// Offers [`Overflow`](super::Overflow) other than waiting.
    pub overflow: bool,
    /// Encodes events, so their size is limited.
    pub encodes: bool,
    /// How long a message stays with a member that gives no sign of life; `None` when a lost member is noticed at once.
    pub lease: Option<Duration>,
    /// How long a message may stay unsettled: then the server takes it back, however alive its member is. Handlers
    /// with time-outs over half of that are refused. `None` without a limit.
    pub settle_within: Option<Duration>,
}

impl Capabilities {
    /// A transport of this name that can store and hand out events, and nothing else.
    pub const fn minimal(transport: &'static str) -> Self {
        Self {
            transport,
            durability: Durability::Process,
            key_order: false,
            broadcast: false,
            ephemeral: false,
            replay: false,
            delayed_publish: false,
            retry_delay: None,
            dead_letters: false,
            overflow: false,
            encodes: false,
            lease: None,
            settle_within: None,
        }
    }

    /// Refuses what a subscription asks for beyond this; for the engine, and for a transport's
    /// [`open`](super::Transport::open).
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported), naming the capability.
    pub fn check(&self, spec: &SubscriptionSpec) -> Result<()> {
        let chosen = spec.overflow.is_some_and(|overflow| overflow != Overflow::Wait);
        let bounded = chosen || spec.capacity.is_some();
        let asked = [
            (spec.order == Order::PerKey && !self.key_order, "order per key"),
            (spec.mode == Mode::Broadcast && !self.broadcast, "broadcast"),
            (spec.ephemeral && !self.ephemeral, "ephemeral groups"),
            (spec.start != Start::Now && !self.replay, "start in the past"),
            (bounded && !self.overflow, "overflow and capacity"),
        ];
        match asked.iter().find(|(missing, _)| *missing) {
            Some((_, what)) => Err(self.lack(what)),
            None => Ok(()),
        }
    }

    /// The error for something this transport cannot do.
    pub fn lack(&self, what: &str) -> Error {
        Error::new(ErrorKind::Unsupported, format!("the {} transport cannot do {what}", self.transport))
    }

    /// The flags as rows of a table: name and value, for displays and the conformance suite's matrix.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let flag = |on: bool| if on { "yes" } else { "no" }.to_owned();
        let time = |time: Option<Duration>| time.map_or_else(|| "no".to_owned(), readable);
        vec![
            ("durability", format!("{:?}", self.durability)),
            ("order per key", flag(self.key_order)),
            ("broadcast", flag(self.broadcast)),
            ("ephemeral groups", flag(self.ephemeral)),
            ("start in the past", flag(self.replay)),
            ("delayed publish", flag(self.delayed_publish)),
            ("longest retry delay", time(self.retry_delay)),
            ("dead letters", flag(self.dead_letters)),
            ("overflow by choice", flag(self.overflow)),
            ("encodes events", flag(self.encodes)),
            ("lease", time(self.lease)),
            ("limit on handling a message", time(self.settle_within)),
        ]
    }
}

fn readable(time: Duration) -> String {
    match time.as_secs() {
        86_400 => "1 day".to_owned(),
        days if days > 0 && days % 86_400 == 0 => format!("{} days", days / 86_400),
        minutes if minutes > 0 && minutes % 60 == 0 => format!("{} min", minutes / 60),
        _ => format!("{time:?}"),
    }
}

/// What a stored event survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: it lives in this process.
    Process,
    /// The end of any client, not of the server.
    Memory,
    /// A restart of the server, but for what it had not written yet.
    Disk,
    /// A crash of the server at any moment.
    Synced,
    /// The loss of this many servers' copies, less one.
    Replicated(u8),
}

impl Durability {
    /// Tells whether events outlive the process that published them.
    pub fn outlives_process(self) -> bool {
        self != Self::Process
    }
}
