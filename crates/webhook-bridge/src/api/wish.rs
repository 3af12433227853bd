//! What is asked of an endpoint, by either API: every field parsed once.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use eventbus::Source;
use eventbus::json::JsonMap;
use eventbus::transport::Order;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Api;
use crate::error::{Error, Result};
use crate::model::{
    EnabledEvents, Endpoint, EndpointChange, EndpointStatus, EndpointUrl, Expected, GonePolicy, Mode,
    NewEndpoint, Schedule, Secret,
};
use crate::signing::{FORMATS, Format};

/// An endpoint that is to be made: URL and events must be there.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Creation(pub(super) Wish);

/// What is to be changed of an endpoint: whatever is there.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Changes(pub(super) Wish);

/// What is chosen when an endpoint is made, or changed by rotating its secret.
const FIXED: [&str; 3] = ["signature", "secret", "source"];

impl JsonSchema for Creation {
    fn schema_name() -> Cow<'static, str> {
        "EndpointCreateRequest".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Wish::json_schema(generator);
        schema.insert("required".to_owned(), json!(["url", "enabled_events"]));
        schema
    }
}

impl JsonSchema for Changes {
    fn schema_name() -> Cow<'static, str> {
        "EndpointUpdateRequest".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Wish::json_schema(generator);
        if let Some(fields) = schema.ensure_object().get_mut("properties").and_then(Value::as_object_mut) {
            fields.retain(|name, _| !FIXED.contains(&name.as_str()));
        }
        schema
    }
}

/// What is asked of an endpoint, to make it or to change it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EndpointRequest")]
pub(super) struct Wish {
    pub(super) url: Option<String>,
    #[schemars(length(min = 1, max = 512))]
    pub(super) enabled_events: Option<Vec<String>>,
    #[schemars(length(max = 512))]
    pub(super) description: Option<String>,
    #[schemars(with = "Option<Map<String, Value>>")]
    pub(super) metadata: Option<JsonMap>,
    #[schemars(extend("enum" = ["enabled", "disabled", null]))]
    pub(super) status: Option<String>,
    #[schemars(length(max = 512))]
    pub(super) api_version: Option<String>,
    /// `none`, or `key`: what has one key is delivered in order.
    #[schemars(extend("enum" = ["none", "key", null]))]
    pub(super) ordering: Option<String>,
    #[schemars(extend("enum" = FORMATS.iter().map(|format| Some(format.name)).chain([None]).collect::<Vec<_>>()))]
    pub(super) signature: Option<String>,
    /// A secret to bring along; otherwise one is made.
    pub(super) secret: Option<String>,
    pub(super) schedule: Option<Waits>,
    #[schemars(range(min = 1, max = 64))]
    pub(super) max_in_flight: Option<u32>,
    #[schemars(range(min = 1, max = 30))]
    pub(super) timeout_seconds: Option<u64>,
    /// `confirmed`: disabled after three deliveries answered 410 over ten minutes; `immediate`: after one.
    #[schemars(extend("enum" = ["confirmed", "immediate", null]))]
    pub(super) gone_policy: Option<String>,
    /// The only source whose events it gets. Chosen when it is made; `gstable` where it is signed so.
    pub(super) source: Option<String>,
}

/// When failed deliveries are tried again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Waits {
    /// Seconds after each failed attempt: at most 32 of them, each 1 s to 72 h, 8 days in all.
    Seconds(Vec<u64>),
    /// `payments`, the default, `svix`, `stripe-sandbox` or `flat`.
    Preset(String),
}

impl Waits {
    pub(super) fn parse(self) -> Result<Schedule> {
        match self {
            Self::Seconds(waits) => Schedule::from_seconds(&waits),
            Self::Preset(name) => Schedule::preset(&name),
        }
    }
}

