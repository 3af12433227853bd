//! What the bridge itself has to tell: events about endpoints, stored and delivered as any other.

use std::borrow::Cow;

use eventbus::{AnyEvent, EventBuilder, EventId, EventKind, Timestamp};
use serde::{Deserialize, Serialize};

use super::endpoint::{EndpointId, EndpointStatus};
use super::health::DisabledReason;
use super::mode::Mode;
use crate::error::Result;

/// Whose catalogue these events belong to.
pub const NOTICES: &str = "webhook-bridge";

/// Why an endpoint's owner is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// Every attempt failed for a day, then for three.
    Failing,
    /// It was disabled.
    Disabled(DisabledReason),
}

/// `webhook_endpoint.failing`: every attempt failed for a day, then for three.
#[derive(Debug)]
pub struct EndpointFailing;

/// `webhook_endpoint.disabled`: the bridge disabled it, and new events are no longer queued for it.
#[derive(Debug)]
pub struct EndpointDisabled;

/// The endpoint that is told of, without its URL: that may carry a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointReport {
    /// Its public id.
    pub id: String,
    /// What it is for, in its owner's words.
    pub description: String,
    /// `enabled` or `disabled`.
    pub status: String,
    /// Why it is disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// Since when every attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<String>,
}

macro_rules! about_endpoint {
    ($($kind:ident => $name:literal),* $(,)?) => {$(
        impl EventKind for $kind {
            const TYPE: &'static str = $name;
            const SOURCE: &'static str = NOTICES;
            const OBJECT_TYPE: &'static str = "WebhookEndpoint";
            type Object = EndpointReport;

            fn object_id(object: &EndpointReport) -> Cow<'_, str> {
                Cow::Borrowed(&object.id)
            }
        }
    )*};
}

about_endpoint! {
    EndpointFailing => "webhook_endpoint.failing",
    EndpointDisabled => "webhook_endpoint.disabled",
}

/// An endpoint that its owner should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The id of the event that tells it.
    pub event_id: EventId,
    /// When it was seen.
    pub at: Timestamp,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Its mode: the event is one of it.
    pub mode: Mode,
    /// What it is for, in its owner's words.
    pub description: String,
    /// Why.
    pub concern: Concern,
    /// Since when every attempt failed.
    pub failing_since: Option<Timestamp>,
}

impl Notice {
    /// The event that tells it: the same whenever it is made.
    ///
    /// # Errors
    /// None that its fields can cause.
    pub fn event(&self) -> Result<AnyEvent> {
        let (status, reason) = match self.concern {
            Concern::Failing => (EndpointStatus::Enabled, None),
            Concern::Disabled(reason) => (EndpointStatus::Disabled, Some(reason)),
        };
        let report = EndpointReport {
            id: self.endpoint.as_str().to_owned(),
            description: self.description.clone(),
            status: status.as_str().to_owned(),
            disabled_reason: reason.map(|reason| reason.as_str().to_owned()),
            failing_since: self.failing_since.map(|since| since.to_string()),
        };
        match self.concern {
            Concern::Failing => self.about::<EndpointFailing>(report),
            Concern::Disabled(_) => self.about::<EndpointDisabled>(report),
        }
    }

    fn about<T: EventKind<Object = EndpointReport>>(&self, report: EndpointReport) -> Result<AnyEvent> {
        let event = EventBuilder::<T>::new(report).id(self.event_id.as_str()).time(self.at);
        Ok(event.livemode(self.mode.is_live()).build()?.into_any())
    }
}
