//! Every name on the broker, and what each queue and exchange is, in one place.
//!
//! The parts of a name are joined by `/`, which no bus and no group has in its own.

use eventbus::Filter;
use eventbus::transport::SubscriptionSpec;
use lapin::Channel;
use lapin::options::{
    ExchangeBindOptions, ExchangeDeclareOptions, ExchangeUnbindOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{ExchangeKind, Queue};

use crate::config::{Queues, Unrouted};
use crate::connection::Link;
use crate::message::{PARTS, shard};

/// After this many members lost with a message, the broker itself takes it for what they died of: the engine's own fence
/// comes long before.
const FENCE: u32 = 100;
/// No limit at all: what lies there is read and given back as often as need be. A broker's default may be low.
const ENDLESS: u32 = 1_000_000_000;
/// How long the queues of a group that goes with its members outlive members that died, in ms.
const EXPIRES: u32 = 60_000;

/// The names of a bus.
#[derive(Debug, Clone)]
pub(crate) struct Bus {
    name: String,
}

impl Bus {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    /// The topic exchange that everybody publishes to; the routing key is `source.type`.
    pub(crate) fn exchange(&self) -> ShortString {
        self.name.as_str().into()
    }

    /// The direct exchange over which members are asked what they hold; the routing key is the group.
    pub(crate) fn ask(&self) -> ShortString {
        format!("{}/ask", self.name).into()
    }

    /// Exchange and queue of what no group wants.
    pub(crate) fn unrouted(&self) -> ShortString {
        format!("{}/unrouted", self.name).into()
    }

    /// The names of what is published later.
    pub(crate) fn later(&self) -> Later {
        Later { names: Names { base: format!("{}/#later", self.name) } }
    }

    /// The names of a group, or of one instance of a broadcast.
    pub(crate) fn group(&self, name: &str) -> Names {
        Names { base: format!("{}/{name}", self.name) }
    }
}

/// The names of a group.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    base: String,
}

impl Names {
    /// The headers exchange that gives each shard its part of the keys, where there are several.
    pub(crate) fn shards(&self) -> ShortString {
        self.part("shards")
    }

    /// Where that sends what says nothing of its part, as other programs' messages.
    pub(crate) fn unsharded(&self) -> ShortString {
        self.part("unsharded")
    }

    /// The names of a shard of the group.
    pub(crate) fn shard(&self, number: usize) -> Self {
        match number {
            0 => self.clone(),
            _ => Self { base: format!("{}/{number}", self.base) },
        }
    }

    fn part(&self, part: &str) -> ShortString {
        format!("{}/{part}", self.base).into()
    }

    /// The group's events, as they were published.
    pub(crate) fn events(&self) -> ShortString {
        self.base.as_str().into()
    }

    /// Messages that come again: retries that are due, what was redriven, what was given back.
    pub(crate) fn again(&self) -> ShortString {
        self.part("again")
    }

    /// Messages that wait for a retry; they leave for `again` after this many ms.
    pub(crate) fn wait(&self, millis: u64) -> ShortString {
        self.part(&format!("wait/{millis}ms"))
    }

    /// With order per key, messages that may not be handed out now: retries, and what waits behind them.
    pub(crate) fn kept(&self) -> ShortString {
        self.part("kept")
    }

    /// With order per key, what says which keys are held by dead letters.
    pub(crate) fn held(&self) -> ShortString {
        self.part("held")
    }

    /// With order per key: the one member that may read it reads the rest too.
    pub(crate) fn owner(&self) -> ShortString {
        self.part("owner")
    }

    /// The group's dead letters.
    pub(crate) fn dead(&self) -> ShortString {
        self.part("dead")
    }

    /// One message: what the group is.
    pub(crate) fn what(&self) -> ShortString {
        self.part("what")
    }

    /// Always empty; every member consumes from it, so its consumers are the members.
    pub(crate) fn members(&self) -> ShortString {
        self.part("members")
    }

    /// Exists while somebody joins or leaves, and is theirs alone.
    pub(crate) fn lock(&self) -> ShortString {
        self.part("lock")
    }

    /// Exists while somebody works on the dead letters, and is theirs alone.
    pub(crate) fn dead_lock(&self) -> ShortString {
        self.part("dead/lock")
    }

    /// The questions of one member.
    pub(crate) fn ask(&self, member: &str) -> ShortString {
        self.part(&format!("ask/{member}"))
    }
}

/// The names of what is published later: those of no group, none of which may begin with `#`.
#[derive(Debug, Clone)]
pub(crate) struct Later {
    names: Names,
}

impl Later {
    /// The queue in which events wait for their time, read by the keeper; and the exchange that leads there.
    pub(crate) fn queue(&self) -> ShortString {
        self.names.events()
    }

