//! [`PaymentDetails`]: what the payment channels recorded; and the choice of channel.

use crate::object::{object, open_enum};

object! {
    /// What each payment channel recorded about a payment; one of them is set.
    pub struct PaymentDetails {
        /// On ArcBlock's chain.
        pub arcblock: Option<ArcblockPaymentDetails>,
        /// Through Stripe.
        pub stripe: Option<StripePaymentDetails>,
        /// On Ethereum.
        pub ethereum: Option<EvmPaymentDetails>,
        /// On Base.
        pub base: Option<EvmPaymentDetails>,
        /// On Bitcoin.
        pub bitcoin: Option<BitcoinPaymentDetails>,
    }

    /// A payment on ArcBlock's chain.
    pub struct ArcblockPaymentDetails {
        /// The hash of the transaction.
        pub tx_hash: Option<String>,
        /// The address that pays.
        pub payer: Option<String>,
        /// What the transaction did.
        pub kind = "type": Option<ArcblockTransactionKind>,
        /// The address paid to.
        pub receiver: Option<String>,
        /// The address that may pay on the payer's behalf.
        pub delegation_address: Option<String>,
        /// The stake.
        pub staking: Option<ArcblockStaking>,
    }

    /// A stake on ArcBlock's chain.
    pub struct ArcblockStaking {
        /// The hash of the transaction.
        pub tx_hash: Option<String>,
        /// The address of the stake.
        pub address: Option<String>,
    }

    /// A payment through Stripe, by Stripe's own ids.
    pub struct StripePaymentDetails {
        /// Stripe's id of the payment intent.
        pub payment_intent_id: Option<String>,
        /// Stripe's id of the setup intent.
        pub setup_intent_id: Option<String>,
        /// Stripe's id of the subscription.
        pub subscription_id: Option<String>,
        /// Stripe's id of the customer.
        pub customer_id: Option<String>,
        /// Stripe's id of the refund.
        pub refund_id: Option<String>,
        /// Stripe's id of the payment method.
        pub payment_method_id: Option<String>,
    }

    /// A payment on Ethereum, or a chain like it.
    pub struct EvmPaymentDetails {
        /// The hash of the transaction.
        pub tx_hash: Option<String>,
        /// The address that pays.
        pub payer: Option<String>,
        /// The height of the block that holds the transaction.
        pub block_height: Option<String>,
        /// How much gas it took.
        pub gas_used: Option<String>,
        /// The price of a unit of gas.
        pub gas_price: Option<String>,
        /// What the transaction did.
        pub kind = "type": Option<EvmTransactionKind>,
    }

    /// A payment on Bitcoin.
    pub struct BitcoinPaymentDetails {
        /// The hash of the transaction.
        pub tx_hash: Option<String>,
        /// The address that pays.
        pub payer: Option<String>,
        /// The height of the block that holds the transaction.
        pub block_height: Option<i64>,
        /// How many blocks confirm it.
        pub confirmations: Option<i64>,
    }

    /// The payment methods to use and their options.
    pub struct PaymentSettings {
        /// The options of each payment channel.
        pub payment_method_options: Option<PaymentMethodOptions>,
        /// The kinds of payment method used.
        pub payment_method_types: Option<Vec<String>>,
    }

    /// The options of each payment channel.
    pub struct PaymentMethodOptions {
        /// On ArcBlock's chain.
        pub arcblock: Option<PaymentMethodPayer>,
        /// On Ethereum.
        pub ethereum: Option<PaymentMethodPayer>,
        /// On Base.
        pub base: Option<PaymentMethodPayer>,
        /// Through Stripe.
        pub stripe: Option<PaymentMethodPayer>,
    }

    /// Who pays through a payment channel.
    pub struct PaymentMethodPayer {
        /// The address or account that pays.
        pub payer: Option<String>,
        /// The hash of the transaction.
        pub hash: Option<String>,
    }
}

open_enum! {
    /// What a transaction on ArcBlock's chain did.
    pub enum ArcblockTransactionKind {
        Slash = "slash",
        Transfer = "transfer",
        Delegate = "delegate",
        StakeReturn = "stake_return",
        Credit = "credit",
    }

    /// What a transaction on Ethereum, or a chain like it, did.
    pub enum EvmTransactionKind {
        Transfer = "transfer",
        Approve = "approve",
    }
}
