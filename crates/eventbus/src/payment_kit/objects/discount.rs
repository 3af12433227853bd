//! [`Discount`]: a coupon in use.

use crate::json::JsonMap;
use crate::object::object;

object! {
    /// A coupon in use by a customer.
    pub struct Discount {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// The coupon it came from.
        pub coupon_id: Option<String>,
        /// The promotion code it came from.
        pub promotion_code_id: Option<String>,
        /// The customer who has it.
        pub customer_id: Option<String>,
        /// The subscription it lowers.
        pub subscription_id: Option<String>,
        /// The checkout session it comes from.
        pub checkout_session_id: Option<String>,
        /// The invoice it lowers.
        pub invoice_id: Option<String>,
        /// The invoice item it lowers.
        pub invoice_item_id: Option<String>,
        /// Whether the purchase went through.
        pub confirmed: Option<bool>,
        /// When it starts, in Unix seconds.
        pub start: Option<i64>,
        /// When it ends, in Unix seconds.
        pub end: Option<i64>,
        /// How the customer's right to it was checked.
        pub verification_method: Option<String>,
        /// What the check was made on.
        pub verification_data: Option<JsonMap>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }

    /// What one discount took off.
    pub struct DiscountAmount {
        /// What it took off, in the currency's smallest unit.
        pub amount: Option<String>,
        /// The discount's id.
        pub discount: Option<String>,
        /// The promotion code's id.
        pub promotion_code: Option<String>,
        /// The coupon's id.
        pub coupon: Option<String>,
    }
}
