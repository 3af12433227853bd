//! [`Price`]: what a product costs.

use super::created_via::CreatedVia;
use crate::json::{Decimal, JsonMap};
use crate::object::{object, open_enum};

object! {
    /// What a product costs.
    pub struct Price {
        /// The object's id.
        pub id: String,
        /// The product it is a price of.
        pub product_id: Option<String>,
        /// A short name, for people.
        pub nickname: Option<String>,
        /// Whether it can be used for new purchases.
        pub active: Option<bool>,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// Whether it can no longer be changed.
        pub locked: Option<bool>,
        /// Whether it is paid once or again and again.
        pub kind = "type": Option<PriceKind>,
        /// Whether the price depends on the quantity.
        pub billing_scheme: Option<PriceBillingScheme>,
        /// The price of one, in the currency's smallest unit.
        pub unit_amount: Option<String>,
        /// The period and how usage is counted.
        pub recurring: Option<PriceRecurring>,
        /// How the steps are applied.
        pub tiers_mode: Option<PriceTiersMode>,
        /// The steps of a price by quantity.
        pub tiers: Option<Vec<PriceTier>>,
        /// The limits of a price the customer chooses.
        pub custom_unit_amount: Option<CustomUnitAmount>,
        /// A name of the application's own to find it by.
        pub lookup_key: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// How the quantity is rounded into packages.
        pub transform_quantity: Option<TransformQuantity>,
        /// The currency of `unit_amount`.
        pub currency_id: Option<String>,
        /// The price in other currencies.
        pub currency_options: Option<Vec<PriceCurrency>>,
        /// The price to offer instead.
        pub upsell: Option<PriceUpsell>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// Where it was made.
        pub created_via: Option<CreatedVia>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
        /// How many there are to sell.
        pub quantity_available: Option<i64>,
        /// How many have been sold.
        pub quantity_sold: Option<i64>,
        /// How many one purchase may have.
        pub quantity_limit_per_checkout: Option<i64>,
        /// Whether tax is in the price.
        pub tax_behavior: Option<TaxBehavior>,
        /// Whether the price follows an exchange rate.
        pub pricing_type: Option<PricingType>,
        /// The currency a dynamic price is fixed in.
        pub base_currency: Option<String>,
        /// The price in the base currency.
        pub base_amount: Option<String>,
        /// How a dynamic price is fixed.
        pub dynamic_pricing_config: Option<PriceDynamicPricingConfig>,
    }

    /// The period of a price, and how usage is counted.
    pub struct PriceRecurring {
        /// The unit of the period.
        pub interval: Option<RecurringInterval>,
        /// How many units a period has.
        pub interval_count: Option<i64>,
        /// How usage is added up.
        pub aggregate_usage: Option<AggregateUsage>,
        /// Whether it is billed by quantity or by usage.
        pub usage_type: Option<UsageType>,
        /// The meter that counts usage.
        pub meter_id: Option<String>,
    }

    /// A price in one currency.
    pub struct PriceCurrency {
        /// The currency.
        pub currency_id: Option<String>,
        /// The price of one, in the currency's smallest unit.
        pub unit_amount: Option<String>,
        /// The steps of a price by quantity.
        pub tiers: Option<Vec<PriceTier>>,
        /// The limits of a price the customer chooses.
        pub custom_unit_amount: Option<CustomUnitAmount>,
    }

    /// One step of a price by quantity.
    pub struct PriceTier {
        /// The price of the step as a whole.
        pub flat_amount: Option<Decimal>,
        /// The price of one, in the currency's smallest unit.
        pub unit_amount: Option<String>,
        /// The last quantity of the step.
        pub up_to: Option<i64>,
    }

    /// The limits of a price the customer chooses.
    pub struct CustomUnitAmount {
        /// The greatest amount, in the currency's smallest unit.
        pub maximum: Option<String>,
        /// The least amount, in the currency's smallest unit.
        pub minimum: Option<String>,
        /// The amount offered first, in the currency's smallest unit.
        pub preset: Option<String>,
        /// The amounts offered, in the currency's smallest unit.
        pub presets: Option<Vec<String>>,
    }

    /// How a quantity is rounded into packages.
    pub struct TransformQuantity {
        /// How many make a package.
        pub divide_by: Option<i64>,
        /// Which way a part of a package counts.
        pub round: Option<RoundDirection>,
    }

    /// The price to offer instead of another.
    pub struct PriceUpsell {
        /// The price to offer.
        pub upsells_to_id: Option<String>,
    }

    /// How a price that follows an exchange rate is fixed.
    pub struct PriceDynamicPricingConfig {
        /// How long a price stays fixed, in seconds.
        pub lock_duration: Option<i64>,
    }
}

open_enum! {
    /// Whether a price is paid once or again and again.
    pub enum PriceKind {
        OneTime = "one_time",
        Recurring = "recurring",
    }

    /// Whether a price depends on the quantity.
    pub enum PriceBillingScheme {
        PerUnit = "per_unit",
        Tiered = "tiered",
    }

    /// How the steps of a price are applied.
    pub enum PriceTiersMode {
        Graduated = "graduated",
        Volume = "volume",
    }

    /// Whether tax is in a price.
    pub enum TaxBehavior {
        Inclusive = "inclusive",
        Exclusive = "exclusive",
    }

    /// Whether a price follows an exchange rate.
    pub enum PricingType {
        Fixed = "fixed",
        Dynamic = "dynamic",
    }

    /// The unit of a billing period.
    pub enum RecurringInterval {
        Hour = "hour",
        Day = "day",
        Week = "week",
        Month = "month",
        Year = "year",
    }

    /// How usage in a period is added up.
    pub enum AggregateUsage {
        Sum = "sum",
        LastDuringPeriod = "last_during_period",
        Max = "max",
        LastEver = "last_ever",
    }

    /// Whether a price is billed by quantity or by usage.
    pub enum UsageType {
        Licensed = "licensed",
        Metered = "metered",
    }

    /// Which way a part of a package counts.
    pub enum RoundDirection {
        Up = "up",
        Down = "down",
    }
}
