//! [`PaymentCurrency`]: what is paid with.

use crate::json::{Decimal, Json, JsonMap};
use crate::object::{object, open_enum};

object! {
    /// What is paid with: a currency, a token or a kind of credit.
    pub struct PaymentCurrency {
        /// The object's id.
        pub id: String,
        /// The payment method it is paid with.
        pub payment_method_id: Option<String>,
        /// Whether it can be used for new purchases.
        pub active: Option<bool>,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// Whether it can no longer be changed.
        pub locked: Option<bool>,
        /// Whether it is the one others are counted in.
        pub is_base_currency: Option<bool>,
        /// Its name, for people.
        pub name: Option<String>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// The address of the logo.
        pub logo: Option<String>,
        /// The symbol, such as `ABT`.
        pub symbol: Option<String>,
        /// How many decimals separate one from the smallest unit.
        pub decimal: Option<i64>,
        /// How many decimals are shown.
        pub maximum_precision: Option<i64>,
        /// The least payment, in the smallest unit.
        pub minimum_payment_amount: Option<String>,
        /// The greatest payment, in the smallest unit.
        pub maximum_payment_amount: Option<String>,
        /// The address of the token's contract.
        pub contract: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
        /// Where income is kept; the shape is not documented.
        pub vault_config: Option<Json>,
        /// Whether it is money or credit.
        pub kind = "type": Option<PaymentCurrencyKind>,
        /// How credit is bought.
        pub recharge_config: Option<RechargeConfig>,
        /// The token behind credit.
        pub token_config: Option<JsonMap>,
    }

    /// How credit is bought.
    pub struct RechargeConfig {
        /// The price of the credit.
        pub base_price_id: Option<String>,
        /// The payment link to buy it through.
        pub payment_link_id: Option<String>,
        /// The address to buy it at.
        pub checkout_url: Option<String>,
        /// The limits of one purchase.
        pub settings: Option<RechargeSettings>,
    }

    /// The limits of one purchase of credit.
    pub struct RechargeSettings {
        /// The least purchase; a number, so its unit is not the smallest one.
        pub min_recharge_amount: Option<Decimal>,
        /// The greatest purchase; a number, so its unit is not the smallest one.
        pub max_recharge_amount: Option<Decimal>,
    }
}

open_enum! {
    /// Whether a currency is money or credit.
    pub enum PaymentCurrencyKind {
        Standard = "standard",
        Credit = "credit",
    }
}
