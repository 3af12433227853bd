//! Vendors' orders in a checkout session.

use crate::object::{object, open_enum};

object! {
    /// A vendor's order in a session.
    pub struct CheckoutSessionVendorInfo {
        /// The vendor's id.
        pub vendor_id: Option<String>,
        /// The vendor's key.
        pub vendor_key: Option<String>,
        /// What kind of vendor it is.
        pub vendor_type: Option<String>,
        /// The id of the vendor's order.
        pub order_id: Option<String>,
        /// Where the order stands.
        pub status: Option<FulfillmentStatus>,
        /// The address of the service delivered.
        pub service_url: Option<String>,
        /// The address of the application delivered.
        pub app_url: Option<String>,
        /// Why the order failed.
        pub error_message: Option<String>,
        /// The amount, in the currency's smallest unit.
        pub amount: Option<String>,
        /// How often the order was placed.
        pub attempts: Option<i64>,
        /// When the order was last placed, as text.
        pub last_attempt_at = "lastAttemptAt": Option<String>,
        /// How often the return was tried.
        pub return_retry = "returnRetry": Option<i64>,
        /// When the order was completed, as text.
        pub completed_at = "completedAt": Option<String>,
        /// The commission, in the currency's smallest unit.
        pub commission_amount = "commissionAmount": Option<String>,
        /// The customer's request to return the goods.
        pub return_request = "returnRequest": Option<VendorReturnRequest>,
    }

    /// A customer's request to return a vendor's goods.
    pub struct VendorReturnRequest {
        /// Why they are returned.
        pub reason: Option<String>,
        /// When it was asked for, as text.
        pub requested_at = "requestedAt": Option<String>,
        /// Where the request stands.
        pub status: Option<VendorReturnStatus>,
        /// Anything else about the return.
        pub return_details = "returnDetails": Option<String>,
    }
}

open_enum! {
    /// How far a vendor is with delivering.
    pub enum FulfillmentStatus {
        Pending = "pending",
        Processing = "processing",
        Completed = "completed",
        Failed = "failed",
        Cancelled = "cancelled",
        MaxRetriesExceeded = "max_retries_exceeded",
        ReturnRequested = "return_requested",
        Sent = "sent",
        Returning = "returning",
        Returned = "returned",
    }

    /// Where a request to return goods stands.
    pub enum VendorReturnStatus {
        Pending = "pending",
        Accepted = "accepted",
        Rejected = "rejected",
    }
}
