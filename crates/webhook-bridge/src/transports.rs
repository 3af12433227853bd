//! The buses that can be subscribed to: the one place that names transports.

use eventbus::EventBus;

use crate::error::Result;

/// Connects to the bus that a URL names: `local:` always, others by the features of this crate.
///
/// # Errors
/// As [`EventBus::connect`].
pub async fn connect(url: &str) -> Result<EventBus> {
    #[cfg(feature = "amqp")]
    eventbus_amqp::install();
    #[cfg(feature = "redis")]
    eventbus_redis::install();
    Ok(EventBus::connect(url).await?)
}
