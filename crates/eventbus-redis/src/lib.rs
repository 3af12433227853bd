//! The bus on Redis Streams: the same subscriber code in every process, and no service but Redis 7.0 or newer.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use eventbus::payment_kit::{CustomerSubscriptionRenewed, Subscription};
//! use eventbus::transport::Order;
//! use eventbus::{Event, EventBus, HandlerResult};
//!
//! async fn extend(renewed: Event<CustomerSubscriptionRenewed>) -> HandlerResult {
//!     println!("{} is paid until {:?}", renewed.object().id, renewed.object().current_period_end);
//!     Ok(())
//! }
//!
//! # async fn example() -> eventbus::Result<()> {
//! eventbus_redis::install(); // once, at the start of the program
//! let bus = EventBus::connect("redis://localhost?durability=fsync").await?;
//! bus.subscribe("entitlements").on(extend).order(Order::PerKey).start().await?;
//!
//! let subscription = Subscription { id: "sub_1".into(), ..Subscription::default() };
//! bus.publish(CustomerSubscriptionRenewed::new(subscription)).await?; // Ok: Redis has it on its disk
//! bus.shutdown(Duration::from_secs(10)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # What the words mean here
//!
//! Keys begin with `eventbus:{bus/0}:`, for the bus named `bus` and its shard 0; the braces are Redis's hash tag. Those of
//! the group `mail` go on with `group:mail:`; here they begin with `…`. What must happen at once is a script
//! (`EVALSHA`).
//!
//! | word | key | how |
//! |---|---|---|
//! | event | `eventbus:{bus/0}:log`, a stream | one entry with the field `event`: a line with what routing needs, and the JSON form; `XADD`, in pipelines |
//! | type, source, pattern, filter | the line | matched by the members; what the group does not want they acknowledge unseen |
//! | key | the line | its hash (FNV-1a, 64 bits) modulo `shards` says which shard; events without a key take turns |
//! | shard | `eventbus:{bus/0}:settings`, a hash | one log; how many there are is written down by the first process, and others must agree |
//! | group | a consumer group of the log, and `…meta`, a hash | `XGROUP CREATE`; filters and order are kept in the field `what` |
//! | member | a consumer, and `…members`, a sorted set | its name is never used again; the score is when its lease ends |
//! | lease | `…members` | a sign of life every 250 ms, or more often; it is the member's, so a slow handler keeps its message |
//! | order per key | `…meta`, field `owner` | one member at a time reads a shard for a group; shards are dealt out among the members |
//! | message | an entry that is pending | `XREADGROUP`, on a connection of its own; `…again` before the log |
//! | crash | an entry that is pending with a member that is gone | another member takes it with `XCLAIM`; it counts as an attempt |
//! | ack | | `XACK`, one for many messages |
//! | retry | `…waiting`, a sorted set, and `…kept`, a hash | moved there, by due time; when due, moved to `…again`, the group's own stream |
//! | return | `…again` | moved there; not counted as an attempt |
//! | held key | `…bound`, a hash, and `…parked`, a sorted set | later messages of a key wait in `…parked` until what holds it is over |
//! | dead letter | `…dead`, a sorted set, and `…kept` | by a number that rises with time, with bytes, history and attempts |
//! | redrive | `…again` | moved from `…dead`, with attempt 1 |
//! | purge | | removed from `…dead`; its key goes on |
//! | scheduled event | `eventbus:{bus/0}:later` and `later:events` | any process of the bus moves it to the log when it is due; cancelled with `ZREM` |
//! | broadcast | a group `mail#…` for each member | goes with its member |
//! | ephemeral | `…meta`, field `ephemeral` | removed with its last member, or when the leases of all have ended |
//! | backlog | | `XINFO GROUPS`, and how much the keys above hold |
//! | trimming | the log | once a second one process cuts it (`XTRIM MINID`) up to what the slowest group needs, less `keep` and `keep_for` |
//! | start in the past | the log | a new group begins at an id that is still there: the time of an entry is the server's |
//! | durability | | of the server: see below; `WAIT` and `WAITAOF` follow the events where it is asked for |
//! | idempotency guard | `eventbus:bus:done:mail:EVENT` | [`RedisIdempotency`]: a number while claimed, `done` afterwards, and a time to live |
//!
//! # Settings
//!
//! In the URL, after `?`, or in [`RedisConfig`]. `redis://user:password@host:6379/0` is a server, `rediss://` the same
//! with TLS; `redis-sentinel://host:26379/service/0` asks sentinels for the master, `rediss-sentinel://` with TLS.
//!
//! | option | default | what it says |
//! |---|---|---|
//! | `name` | `bus` | the name of the bus: others on the same server share nothing with it |
//! | `shards` | 1 | over how many logs events are spread, 1 to 64; the same in every process, for good |
//! | `durability` | `server` | what `publish` waits for: `server`, `fsync`, `replicas:N` |
//! | `lease` | 10s | how long the messages of a member that gives no sign of life stay its own, at least 500ms |
//! | `keep` | 10000 | how many settled events a log keeps, for groups that start in the past |
//! | `keep_for` | 0s | for how long a log keeps settled events |
//! | `dead_letters` | 1000000 | the most dead letters of a group in a shard; then messages are tried again |
//! | `scheduled` | 1000000 | the most scheduled events in a shard; then publishing for later says `Full` |
//! | `max_event_size` | 16777216 | the largest event in bytes, received ones included; a larger one is dead-lettered |
//! | `response_timeout` | 5s | how long an answer may take before the connection counts as lost |
//! | `eviction` | `warn` | what to do about a server that may evict any key (`allkeys-…`): `warn`, `refuse` |
//! | `ca`, `cert`, `key` | the system's | files (PEM) with the certificates to trust, and this client's own with its private key |
//! | `node` | | another sentinel, `host:port`; may be given again |
//!
//! # What it promises, and what it does not
//!
//! - **At least once.** A handler may see an event twice: after a crash, after an acknowledgement whose answer was lost,
//!   after a fail-over. [`eventbus::Idempotency`] over [`RedisIdempotency`] is the guard.
//! - **What Redis loses is lost.** As Redis comes, it writes snapshots now and then, and a crash takes minutes of events
//!   along: no place for a ledger. Set `appendonly yes` and `appendfsync always`. With `durability=fsync` the bus makes
//!   sure: it refuses a server that writes later (from Redis 7.2 on it waits with `WAITAOF` instead). What the server
//!   gives is in `bus.capabilities().durability`; it is read when the bus connects.
//! - **Replication is asynchronous.** A fail-over may lose events that were confirmed. `durability=replicas:N` says `Ok`
//!   only when N replicas have an event, and `Unknown` otherwise, which makes that rare and does not rule it out: Redis
//!   may promote a replica that has it not. `min-replicas-to-write` narrows it further.
//! - `fsync` and `replicas:N` are about publishing, now or for later. Settling does not wait for copies or `WAITAOF`: after
//!   a fail-over a settled message can come again, and none is lost.
//! - **Leases are by the server's clock.** An outage longer than the lease makes nobody dead: everybody is given another
//!   lease to be heard in. A member that was not heard for longer while others were loses its messages to them.
//! - **What a member holds**: a read takes what the subscription has room for of each stream it reads, messages that come
//!   again beside new ones; in a group with order per key, of each of its shards.
//! - **A group with order per key has one member at work per shard**; the others take over when it leaves or dies. More
//!   members at work need more `shards`. Without order all members work.
//! - **Members filter.** A group that wants one type in a hundred reads all hundred. `backlog().queued` counts what was
//!   not read yet, so also what the group will not want.
//! - **A group that nobody runs keeps the log from being trimmed.** That is its purpose; the health of the bus tells when
//!   it exceeds `keep`. `bus.forget` removes the group.
//! - **Memory is the server's.** A publisher is not slowed down by a slow group: `overflow` and `capacity` are refused.
//!   At `maxmemory` with `noeviction`, `publish` says `Full`. Policies `volatile-…` may evict the marks of the guard.
//! - **Retries and scheduled events** wait at most 365 days, by the server's clock.
//! - **Clusters are refused**, with `Unsupported`.
//! - A lost server is survived without a setting: connections are made again without limit, groups that vanished are made
//!   again where they stood.
//!
//! Which cases of the conformance suite it passes is in `CAPABILITIES.md`.
//!
//! # Connections
//!
//! A bus has one for commands and one for publishing; every subscription one that waits for events, with order per key one
//! for each shard it reads; a [`RedisIdempotency`] one.
//!
//! # The rights of its user
//!
//! These are enough, for the bus named `shop`:
//!
//! ```text
//! ACL SETUSER shop on >secret resetchannels -@all ~eventbus:{shop/* ~eventbus:shop:done:*
//!     +@stream +@hash +@sortedset +@string +ping +info +select +exists +type +del +pttl +time
//!     +evalsha +script|load +wait
//! ```
//!
//! `+waitaof` is for `durability=fsync` from Redis 7.2 on. `+config|get` lets the bus see `appendfsync always`; without
//! it durability is stated lower, and `fsync` refused before 7.2. `+client|id +client|unblock` let a member that stops
//! end its waiting read at once instead of within a second.
//!
//! # Other programs
//!
//! Any program may publish. `event` is the JSON form of the event: field for field Payment Kit's event object, with
//! `source` where it is not `payment-kit`; `id`, `type`, `livemode`, `created_at` and `data` are required, `object_id`
//! becomes the key.
//!
//! ```sh
//! redis-cli XADD 'eventbus:{bus/0}:log' '*' event '{"id":"evt_1","type":"parcel.shipped","source":"shop",
//!     "livemode":true,"created_at":"2026-01-31T12:00:00.000Z","object_id":"par_1","data":{"object":{"id":"par_1"}}}'
//! ```
//!
//! The bus itself puts a line before the JSON form, which spares the members reading all of that, and may be left out:
//! values between tabs, which are the version of the line (1), id, type, source (nothing for `payment-kit`), time in
//! milliseconds, `live` or `test`, and key; `traceparent` and `tracestate` follow where there is a trace.
//!
//! ```text
//! 1⇥evt_1⇥parcel.shipped⇥shop⇥1769860800000⇥test⇥par_1
//! {"id":"evt_1","livemode":false,"type":"parcel.shipped","source":"shop",…
//! ```
//!
//! With more than one shard, the log must be that of the event's key. An entry that cannot be read goes to the dead letters
//! of every group. Other programs may read the log with `XREAD`, or a consumer group of their own, which then counts for
//! trimming: they must `XACK`, and `XGROUP DESTROY` it when they are done.
//!
//! # Operations
//!
//! ```sh
//! redis-cli INFO persistence                                   # aof_enabled:1, aof_last_write_status:ok
//! redis-cli CONFIG GET 'maxmemory-policy'                      # noeviction
//! redis-cli XLEN 'eventbus:{bus/0}:log'                        # grows without end: a group has no member
//! redis-cli XINFO GROUPS 'eventbus:{bus/0}:log'                # lag: not read yet; pending: being handled
//! redis-cli XINFO CONSUMERS 'eventbus:{bus/0}:log' mail        # who holds how much
//! redis-cli ZRANGE 'eventbus:{bus/0}:group:mail:members' 0 -1 WITHSCORES   # who lives, until when
//! redis-cli ZCARD 'eventbus:{bus/0}:group:mail:waiting'        # retries; also :parked, :dead
//! redis-cli HGETALL 'eventbus:{bus/0}:group:mail:bound'        # held keys
//! redis-cli ZCARD 'eventbus:{bus/0}:later'                     # scheduled events
//! ```
//!
//! Look, and leave changes to the bus: `forget`, and the redrive and purge of `dead_letters`, keep these keys in step.

mod config;
mod connection;
mod dead_letters;
mod error;
mod idempotency;
mod inbox;
mod keeper;
mod keys;
mod member;
mod message;
mod post;
mod publisher;
mod reader;
mod reading;
mod script;
mod server;
mod settler;
mod shard;
mod shared;
mod start;
mod transport;

use std::sync::Arc;

pub use config::{Durability, Eviction, RedisConfig};
pub use idempotency::RedisIdempotency;
pub use transport::RedisTransport;

/// Lets `EventBus::connect` know the schemes `redis`, `rediss`, `redis-sentinel`, `rediss-sentinel`.
pub fn install() {
    for scheme in ["redis", "rediss", "redis-sentinel", "rediss-sentinel"] {
        eventbus::install(scheme, |url| {
            Box::pin(async move {
                let transport = RedisTransport::connect(RedisConfig::parse(&url)?).await?;
                Ok(Arc::new(transport) as Arc<dyn eventbus::transport::Transport>)
            })
        });
    }
}
