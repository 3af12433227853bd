//! What the bridge speaks of: endpoints, deliveries, attempts. No I/O, no SQL, no clock.

mod attempt;
mod delivery;
mod endpoint;
mod key;
mod mode;
mod outcome;
mod schedule;
mod secret;
mod url;

pub use attempt::{Attempt, Finished, Next};
pub use delivery::{
    Claimed, DeliveryKey, Ending, EndpointKey, Ingested, Lease, Leased, Payload, Target, Wanted,
};
pub use endpoint::{EnabledEvents, Endpoint, EndpointId, EndpointStatus, NewEndpoint};
pub use key::{ApiKey, KeyDigest};
pub use mode::Mode;
pub use outcome::{Answer, Outcome, Trouble};
pub use schedule::Schedule;
pub use secret::{Sealed, Secret};
pub use url::EndpointUrl;
