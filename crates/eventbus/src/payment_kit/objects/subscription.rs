//! [`Subscription`]: what a customer pays for again and again.

use super::invoice::CollectionMethod;
use super::notification::ServiceAction;
use super::payment_details::{PaymentDetails, PaymentSettings};
use super::price::PriceRecurring;
use super::subscription_data::{ProrationBehavior, SubscriptionBillingThresholds, TrialSettings};
use crate::json::{Decimal, Json, JsonMap};
use crate::object::{object, open_enum};

object! {
    /// What a customer pays for again and again.
    pub struct Subscription {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// The currency of all its amounts.
        pub currency_id: Option<String>,
        /// The customer it belongs to.
        pub customer_id: Option<String>,
        /// When the period now paid for ends, in Unix seconds.
        pub current_period_end: Option<i64>,
        /// When the period now paid for began, in Unix seconds.
        pub current_period_start: Option<i64>,
        /// The payment method charged unless another is named.
        pub default_payment_method_id: Option<String>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// The newest invoice.
        pub latest_invoice_id: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// The setup intent that waits for the customer.
        pub pending_setup_intent: Option<String>,
        /// The change that waits for a payment.
        pub pending_update: Option<SubscriptionPendingUpdate>,
        /// Whether it is in force.
        pub status: Option<SubscriptionStatus>,
        /// Whether it ends with the current period.
        pub cancel_at_period_end: Option<bool>,
        /// When it will be canceled, in Unix seconds.
        pub cancel_at: Option<i64>,
        /// When it was canceled, in Unix seconds.
        pub canceled_at: Option<i64>,
        /// Why it was canceled, and what is given back.
        pub cancelation_details: Option<SubscriptionCancelationDetails>,
        /// The instant billing periods are counted from, in Unix seconds.
        pub billing_cycle_anchor: Option<i64>,
        /// What makes an invoice before the period ends.
        pub billing_thresholds: Option<SubscriptionBillingThresholds>,
        /// How an invoice is collected.
        pub collection_method: Option<CollectionMethod>,
        /// How many days an invoice may stay unpaid.
        pub days_until_due: Option<i64>,
        /// How many days after the due date an unpaid subscription is canceled.
        pub days_until_cancel: Option<i64>,
        /// The discount in force.
        pub discount_id: Option<String>,
        /// When open invoice items are billed next, in Unix seconds.
        pub next_pending_invoice_item_invoice: Option<i64>,
        /// How collection is paused.
        pub pause_collection: Option<SubscriptionPauseCollection>,
        /// The payment methods to use and their options.
        pub payment_settings: Option<PaymentSettings>,
        /// How often open invoice items are billed.
        pub pending_invoice_item_interval: Option<PriceRecurring>,
        /// The schedule that changes it.
        pub schedule_id: Option<String>,
        /// When it ended, in Unix seconds.
        pub ended_at: Option<i64>,
        /// When it began, in Unix seconds.
        pub start_date: Option<i64>,
        /// When the trial ends, in Unix seconds.
        pub trial_end: Option<i64>,
        /// When the trial started, in Unix seconds.
        pub trial_start: Option<i64>,
        /// What happens when the trial ends.
        pub trial_settings: Option<TrialSettings>,
        /// What each payment channel recorded about the payment.
        pub payment_details: Option<Box<PaymentDetails>>,
        /// How far a dynamic price may move before renewal stops.
        pub slippage_config: Option<SubscriptionSlippageConfig>,
        /// What happens with the rest of a period when the plan changes.
        pub proration_behavior: Option<ProrationBehavior>,
        /// What happens when the first payment of a change fails.
        pub payment_behavior: Option<PaymentBehavior>,
        /// What the service offers to do, for notices and pages.
        pub service_actions: Option<Vec<ServiceAction>>,
        /// The subscription this one replaces.
        pub recovered_from: Option<String>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
        /// The stake that pays when the balance does not.
        pub overdraft_protection: Option<Box<SubscriptionOverdraftProtection>>,
        /// The grants of credit still to come, by price id.
        pub credit_schedule_state: Option<JsonMap<CreditSchedulePriceState>>,
    }

    /// A change of a subscription that waits for a payment; it may hold more than is documented.
    pub struct SubscriptionPendingUpdate {
        /// The instant billing periods are counted from, in Unix seconds.
        pub billing_cycle_anchor: Option<i64>,
        /// When the change lapses unpaid, in Unix seconds.
        pub expires_at: Option<i64>,
        /// The items after the change.
        pub subscription_items: Option<Vec<Json>>,
        /// When the trial ends, in Unix seconds.
        pub trial_end: Option<i64>,
    }

