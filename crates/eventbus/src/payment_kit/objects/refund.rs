//! [`Refund`]: money given back.

use super::payment_details::PaymentDetails;
use super::payment_error::PaymentError;
use crate::json::JsonMap;
use crate::object::{object, open_enum};

object! {
    /// Money given back: of a payment, or of a stake.
    pub struct Refund {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// The amount, in the currency's smallest unit.
        pub amount: Option<String>,
        /// What each payment channel recorded about the payment.
        pub payment_details: Option<Box<PaymentDetails>>,
        /// The currency of all its amounts.
        pub currency_id: Option<String>,
        /// The customer it belongs to.
        pub customer_id: Option<String>,
        /// The payment given back.
        pub payment_intent_id: Option<String>,
        /// The payment method used.
        pub payment_method_id: Option<String>,
        /// The invoice given back.
        pub invoice_id: Option<String>,
        /// The subscription it belongs to.
        pub subscription_id: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// Where it stands.
        pub status: Option<RefundStatus>,
        /// Why the money is given back.
        pub reason: Option<RefundReason>,
        /// Why it could not be given back.
        pub failure_reason: Option<RefundFailureReason>,
        /// How often it has been tried.
        pub attempt_count: Option<i64>,
        /// Whether it has been tried at all.
        pub attempted: Option<bool>,
        /// When the next try is due, as a Unix time.
        pub next_attempt: Option<i64>,
        /// Why the last try failed.
        pub last_attempt_error: Option<Box<PaymentError>>,
        /// The customer's balance before, in the currency's smallest unit.
        pub starting_balance: Option<String>,
        /// The customer's balance afterwards, in the currency's smallest unit.
        pub ending_balance: Option<String>,
        /// The customer's balance before by currency id, each in that currency's smallest unit.
        pub starting_token_balance: Option<JsonMap<String>>,
        /// The customer's balance afterwards by currency id, each in that currency's smallest unit.
        pub ending_token_balance: Option<JsonMap<String>>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
        /// Whether a payment or a stake is given back.
        pub kind = "type": Option<RefundKind>,
    }
}

open_enum! {
    /// Where a refund stands.
    pub enum RefundStatus {
        Pending = "pending",
        RequiresAction = "requires_action",
        Processing = "processing",
        Failed = "failed",
        Canceled = "canceled",
        Succeeded = "succeeded",
    }

    /// Why money is given back.
    pub enum RefundReason {
        Duplicate = "duplicate",
        RequestedByCustomer = "requested_by_customer",
        RequestedByAdmin = "requested_by_admin",
        Fraudulent = "fraudulent",
        ExpiredUncapturedCharge = "expired_uncaptured_charge",
    }

    /// Why money could not be given back.
    pub enum RefundFailureReason {
        LostOrStolenCard = "lost_or_stolen_card",
        ExpiredOrCanceledCard = "expired_or_canceled_card",
        ChargeForPendingRefundDisputed = "charge_for_pending_refund_disputed",
        InsufficientFunds = "insufficient_funds",
        Declined = "declined",
        MerchantRequest = "merchant_request",
        Unknown = "unknown",
    }

    /// What a refund gives back.
    pub enum RefundKind {
        Refund = "refund",
        StakeReturn = "stake_return",
    }
}