    /// Exchange and queue of what the exchange leads nowhere, because no more is taken: the queue has no room
    /// beside the message that it was made with, so whoever published it is told.
    pub(crate) fn full(&self) -> ShortString {
        self.names.part("full")
    }

    /// What lay in the queue and was nothing of the bus's.
    pub(crate) fn foreign(&self) -> ShortString {
        self.names.part("foreign")
    }

    /// Exists while the queue is new, and is its maker's alone.
    pub(crate) fn lock(&self) -> ShortString {
        self.names.lock()
    }

    /// What one transport is answered.
    pub(crate) fn answers(&self, name: &str) -> ShortString {
        self.names.part(&format!("answers/{name}"))
    }
}

/// What a queue is for, which says how it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Read by members; what members die of goes to the dead letters.
    Work,
    /// Messages wait there for this many ms, then go to `again`.
    Wait(u64),
    /// Kept for good: dead letters, what the group is.
    Keep,
    /// Never holds anything.
    Empty,
    /// Read by one consumer at a time, the one that came first.
    Turns,
}

/// How long what lies in a group's queues is to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Until it is forgotten.
    Durable(Queues),
    /// As long as it has members.
    WithMembers,
}

/// Makes queues and exchanges on a channel.
pub(crate) struct Maker<'a> {
    pub(crate) link: &'a Link,
    pub(crate) channel: &'a Channel,
}

impl Maker<'_> {
    /// Makes what spreads events over the shards of a group.
    pub(crate) async fn shards(&self, names: &Names, shards: usize) -> lapin::Result<()> {
        let (exchange, others) = (names.shards(), names.unsharded());
        self.exchange(others.clone(), ExchangeKind::Fanout, FieldTable::default()).await?;
        self.bind(names.events(), others.clone(), "".into()).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("alternate-exchange".into(), text(others.as_str()));
        self.exchange(exchange.clone(), ExchangeKind::Headers, arguments).await?;
        for number in 0..shards {
            let mut arguments = FieldTable::default();
            arguments.insert("x-match".into(), text("any"));
            for part in (0..PARTS).skip(number).step_by(shards) {
                arguments.insert(shard(part).into(), AMQPValue::Void);
            }
            let (queue, options) = (names.shard(number).events(), QueueBindOptions::default());
            let bound = self.channel.queue_bind(queue, exchange.clone(), "".into(), options, arguments);
            self.link.within(bound).await?;
        }
        Ok(())
    }

    /// Lets an exchange have what matches a key.
    pub(crate) async fn feed(
        &self,
        to: ShortString,
        from: ShortString,
        key: ShortString,
    ) -> lapin::Result<()> {
        let (options, arguments) = (ExchangeBindOptions::default(), FieldTable::default());
        self.link.within(self.channel.exchange_bind(to, from, key, options, arguments)).await
    }

    pub(crate) async fn starve(
        &self,
        to: ShortString,
        from: ShortString,
        key: ShortString,
    ) -> lapin::Result<()> {
        let (options, arguments) = (ExchangeUnbindOptions::default(), FieldTable::default());
        self.link.within(self.channel.exchange_unbind(to, from, key, options, arguments)).await
    }

    /// Makes what all groups of a bus share.
    pub(crate) async fn bus(&self, bus: &Bus, unrouted: Unrouted) -> lapin::Result<()> {
        let mut arguments = FieldTable::default();
        if unrouted == Unrouted::Keep {
            let name = bus.unrouted();
            arguments.insert("alternate-exchange".into(), text(name.as_str()));
            self.exchange(name.clone(), ExchangeKind::Fanout, FieldTable::default()).await?;
            self.queue(name.clone(), arguments_of(Role::Keep, Life::Durable(Queues::Quorum), None)).await?;
            self.bind(name.clone(), name, "".into()).await?;
        }
        self.exchange(bus.exchange(), ExchangeKind::Topic, arguments).await
    }

    pub(crate) async fn exchange(
        &self,
        name: ShortString,
        kind: ExchangeKind,
        arguments: FieldTable,
    ) -> lapin::Result<()> {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        self.link.within(self.channel.exchange_declare(name, kind, options, arguments)).await
    }

    pub(crate) async fn queue(&self, name: ShortString, arguments: FieldTable) -> lapin::Result<Queue> {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.link.within(self.channel.queue_declare(name, options, arguments)).await
    }

    /// Makes a queue that is this connection's alone and ends with it.
    pub(crate) async fn exclusive(&self, name: ShortString) -> lapin::Result<Queue> {
        let options =
            QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        self.link.within(self.channel.queue_declare(name, options, FieldTable::default())).await
    }

    /// Looks at a queue; the channel ends where there is none.
    pub(crate) async fn look(&self, name: ShortString) -> lapin::Result<Queue> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        self.link.within(self.channel.queue_declare(name, options, FieldTable::default())).await
    }

    pub(crate) async fn bind(
        &self,
        queue: ShortString,
        to: ShortString,
        key: ShortString,
    ) -> lapin::Result<()> {
        let bound =
            self.channel.queue_bind(queue, to, key, QueueBindOptions::default(), FieldTable::default());
        self.link.within(bound).await
    }

    pub(crate) async fn unbind(
        &self,
        queue: ShortString,
        from: ShortString,
        key: ShortString,
    ) -> lapin::Result<()> {
        self.link.within(self.channel.queue_unbind(queue, from, key, FieldTable::default())).await
    }
}

