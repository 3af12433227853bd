//! [`Transaction`]: the transaction on chain behind a session.

use super::{
    SessionCancelled, SessionCompleted, SessionCreated, SessionExpired, SessionPaid,
    SessionSettlementPending, SessionSettling,
};
use crate::error::Result;
use crate::event::Event;
use crate::json::Decimal;
use crate::object::object;

object! {
    /// The transaction on chain behind a session. The unit of its values is not documented.
    pub struct Transaction {
        /// The order.
        pub order_id = "orderId": Option<String>,
        /// The channel it went through.
        pub channel_id = "channelId": Option<String>,
        /// The address it came from.
        pub from: Option<String>,
        /// The address it went to.
        pub to: Option<String>,
        /// What the merchant attached, as text.
        pub meta_data = "metaData": Option<String>,
        /// The hash of the transaction that paid.
        pub source_tx = "sourceTx": Option<String>,
        /// The hash of the transaction that settled.
        pub target_tx = "targetTx": Option<String>,
        /// When it was executed, as text.
        pub execute_time = "executeTime": Option<String>,
        /// When it was final, as text.
        pub finalize_time = "finalizeTime": Option<String>,
        /// What kind of order it is.
        pub order_type = "orderType": Option<Decimal>,
        /// The whole value.
        pub total_value = "totalValue": Option<Decimal>,
        /// What was paid.
        pub payment_value = "paymentValue": Option<Decimal>,
        /// The fee.
        pub fee_value = "feeValue": Option<Decimal>,
        /// What the recipient gets.
        pub net_value = "netValue": Option<Decimal>,
    }
}

/// Gives the events of sessions access to what stands beside the session.
macro_rules! with_transaction {
    ($($Marker:ident),*) => {$(
        impl Event<$Marker> {
            /// The transaction on chain, where one is involved.
            ///
            /// # Errors
            /// [`Undecodable`](crate::ErrorKind::Undecodable) when it is there and is not a [`Transaction`].
            pub fn transaction(&self) -> Result<Option<Transaction>> {
                self.data("transaction")
            }
        }
    )*};
}

with_transaction!(
    SessionCancelled,
    SessionCompleted,
    SessionCreated,
    SessionExpired,
    SessionPaid,
    SessionSettlementPending,
    SessionSettling
);