impl Wish {
    /// An endpoint to be made, with its secret in the clear. The guard was asked about its URL.
    pub(super) async fn create(mut self, api: &Api, mode: Mode) -> Result<(NewEndpoint, Secret)> {
        let format = self.signature.take().map_or(Ok(&FORMATS[0]), |name| Format::find(&name))?;
        let secret = self.secret.take().map_or_else(|| format.generate(), |text| Ok(Secret::new(text)))?;
        format.check(&secret)?;
        api.sender.ready(format)?;
        let sealed = api.vault.seal(&secret)?;
        let source = only(format, self.source.take())?;
        let change = self.parse()?;
        let missing = |field| Error::invalid(format!("{field}: is required"));
        let url = change.url.ok_or_else(|| missing("url"))?;
        admit(api, (mode, format), &url).await?;
        let events = change.enabled_events.ok_or_else(|| missing("enabled_events"))?;
        let new = NewEndpoint::new(mode, url, events, (format.name, sealed));
        let new = NewEndpoint {
            description: change.description.unwrap_or_default(),
            metadata: change.metadata.unwrap_or_default(),
            status: change.status.unwrap_or(new.status),
            api_version: change.api_version.unwrap_or_else(|| new.api_version.clone()),
            order: change.order.unwrap_or(new.order),
            schedule: change.schedule.unwrap_or_default(),
            max_in_flight: change.max_in_flight.unwrap_or(new.max_in_flight),
            timeout: change.timeout.unwrap_or(new.timeout),
            gone_policy: change.gone_policy.unwrap_or(new.gone_policy),
            source,
            ..new
        };
        Ok((new, secret))
    }

    /// A change of this endpoint. How it is signed is not changed so: that takes another secret.
    pub(super) async fn change(self, api: &Api, endpoint: &Endpoint) -> Result<EndpointChange> {
        if self.signature.is_some() || self.secret.is_some() {
            return Err(Error::invalid("signature, secret: are changed by rotating the secret"));
        }
        if self.source.is_some() {
            return Err(Error::invalid("source: is chosen when the endpoint is made"));
        }
        let change = self.parse()?;
        if let Some(url) = &change.url {
            admit(api, (endpoint.mode, Format::find(&endpoint.format)?), url).await?;
        }
        Ok(change)
    }

    fn parse(self) -> Result<EndpointChange> {
        Ok(EndpointChange {
            url: self.url.map(|url| EndpointUrl::parse(&url)).transpose()?,
            description: limited("description", self.description)?,
            enabled_events: self.enabled_events.map(EnabledEvents::parse).transpose()?,
            metadata: self.metadata,
            status: self.status.map(|word| EndpointStatus::parse(&word)).transpose()?,
            api_version: limited("api_version", self.api_version)?,
            order: self.ordering.map(|word| order(&word)).transpose()?,
            schedule: self.schedule.map(Waits::parse).transpose()?,
            max_in_flight: within("max_in_flight", self.max_in_flight, 1..=NewEndpoint::MOST_IN_FLIGHT)?,
            timeout: within("timeout_seconds", self.timeout_seconds, 1..=30)?.map(Duration::from_secs),
            gone_policy: self.gone_policy.map(|word| GonePolicy::parse(&word)).transpose()?,
            expected: Expected::Any,
        })
    }
}

/// The only source whose events an endpoint gets: the one its format can show, if that is one.
fn only(format: &Format, asked: Option<String>) -> Result<Option<String>> {
    let needed = format.source();
    match (needed, asked) {
        (Some(source), Some(asked)) if asked != source => {
            Err(Error::invalid(format!("source: {} is for events of {source} only", format.name)))
        }
        (Some(source), _) => Ok(Some(source.to_owned())),
        (None, Some(asked)) => {
            let source = Source::new(asked).map_err(|error| Error::invalid(format!("source: {error}")))?;
            Ok(Some(source.to_string()))
        }
        (None, None) => Ok(None),
    }
}

/// Whether events of this mode may go to a URL, signed so.
async fn admit(api: &Api, (mode, format): (Mode, &Format), url: &EndpointUrl) -> Result<()> {
    if mode.is_live() && url.as_url().scheme() != "https" {
        return Err(Error::invalid("url: live events go to https only"));
    }
    format.target(url.as_url())?;
    api.sender.vet(url).await
}

fn order(word: &str) -> Result<Order> {
    match word {
        "none" => Ok(Order::None),
        "key" => Ok(Order::PerKey),
        _ => Err(Error::invalid("ordering: must be none or key")),
    }
}

pub(super) fn limited(field: &str, text: Option<String>) -> Result<Option<String>> {
    const MOST: usize = 512;
    if text.as_ref().is_some_and(|text| text.chars().count() > MOST) {
        return Err(Error::invalid(format!("{field}: must have at most {MOST} characters")));
    }
    Ok(text)
}

/// Checks that a number is in its range.
pub(super) fn within<N>(field: &str, value: Option<N>, bounds: RangeInclusive<N>) -> Result<Option<N>>
where
    N: PartialOrd + Copy + std::fmt::Display,
{
    let (least, most) = bounds.into_inner();
    if value.is_some_and(|value| value < least || value > most) {
        return Err(Error::invalid(format!("{field}: must be from {least} to {most}")));
    }
    Ok(value)
}
