//! The same fields as plain structs with serde's derive, as a user without the crate would write them.
#![expect(dead_code, reason = "what is decoded is not looked at")]

use std::collections::BTreeMap;

use eventbus::payment_kit::{
    CreditSchedulePriceState, PaymentBehavior, PaymentDetails, PaymentSettings, PriceRecurring,
    ProrationBehavior, ServiceAction, SubscriptionBillingThresholds, SubscriptionCancelationDetails,
    SubscriptionOverdraftProtection, SubscriptionPauseCollection, SubscriptionPendingUpdate,
    SubscriptionSlippageConfig, TrialSettings,
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub(crate) struct Event {
    id: String,
    livemode: bool,
    #[serde(rename = "type")]
    event_type: String,
    source: String,
    api_version: String,
    data: Data,
    object_type: String,
    object_id: String,
    request: Request,
    pending_webhooks: i64,
    metadata: BTreeMap<String, Value>,
    created_at: String,
    updated_at: String,
}

#[derive(Deserialize)]
struct Data {
    object: Subscription,
    previous_attributes: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Request {
    id: String,
    idempotency_key: String,
    requested_by: Option<String>,
}

#[derive(Deserialize)]
struct Subscription {
    id: String,
    livemode: Option<bool>,
    currency_id: Option<String>,
    customer_id: Option<String>,
    current_period_end: Option<i64>,
    current_period_start: Option<i64>,
    default_payment_method_id: Option<String>,
    description: Option<String>,
    latest_invoice_id: Option<String>,
    metadata: Option<BTreeMap<String, Value>>,
    pending_setup_intent: Option<String>,
    pending_update: Option<SubscriptionPendingUpdate>,
    status: Option<Status>,
    cancel_at_period_end: Option<bool>,
    cancel_at: Option<i64>,
    canceled_at: Option<i64>,
    cancelation_details: Option<SubscriptionCancelationDetails>,
    billing_cycle_anchor: Option<i64>,
    billing_thresholds: Option<SubscriptionBillingThresholds>,
    collection_method: Option<CollectionMethod>,
    days_until_due: Option<i64>,
    days_until_cancel: Option<i64>,
    discount_id: Option<String>,
    next_pending_invoice_item_invoice: Option<i64>,
    pause_collection: Option<SubscriptionPauseCollection>,
    payment_settings: Option<PaymentSettings>,
    pending_invoice_item_interval: Option<PriceRecurring>,
    schedule_id: Option<String>,
    ended_at: Option<i64>,
    start_date: Option<i64>,
    trial_end: Option<i64>,
    trial_start: Option<i64>,
    trial_settings: Option<TrialSettings>,
    payment_details: Option<Box<PaymentDetails>>,
    slippage_config: Option<SubscriptionSlippageConfig>,
    proration_behavior: Option<ProrationBehavior>,
    payment_behavior: Option<PaymentBehavior>,
    service_actions: Option<Vec<ServiceAction>>,
    recovered_from: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
    overdraft_protection: Option<Box<SubscriptionOverdraftProtection>>,
    credit_schedule_state: Option<BTreeMap<String, CreditSchedulePriceState>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Active,
    PastDue,
    Paused,
    Canceled,
    Incomplete,
    IncompleteExpired,
    Trialing,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum CollectionMethod {
    ChargeAutomatically,
    SendInvoice,
}
