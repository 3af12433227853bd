//! [`Customer`]: who pays.

use super::address::{CustomerAddress, CustomerShipping};
use super::invoice::SimpleCustomField;
use crate::json::{Json, JsonMap};
use crate::object::object;

object! {
    /// Who pays.
    pub struct Customer {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// The customer's decentralised identifier.
        pub did: Option<String>,
        /// The application's note about the customer.
        pub description: Option<String>,
        /// The customer's name.
        pub name: Option<String>,
        /// The e-mail address.
        pub email: Option<String>,
        /// The phone number.
        pub phone: Option<String>,
        /// The postal address.
        pub address: Option<CustomerAddress>,
        /// Where goods are sent.
        pub shipping: Option<CustomerShipping>,
        /// What the customer owes or is owed, in the currency's smallest unit.
        pub balance: Option<String>,
        /// The customer's balance by currency id, each in that currency's smallest unit.
        pub token_balance: Option<JsonMap<String>>,
        /// The currency the customer is charged in.
        pub currency_id: Option<String>,
        /// Whether an invoice is overdue.
        pub delinquent: Option<bool>,
        /// The discount in force.
        pub discount_id: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// Credit to be used on invoices.
        pub invoice_credit_balance: Option<Json>,
        /// What the customer's invoice numbers begin with.
        pub invoice_prefix: Option<String>,
        /// What the customer's invoices look like.
        pub invoice_settings: Option<CustomerInvoiceSettings>,
        /// The number of the next invoice.
        pub next_invoice_sequence: Option<i64>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
        /// When the record was last brought up to date, as a Unix time.
        pub last_sync_at: Option<i64>,
        /// What the customer wishes to be told.
        pub preference: Option<CustomerPreferences>,
    }

    /// What a customer's invoices look like.
    pub struct CustomerInvoiceSettings {
        /// Fields printed on each invoice.
        pub custom_fields: Option<Vec<SimpleCustomField>>,
        /// The payment method charged for invoices.
        pub default_payment_method: Option<String>,
        /// The text at the foot of the invoice.
        pub footer: Option<String>,
    }

    /// What a customer wishes to be told.
    pub struct CustomerPreferences {
        /// Which notices are wanted.
        pub notification: Option<Json>,
    }
}
