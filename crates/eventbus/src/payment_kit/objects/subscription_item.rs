//! [`SubscriptionItem`]: one price of a subscription.

use crate::json::JsonMap;
use crate::object::object;

object! {
    /// One price of a subscription, with its quantity.
    pub struct SubscriptionItem {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// The subscription it belongs to.
        pub subscription_id: Option<String>,
        /// The price.
        pub price_id: Option<String>,
        /// How many.
        pub quantity: Option<i64>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// What makes an invoice before the period ends.
        pub billing_thresholds: Option<SubscriptionItemBillingThresholds>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }

    /// The usage that makes an invoice before the period ends.
    pub struct SubscriptionItemBillingThresholds {
        /// The usage that makes an invoice.
        pub usage_gte: Option<i64>,
    }
}
