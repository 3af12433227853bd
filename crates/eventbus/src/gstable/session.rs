//! [`Session`]: one payment by a customer.

use super::LineItems;
use crate::json::JsonMap;
use crate::object::{object, open_enum};

object! {
    /// One payment by a customer, from opening to settlement.
    pub struct Session {
        /// The session's id, `sess_…`.
        pub session_id = "sessionId": String,
        /// What kind of session it is.
        pub session_type = "sessionType": Option<String>,
        /// The id of what the session was opened from.
        pub business_id = "businessId": Option<String>,
        /// What the session was opened from; not the envelope's field of the same name.
        pub business_type = "businessType": Option<String>,
        /// The client that opened it.
        pub client_code = "clientCode": Option<String>,
        /// The address that pays; empty or `null` before payment.
        pub payer: Option<String>,
        /// The payer's e-mail address.
        pub payer_email = "payerEmail": Option<String>,
        /// The token paid with, such as `polygon::usdc`; empty or `null` before payment.
        pub paid_token = "paidToken": Option<String>,
        /// The receipt; empty or `null` before payment.
        pub receipt_id = "receiptId": Option<String>,
        /// The address that is paid.
        pub recipient: Option<String>,
        /// The token the recipient gets, such as `polygon::usdc`.
        pub settlement_token = "settlementToken": Option<String>,
        /// The address of the payment page.
        pub payment_url = "paymentUrl": Option<String>,
        /// The hash of the transaction that paid; empty or `null` before payment.
        pub initiate_tx = "initiateTx": Option<String>,
        /// The hash of the transaction that settled; empty or `null` before settlement.
        pub complete_tx = "completeTx": Option<String>,
        /// When it was opened, as text without a zone.
        pub create_at = "createAt": Option<String>,
        /// Where it stands. Events arrive out of order: never let a late `paid` overwrite `completed`.
        pub status: Option<SessionStatus>,
        /// Whether the payer must give an e-mail address: 0 or 1.
        pub payer_email_required = "payerEmailRequired": Option<i64>,
        /// Who bears the fee: 1 the merchant, 2 the payer.
        pub fee_model = "feeModel": Option<i64>,
        /// What is to be paid, in micro-USD.
        pub amount: Option<i64>,
        /// When it expires, in Unix seconds.
        pub expiration_time = "expirationTime": Option<i64>,
        /// Whether the payer has signed once, after which it cannot be cancelled: 0 or 1.
        pub signed_once = "signedOnce": Option<i64>,
        /// When it was paid, as text without a zone.
        pub payment_succeeded_time = "paymentSucceededTime": Option<String>,
        /// When it was settled, as text without a zone.
        pub settlement_succeeded_time = "settlementSucceededTime": Option<String>,
        /// What is bought.
        pub line_items = "lineItems": Option<LineItems>,
        /// Where the payer goes after paying.
        pub success_url = "successUrl": Option<String>,
        /// What the merchant attached.
        pub metadata: Option<JsonMap>,
    }
}

open_enum! {
    /// Where a session stands.
    pub enum SessionStatus {
        /// Awaits payment.
        Initialized = "initialized",
        /// Paid on chain, not settled yet.
        Paid = "paid",
        /// Being settled across chains.
        Settling = "settling",
        /// The settlement is delayed and retried by GStable.
        SettlementPending = "settlement_pending",
        /// Settled: the recipient has the funds.
        Completed = "completed",
        /// Ran out of time.
        Expired = "expired",
        /// Cancelled before it was paid.
        Cancelled = "cancelled",
    }
}

impl SessionStatus {
    /// Whether nothing follows: completed, expired or cancelled. A word we do not know is not terminal.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed | Self::Expired | Self::Cancelled)
    }
}
