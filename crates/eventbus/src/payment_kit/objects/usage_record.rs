//! [`UsageRecord`]: usage of a subscription item.

use crate::json::JsonMap;
use crate::object::object;

object! {
    /// Usage reported for a subscription item.
    pub struct UsageRecord {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// Whether it is on an invoice.
        pub billed: Option<bool>,
        /// When the usage happened, in Unix seconds.
        pub timestamp: Option<i64>,
        /// How much was used.
        pub quantity: Option<i64>,
        /// The subscription item it counts for.
        pub subscription_item_id: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }
}
