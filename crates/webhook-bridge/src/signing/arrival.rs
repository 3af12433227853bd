//! What comes in signed: the other half of the formats. One row per scheme, in the file of its format. No I/O, no clock.
//!
//! A signature is verified over the bytes as they came, before anything parses them. What may be many, keys and signatures,
//! is bounded, and each is looked at, so that time tells nobody which was right; tags are compared in constant time.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use eventbus::gstable::UtcOffset;
use eventbus::json::{Json, JsonMap};
use eventbus::{AnyEvent, Source, Timestamp};
use http::{HeaderMap, Method};
use ring::{hmac, signature};

use super::app_key::AppKey;
use super::hmac::Rule;
use super::unhex;
use crate::error::{Error, Result};
use crate::model::{Mode, Secret};

/// The most signatures that are looked at in one request.
const CANDIDATES: usize = 16;

/// How a provider's webhooks are verified, and read as events of the bus.
#[derive(Debug, Clone, Copy)]
pub struct Scheme {
    /// Its name in the configuration.
    pub name: &'static str,
    /// One line for whom chooses.
    pub description: &'static str,
    /// The only source its events can have; others are named by whoever configures them.
    pub source: Option<&'static str>,
    /// Where it stands whether an event is live.
    pub livemode: Livemode,
    /// Makes a key of a secret, or says which rule that breaks.
    pub(super) key: fn(&Secret) -> Result<Key>,
    /// Verifies a request.
    pub(super) verify: fn(&Arrival<'_>, &Trust) -> Result<(), Refusal>,
    /// Reads a request that was verified.
    pub(super) read: fn(&Arrival<'_>, &Trust) -> Result<AnyEvent>,
}

/// Where it stands whether an event is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Livemode {
    /// In each body.
    Body,
    /// In the object of each event, where that says it; for others it has to be configured.
    Object,
    /// Nowhere, because all of them are.
    Always,
    /// Nowhere: it has to be configured.
    Configured,
}

/// A request as it came.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path, as on the wire.
    pub path: &'a str,
    /// What followed the path after `?`, as on the wire.
    pub query: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a Bytes,
    /// Now.
    pub now: Timestamp,
}

/// What is believed of a source.
#[derive(Debug, Clone)]
pub struct Trust {
    pub(crate) keys: Vec<Key>,
    /// How far the clocks may be apart, in either direction.
    pub(crate) window: Duration,
    /// Its events are of this mode; `None` where each body says it.
    pub(crate) mode: Option<Mode>,
    /// Whose its events are.
    pub(crate) source: Source,
    /// The zone of times that are written without one.
    pub(crate) zone: UtcOffset,
    /// What is signed where no scheme says it.
    pub(crate) rule: Option<Rule>,
}

/// What verifies.
#[derive(Clone)]
pub(crate) enum Key {
    Hmac(hmac::Key),
    Ed25519([u8; 32]),
    App(AppKey),
}

/// Why a request is not believed. Whoever sent it is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// What a signed request has is missing.
    Unsigned,
    /// It is not as the scheme writes it, or there are too many signatures.
    Malformed,
    /// It was signed too long ago, or not yet.
    Stale,
    /// No signature is by any of the keys.
    Forged,
}

impl Scheme {
    /// The scheme of this name.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming the ones there are.
    pub fn find(name: &str) -> Result<&'static Self> {
        super::SCHEMES.iter().find(|scheme| scheme.name == name).ok_or_else(|| {
            let names: Vec<_> = super::SCHEMES.iter().map(|scheme| scheme.name).collect();
            Error::invalid(format!("scheme: must be one of {}", names.join(", ")))
        })
    }

    /// Makes a key of a secret.
    pub(crate) fn key(&self, secret: &Secret) -> Result<Key> {
        (self.key)(secret)
    }

    /// Verifies a request, over the bytes as they came.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify(&self, arrival: &Arrival<'_>, trust: &Trust) -> Result<(), Refusal> {
        (self.verify)(arrival, trust)
    }

    /// Reads a request that was verified as an event of the bus.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming the field and the rule: also where it is of another mode or another
    /// source than the one that is trusted.
    pub fn read(&self, arrival: &Arrival<'_>, trust: &Trust) -> Result<AnyEvent> {
        let event = (self.read)(arrival, trust)?;
        if trust.mode.is_some_and(|mode| mode.is_live() != event.livemode()) {
            return Err(Error::invalid("livemode: is not this source's"));
        }
        if *event.source() != trust.source {
            return Err(Error::invalid("source: is not this source's"));
        }
        Ok(event)
    }
}

