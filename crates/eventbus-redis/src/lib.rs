//! The bus on Redis Streams: the same subscriber code across microservices.
//!
//! ```no_run
//! # async fn example() -> eventbus::Result<()> {
//! eventbus_redis::install(); // once, at the start of the program
//! let bus = eventbus::EventBus::connect("redis://localhost").await?;
//! # Ok(())
//! # }
//! ```
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
mod publisher;
mod reader;
mod reading;
mod script;
mod server;
mod settler;
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
