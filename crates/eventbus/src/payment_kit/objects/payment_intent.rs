//! [`PaymentIntent`]: the will to collect one payment.

use super::donation::PaymentBeneficiary;
use super::payment_details::PaymentDetails;
use super::payment_error::PaymentError;
use super::setup_intent::FutureUsage;
use crate::json::JsonMap;
use crate::object::{object, open_enum};

object! {
    /// The will to collect one payment, through all its tries.
    pub struct PaymentIntent {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// What is to be paid, in the currency's smallest unit.
        pub amount: Option<String>,
        /// What has been paid, in the currency's smallest unit.
        pub amount_received: Option<String>,
        /// What is held and can be taken, in the currency's smallest unit.
        pub amount_capturable: Option<String>,
        /// What the amount is made of.
        pub amount_details: Option<PaymentIntentAmountDetails>,
        /// The currency of all its amounts.
        pub currency_id: Option<String>,
        /// The customer it belongs to.
        pub customer_id: Option<String>,
        /// The payment method used.
        pub payment_method_id: Option<String>,
        /// The invoice it belongs to.
        pub invoice_id: Option<String>,
        /// The last charge.
        pub last_charge: Option<String>,
        /// Why the last payment failed.
        pub last_payment_error: Option<Box<PaymentError>>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// Where the receipt goes.
        pub receipt_email: Option<String>,
        /// The text on the customer's statement.
        pub statement_descriptor: Option<String>,
        /// What follows the text on the customer's statement.
        pub statement_descriptor_suffix: Option<String>,
        /// Where it stands.
        pub status: Option<IntentStatus>,
        /// When it was canceled, in Unix seconds.
        pub canceled_at: Option<i64>,
        /// Why it was canceled.
        pub cancellation_reason: Option<IntentCancellationReason>,
        /// Whether the money is taken at once.
        pub capture_method: Option<CaptureMethod>,
        /// Whether the payment is confirmed at once.
        pub confirmation_method: Option<ConfirmationMethod>,
        /// The kinds of payment method accepted.
        pub payment_method_types: Option<Vec<String>>,
        /// The review the payment is under.
        pub review: Option<String>,
        /// What each payment channel recorded about the payment.
        pub payment_details: Option<Box<PaymentDetails>>,
        /// Whether the payment method is kept for later.
        pub setup_future_usage: Option<FutureUsage>,
        /// When the price was fixed, ISO-8601 with milliseconds.
        pub quote_locked_at: Option<String>,
        /// Who shares in the payment.
        pub beneficiaries: Option<Vec<PaymentBeneficiary>>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }

    /// What the amount of a payment is made of.
    pub struct PaymentIntentAmountDetails {
        /// The tip, in the currency's smallest unit.
        pub tip: Option<String>,
    }

    /// How a payment intent is made.
    pub struct PaymentIntentData {
        /// What it is for, for people.
        pub description: Option<String>,
        /// The text on the customer's statement.
        pub statement_descriptor: Option<String>,
        /// Who shares in the payment.
        pub beneficiaries: Option<Vec<PaymentBeneficiary>>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
    }
}

open_enum! {
    /// Where a payment intent or a setup intent stands.
    pub enum IntentStatus {
        RequiresPaymentMethod = "requires_payment_method",
        RequiresConfirmation = "requires_confirmation",
        RequiresAction = "requires_action",
        Processing = "processing",
        RequiresCapture = "requires_capture",
        Canceled = "canceled",
        Succeeded = "succeeded",
    }

    /// Why an intent was canceled; setup intents use the first three.
    pub enum IntentCancellationReason {
        Abandoned = "abandoned",
        Duplicate = "duplicate",
        RequestedByCustomer = "requested_by_customer",
        Fraudulent = "fraudulent",
        FailedInvoice = "failed_invoice",
        VoidInvoice = "void_invoice",
        Automatic = "automatic",
    }

    /// Whether the money of a payment is taken at once.
    pub enum CaptureMethod {
        Automatic = "automatic",
        Manual = "manual",
    }

    /// Whether a payment is confirmed at once.
    pub enum ConfirmationMethod {
        Automatic = "automatic",
        Manual = "manual",
    }
}