impl Refusal {
    /// One word, for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Malformed => "malformed",
            Self::Stale => "stale",
            Self::Forged => "forged",
        }
    }
}

impl<'a> Arrival<'a> {
    /// A header that occurs once, as text.
    pub(super) fn header(&self, name: &str) -> Result<&'a str, Refusal> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().ok_or(Refusal::Unsigned)?;
        let text = value.to_str().map_err(|_| Refusal::Malformed)?;
        if values.next().is_some() { Err(Refusal::Malformed) } else { Ok(text) }
    }

    /// All values of a header, as text.
    pub(super) fn headers(&self, name: &str) -> Result<Vec<&'a str>, Refusal> {
        let values = self.headers.get_all(name).iter();
        let texts: Option<Vec<_>> = values.map(|value| value.to_str().ok()).collect();
        let texts = texts.ok_or(Refusal::Malformed)?;
        if texts.is_empty() { Err(Refusal::Unsigned) } else { Ok(texts) }
    }
}

impl Trust {
    /// Checks that something was signed within the window.
    pub(super) fn fresh(&self, signed: Timestamp, now: Timestamp) -> Result<(), Refusal> {
        let apart = signed.since(now).max(now.since(signed));
        if apart <= self.window { Ok(()) } else { Err(Refusal::Stale) }
    }

    /// Checks that one of the signatures is the HMAC of these parts by one of the keys.
    pub(super) fn signed(&self, candidates: &[Vec<u8>], parts: &[&[u8]]) -> Result<(), Refusal> {
        let hmac = |key: &hmac::Key| {
            let mut context = hmac::Context::with_key(key);
            parts.iter().for_each(|part| context.update(part));
            let tag = context.sign();
            // In constant time, by comparing what the key makes of both.
            let same = |one: &Vec<u8>| hmac::verify(key, tag.as_ref(), hmac::sign(key, one).as_ref()).is_ok();
            candidates.iter().fold(false, |found, one| found | same(one))
        };
        let keys = self.keys.iter().filter_map(|key| match key {
            Key::Hmac(key) => Some(key),
            Key::Ed25519(_) | Key::App(_) => None,
        });
        if keys.fold(false, |found, key| found | hmac(key)) { Ok(()) } else { Err(Refusal::Forged) }
    }

    /// Whether one of the signatures is of this message by one of the Ed25519 keys.
    pub(super) fn witnessed(&self, candidates: &[Vec<u8>], message: &[u8]) -> Result<(), Refusal> {
        let by = |public: &[u8; 32]| {
            let key = signature::UnparsedPublicKey::new(&signature::ED25519, public);
            candidates.iter().fold(false, |found, one| found | key.verify(message, one).is_ok())
        };
        let keys = self.keys.iter().filter_map(|key| match key {
            Key::Ed25519(public) => Some(public),
            Key::Hmac(_) | Key::App(_) => None,
        });
        if keys.fold(false, |found, key| found | by(key)) { Ok(()) } else { Err(Refusal::Forged) }
    }

    /// Whether its events are live, where no body says it.
    pub(super) fn livemode(&self) -> Result<bool> {
        self.mode.map(Mode::is_live).ok_or_else(|| Error::invalid("livemode: is missing"))
    }
}

