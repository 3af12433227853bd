//! [`Invoice`]: what a customer owes.

use super::address::{CustomerAddress, CustomerShipping};
use super::discount::DiscountAmount;
use super::payment_details::PaymentSettings;
use super::payment_error::PaymentError;
use crate::json::{Json, JsonMap};
use crate::object::{object, open_enum};

object! {
    /// What a customer owes for a period or a purchase.
    pub struct Invoice {
        /// The object's id.
        pub id: String,
        /// The number printed on it.
        pub number: Option<String>,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// The text on the customer's statement.
        pub statement_descriptor: Option<String>,
        /// The end of the period billed, in Unix seconds.
        pub period_end: Option<i64>,
        /// The start of the period billed, in Unix seconds.
        pub period_start: Option<i64>,
        /// Whether it is finalized and collected by itself.
        pub auto_advance: Option<bool>,
        /// Whether it is paid.
        pub paid: Option<bool>,
        /// Whether it was paid outside Payment Kit.
        pub paid_out_of_band: Option<bool>,
        /// Where it stands.
        pub status: Option<InvoiceStatus>,
        /// How an invoice is collected.
        pub collection_method: Option<CollectionMethod>,
        /// Why it was made.
        pub billing_reason: Option<InvoiceBillingReason>,
        /// The currency of all its amounts.
        pub currency_id: Option<String>,
        /// The customer it belongs to.
        pub customer_id: Option<String>,
        /// The payment intent that collects it.
        pub payment_intent_id: Option<String>,
        /// The subscription it belongs to.
        pub subscription_id: Option<String>,
        /// The checkout session it comes from.
        pub checkout_session_id: Option<String>,
        /// The quote that fixed a dynamic price.
        pub quote_id: Option<String>,
        /// The charge that paid it.
        pub charge_id: Option<String>,
        /// The subscription as it was at the time.
        pub subscription_details: Option<Json>,
        /// The instant a part period was counted from, in Unix seconds.
        pub subscription_proration_date: Option<i64>,
        /// The sum of its items, in the currency's smallest unit.
        pub subtotal: Option<String>,
        /// The sum of its items without tax, in the currency's smallest unit.
        pub subtotal_excluding_tax: Option<String>,
        /// The tax, in the currency's smallest unit.
        pub tax: Option<String>,
        /// The sum after discounts and tax, in the currency's smallest unit.
        pub total: Option<String>,
        /// What is due, in the currency's smallest unit.
        pub amount_due: Option<String>,
        /// What has been paid, in the currency's smallest unit.
        pub amount_paid: Option<String>,
        /// What is still to be paid, in the currency's smallest unit.
        pub amount_remaining: Option<String>,
        /// The shipping cost, in the currency's smallest unit.
        pub amount_shipping: Option<String>,
        /// The customer's balance before, in the currency's smallest unit.
        pub starting_balance: Option<String>,
        /// The customer's balance afterwards, in the currency's smallest unit.
        pub ending_balance: Option<String>,
        /// The customer's balance before by currency id, each in that currency's smallest unit.
        pub starting_token_balance: Option<JsonMap<String>>,
        /// The customer's balance afterwards by currency id, each in that currency's smallest unit.
        pub ending_token_balance: Option<JsonMap<String>>,
        /// How often it has been tried.
        pub attempt_count: Option<i64>,
        /// Whether it has been tried at all.
        pub attempted: Option<bool>,
        /// When the next try is due, as a Unix time.
        pub next_payment_attempt: Option<i64>,
        /// Fields printed on it.
        pub custom_fields: Option<Vec<SimpleCustomField>>,
        /// The customer's postal address at the time.
        pub customer_address: Option<CustomerAddress>,
        /// The customer's e-mail address at the time.
        pub customer_email: Option<String>,
        /// The customer's name at the time.
        pub customer_name: Option<String>,
        /// The customer's phone number at the time.
        pub customer_phone: Option<String>,
        /// Where goods were sent at the time.
        pub customer_shipping: Option<CustomerShipping>,
        /// The ids of the discounts applied.
        pub discounts: Option<Vec<String>>,
        /// What each discount took off.
        pub total_discount_amounts: Option<Vec<DiscountAmount>>,
        /// When it is due, in Unix seconds.
        pub due_date: Option<i64>,
        /// When it takes effect, in Unix seconds.
        pub effective_at: Option<i64>,
        /// The text at its foot.
        pub footer: Option<String>,
        /// The invoice it was made from.
        pub from_invoice: Option<Json>,
        /// The seller's country.
        pub account_country: Option<String>,
        /// The seller's name.
        pub account_name: Option<String>,
        /// The address of its page.
        pub hosted_invoice_url: Option<String>,
        /// The address of its PDF.
        pub invoice_pdf: Option<String>,
        /// Why it could not be finalized.
        pub last_finalization_error: Option<Box<PaymentError>>,
        /// The newest revision of it.
        pub latest_revision: Option<String>,
        /// The payment methods to use and their options.
        pub payment_settings: Option<PaymentSettings>,
        /// The payment method charged unless another is named.
        pub default_payment_method_id: Option<String>,
        /// Credit notes after payment, in the currency's smallest unit.
        pub post_payment_credit_notes_amount: Option<String>,
        /// Credit notes before payment, in the currency's smallest unit.
        pub pre_payment_credit_notes_amount: Option<String>,
        /// How it is printed.
        pub rendering_options: Option<Json>,
        /// When its status changed.
        pub status_transitions: Option<InvoiceStatusTransitions>,
        /// The test clock it runs on.
        pub test_clock_id: Option<String>,
        /// The threshold that made it.
        pub threshold_reason: Option<Json>,
        /// When its webhooks were delivered, in Unix seconds.
        pub webhooks_delivered_at: Option<i64>,
        /// The number of the receipt.
        pub receipt_number: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }

