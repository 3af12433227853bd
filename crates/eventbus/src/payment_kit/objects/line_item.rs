//! [`LineItem`]: one thing bought.

use super::subscription_data::SubscriptionData;
use crate::object::object;

object! {
    /// One thing bought, with its quantity.
    pub struct LineItem {
        /// The price.
        pub price_id: Option<String>,
        /// How many.
        pub quantity: Option<i64>,
        /// Whether the customer may change the quantity.
        pub adjustable_quantity: Option<AdjustableQuantity>,
        /// The price taken instead.
        pub upsell_price_id: Option<String>,
        /// Whether it is a cross-sell.
        pub cross_sell: Option<bool>,
        /// The price the customer chose, in the currency's smallest unit.
        pub custom_amount: Option<String>,
        /// How to make the subscription.
        pub subscription_data: Option<Box<SubscriptionData>>,
    }

    /// Whether the customer may change a quantity, and how far.
    pub struct AdjustableQuantity {
        /// Whether it is switched on.
        pub enabled: Option<bool>,
        /// The most.
        pub maximum: Option<i64>,
        /// The least.
        pub minimum: Option<i64>,
    }
}
