//! The bus on RabbitMQ: the same subscriber code in every process, and no service but RabbitMQ 3.10 or newer, without
//! plugins.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use eventbus::payment_kit::{CustomerSubscriptionRenewed, Subscription};
//! use eventbus::{Event, EventBus, HandlerResult};
//!
//! async fn extend(renewed: Event<CustomerSubscriptionRenewed>) -> HandlerResult {
//!     println!("{} is paid until {:?}", renewed.object().id, renewed.object().current_period_end);
//!     Ok(())
//! }
//!
//! # async fn example() -> eventbus::Result<()> {
//! eventbus_amqp::install(); // once, at the start of the program
//! let bus = EventBus::connect("amqp://guest:guest@localhost").await?;
//! bus.subscribe("entitlements").on(extend).start().await?;
//!
//! let subscription = Subscription { id: "sub_1".into(), ..Subscription::default() };
//! bus.publish(CustomerSubscriptionRenewed::new(subscription)).await?; // Ok: RabbitMQ has confirmed it
//! bus.shutdown(Duration::from_secs(10)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # What the words mean here
//!
//! For the bus named `bus`; the queues of the group `mail` begin with `bus/mail`, which is written `…` here.
//!
//! | word | on the broker | how |
//! |---|---|---|
//! | bus | `bus`, a topic exchange | everybody publishes to it, persistent, with confirm |
//! | event | a message | the body is its JSON form; see *Other programs* for its properties |
//! | type, source | the routing key | `source.type` |
//! | pattern, filter | a binding of the group's queue | the broker's patterns are the bus's own, so the broker filters |
//! | group | `…`, a queue, and those below | quorum queues; `…/what` holds one message that says what the group wants |
//! | member | a consumer of `…/members`, which is always empty | its consumers are counted |
//! | message | a delivery, unacknowledged | read on a channel of the member's own |
//! | prefetch | `basic.qos` | as much as the subscription has room for; a consumer is added when that grows |
//! | crash | the queue's `x-delivery-count` | what a lost member had comes again at once, and counts as an attempt |
//! | ack | `basic.ack` | the finished beginning at once, others one by one; never past one that is not finished |
//! | retry | `…/wait/1024ms`, `4096ms`, … | without order: queues with a time to live, which dead-letter into `…/again`; a delay is made up of them, and the last second is waited by a member, unacknowledged |
//! | return | `…/again` | published there, then acknowledged here; not counted as an attempt |
//! | attempt, history | headers `eventbus-attempt`, `eventbus-history` | written by the bus on what comes again |
//! | shard | `…`, `…/1`, `…/2`, … and what is below each | with order per key: a headers exchange `…/shards` gives each its part of the keys |
//! | owner | `…/owner`, a queue with a single active consumer | the first in the line of members is given a note, and reads the shard until its channel ends |
//! | held key, parked | `…/kept` | what may not be handed out now, with order per key: retries, and what waits behind them; unacknowledged with the owner, which keeps the tag alone |
//! | | `…/held` | a record for each dead letter that holds its key |
//! | dead letter | `…/dead`, a queue | published there with confirm, then acknowledged here; named by the header `eventbus-dead` |
//! | redrive | `…/again`, `…/kept` | published there with attempt 1, then removed from `…/dead` |
//! | purge | | removed from `…/dead` |
//! | crash fence | `x-delivery-limit` 100 | beyond what the bus itself allows; then the broker moves the message to `…/dead` |
//! | broadcast | a group `mail#…` for each member | goes with its member |
//! | ephemeral | the same queues, classic, with `x-expires` | removed by its last member, or a minute after members died |
//! | backlog | | ready messages are counted by the broker; what members hold they are asked for, over `bus/ask` |
//! | lock | `…/lock`, an exclusive queue | exists while somebody joins, leaves or forgets |
//! | scheduled event | `bus/#later`, a quorum queue behind an exchange of that name | its single active consumer, the *keeper*, publishes it to `bus` at its time, then acknowledges it |
//! | cancel | a message in `bus/#later` | the keeper writes there that the event was taken back, reads that itself, and then answers |
//! | unwanted event | `bus/unrouted` | kept where `unrouted=keep` asks for that, through an alternate exchange |
//! | durability | | of quorum queues: synced to disk on a majority of their nodes before an event is confirmed |
//!
//! # Settings
//!
//! In the URL, after `?`, or in [`AmqpConfig`]. `amqp://user:password@host:5672/vhost` is a broker, `amqps://` the same
//! with TLS. The vhost `/` is the default, and is written `%2f`.
//!
//! | option | default | what it says |
//! |---|---|---|
//! | `name` | `bus` | the name of the bus: others in the same vhost share nothing with it |
//! | `nodes` | none | other nodes of its cluster, `host` or `host:port` with commas between: tried in turn when one cannot be reached |
//! | `queues` | `quorum` | what the queues of durable groups are: `quorum`, `classic` |
//! | `shards` | 1 | over how many shards a group with order per key spreads its keys, 1 to 64; a group keeps the number it was made with |
//! | `heartbeat` | 10s | how often each side shows that it lives; a peer silent for twice as long is lost |
//! | `response_timeout` | 5s | how long an answer may take before the connection counts as lost |
//! | `consumer_timeout` | 30m | the broker's setting of that name: what is unacknowledged for longer is taken back, so a handler that may take so long is refused |
//! | `max_event_size` | 16777216 | the largest event in bytes, received ones included; a larger one is dead-lettered |
//! | `scheduled` | 50000 | the most events that are scheduled at once, nearly; then publishing for later says `Full`; at most 60000 |
//! | `unrouted` | `drop` | what becomes of an event that no group wants: `drop`, `keep` |
//! | `ca`, `cert`, `key` | the system's | files (PEM) with more certificates to trust, and this client's own with its private key |
//!
//! # What it promises, and what it does not
//!
//! - **At least once.** A handler may see an event twice: after a crash, after an acknowledgement that was lost with its
//!   connection. [`eventbus::Idempotency`] is the guard.
//! - **`Ok` from `publish` is the broker's confirm.** A confirm that is lost with its connection is `Unknown` at once. A
//!   broker that takes nothing (memory or disk alarm) shows in the health of the bus; what could not be sent says `NotSent`
//!   at its deadline.
//! - **An event that no group wants is no error**: it is gone, unless `unrouted=keep`.
//! - **A start in the past is refused**, with `Unsupported`.
//! - **Scheduled events** wait at most 365 days, and are published by one of the processes that have an open subscription or
//!   have scheduled or cancelled something; when it goes, another one takes over. While none of them runs, events wait, and
//!   then come at once. Times are those of the processes' own clocks: by as much as they differ, an event is early or late.
//!   A delay begins when the queue is there, a second after the first call on a new bus. An event whose publication was
//!   cut short comes twice, with the same id.
//! - **A cancelled event never comes**, whatever is killed afterwards, where the clocks of the processes agree: by as much as
//!   they differ, an event may have come when it is cancelled. One whose time has come is not cancelled any more, nor is one
//!   that was due within five seconds when another process took over. Scheduled again with the same id, an event replaces
//!   the one before.
//! - **A scheduled event that a queue refuses** is published again, after 200 ms at first and a minute in the end, and reaches
//!   the other groups each time. Health tells of it for as long as it lasts.
//! - **Scheduled events cost** the keeper a few hundred bytes each, and 64 MiB for their bodies; beyond that, bodies come again
//!   from the broker a second before their time, some hundreds in a second. Every quarter of an hour, and at least three
//!   times in `consumer_timeout`, an event moves to the end of its queue, so that the broker can cut its log.
//! - Messages in `bus/#later` that are nothing of the bus's are put aside, in `bus/#later/foreign`, and health tells of them.
//! - **Order per key** is that in which one publisher's events were confirmed, or published on one connection. One member
//!   owns a shard; it is given up when the member leaves, and lost when the broker ends its connection: after two heartbeats
//!   without a sign of life. The next owner reads what is kept to its end before it hands anything out. More members at work
//!   need more `shards`: each member has as many as there are for it, within a second or two of joining.
//! - **A retry with order per key** is timed by its owner; only the next owner reads the time of day, and then no delay is
//!   longer than it was. What is kept costs the owner a hundred bytes or two each, and the broker all of it.
//! - **A cluster needs `cluster_partition_handling = pause_minority`.** Otherwise a consumer on the smaller side of a cut is
//!   taken for lost and replaced, goes on when the cut heals, and is told nothing of it: a shard has two owners then, or the
//!   scheduled events have two keepers.
//! - **Ephemeral groups and the queues of a broadcast's members** are on one node of a cluster, and wait for it.
//! - **Whether a group keeps order is said for good**: it is forgotten, or joined as it was made.
//! - **Retries** wait up to 365 days, by nobody's time of day. A member sends a message on from one
//!   wait to the next: while no member runs, what is left of a delay stands still between two of them.
//! - **A new group takes a second to start**: a broker that is killed within a second of making a quorum queue forgets it.
//! - **Attempts** count members that were lost, whether or not they had begun: the broker knows only what it had sent, up to
//!   the prefetch of events and as many messages that come again. When a member stops while events stream in, what was on
//!   its way to it at that moment counts too.
//! - **Memory is the broker's.** A publisher is not slowed down by a slow group: `overflow` and `capacity` are refused.
//! - **The window of a subscription shrinks, the room at the broker does not**, until the group is joined again.
//! - A lost broker is survived without a setting: connections are dropped whole at the first error and made again without
//!   limit, queues that vanished are made again. A group whose queues vanished has lost what was in them.
//!
//! Which cases of the conformance suite it passes is in `CAPABILITIES.md`.
//!
//! # Connections
//!
//! A bus has two: one for reading and acknowledging, and one for publishing, which the broker may block. Every subscription
//! has a channel on each. Where it has groups with order per key there is a third, on which these read, acknowledge and move
//! messages: what a member says that the broker takes for lost must not be heard. While the broker blocks it, these groups
//! stand still. Whoever stands by to keep scheduled events has one more, on which they are read and published: a process that
//! lost it can publish none of them any more.
//!
//! # The rights of its user
//!
//! For the bus named `shop`: `configure`, `write` and `read` of `^shop(/.*)?$`, and `write` and `read` of `^amq\.default$`.
//!
//! # Other programs
//!
//! Any client of any language may publish to the exchange `bus` with the routing key `source.type`. The body is the JSON form
//! of the event: field for field Payment Kit's event object, with `source` where it is not `payment-kit`; `id`, `type`,
//! `livemode`, `created_at` and `data` are required, `object_id` becomes the key. These properties spare the members reading
//! all of that, and are on every event that the bus publishes:
//!
//! | property | what |
//! |---|---|
//! | `message_id` | the event's id |
//! | `type` | its type |
//! | `app_id` | its source |
//! | `timestamp`, header `timestamp_in_ms` | its time, in seconds and in ms |
//! | `content_type` | `application/json` |
//! | `delivery_mode` | 2, persistent |
//! | headers `key`, `livemode` | its key, where it has one; whether it is about real money |
//! | header `shard-0` to `shard-63` | by being there it says which of 64 parts of all keys it belongs to: FNV-1a (64 bits) of the key, or of the id, modulo 64; without one, the first shard of a group gets it |
//! | headers `traceparent`, `tracestate` | its trace, where it has one |
//!
//! A message whose body is no event's JSON form is one all the same when it has a `message_id`: its source and type are then
//! those of the routing key. A message that has neither goes to the dead letters of every group whose binding it matches,
//! with its raw bytes. Other programs may bind queues of their own to the exchange; those with names that begin with `bus/`
//! are the bus's.

mod acks;
mod agenda;
mod ask;
mod backlog;
mod config;
mod connection;
mod dead_letters;
mod desk;
mod entry;
mod error;
mod graves;
mod inbox;
mod join;
mod keeper;
mod label;
mod later;
mod lock;
mod member;
mod message;
mod mover;
mod order;
mod pigeonhole;
mod plan;
mod post;
mod publisher;
mod reader;
mod session;
mod settler;
mod shared;
mod topology;
mod transport;
mod wait;
mod waiting;

use std::sync::Arc;

pub use config::{AmqpConfig, Queues, Unrouted};
pub use transport::AmqpTransport;

/// Lets `EventBus::connect` know the schemes `amqp` and `amqps`.
pub fn install() {
    for scheme in ["amqp", "amqps"] {
        eventbus::install(scheme, |url| {
            Box::pin(async move {
                let transport = AmqpTransport::connect(AmqpConfig::parse(&url)?).await?;
                Ok(Arc::new(transport) as Arc<dyn eventbus::transport::Transport>)
            })
        });
    }
}