    /// When an invoice's status changed.
    pub struct InvoiceStatusTransitions {
        /// When it was finalized, in Unix seconds.
        pub finalized_at: Option<i64>,
        /// When it was given up, in Unix seconds.
        pub marked_uncollectible_at: Option<i64>,
        /// When it was paid, in Unix seconds.
        pub paid_at: Option<i64>,
        /// When it was voided, in Unix seconds.
        pub voided_at: Option<i64>,
    }

    /// What an invoice for a single payment says.
    pub struct InvoiceData {
        /// What it is for, for people.
        pub description: Option<String>,
        /// The text at the foot of the invoice.
        pub footer: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// What else to ask the customer for.
        pub custom_fields: Option<Vec<SimpleCustomField>>,
    }

    /// A name and a value printed on an invoice.
    pub struct SimpleCustomField {
        /// The name.
        pub name: Option<String>,
        /// The value.
        pub value: Option<String>,
    }
}

open_enum! {
    /// How an invoice is collected.
    pub enum CollectionMethod {
        ChargeAutomatically = "charge_automatically",
        SendInvoice = "send_invoice",
    }

    /// Where an invoice stands.
    pub enum InvoiceStatus {
        Draft = "draft",
        Open = "open",
        Void = "void",
        Paid = "paid",
        Uncollectible = "uncollectible",
    }

    /// Why an invoice was made.
    pub enum InvoiceBillingReason {
        SubscriptionCreate = "subscription_create",
        SubscriptionCycle = "subscription_cycle",
        SubscriptionUpdate = "subscription_update",
        SubscriptionRecover = "subscription_recover",
        SubscriptionThreshold = "subscription_threshold",
        SubscriptionCancel = "subscription_cancel",
        Subscription = "subscription",
        Manual = "manual",
        Upcoming = "upcoming",
        SlashStake = "slash_stake",
        Stake = "stake",
        OverdraftProtection = "overdraft_protection",
        StakeOverdraftProtection = "stake_overdraft_protection",
        Recharge = "recharge",
        AutoRecharge = "auto_recharge",
    }
}
