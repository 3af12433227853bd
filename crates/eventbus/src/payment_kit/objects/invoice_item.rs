//! [`InvoiceItem`]: one line of an invoice.

use super::discount::DiscountAmount;
use crate::json::JsonMap;
use crate::object::object;

object! {
    /// One line of an invoice.
    pub struct InvoiceItem {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// The amount, in the currency's smallest unit.
        pub amount: Option<String>,
        /// How many.
        pub quantity: Option<i64>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// The period it bills.
        pub period: Option<InvoiceItemPeriod>,
        /// The currency of all its amounts.
        pub currency_id: Option<String>,
        /// The customer it belongs to.
        pub customer_id: Option<String>,
        /// The price.
        pub price_id: Option<String>,
        /// The invoice it belongs to.
        pub invoice_id: Option<String>,
        /// The subscription it belongs to.
        pub subscription_id: Option<String>,
        /// The subscription item it bills.
        pub subscription_item_id: Option<String>,
        /// The test clock it runs on.
        pub test_clock_id: Option<String>,
        /// The tax rate applied.
        pub tax_rate_id: Option<String>,
        /// Whether discounts apply to it.
        pub discountable: Option<bool>,
        /// What each discount took off.
        pub discount_amounts: Option<Vec<DiscountAmount>>,
        /// The ids of the discounts applied.
        pub discounts: Option<Vec<String>>,
        /// Whether it bills a part of a period.
        pub proration: Option<bool>,
        /// What a part period is set off against.
        pub proration_details: Option<InvoiceItemProrationDetails>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }

    /// The period an invoice item bills.
    pub struct InvoiceItemPeriod {
        /// When it starts, in Unix seconds.
        pub start: Option<i64>,
        /// When it ends, in Unix seconds.
        pub end: Option<i64>,
    }

    /// What a part period is set off against.
    pub struct InvoiceItemProrationDetails {
        /// The items credited.
        pub credited_items: Option<InvoiceItemCreditedItems>,
    }

    /// The items a part period is set off against.
    pub struct InvoiceItemCreditedItems {
        /// The invoice with the credited items.
        pub invoice_id: Option<String>,
        /// The ids of the credited items.
        pub invoice_line_items: Option<Vec<String>>,
    }
}
