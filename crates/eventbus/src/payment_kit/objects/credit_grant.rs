//! [`CreditGrant`]: credit given to a customer.

use super::created_via::CreatedVia;
use super::price::UsageType;
use crate::json::JsonMap;
use crate::object::{object, open_enum};

object! {
    /// Credit given to a customer, to be used up by metered prices.
    pub struct CreditGrant {
        /// The object's id.
        pub id: String,
        /// The kind of object, as the provider names it.
        pub object: Option<String>,
        /// How much was granted, in the currency's smallest unit.
        pub amount: Option<String>,
        /// The currency of all its amounts.
        pub currency_id: Option<String>,
        /// What the credit can be spent on.
        pub applicability_config: Option<CreditGrantApplicabilityConfig>,
        /// Whether it was paid for.
        pub category: Option<CreditGrantCategory>,
        /// The customer it belongs to.
        pub customer_id: Option<String>,
        /// When it takes effect, in Unix seconds.
        pub effective_at: Option<i64>,
        /// When it expires, in Unix seconds.
        pub expires_at: Option<i64>,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// Its name, for people.
        pub name: Option<String>,
        /// Which grant is used first: the lower, the sooner.
        pub priority: Option<i64>,
        /// The test clock it runs on.
        pub test_clock: Option<String>,
        /// When it was voided, in Unix seconds.
        pub voided_at: Option<i64>,
        /// Where it stands.
        pub status: Option<CreditGrantStatus>,
        /// How much is left, in the currency's smallest unit.
        pub remaining_amount: Option<String>,
        /// How far the chain is with it.
        pub chain_status: Option<CreditGrantChainStatus>,
        /// What was done on chain.
        pub chain_detail: Option<Box<CreditGrantChainDetail>>,
        /// The DID of who made it.
        pub created_by: Option<String>,
        /// The DID of who changed it last.
        pub updated_by: Option<String>,
        /// Where it was made.
        pub created_via: Option<CreatedVia>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }

    /// What credit can be spent on.
    pub struct CreditGrantApplicabilityConfig {
        /// The prices it can be spent on.
        pub scope: Option<CreditGrantScope>,
    }

    /// The prices credit can be spent on.
    pub struct CreditGrantScope {
        /// The ids of the prices.
        pub prices: Option<Vec<String>>,
        /// The kind of price.
        pub price_type: Option<UsageType>,
    }

    /// What was done on chain for a grant of credit.
    pub struct CreditGrantChainDetail {
        /// The tokens' making.
        pub mint: Option<CreditGrantChainStep>,
        /// The tokens' destruction.
        pub burn: Option<CreditGrantChainStep>,
        /// The return of tokens that expired.
        pub expired_transfer: Option<CreditGrantChainStep>,
        /// The refund of the grant.
        pub refund: Option<CreditGrantChainRefund>,
        /// Why it was voided.
        pub voided_reason: Option<CreditGrantVoidedReason>,
    }

    /// One transaction on chain for a grant of credit.
    pub struct CreditGrantChainStep {
        /// The hash of the transaction.
        pub hash: Option<String>,
        /// When it happened, as a Unix time.
        pub at: Option<i64>,
        /// How many tokens, in their smallest unit; absent where they are made.
        pub amount: Option<String>,
        /// Why it failed.
        pub error: Option<String>,
        /// When it failed, as a Unix time.
        pub failed_at: Option<i64>,
    }

    /// What was done on chain to refund a grant of credit.
    pub struct CreditGrantChainRefund {
        /// The refund.
        pub id: Option<String>,
        /// The hash of the transaction that destroyed the tokens.
        pub burn_hash: Option<String>,
        /// How many tokens were destroyed, in their smallest unit.
        pub burned_amount: Option<String>,
        /// How many tokens were kept back, in their smallest unit.
        pub system_retained: Option<String>,
        /// Why the tokens could not be destroyed.
        pub burn_error: Option<String>,
    }
}

open_enum! {
    /// Whether credit was paid for.
    pub enum CreditGrantCategory {
        Paid = "paid",
        Promotional = "promotional",
    }

    /// Where a grant of credit stands.
    pub enum CreditGrantStatus {
        Pending = "pending",
        Granted = "granted",
        Depleted = "depleted",
        Expired = "expired",
        Voided = "voided",
    }

    /// How far the chain is with a grant of credit.
    pub enum CreditGrantChainStatus {
        MintPending = "mint_pending",
        MintCompleted = "mint_completed",
        MintFailed = "mint_failed",
        BurnPending = "burn_pending",
        BurnCompleted = "burn_completed",
        BurnFailed = "burn_failed",
        TransferCompleted = "transfer_completed",
        TransferFailed = "transfer_failed",
    }

    /// Why a grant of credit was voided.
    pub enum CreditGrantVoidedReason {
        Refund = "refund",
        Expired = "expired",
        Manual = "manual",
    }
}
