//! What should have been sent by now.

use eventbus::Timestamp;

use super::delivery::DeliveryKey;

/// The delivery that is the longest due of an endpoint that is enabled and not left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Which one.
    pub delivery: DeliveryKey,
    /// Since when.
    pub since: Timestamp,
    /// Whether another of its endpoint's deliveries is being sent: it may wait for that.
    pub behind: bool,
}
