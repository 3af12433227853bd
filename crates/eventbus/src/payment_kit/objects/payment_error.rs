//! [`PaymentError`]: why a payment failed.

use crate::json::Json;
use crate::object::{object, open_enum};

object! {
    /// Why a payment, or the set-up of one, failed.
    pub struct PaymentError {
        /// The kind of error.
        pub kind = "type": Option<PaymentErrorKind>,
        /// The charge that failed.
        pub charge: Option<String>,
        /// The error's code.
        pub code: Option<String>,
        /// The code the card's issuer gave.
        pub decline_code: Option<String>,
        /// Where the error is explained.
        pub doc_url: Option<String>,
        /// The error, for people.
        pub message: Option<String>,
        /// The parameter at fault.
        pub param: Option<String>,
        /// The payment settings in force.
        pub payment_settings: Option<Json>,
        /// The payment method that failed.
        pub payment_method_id: Option<String>,
        /// The kind of payment method that failed.
        pub payment_method_type: Option<String>,
    }
}

open_enum! {
    /// The kind of a payment error.
    pub enum PaymentErrorKind {
        ApiError = "api_error",
        CardError = "card_error",
        IdempotencyError = "idempotency_error",
        InvalidRequestError = "invalid_request_error",
    }
}