/// How a queue of a group is made; `next` is where its messages go when they may stay no longer.
pub(crate) fn arguments_of(role: Role, life: Life, next: Option<&str>) -> FieldTable {
    let mut arguments = FieldTable::default();
    let quorum = life == Life::Durable(Queues::Quorum);
    let mut set = |name: &str, value: AMQPValue| {
        arguments.insert(name.into(), value);
    };
    set("x-queue-type", text(if quorum { "quorum" } else { "classic" }));
    if role == Role::Turns {
        set("x-single-active-consumer", AMQPValue::Boolean(true));
    }
    if quorum && role != Role::Empty {
        set("x-delivery-limit", number(if role == Role::Work { FENCE } else { ENDLESS }));
    }
    if let Role::Wait(millis) = role {
        set("x-message-ttl", AMQPValue::LongLongInt(i64::try_from(millis).unwrap_or(i64::MAX)));
    }
    if let Some(next) = next {
        set("x-dead-letter-exchange", text(""));
        set("x-dead-letter-routing-key", text(next));
        if quorum {
            // Moved by the broker, and gone from here only when it is safe there.
            set("x-dead-letter-strategy", text("at-least-once"));
            set("x-overflow", text("reject-publish"));
        }
    }
    if life == Life::WithMembers {
        set("x-expires", number(EXPIRES));
    }
    arguments
}

/// The same for a queue of a group that goes with its members, in which messages lie for this many ms and nobody reads.
pub(crate) fn expiring(mut arguments: FieldTable, millis: u64) -> FieldTable {
    let expires = i64::try_from(millis).unwrap_or(i64::MAX).saturating_add(i64::from(EXPIRES));
    // The most that a broker takes, 49 days.
    arguments.insert("x-expires".into(), AMQPValue::LongLongInt(expires.min(i64::from(u32::MAX))));
    arguments
}

/// How the queue is made in which events wait for their time: its first reader is the only one until it goes.
pub(crate) fn arguments_of_later(later: &Later) -> FieldTable {
    let next = later.foreign();
    let mut arguments = arguments_of(Role::Keep, Life::Durable(Queues::Quorum), Some(next.as_str()));
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    arguments
}

/// How a queue is made that has room for one message, and refuses all others: on several nodes, as what it stands in for.
pub(crate) fn arguments_of_full() -> FieldTable {
    let mut arguments = arguments_of(Role::Keep, Life::Durable(Queues::Quorum), None);
    arguments.insert("x-max-length".into(), number(0));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments
}

/// The binding keys of a subscription: the broker's patterns are the bus's own, and a source is one word.
pub(crate) fn bindings(spec: &SubscriptionSpec) -> Vec<String> {
    spec.filters.iter().map(binding).collect()
}

fn binding(filter: &Filter) -> String {
    match (filter.only_source(), filter.pattern().as_str()) {
        (None, "#") => "#".to_owned(),
        (None, pattern) => format!("*.{pattern}"),
        (Some(source), pattern) => format!("{source}.{pattern}"),
    }
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn number(number: u32) -> AMQPValue {
    AMQPValue::LongLongInt(i64::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_groups_never_meet() {
        let bus = Bus::new("shop");
        let names = bus.group("mail");
        let all = [
            names.events(),
            names.again(),
            names.wait(64),
            names.kept(),
            names.held(),
            names.owner(),
            names.dead(),
            names.what(),
            names.members(),
            names.lock(),
            names.dead_lock(),
            names.ask("m"),
            bus.group("mail#1").events(),
            bus.group("later").events(),
            bus.later().queue(),
            bus.later().full(),
            bus.later().foreign(),
            bus.later().lock(),
            bus.later().answers("m"),
        ];
        assert_eq!(names.events().as_str(), "shop/mail");
        let different: std::collections::HashSet<_> = all.iter().map(ShortString::as_str).collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn a_filter_is_a_binding_key() {
        let filter = |text: &str| Filter::new(text.parse().unwrap());
        let of_shop = filter("parcel.*").source("shop".parse().unwrap());
        let keys = [filter("*"), filter("customer.#"), of_shop].map(|filter| binding(&filter));
        assert_eq!(keys, ["#", "*.customer.#", "shop.parcel.*"]);
    }
}
