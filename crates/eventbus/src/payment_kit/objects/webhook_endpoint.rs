//! [`WebhookEndpoint`]: an address events are posted to.

use super::created_via::CreatedVia;
use crate::json::JsonMap;
use crate::object::{object, open_enum};

object! {
    /// An address that events are posted to, as Payment Kit keeps it.
    pub struct WebhookEndpoint {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// The version of the objects' shape that is sent.
        pub api_version: Option<String>,
        /// The address events are posted to.
        pub url: Option<String>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// The types of event that are wanted.
        pub enabled_events: Option<Vec<String>>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// Whether events are sent.
        pub status: Option<WebhookEndpointStatus>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// Where it was made.
        pub created_via: Option<CreatedVia>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }
}

open_enum! {
    /// Whether events are sent to an endpoint.
    pub enum WebhookEndpointStatus {
        Enabled = "enabled",
        Disabled = "disabled",
    }
}
