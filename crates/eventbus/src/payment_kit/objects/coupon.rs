//! [`Coupon`]: what a discount takes off.

use super::created_via::CreatedVia;
use crate::json::{Decimal, JsonMap};
use crate::object::{object, open_enum};

object! {
    /// What a discount takes off, and for how long.
    pub struct Coupon {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// Whether it can no longer be changed.
        pub locked: Option<bool>,
        /// What it takes off, in the currency's smallest unit.
        pub amount_off: Option<String>,
        /// What it takes off, in percent.
        pub percent_off: Option<Decimal>,
        /// The currency of all its amounts.
        pub currency_id: Option<String>,
        /// How long it applies.
        pub duration: Option<CouponDuration>,
        /// For how many months it applies.
        pub duration_in_months: Option<i64>,
        /// Its name, for people.
        pub name: Option<String>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// What it applies to.
        pub applies_to: Option<CouponAppliesTo>,
        /// What it takes off in other currencies, by currency id.
        pub currency_options: Option<JsonMap<CouponCurrencyOption>>,
        /// How often it may be redeemed.
        pub max_redemptions: Option<i64>,
        /// Until when it can be redeemed, in Unix seconds.
        pub redeem_by: Option<i64>,
        /// How often it has been redeemed.
        pub times_redeemed: Option<i64>,
        /// Whether it can be redeemed now.
        pub valid: Option<bool>,
        /// Where it was made.
        pub created_via: Option<CreatedVia>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }

    /// The products a coupon applies to.
    pub struct CouponAppliesTo {
        /// The ids of the products.
        pub products: Option<Vec<String>>,
    }

    /// What a coupon takes off in one currency.
    pub struct CouponCurrencyOption {
        /// What it takes off, in that currency's smallest unit.
        pub amount_off: Option<String>,
    }
}

open_enum! {
    /// How long a coupon applies.
    pub enum CouponDuration {
        Forever = "forever",
        Once = "once",
        Repeating = "repeating",
    }
}
