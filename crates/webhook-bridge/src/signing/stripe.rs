//! Stripe's webhooks: `Stripe-Signature: t=…,v1=…` over `t.body`.
//!
//! By docs.stripe.com/webhooks: keyed by the whole text of the `whsec_` secret; `v0` is for Stripe's own tests and never accepted.

use eventbus::json::{Json, JsonMap};
use eventbus::{AnyEvent, Timestamp};

use super::arrival::{Arrival, Draft, Livemode, Refusal, Scheme, Trust, hmac_key, members, take};
use super::stamp;
use crate::error::{Error, Result};
use crate::model::Secret;

/// Stripe, and who signs as it does.
pub(super) const STRIPE: Scheme = Scheme {
    name: "stripe",
    description: "Stripe: `Stripe-Signature`, with the secret `whsec_…` of the endpoint there",
    source: None,
    livemode: Livemode::Body,
    key: |secret| hmac_key(secret.reveal().as_bytes()),
    verify,
    read,
};

/// What stands in `Stripe-Signature` when Stripe sends this body now.
pub fn stripe_signature(secret: &Secret, now: Timestamp, body: &[u8]) -> String {
    stamp::stamp(secret, now, body)
}

fn verify(arrival: &Arrival<'_>, trust: &Trust) -> Result<(), Refusal> {
    stamp::verify(arrival.header("stripe-signature")?, arrival, trust)
}

fn read(arrival: &Arrival<'_>, trust: &Trust) -> Result<AnyEvent> {
    let mut body = members(arrival.body)?;
    let missing = |name: &str| Error::invalid(format!("{name}: is missing, or not Stripe's"));
    let livemode =
        body.remove("livemode").and_then(|flag| flag.as_bool()).ok_or_else(|| missing("livemode"))?;
    let created = body.remove("created").and_then(|time| time.as_i64()).ok_or_else(|| missing("created"))?;
    let time = Timestamp::from_millis(created.checked_mul(1000).ok_or_else(|| missing("created"))?);
    let mut data: JsonMap = body.remove("data").ok_or_else(|| missing("data"))?.decode()?;
    let object = data.remove("object").ok_or_else(|| missing("data.object"))?;
    let fields: JsonMap = object.decode()?;
    let word = |value: Option<&Json>| value.and_then(Json::as_str).map(std::borrow::Cow::into_owned);
    let (id, event_type) = (take(&mut body, "id")?, take(&mut body, "type")?);
    let api_version = word(body.remove("api_version").as_ref()).unwrap_or_default();
    let request: JsonMap =
        body.remove("request").and_then(|request| request.decode().ok()).unwrap_or_default();
    let request = request.into_iter().filter(|(_, value)| !value.is_null());
    let mut draft = Draft::of(object);
    draft.data.extend(data);
    Draft {
        id,
        event_type,
        livemode,
        time,
        api_version,
        object_type: word(fields.get("object")).unwrap_or_default(),
        request: request.filter(|(name, _)| name == "id" || name == "idempotency_key").collect(),
        // `account`, `context` and what else Stripe says of it.
        metadata: body
            .into_iter()
            .filter(|(name, _)| name != "object" && name != "pending_webhooks")
            .collect(),
        ..draft
    }
    .event(&trust.source)
}
