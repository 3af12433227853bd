//! Its attempts, as they come with an endpoint.

use serde::Serialize;
use serde_json::Value;

use crate::model::{AttemptRecord, Mode};

/// `TWebhookAttemptExpanded`, without the event and the endpoint once more.
#[derive(Serialize)]
pub(super) struct View {
    id: String,
    object: &'static str,
    livemode: bool,
    event_id: String,
    webhook_endpoint_id: String,
    status: &'static str,
    /// 0 when there was no answer: its type has no other word for that.
    response_status: u16,
    response_body: Value,
    retry_count: u32,
    created_at: String,
    updated_at: String,
}

impl View {
    pub(super) fn new(mode: Mode, attempt: AttemptRecord) -> Self {
        let succeeded = attempt.status.is_some_and(|status| (200..300).contains(&status));
        let text = || Value::String(String::from_utf8_lossy(&attempt.body).into_owned());
        Self {
            id: format!(
                "att_{}_{}_{}",
                attempt.delivery.endpoint.0, attempt.delivery.sequence, attempt.number
            ),
            object: "webhook_attempt",
            livemode: mode.is_live(),
            status: if succeeded { "succeeded" } else { "failed" },
            response_status: attempt.status.unwrap_or(0),
            response_body: serde_json::from_slice(&attempt.body).unwrap_or_else(|_| text()),
            retry_count: attempt.number,
            created_at: attempt.started_at.to_string(),
            updated_at: attempt.started_at.plus(attempt.duration).to_string(),
            event_id: attempt.event_id,
            webhook_endpoint_id: attempt.endpoint.as_str().to_owned(),
        }
    }
}
