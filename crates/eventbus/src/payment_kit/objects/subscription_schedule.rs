//! [`SubscriptionSchedule`]: a plan of changes.

use super::invoice::CollectionMethod;
use super::subscription_data::SubscriptionBillingThresholds;
use crate::json::{Json, JsonMap};
use crate::object::{object, open_enum};

object! {
    /// A plan of changes to a subscription, phase by phase.
    pub struct SubscriptionSchedule {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// The phase that runs now.
        pub current_phase: Option<SubscriptionScheduleCurrentPhase>,
        /// The customer it belongs to.
        pub customer_id: Option<String>,
        /// The subscription it changes.
        pub subscription_id: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// Where it stands.
        pub status: Option<SubscriptionScheduleStatus>,
        /// The phases, in order; their shape is not documented.
        pub phases: Option<Vec<Json>>,
        /// What holds in a phase that says nothing else.
        pub default_settings: Option<SubscriptionScheduleDefaultSettings>,
        /// What becomes of the subscription after the last phase.
        pub end_behavior: Option<ScheduleEndBehavior>,
        /// The subscription that was let go.
        pub released_subscription_id: Option<String>,
        /// The test clock it runs on.
        pub test_clock_id: Option<String>,
        /// When it was canceled, in Unix seconds.
        pub canceled_at: Option<i64>,
        /// When the last phase ended, in Unix seconds.
        pub completed_at: Option<i64>,
        /// When the subscription was let go, in Unix seconds.
        pub released_at: Option<i64>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }

    /// The phase of a schedule that runs now.
    pub struct SubscriptionScheduleCurrentPhase {
        /// When the phase ends, ISO-8601 with milliseconds.
        pub end_date: Option<String>,
        /// When the phase began, ISO-8601 with milliseconds.
        pub start_date: Option<String>,
    }

    /// What holds in a phase that says nothing else.
    pub struct SubscriptionScheduleDefaultSettings {
        /// When billing periods start.
        pub billing_cycle_anchor: Option<ScheduleBillingCycleAnchor>,
        /// What makes an invoice before the period ends.
        pub billing_thresholds: Option<SubscriptionBillingThresholds>,
        /// How an invoice is collected.
        pub collection_method: Option<CollectionMethod>,
        /// The payment method charged.
        pub default_payment_method: Option<String>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// When invoices are due.
        pub invoice_settings: Option<SubscriptionScheduleInvoiceSettings>,
    }

    /// When the invoices of a schedule are due.
    pub struct SubscriptionScheduleInvoiceSettings {
        /// How many days an invoice may stay unpaid.
        pub days_until_due: Option<i64>,
    }
}

open_enum! {
    /// Where a schedule stands.
    pub enum SubscriptionScheduleStatus {
        Active = "active",
        Canceled = "canceled",
        Completed = "completed",
        NotStarted = "not_started",
        Released = "released",
    }

    /// When the billing periods of a schedule start.
    pub enum ScheduleBillingCycleAnchor {
        PhaseStart = "phase_start",
        Automatic = "automatic",
    }

    /// What becomes of a subscription after the last phase.
    pub enum ScheduleEndBehavior {
        Cancel = "cancel",
        Release = "release",
    }
}
