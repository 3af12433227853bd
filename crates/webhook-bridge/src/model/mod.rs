//! What the bridge speaks of: endpoints, deliveries, attempts. No I/O, no SQL, no clock.

mod application;
mod attempt;
mod delivery;
mod delivery_log;
mod due;
mod endpoint;
mod endpoint_list;
mod event_log;
mod health;
mod inbound;
mod key;
mod mode;
mod notice;
mod outcome;
mod publication;
mod retention;
mod schedule;
mod secret;
mod statistics;
mod url;

pub use application::Application;
pub use attempt::{Attempt, Finished, Next};
pub use delivery::{
    Claimed, DeliveryKey, DeliveryState, Ending, EndpointKey, Ingested, Lease, Leased, Payload, Prepared,
    Reclaimed, Target, Wanted,
};
pub use delivery_log::{
    AttemptFilter, AttemptRecord, DeliveryCursor, DeliveryFilter, DeliveryId, DeliveryRecord, EventRecord,
    LogPage, Pace, Recovered, Recovery, Released, Resent, Sent,
};
pub use due::Due;
pub use endpoint::{
    EnabledEvents, Endpoint, EndpointChange, EndpointId, EndpointStatus, Expected, GonePolicy, NewEndpoint,
};
pub use endpoint_list::{Direction, EndpointField, EndpointList, EndpointPage, Start};
pub use event_log::{EventBody, EventFilter, News, Replay, Replayed, StoredEvent};
pub use health::{DisabledReason, Health, Observed, Standing};
pub use inbound::{Inbound, InboundDigest};
pub use key::{ApiKey, KeyDigest, KeyRecord, NewKey};
pub use mode::Mode;
pub use notice::{Concern, EndpointDisabled, EndpointFailing, EndpointReport, NOTICES, Notice};
pub use outcome::{Answer, Outcome, Trouble, Wish};
pub use publication::{IdempotencyKey, Publication, PublishedEvents};
pub use retention::{Pruned, Retention};
pub use schedule::{Schedule, interrupted};
pub use secret::{Rotation, Sealed, Secret, SecretVersion};
pub use statistics::{Bucket, Period, Sample, Statistics};
pub use url::EndpointUrl;
