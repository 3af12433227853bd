//! The short way from the store to whoever sends: where there is room for a request, a delivery is stored leased, and needs
//! no claim.

use std::fmt::Debug;

use crate::model::{EndpointKey, Leased};

/// Who sends, asked while a delivery is stored whether it could be sent at once.
pub trait Front: Debug + Send + Sync {
    /// Takes room for a request to an endpoint that is well and takes `most` at once; `None` where there is none, or
    /// others come first. The delivery is pending then, and claimed in its turn.
    fn admit(&self, endpoint: EndpointKey, most: u32) -> Option<Box<dyn Ticket>>;
}

/// Room for a request; given back when it is dropped.
pub trait Ticket: Send {
    /// Sends a delivery, which is stored as leased and synced.
    fn send(self: Box<Self>, delivery: Leased);
}