    /// Why a subscription was canceled, and what is given back.
    pub struct SubscriptionCancelationDetails {
        /// What the customer said.
        pub comment: Option<String>,
        /// The customer's reason.
        pub feedback: Option<CancelationFeedback>,
        /// What led to it.
        pub reason: Option<CancelationReason>,
        /// Whether the stake is given back.
        pub return_stake: Option<bool>,
        /// Whether the stake is kept.
        pub slash_stake: Option<bool>,
        /// Why the stake is kept.
        pub slash_reason: Option<String>,
        /// What is refunded.
        pub refund: Option<CancelationRefund>,
        /// Who asked for it.
        pub requested_by: Option<String>,
    }

    /// How the collection of a subscription's invoices is paused.
    pub struct SubscriptionPauseCollection {
        /// What becomes of invoices meanwhile.
        pub behavior: Option<PauseBehavior>,
        /// When collection resumes, in Unix seconds.
        pub resumes_at: Option<i64>,
    }

    /// How far a dynamic price may move before a renewal stops.
    pub struct SubscriptionSlippageConfig {
        /// What the limit is given as.
        pub mode: Option<SlippageMode>,
        /// The limit in percent.
        pub percent: Option<Decimal>,
        /// The limit as a rate.
        pub min_acceptable_rate: Option<String>,
        /// The currency the rate is counted in.
        pub base_currency: Option<String>,
        /// When the limit was set, in Unix milliseconds.
        pub updated_at_ms: Option<i64>,
    }

    /// The stake that pays for a subscription when the balance does not.
    pub struct SubscriptionOverdraftProtection {
        /// Whether it is switched on.
        pub enabled: Option<bool>,
        /// The payment method of the stake.
        pub payment_method_id: Option<String>,
        /// How the stake was paid.
        pub payment_details: Option<Box<PaymentDetails>>,
    }

    /// The grants of credit that a price of a subscription still brings.
    pub struct CreditSchedulePriceState {
        /// Whether it is switched on.
        pub enabled: Option<bool>,
        /// The instant grants are counted from, in Unix seconds.
        pub schedule_anchor_at: Option<i64>,
        /// When the next grant is due, in Unix seconds.
        pub next_grant_at: Option<i64>,
        /// The number of the last grant.
        pub last_grant_seq: Option<i64>,
        /// How many grants the current period has had.
        pub grants_in_current_period: Option<i64>,
        /// The last grant.
        pub last_grant_id: Option<String>,
        /// Why the last grant failed.
        pub last_error: Option<String>,
    }
}

open_enum! {
    /// Whether a subscription is in force.
    pub enum SubscriptionStatus {
        Active = "active",
        PastDue = "past_due",
        Paused = "paused",
        Canceled = "canceled",
        Incomplete = "incomplete",
        IncompleteExpired = "incomplete_expired",
        Trialing = "trialing",
    }

    /// Why a customer canceled, in the customer's choice of words.
    pub enum CancelationFeedback {
        TooExpensive = "too_expensive",
        MissingFeatures = "missing_features",
        SwitchedService = "switched_service",
        Unused = "unused",
        CustomerService = "customer_service",
        TooComplex = "too_complex",
        LowQuality = "low_quality",
        SomethingElse = "other",
    }

    /// What led to a cancelation.
    pub enum CancelationReason {
        CancellationRequested = "cancellation_requested",
        PaymentDisputed = "payment_disputed",
        PaymentFailed = "payment_failed",
        StakeRevoked = "stake_revoked",
    }

    /// What is refunded on a cancelation.
    pub enum CancelationRefund {
        Last = "last",
        Proration = "proration",
        None = "none",
    }

    /// What becomes of invoices while collection is paused.
    pub enum PauseBehavior {
        KeepAsDraft = "keep_as_draft",
        MarkUncollectible = "mark_uncollectible",
        Void = "void",
    }

    /// What a limit on a moving price is given as.
    pub enum SlippageMode {
        Percent = "percent",
        Rate = "rate",
    }

    /// What happens when the first payment of a change fails.
    pub enum PaymentBehavior {
        AllowIncomplete = "allow_incomplete",
        ErrorIfIncomplete = "error_if_incomplete",
        PendingIfIncomplete = "pending_if_incomplete",
    }
}
