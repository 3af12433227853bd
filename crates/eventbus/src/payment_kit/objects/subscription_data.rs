//! [`SubscriptionData`]: how a subscription is made; trials and thresholds.

use super::notification::{NotificationSetting, ServiceAction};
use crate::json::{Decimal, JsonMap};
use crate::object::{object, open_enum};

object! {
    /// How a subscription is made. Checkout sessions and line items use all fields; payment links, not the
    /// last six.
    pub struct SubscriptionData {
        /// What the subscription is for, for people.
        pub description: Option<String>,
        /// How many days the trial lasts.
        pub trial_period_days: Option<i64>,
        /// The amount that makes an invoice; a number, so its unit is not the smallest one.
        pub billing_threshold_amount: Option<Decimal>,
        /// The least stake; a number, so its unit is not the smallest one.
        pub min_stake_amount: Option<Decimal>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// The subscription this one replaces.
        pub recovered_from: Option<String>,
        /// When the trial ends, in Unix seconds.
        pub trial_end: Option<i64>,
        /// The currency the trial is for.
        pub trial_currency: Option<String>,
        /// Whether no stake is asked for.
        pub no_stake: Option<bool>,
        /// Which notices the application sends itself.
        pub notification_settings: Option<NotificationSetting>,
        /// What the service offers to do, for notices and pages.
        pub service_actions: Option<Vec<ServiceAction>>,
        /// The instant billing periods are counted from, in Unix seconds.
        pub billing_cycle_anchor: Option<i64>,
        /// What happens with the rest of a period when the plan changes.
        pub proration_behavior: Option<ProrationBehavior>,
        /// What happens when the trial ends.
        pub trial_settings: Option<TrialSettings>,
        /// How many days an invoice may stay unpaid.
        pub days_until_due: Option<i64>,
        /// How many days after the due date an unpaid subscription is canceled.
        pub days_until_cancel: Option<i64>,
    }

    /// What happens when a trial ends.
    pub struct TrialSettings {
        /// What happens when the trial ends.
        pub end_behavior: Option<TrialEndBehavior>,
    }

    /// What happens when a trial ends without a payment method.
    pub struct TrialEndBehavior {
        /// What happens when the trial ends and there is no payment method.
        pub missing_payment_method: Option<MissingPaymentMethod>,
    }

    /// The amounts that make an invoice, or ask for a stake, before the period ends.
    pub struct SubscriptionBillingThresholds {
        /// The amount that makes an invoice; a number, so its unit is not the smallest one.
        pub amount_gte: Option<Decimal>,
        /// The stake asked for; a number, so its unit is not the smallest one.
        pub stake_gte: Option<Decimal>,
        /// Whether such an invoice starts a new period.
        pub reset_billing_cycle_anchor: Option<bool>,
        /// Whether no stake is asked for.
        pub no_stake: Option<bool>,
        /// Whether the stake of another subscription counts.
        pub references_primary_stake: Option<bool>,
    }
}

open_enum! {
    /// What happens with the rest of a period when the plan changes.
    pub enum ProrationBehavior {
        AlwaysInvoice = "always_invoice",
        CreateProrations = "create_prorations",
        None = "none",
    }

    /// What happens when a trial ends and there is no payment method.
    pub enum MissingPaymentMethod {
        Cancel = "cancel",
        Pause = "pause",
        CreateInvoice = "create_invoice",
    }
}
