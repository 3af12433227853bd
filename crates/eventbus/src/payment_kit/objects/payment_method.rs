//! [`PaymentMethod`]: a way to pay.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::json::{Json, JsonMap};
use crate::object::{object, open_enum};

object! {
    /// A way to pay: a payment channel with its settings.
    pub struct PaymentMethod {
        /// The object's id.
        pub id: String,
        /// Whether it can be used for new purchases.
        pub active: Option<bool>,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// Whether it can no longer be changed.
        pub locked: Option<bool>,
        /// The payment channel.
        pub kind = "type": Option<PaymentMethodKind>,
        /// Its name, for people.
        pub name: Option<String>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// The address of the logo.
        pub logo: Option<String>,
        /// The currency offered first.
        pub default_currency_id: Option<String>,
        /// When a payment counts as made.
        pub confirmation: Option<PaymentMethodConfirmation>,
        /// The channel's settings, which may hold secrets: hidden in `Debug`.
        pub settings: Option<PaymentMethodSettings>,
        /// What the channel can do.
        pub features: Option<PaymentMethodFeatures>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }

    /// When a payment counts as made.
    pub struct PaymentMethodConfirmation {
        /// What is waited for.
        pub kind = "type": Option<PaymentConfirmationKind>,
        /// How many blocks are waited for.
        pub block: Option<i64>,
    }

    /// What a payment channel can do.
    pub struct PaymentMethodFeatures {
        /// Whether it can pay again by itself.
        pub recurring: Option<bool>,
        /// Whether it can give money back.
        pub refund: Option<bool>,
        /// Whether payments can be disputed.
        pub dispute: Option<bool>,
    }
}

open_enum! {
    /// A payment channel.
    pub enum PaymentMethodKind {
        Stripe = "stripe",
        Arcblock = "arcblock",
        Ethereum = "ethereum",
        Bitcoin = "bitcoin",
        Base = "base",
    }

    /// What is waited for until a payment counts as made.
    pub enum PaymentConfirmationKind {
        Immediate = "immediate",
        Callback = "callback",
        Block = "block",
    }
}

/// The settings of a payment channel: provider keys among them, so `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentMethodSettings(Json);

impl PaymentMethodSettings {
    /// Wraps settings; their shape is not documented.
    pub fn new(settings: Json) -> Self {
        Self(settings)
    }

    /// The settings in the clear. Not for logs, and not for fan-out.
    pub fn reveal(&self) -> &Json {
        &self.0
    }
}

impl fmt::Debug for PaymentMethodSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}
