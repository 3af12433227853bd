//! Why an event went to an endpoint, or did not: decided from what is stored.

use axum::Json;
use axum::extract::State;
use eventbus::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::body::{Id, Parameters};
use super::endpoint::{find, standing};
use super::problem::Problem;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    DeliveryId, DeliveryRecord, DeliveryState, Ending, Endpoint, EndpointStatus, EventRecord, StoredEvent,
};

/// Which endpoint.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ExplainQuery")]
pub(super) struct Asked {
    endpoint: String,
}

/// An answer about one event.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Explanation {
    event: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    /// `delivered`, `pending`, `failed` or `not_owed`.
    verdict: &'static str,
    /// A stable word.
    reason: &'static str,
    /// The same in a sentence.
    detail: String,
    delivery: Option<String>,
    /// When it is attempted next, as far as is known.
    next_attempt_at: Option<String>,
}

/// The answer: one for each source that has an event of this id.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExplanationList")]
pub(super) struct List {
    list: Vec<Explanation>,
}

/// `GET /v1/events/{id}/explain?endpoint=…`
pub(super) async fn explain(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<List>, Problem> {
    let endpoint = find(&api, caller.mode, asked.endpoint).await?;
    let events = api.store.events(caller.mode, id, endpoint.id.clone()).await?;
    if events.is_empty() {
        let message = "there is no such event in this mode: it was never stored here";
        return Err(Error::new(ErrorKind::NotFound, message).into());
    }
    let now = Timestamp::now();
    let rest = standing(&api, &endpoint).await?.health.rest(now);
    let list = events.into_iter().map(|event| decide(event, &endpoint, (rest, now))).collect();
    Ok(Json(List { list }))
}

/// `rest` is until when nothing is sent to the endpoint.
fn decide(
    EventRecord { event, delivery }: EventRecord,
    endpoint: &Endpoint,
    (rest, now): (Option<Timestamp>, Timestamp),
) -> Explanation {
    let over = event.expires_at.is_some_and(|at| at <= now);
    let (verdict, reason, detail) = match &delivery {
        Some(one) if over && one.state == DeliveryState::Failed(Ending::Expired) => {
            ("failed", "expired", "the event's `expires_at` has passed: it is never sent".to_owned())
        }
        Some(delivery) => owed(delivery, endpoint, rest),
        None => not_owed(&event, endpoint),
    };
    let delivery = delivery.as_ref();
    // What waits for its endpoint has no time.
    let waits = endpoint.status == EndpointStatus::Enabled;
    let next = delivery.and_then(|delivery| delivery.due_at).filter(|_| waits);
    Explanation {
        delivery: delivery.map(|delivery| DeliveryId(delivery.key).to_string()),
        next_attempt_at: next.map(|at| rest.map_or(at, |rest| at.max(rest)).to_string()),
        event: event.id,
        source: event.source,
        event_type: event.event_type,
        verdict,
        reason,
        detail,
    }
}

type Reason = (&'static str, &'static str, String);

fn owed(delivery: &DeliveryRecord, endpoint: &Endpoint, rest: Option<Timestamp>) -> Reason {
    let attempts = delivery.attempts;
    match (delivery.state, endpoint.status) {
        (DeliveryState::Succeeded, _) => {
            ("delivered", "succeeded", format!("attempt {attempts} was answered with 2xx"))
        }
        (DeliveryState::Leased, _) => ("pending", "in_flight", format!("attempt {attempts} is under way")),
        (DeliveryState::Pending, EndpointStatus::Paused) => {
            ("pending", "paused", "the endpoint is paused: resume it".to_owned())
        }
        (DeliveryState::Pending, EndpointStatus::Disabled) => {
            ("pending", "disabled", "the endpoint is disabled: enable it".to_owned())
        }
        (DeliveryState::Pending, EndpointStatus::Enabled) if rest.is_some() => (
            "pending",
            "held",
            "the endpoint asked to be left alone, or fails: nothing is sent to it".to_owned(),
        ),
        (DeliveryState::Pending, EndpointStatus::Enabled) if attempts == 0 => {
            ("pending", "queued", "it was not attempted yet".to_owned())
        }
        (DeliveryState::Pending, EndpointStatus::Enabled) => {
            ("pending", "retry", format!("attempt {attempts} failed; it is tried again"))
        }
        (DeliveryState::Waiting, _) => {
            ("pending", "waiting", "it waits for an earlier delivery of its key".to_owned())
        }
        (DeliveryState::Parked, _) => {
            ("failed", "parked", "the bridge could not send it; see its log, then resend it".to_owned())
        }
        (DeliveryState::Failed(Ending::Refused), _) => {
            ("failed", "refused", "the endpoint asked not to be sent it again".to_owned())
        }
        (DeliveryState::Failed(Ending::Exhausted), _) => {
            ("failed", "exhausted", format!("all {attempts} attempts failed: resend or recover it"))
        }
        (DeliveryState::Failed(Ending::Expired), _) => {
            ("failed", "expired", format!("it became too old after {attempts} attempts: resend it"))
        }
        (DeliveryState::Cancelled, _) => {
            ("failed", "cancelled", "the endpoint was deleted before it was sent".to_owned())
        }
    }
}

fn not_owed(event: &StoredEvent, endpoint: &Endpoint) -> Reason {
    let wants = endpoint.enabled_events.patterns().iter().any(|pattern| pattern.matches(&event.event_type));
    if event.received_at < endpoint.created_at {
        return ("not_owed", "older_than_endpoint", "the event came before the endpoint was made".to_owned());
    }
    if !wants {
        let events = endpoint.enabled_events.texts().join(", ");
        return ("not_owed", "not_enabled", format!("{} is none of {events}", event.event_type));
    }
    if let Some(source) = endpoint.source.as_ref().filter(|source| **source != event.source) {
        return ("not_owed", "other_source", format!("the endpoint gets events of {source} only"));
    }
    if endpoint.status == EndpointStatus::Disabled {
        return ("not_owed", "disabled", "the endpoint is disabled, and gets no new events".to_owned());
    }
    let detail = "the endpoint did not want it, or was disabled, when the event came; it was changed later";
    ("not_owed", "changed_later", detail.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use eventbus::transport::Order;

    use super::*;
    use crate::model::{
        DeliveryKey, EnabledEvents, EndpointId, EndpointKey, EndpointUrl, GonePolicy, Mode, NewEndpoint,
        Schedule,
    };

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn endpoint(status: EndpointStatus) -> Endpoint {
        Endpoint {
            id: EndpointId::new("we_1"),
            mode: Mode::Test,
            url: EndpointUrl::parse("https://example.com/").unwrap(),
            description: String::new(),
            enabled_events: EnabledEvents::parse(vec!["refund.*".to_owned()]).unwrap(),
            metadata: eventbus::json::JsonMap::default(),
            source: None,
            gone_policy: GonePolicy::default(),
            format: "standard".into(),
            status,
            disabled_reason: None,
            order: Order::None,
            api_version: NewEndpoint::API_VERSION.into(),
            schedule: Schedule::default(),
            max_in_flight: 8,
            timeout: Duration::from_secs(15),
            created_at: NOW,
            updated_at: NOW,
            version: 1,
        }
    }

    fn event(event_type: &str, received_at: Timestamp, delivery: Option<DeliveryRecord>) -> EventRecord {
        let event = StoredEvent {
            no: 1,
            id: "evt_1".to_owned(),
            source: "shop".to_owned(),
            event_type: event_type.to_owned(),
            key: None,
            occurred_at: received_at,
            received_at,
            expires_at: None,
        };
        EventRecord { event, delivery }
    }

    fn delivery(state: DeliveryState, attempts: u32) -> DeliveryRecord {
        DeliveryRecord {
            key: DeliveryKey { endpoint: EndpointKey(1), sequence: 2 },
            endpoint: EndpointId::new("we_1"),
            event_id: "evt_1".into(),
            source: "shop".into(),
            event_type: "refund.created".into(),
            event_key: None,
            state,
            attempts,
            due_at: (state == DeliveryState::Pending).then_some(NOW),
            created_at: NOW,
            finished_at: None,
        }
    }

    #[test]
    fn what_is_not_owed_has_its_reason() {
        let before = Timestamp::from_millis(NOW.as_millis() - 1);
        for (event_type, received, status, reason) in [
            ("refund.created", before, EndpointStatus::Enabled, "older_than_endpoint"),
            ("invoice.paid", NOW, EndpointStatus::Enabled, "not_enabled"),
            ("refund.created", NOW, EndpointStatus::Disabled, "disabled"),
            ("refund.created", NOW, EndpointStatus::Enabled, "changed_later"),
        ] {
            let told = decide(event(event_type, received, None), &endpoint(status), (None, NOW));
            assert_eq!((told.verdict, told.reason), ("not_owed", reason));
        }
    }

    #[test]
    fn what_is_owed_says_how_far_it_is_and_when_it_goes_on() {
        for (state, attempts, status, told) in [
            (DeliveryState::Pending, 0, EndpointStatus::Enabled, ("pending", "queued", true)),
            (DeliveryState::Pending, 2, EndpointStatus::Enabled, ("pending", "retry", true)),
            (DeliveryState::Pending, 2, EndpointStatus::Paused, ("pending", "paused", false)),
            (DeliveryState::Pending, 2, EndpointStatus::Disabled, ("pending", "disabled", false)),
            (DeliveryState::Leased, 1, EndpointStatus::Enabled, ("pending", "in_flight", false)),
            (DeliveryState::Succeeded, 1, EndpointStatus::Disabled, ("delivered", "succeeded", false)),
            (
                DeliveryState::Failed(Ending::Exhausted),
                13,
                EndpointStatus::Enabled,
                ("failed", "exhausted", false),
            ),
        ] {
            let owed = event("refund.created", NOW, Some(delivery(state, attempts)));
            let said = decide(owed, &endpoint(status), (None, NOW));
            assert_eq!((said.verdict, said.reason, said.next_attempt_at.is_some()), told);
            assert_eq!(said.delivery.as_deref(), Some("dlv_1_2"));
        }
    }

    #[test]
    fn nobody_is_told_to_resend_what_is_never_sent() {
        let expired =
            || event("refund.created", NOW, Some(delivery(DeliveryState::Failed(Ending::Expired), 2)));
        let told = |event| decide(event, &endpoint(EndpointStatus::Enabled), (None, NOW)).detail;
        assert!(told(expired()).contains("resend it"));
        let mut over = expired();
        over.event.expires_at = Some(NOW);
        assert!(!told(over).contains("resend"));
    }

    #[test]
    fn what_waits_for_a_held_endpoint_goes_on_when_that_does() {
        let later = NOW.plus(Duration::from_secs(60));
        let owed = event("refund.created", NOW, Some(delivery(DeliveryState::Pending, 1)));
        let said = decide(owed, &endpoint(EndpointStatus::Enabled), (Some(later), NOW));
        assert_eq!((said.reason, said.next_attempt_at), ("held", Some(later.to_string())));
    }
}
