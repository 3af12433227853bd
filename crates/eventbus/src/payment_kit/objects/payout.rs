//! [`Payout`]: money paid out.

use super::payment_details::PaymentDetails;
use super::payment_error::PaymentError;
use crate::json::JsonMap;
use crate::object::{object, open_enum};

object! {
    /// Money paid out to a beneficiary or a vendor.
    pub struct Payout {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// Whether it was made by itself.
        pub automatic: Option<bool>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// The address or account paid to.
        pub destination: Option<String>,
        /// The amount, in the currency's smallest unit.
        pub amount: Option<String>,
        /// What each payment channel recorded about the payment.
        pub payment_details: Option<Box<PaymentDetails>>,
        /// The currency of all its amounts.
        pub currency_id: Option<String>,
        /// The customer it belongs to.
        pub customer_id: Option<String>,
        /// The payment it is a share of.
        pub payment_intent_id: Option<String>,
        /// The payment method used.
        pub payment_method_id: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// The vendor it is for.
        pub vendor_info: Option<PayoutVendorInfo>,
        /// Where it stands.
        pub status: Option<PayoutStatus>,
        /// Why it failed, for people.
        pub failure_message: Option<String>,
        /// Why it failed.
        pub failure_code: Option<PayoutFailureCode>,
        /// How often it has been tried.
        pub attempt_count: Option<i64>,
        /// Whether it has been tried at all.
        pub attempted: Option<bool>,
        /// When the next try is due, as a Unix time.
        pub next_attempt: Option<i64>,
        /// Why the last try failed.
        pub last_attempt_error: Option<Box<PaymentError>>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }

    /// The vendor a payout is for.
    pub struct PayoutVendorInfo {
        /// The vendor's id.
        pub vendor_id: Option<String>,
        /// The vendor's application.
        pub app_pid: Option<String>,
        /// The id of the vendor's order.
        pub order_id: Option<String>,
        /// The commission, in the currency's smallest unit.
        pub commission_amount: Option<String>,
    }
}

open_enum! {
    /// Where a payout stands.
    pub enum PayoutStatus {
        Pending = "pending",
        Paid = "paid",
        Failed = "failed",
        Canceled = "canceled",
        InTransit = "in_transit",
        Deferred = "deferred",
        Reverted = "reverted",
    }

    /// Why a payout failed.
    pub enum PayoutFailureCode {
        AccountClosed = "account_closed",
        AccountFrozen = "account_frozen",
        BankAccountRestricted = "bank_account_restricted",
        BankOwnershipChanged = "bank_ownership_changed",
        CouldNotProcess = "could_not_process",
        DebitNotAuthorized = "debit_not_authorized",
        Declined = "declined",
        IncorrectAccountHolderAddress = "incorrect_account_holder_address",
        IncorrectAccountHolderName = "incorrect_account_holder_name",
        IncorrectAccountHolderTaxId = "incorrect_account_holder_tax_id",
        IncorrectAccountType = "incorrect_account_type",
        InsufficientFunds = "insufficient_funds",
        InvalidAccountNumber = "invalid_account_number",
    }
}
