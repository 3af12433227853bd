//! The buses that can be subscribed to: the one place that names transports.

use eventbus::{BusConfig, EventBus};

use crate::error::Result;

/// The largest event, in bytes: the largest body of a webhook, 1 MiB, and its envelope have room.
const LARGEST: usize = 2 << 20;

/// Connects to the bus that a URL names: `local:` always, others by the features of this crate.
///
/// # Errors
/// As [`EventBus::connect`].
pub async fn connect(url: &str) -> Result<EventBus> {
    #[cfg(feature = "amqp")]
    eventbus_amqp::install();
    #[cfg(feature = "redis")]
    eventbus_redis::install();
    Ok(EventBus::connect_with(url, BusConfig::new().max_event_size(LARGEST)).await?)
}
