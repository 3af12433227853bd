//! [`SetupIntent`]: the will to store a payment method.

use super::payment_details::{PaymentDetails, PaymentMethodOptions};
use super::payment_error::PaymentError;
use super::payment_intent::{IntentCancellationReason, IntentStatus};
use crate::json::JsonMap;
use crate::object::{object, open_enum};

object! {
    /// The will to store a payment method for later, without a payment now.
    pub struct SetupIntent {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// The currency of all its amounts.
        pub currency_id: Option<String>,
        /// The customer it belongs to.
        pub customer_id: Option<String>,
        /// Why the last set-up failed.
        pub last_setup_error: Option<Box<PaymentError>>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// Where it stands.
        pub status: Option<IntentStatus>,
        /// When the stored payment method will be used.
        pub usage: Option<FutureUsage>,
        /// When it was canceled, in Unix seconds.
        pub canceled_at: Option<i64>,
        /// Why it was canceled.
        pub cancellation_reason: Option<IntentCancellationReason>,
        /// Which way money may flow.
        pub flow_directions: Option<Vec<FlowDirection>>,
        /// The options of each payment channel.
        pub payment_method_options: Option<PaymentMethodOptions>,
        /// The kinds of payment method accepted.
        pub payment_method_types: Option<Vec<String>>,
        /// The payment method used.
        pub payment_method_id: Option<String>,
        /// What each payment channel recorded about the set-up.
        pub setup_details: Option<Box<PaymentDetails>>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }
}

open_enum! {
    /// Whether the customer is there when a stored payment method is used.
    pub enum FutureUsage {
        OffSession = "off_session",
        OnSession = "on_session",
    }

    /// Which way money may flow.
    pub enum FlowDirection {
        Inbound = "inbound",
        Outbound = "outbound",
    }
}
