//! [`MeterEvent`]: one report of usage.

use super::created_via::CreatedVia;
use crate::json::{Json, JsonMap};
use crate::object::{object, open_enum};

object! {
    /// One report of usage.
    pub struct MeterEvent {
        /// The object's id.
        pub id: String,
        /// The name of the meter's events.
        pub event_name: Option<String>,
        /// Who used how much.
        pub payload: Option<MeterEventPayload>,
        /// The application's own id, which makes a repeated event count once.
        pub identifier: Option<String>,
        /// When the usage happened, in Unix seconds.
        pub timestamp: Option<i64>,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// Where it stands.
        pub status: Option<MeterEventStatus>,
        /// When it was charged, as a Unix time.
        pub processed_at: Option<i64>,
        /// How often it has been tried.
        pub attempt_count: Option<i64>,
        /// When the next try is due, as a Unix time.
        pub next_attempt: Option<i64>,
        /// The credit taken, in the currency's smallest unit.
        pub credit_consumed: Option<String>,
        /// The credit still owed, in the currency's smallest unit.
        pub credit_pending: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// Where the usage came from.
        pub source_data: Option<Json>,
        /// The DID of who made it.
        pub created_by: Option<String>,
        /// Where it was made.
        pub created_via: Option<CreatedVia>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }

    /// Who used how much.
    pub struct MeterEventPayload {
        /// Who used it.
        pub customer_id: Option<String>,
        /// How much, in the meter's unit.
        pub value: Option<String>,
        /// The subscription it was used under.
        pub subscription_id: Option<String>,
    }
}

open_enum! {
    /// How far the charging of reported usage is.
    pub enum MeterEventStatus {
        Pending = "pending",
        Processing = "processing",
        RequiresAction = "requires_action",
        RequiresCapture = "requires_capture",
        Completed = "completed",
        Canceled = "canceled",
    }
}
