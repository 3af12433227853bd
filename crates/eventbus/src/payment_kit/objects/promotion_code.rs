//! [`PromotionCode`]: a code that customers enter.

use super::created_via::CreatedVia;
use crate::json::{Json, JsonMap};
use crate::object::object;

object! {
    /// A code that customers enter to get a coupon's discount.
    pub struct PromotionCode {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// Whether it can be redeemed.
        pub active: Option<bool>,
        /// Whether it can no longer be changed.
        pub locked: Option<bool>,
        /// The code customers enter.
        pub code: Option<String>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// The coupon it stands for.
        pub coupon_id: Option<String>,
        /// How often it may be redeemed.
        pub max_redemptions: Option<i64>,
        /// What an order must be like.
        pub restrictions: Option<Restrictions>,
        /// The only customer who may use it.
        pub customer_id: Option<String>,
        /// How often it has been redeemed.
        pub times_redeemed: Option<i64>,
        /// When it expires, in Unix seconds.
        pub expires_at: Option<i64>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
        /// How the right to use it is checked; the values are not documented.
        pub verification_type: Option<Json>,
        /// The NFT that gives the right to it; the shape is not documented.
        pub nft_config: Option<Json>,
        /// The credential that gives the right to it; the shape is not documented.
        pub vc_config: Option<Json>,
        /// The DIDs of the customers who may use it.
        pub customer_dids: Option<Vec<String>>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// Where it was made.
        pub created_via: Option<CreatedVia>,
    }

    /// What an order must be like for a promotion code.
    pub struct Restrictions {
        /// The least order in other currencies, by currency id.
        pub currency_options: Option<JsonMap<RestrictionsCurrencyOption>>,
        /// Whether it is for first orders only.
        pub first_time_transaction: Option<bool>,
        /// The least order it applies to, in the currency's smallest unit.
        pub minimum_amount: Option<String>,
        /// The currency of `minimum_amount`.
        pub minimum_amount_currency: Option<String>,
    }

    /// The least order in one currency.
    pub struct RestrictionsCurrencyOption {
        /// The least order, in that currency's smallest unit.
        pub minimum_amount: Option<String>,
    }
}
