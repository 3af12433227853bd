//! The short way from the store to whoever sends: where there is room for a request, a delivery is stored leased, and needs
//! no claim.

use std::fmt::Debug;

use crate::model::{DeliveryKey, EndpointKey, Leased};

/// Who sends, asked while a delivery is stored whether it could be sent at once.
pub trait Front: Debug + Send + Sync {
    /// Takes room for a request to an endpoint that is well and takes `most` at once; `None` where there is none, or
    /// others come first. The delivery is pending then, and claimed in its turn.
    fn admit(&self, endpoint: EndpointKey, most: u32) -> Option<Box<dyn Ticket>>;

    /// Whether the room of a request that ends may go to the next delivery of its endpoint, which is well and takes `most`
    /// at once: then what became of the one and the lease of the other are one commit.
    fn relay(&self, ended: DeliveryKey, most: u32) -> bool;
}

/// Room for a request; given back when it is dropped.
pub trait Ticket: Send {
    /// Sends a delivery, which is stored as leased and synced.
    fn send(self: Box<Self>, delivery: Leased);
}
