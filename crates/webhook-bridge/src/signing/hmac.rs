//! Any provider that signs with HMAC-SHA256: what is signed, where the signature stands and how it is written are configured.
//!
//! | provider | header | prefix | encoding | signed | id, type |
//! |---|---|---|---|---|---|
//! | GitHub | `x-hub-signature-256` | `sha256=` | hex | `{body}` | `header:x-github-delivery`, `header:x-github-event` |
//! | Shopify | `x-shopify-hmac-sha256` | | base64 | `{body}` | `header:x-shopify-event-id`, `header:x-shopify-topic` |
//! | Square | `x-square-hmacsha256-signature` | | base64 | `{url}{body}` | `body:event_id`, `body:type` |
//! | Slack | `x-slack-signature` | `v0=` | hex | `v0:{timestamp}:{body}` | `body:event_id`, `body:event.type` |

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eventbus::json::{Json, JsonMap};
use eventbus::{AnyEvent, Timestamp};
use ring::hmac::{Context, HMAC_SHA256, Key};
use serde::Deserialize;

use super::arrival::{
    Arrival, Draft, Livemode, Refusal, Scheme, Trust, candidates, from_base64, from_hex, hmac_key, members,
    seconds,
};
use super::hex;
use crate::error::{Error, Result};
use crate::model::Secret;

/// Whoever signs with HMAC-SHA256.
pub(super) const HMAC: Scheme = Scheme {
    name: "hmac",
    description: "Any HMAC-SHA256: header, prefix, encoding and what is signed are settings",
    source: None,
    livemode: Livemode::Configured,
    key: |secret| hmac_key(secret.reveal().as_bytes()),
    verify,
    read,
};

/// What is signed, and where the rest of an event stands.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The header that has the signature.
    pub header: String,
    /// What stands before each signature. Default nothing.
    #[serde(default)]
    pub prefix: String,
    /// How it is written. Default hex.
    #[serde(default)]
    pub encoding: Encoding,
    /// What is signed: text with `{body}`, `{timestamp}` and `{url}`. Default `{body}`.
    #[serde(default = "Rule::body")]
    pub signed: String,
    /// The header that has the timestamp, in seconds since 1970.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// The URL that the provider calls, where it is signed.
    #[serde(default)]
    pub url: Option<String>,
    /// Where the event's id stands: `header:NAME` or `body:FIELD`, whose fields are separated by dots.
    pub id: String,
    /// Where its type stands; `/` in it becomes a dot.
    #[serde(rename = "type")]
    pub event_type: String,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hex digits in either case.
    #[default]
    Hex,
    /// Base64 with padding.
    Base64,
}

impl Rule {
    fn body() -> String {
        "{body}".to_owned()
    }

    /// Checks that all it needs is there.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming the field.
    pub fn check(&self) -> Result<()> {
        let invalid = |rule: &str| Err(Error::invalid(format!("hmac.{rule}")));
        if !self.signed.contains("{body}") {
            return invalid("signed: must have {body}");
        }
        if self.signed.contains("{timestamp}") != self.timestamp.is_some() {
            return invalid("timestamp: must name a header where, and only where, `signed` has {timestamp}");
        }
        if self.signed.contains("{url}") != self.url.is_some() {
            return invalid("url: must be there where, and only where, `signed` has {url}");
        }
        for (name, place) in [("id", &self.id), ("type", &self.event_type)] {
            match place.split_once(':') {
                Some(("header" | "body", rest)) if !rest.is_empty() => {}
                _ => return invalid(&format!("{name}: must be header:NAME or body:FIELD")),
            }
        }
        Ok(())
    }

    /// The headers with which a provider of this rule sends a body now.
    pub fn sign(&self, secret: &Secret, now: Timestamp, body: &[u8]) -> Vec<(String, String)> {
        let time = now.as_millis().div_euclid(1000).to_string();
        let mut context = Context::with_key(&Key::new(HMAC_SHA256, secret.reveal().as_bytes()));
        self.parts(&time, body).iter().for_each(|part| context.update(part));
        let tag = context.sign();
        let written = match self.encoding {
            Encoding::Hex => hex(tag.as_ref()),
            Encoding::Base64 => STANDARD.encode(tag),
        };
        let timestamp = self.timestamp.clone().map(|name| (name, time));
        timestamp.into_iter().chain([(self.header.clone(), format!("{}{written}", self.prefix))]).collect()
    }

    /// What is signed, in its parts.
    fn parts<'a>(&'a self, timestamp: &'a str, body: &'a [u8]) -> Vec<&'a [u8]> {
        let (mut parts, mut rest) = (Vec::new(), self.signed.as_str());
        let url = self.url.as_deref().unwrap_or_default();
        let names = [("{body}", body), ("{timestamp}", timestamp.as_bytes()), ("{url}", url.as_bytes())];
        let next = |rest: &str| {
            let found = names.iter().filter_map(|(name, value)| Some((rest.find(name)?, *name, *value)));
            found.min_by_key(|(at, ..)| *at)
        };
        while let Some((at, name, value)) = next(rest) {
            parts.extend([&rest.as_bytes()[..at], value]);
            rest = &rest[at + name.len()..];
        }
        parts.push(rest.as_bytes());
        parts
    }
}

fn rule(trust: &Trust) -> Option<&Rule> {
    trust.rule.as_ref()
}

fn verify(arrival: &Arrival<'_>, trust: &Trust) -> Result<(), Refusal> {
    let rule = rule(trust).ok_or(Refusal::Forged)?;
    let timestamp = rule.timestamp.as_deref().map(|name| arrival.header(name)).transpose()?;
    if let Some(timestamp) = timestamp {
        trust.fresh(seconds(timestamp)?, arrival.now)?;
    }
    let headers = arrival.headers(&rule.header)?;
    let texts = headers.iter().flat_map(|header| header.split([',', ' '])).filter(|text| !text.is_empty());
    let decode = match rule.encoding {
        Encoding::Hex => from_hex,
        Encoding::Base64 => from_base64,
    };
    let signatures = candidates(texts.filter_map(|text| text.strip_prefix(&rule.prefix)), decode)?;
    trust.signed(&signatures, &rule.parts(timestamp.unwrap_or_default(), arrival.body))
}

fn read(arrival: &Arrival<'_>, trust: &Trust) -> Result<AnyEvent> {
    let rule = rule(trust).ok_or_else(|| Error::invalid("hmac: is missing"))?;
    let body = Json::from(members(arrival.body)?);
    let id = find(&rule.id, (arrival, &body))?;
    let event_type = find(&rule.event_type, (arrival, &body))?.replace('/', ".");
    Draft { id, event_type, livemode: trust.livemode()?, time: arrival.now, ..Draft::of(body) }
        .event(&trust.source)
}

/// What stands at a place.
fn find(place: &str, (arrival, body): (&Arrival<'_>, &Json)) -> Result<String> {
    let missing = || Error::invalid(format!("{place}: is missing, or no text"));
    let (kind, name) = place.split_once(':').ok_or_else(missing)?;
    if kind == "header" {
        return arrival.header(name).map(str::to_owned).map_err(|_| missing());
    }
    let mut value = body.clone();
    for field in name.split('.') {
        value = value.decode::<JsonMap>().ok().and_then(|mut map| map.remove(field)).ok_or_else(missing)?;
    }
    let text = value.as_str().map(std::borrow::Cow::into_owned);
    text.or_else(|| value.as_i64().map(|number| number.to_string())).ok_or_else(missing)
}
