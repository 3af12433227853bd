//! [`WebhookAttempt`]: one try to post an event.

use crate::json::Json;
use crate::object::{object, open_enum};

object! {
    /// One try to post an event to a webhook endpoint.
    pub struct WebhookAttempt {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// The event that was sent.
        pub event_id: Option<String>,
        /// The endpoint it was sent to.
        pub webhook_endpoint_id: Option<String>,
        /// How it ended.
        pub status: Option<WebhookAttemptStatus>,
        /// The HTTP status of the answer.
        pub response_status: Option<i64>,
        /// The body of the answer, or what there was instead.
        pub response_body: Option<Json>,
        /// How many tries there had been before.
        pub retry_count: Option<i64>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }
}

open_enum! {
    /// How a try to post an event ended.
    pub enum WebhookAttemptStatus {
        Succeeded = "succeeded",
        Failed = "failed",
    }
}