/// Signatures as bytes; those that are not in their encoding are of no key.
pub(super) fn candidates<'a>(
    texts: impl Iterator<Item = &'a str>,
    decode: fn(&str) -> Option<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, Refusal> {
    let texts: Vec<_> = texts.take(CANDIDATES + 1).collect();
    match texts.len() {
        0 => Err(Refusal::Unsigned),
        count if count > CANDIDATES => Err(Refusal::Malformed),
        _ => Ok(texts.into_iter().filter_map(decode).collect()),
    }
}

/// Hex digits in either case.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    unhex(text.as_bytes())
}

/// Base64 with padding.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Digits, as a number that every language has.
pub(super) fn digits(text: &str) -> Result<i64, Refusal> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| text.parse().ok()).flatten();
    number.filter(|number| *number <= 1_i64 << 53).ok_or(Refusal::Malformed)
}

/// The time that seconds since 1970 say.
pub(super) fn seconds(text: &str) -> Result<Timestamp, Refusal> {
    let millis = digits(text)?.checked_mul(1000).ok_or(Refusal::Malformed)?;
    Ok(Timestamp::from_millis(millis))
}

/// A key of HMAC-SHA256, unless it is too short to be one.
pub(super) fn hmac_key(bytes: &[u8]) -> Result<Key> {
    const SHORTEST: usize = 16;
    if bytes.len() < SHORTEST {
        return Err(Error::invalid("secret: must have at least 16 bytes"));
    }
    Ok(Key::Hmac(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
}

/// What an event is made of whose provider has other words for it.
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) event_type: String,
    pub(super) livemode: bool,
    pub(super) time: Timestamp,
    pub(super) api_version: String,
    pub(super) object_type: String,
    /// Keeps the order, where it can be a key.
    pub(super) object_id: String,
    /// `data` of the event: its `object`, and what is beside it.
    pub(super) data: JsonMap,
    pub(super) request: JsonMap,
    pub(super) metadata: JsonMap,
}

impl Draft {
    /// A draft of an object alone; its id is the object's.
    pub(super) fn of(object: Json) -> Self {
        let fields: Option<JsonMap> = object.decode().ok();
        let id = fields.as_ref().and_then(|fields| Some(fields.get("id")?.as_str()?.into_owned()));
        Self {
            id: String::new(),
            event_type: String::new(),
            livemode: false,
            time: Timestamp::from_millis(0),
            api_version: String::new(),
            object_type: String::new(),
            object_id: id.unwrap_or_default(),
            data: JsonMap::from_iter([("object", object)]),
            request: JsonMap::new(),
            metadata: JsonMap::new(),
        }
    }

    /// The event, checked as any that comes from outside.
    pub(super) fn event(self, source: &Source) -> Result<AnyEvent> {
        let key = eventbus::Key::new(self.object_id).map(|key| key.to_string()).unwrap_or_default();
        let time = Json::from(self.time.to_string());
        let body = JsonMap::from_iter([
            ("id", Json::from(self.id)),
            ("livemode", Json::from(self.livemode)),
            ("type", Json::from(self.event_type)),
            ("source", Json::from(source.as_str())),
            ("api_version", Json::from(self.api_version)),
            ("data", Json::from(self.data)),
            ("object_type", Json::from(self.object_type)),
            ("object_id", Json::from(key)),
            ("request", Json::from(self.request)),
            ("pending_webhooks", Json::from(0_i64)),
            ("metadata", Json::from(self.metadata)),
            ("created_at", time.clone()),
            ("updated_at", time),
        ]);
        Ok(AnyEvent::from_json(Json::from(body).text().to_owned())?)
    }
}

/// The members of a body, each with its text.
pub(super) fn members(body: &[u8]) -> Result<JsonMap> {
    serde_json::from_slice(body).map_err(|cause| Error::invalid(format!("body: {cause}")))
}

/// Takes a text out of a body.
pub(super) fn take(body: &mut JsonMap, name: &str) -> Result<String> {
    let text = body.remove(name).and_then(|value| value.as_str().map(std::borrow::Cow::into_owned));
    text.ok_or_else(|| Error::invalid(format!("{name}: must be a text")))
}

impl fmt::Debug for Arrival<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arrival({} {}, {} bytes)", self.method, self.path, self.body.len())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}
