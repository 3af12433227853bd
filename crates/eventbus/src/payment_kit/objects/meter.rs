//! [`Meter`]: a counter of usage.

use super::created_via::CreatedVia;
use crate::json::JsonMap;
use crate::object::{object, open_enum};

object! {
    /// A counter of usage.
    pub struct Meter {
        /// The object's id.
        pub id: String,
        /// The kind of object, as the provider names it.
        pub object: Option<String>,
        /// Its name, for people.
        pub name: Option<String>,
        /// The name meter events carry.
        pub event_name: Option<String>,
        /// How events are added up.
        pub aggregation_method: Option<MeterAggregationMethod>,
        /// Whether it counts.
        pub status: Option<MeterStatus>,
        /// What is counted.
        pub unit: Option<String>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// The DID of the component it belongs to.
        pub component_did: Option<String>,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// The currency usage is paid in.
        pub currency_id: Option<String>,
        /// The DID of who made it.
        pub created_by: Option<String>,
        /// The DID of who changed it last.
        pub updated_by: Option<String>,
        /// Where it was made.
        pub created_via: Option<CreatedVia>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }
}

open_enum! {
    /// How a meter adds events up.
    pub enum MeterAggregationMethod {
        Sum = "sum",
        Count = "count",
        Last = "last",
    }

    /// Whether a meter counts.
    pub enum MeterStatus {
        Active = "active",
        Inactive = "inactive",
    }
}
