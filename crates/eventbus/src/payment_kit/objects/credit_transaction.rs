//! [`CreditTransaction`]: one use of credit.

use crate::json::JsonMap;
use crate::object::{object, open_enum};

object! {
    /// One use of credit. The only object without `livemode`.
    pub struct CreditTransaction {
        /// The object's id.
        pub id: String,
        /// The usage, in the meter's unit.
        pub quantity: Option<String>,
        /// The credit taken, in the currency's smallest unit.
        pub credit_amount: Option<String>,
        /// What the grant has left, in the currency's smallest unit.
        pub remaining_balance: Option<String>,
        /// The customer it belongs to.
        pub customer_id: Option<String>,
        /// The grant the credit was taken from.
        pub credit_grant_id: Option<String>,
        /// The meter that counts usage.
        pub meter_id: Option<String>,
        /// The subscription it belongs to.
        pub subscription_id: Option<String>,
        /// Where the usage came from.
        pub source: Option<String>,
        /// The name of the meter event.
        pub meter_event_name: Option<String>,
        /// The meter's unit.
        pub meter_unit: Option<String>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// How far the transfer on chain is.
        pub transfer_status: Option<CreditTransferStatus>,
        /// The hash of the transfer.
        pub transfer_hash: Option<String>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }
}

open_enum! {
    /// How far the transfer of used credit on chain is.
    pub enum CreditTransferStatus {
        Pending = "pending",
        Completed = "completed",
        Failed = "failed",
    }
}
