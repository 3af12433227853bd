//! What the bridge speaks of: endpoints, deliveries, attempts. No I/O, no SQL, no clock.

mod attempt;
mod delivery;
mod endpoint;
mod health;
mod key;
mod mode;
mod notice;
mod outcome;
mod retention;
mod schedule;
mod secret;
mod url;

pub use attempt::{Attempt, Finished, Next};
pub use delivery::{
    Claimed, DeliveryKey, DeliveryState, Ending, EndpointKey, Ingested, Lease, Leased, Payload, Target,
    Wanted,
};
pub use endpoint::{EnabledEvents, Endpoint, EndpointId, EndpointStatus, NewEndpoint};
pub use health::{DisabledReason, Health, Observed, Standing};
pub use key::{ApiKey, KeyDigest};
pub use mode::Mode;
pub use notice::{Concern, EndpointDisabled, EndpointFailing, EndpointReport, Notice};
pub use outcome::{Answer, Outcome, Trouble, Wish};
pub use retention::{Pruned, Retention};
pub use schedule::Schedule;
pub use secret::{Sealed, Secret};
pub use url::EndpointUrl;
