//! What the total of a checkout session is made of.

use crate::object::object;

object! {
    /// What makes the difference between a session's subtotal and total.
    pub struct CheckoutSessionTotalDetails {
        /// The sum of discounts, in the currency's smallest unit.
        pub amount_discount: Option<String>,
        /// The shipping cost, in the currency's smallest unit.
        pub amount_shipping: Option<String>,
        /// The sum of taxes, in the currency's smallest unit.
        pub amount_tax: Option<String>,
        /// The single discounts and taxes.
        pub breakdown: Option<CheckoutSessionTotalBreakdown>,
    }

    /// The single discounts and taxes in a session's total.
    pub struct CheckoutSessionTotalBreakdown {
        /// The discounts applied.
        pub discounts: Option<Vec<CheckoutSessionTotalDiscount>>,
        /// The taxes added.
        pub taxes: Option<Vec<CheckoutSessionTotalTax>>,
    }

    /// One discount in a session's total.
    pub struct CheckoutSessionTotalDiscount {
        /// The amount, in the currency's smallest unit.
        pub amount: Option<String>,
        /// The discount's id.
        pub discount: Option<String>,
    }

    /// One tax in a session's total.
    pub struct CheckoutSessionTotalTax {
        /// The amount, in the currency's smallest unit.
        pub amount: Option<String>,
        /// The tax rate.
        pub rate: Option<String>,
    }

    /// The amounts before conversion into the currency paid in.
    pub struct CurrencyConversion {
        /// The sum of the line items in the source currency's smallest unit.
        pub amount_subtotal: Option<String>,
        /// What was to be paid, in the source currency's smallest unit.
        pub amount_total: Option<String>,
        /// The exchange rate.
        pub fx_rate: Option<String>,
        /// The currency converted from.
        pub source_currency: Option<String>,
    }
}
