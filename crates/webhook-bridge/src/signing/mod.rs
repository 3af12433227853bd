//! How a request looks and is signed, and how one that comes in is verified: one file and one row per format. No I/O, no
//! clock.
//!
//! What is signed are the very bytes that are sent, at the time they are sent, so every attempt has a fresh timestamp
//! and the same id.

mod app_key;
mod arrival;
mod blocklet;
mod component;
mod ecmascript;
mod gstable;
mod hmac;
mod query;
mod stamp;
mod standard;
mod standard_v1a;
mod stripe;
#[cfg(test)]
mod vectors;

use bytes::Bytes;
use eventbus::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Application, Payload, Secret};

pub use app_key::{AppKey, Call};
pub use arrival::{Arrival, Livemode, Refusal, Scheme, Trust};
pub(crate) use gstable::GSTABLE;
pub use hmac::{Encoding, Rule};
pub use query::parse as parse_query;
pub use stripe::stripe_signature;

/// The formats an endpoint can choose from; the first is the default.
pub const FORMATS: &[Format] =
    &[standard::V1, standard_v1a::V1A, component::COMPONENT, blocklet::BLOCKLET, GSTABLE];

/// The schemes by which webhooks of others are verified.
pub const SCHEMES: &[Scheme] = &[
    component::FROM_PAYMENT_KIT,
    blocklet::FROM_BLOCKLET_SERVER,
    gstable::FROM_GSTABLE,
    standard::STANDARD_WEBHOOKS,
    standard_v1a::STANDARD_V1A,
    stripe::STRIPE,
    hmac::HMAC,
];

/// A format: what an endpoint's requests look like and how they are signed.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Its name in the API and in the store.
    pub name: &'static str,
    /// One line for whom chooses.
    pub description: &'static str,
    /// What must be configured for it.
    needs: Needs,
    /// Which secrets sign while former ones overlap the newest.
    signs: Signs,
    /// Makes a secret of this format from random bytes.
    secret: fn(&[u8; 32]) -> Result<String>,
    /// Checks a secret that somebody brings.
    check: fn(&Secret) -> Result<()>,
    /// Checks that it can sign for a URL.
    target: fn(&Url) -> Result<()>,
    /// Renders the request of a delivery.
    render: fn(&Delivery<'_>) -> Result<Rendered>,
}

/// What a format cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// Who sends: it is in the body.
    Application,
    /// Events of this source: it shows no others.
    Source(&'static str),
}

/// Which secrets sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signs {
    /// All that have not run out: a request has several signatures.
    All,
    /// The newest: a request has room for one signature.
    Newest,
}

/// What is to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Where it goes.
    pub url: &'a Url,
    /// The same on every attempt.
    pub id: &'a str,
    /// Now.
    pub now: Timestamp,
    /// The event.
    pub payload: &'a Payload,
    /// The secrets that are valid, the newest first; a format that can carries a signature by each.
    pub secrets: &'a [Secret],
    /// Who sends, where that is configured.
    pub application: Option<&'a Application>,
}

/// A request, but for what is the same in all formats.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The headers this format adds.
    pub headers: Vec<(&'static str, String)>,
    /// The bytes that were signed and are sent.
    pub body: Bytes,
}

impl Format {
    /// The format of this name.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), naming the ones there are.
    pub fn find(name: &str) -> Result<&'static Self> {
        FORMATS.iter().find(|format| format.name == name).ok_or_else(|| {
            let names: Vec<_> = FORMATS.iter().map(|format| format.name).collect();
            Error::invalid(format!("signature: must be one of {}", names.join(", ")))
        })
    }

    /// The only source whose events it can show; `None` when it can show all.
    pub fn source(&self) -> Option<&'static str> {
        match self.needs {
            Needs::Source(source) => Some(source),
            Needs::Nothing | Needs::Application => None,
        }
    }

    /// Makes a fresh secret.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when the system has no randomness.
    pub fn generate(&self) -> Result<Secret> {
        let mut random = [0; 32];
        let failed = |_| Error::new(ErrorKind::Internal, "the system has no randomness");
        SystemRandom::new().fill(&mut random).map_err(failed)?;
        Ok(Secret::new((self.secret)(&random)?))
    }

    /// Checks a secret that somebody brings.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), naming the rule.
    pub fn check(&self, secret: &Secret) -> Result<()> {
        (self.check)(secret)
    }

    /// Whether former secrets can sign beside the newest.
    pub fn overlaps(&self) -> bool {
        self.signs == Signs::All
    }

    /// Checks that what it needs is configured.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), naming the setting.
    pub fn ready(&self, application: Option<&Application>) -> Result<()> {
        if self.needs == Needs::Application && application.is_none() {
            let message =
                format!("signature: {} needs the setting `application`: did, pk, url, name", self.name);
            return Err(Error::invalid(message));
        }
        Ok(())
    }

    /// Checks that requests to a URL can be signed so that their receiver finds the same.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), naming the rule.
    pub fn target(&self, url: &Url) -> Result<()> {
        (self.target)(url)
    }

    /// Renders and signs a request.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when a stored secret is not of this format.
    pub fn render(&self, delivery: &Delivery<'_>) -> Result<Rendered> {
        (self.render)(delivery)
    }
}

/// The longest id that is sent as it is.
const LONGEST_ID: usize = 128;

/// The id of a delivery's requests: the event's where it may stand in what is signed, else one made of it.
///
/// Formats join the id with dots, so one with a dot could move what is signed from one part into the next.
pub fn webhook_id(payload: &Payload) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:".contains(&byte);
    if payload.event_id.len() <= LONGEST_ID && payload.event_id.bytes().all(plain) {
        return payload.event_id.clone();
    }
    digest_id(payload.event_id.as_bytes())
}

/// An id for what has none: the same for the same bytes.
fn digest_id(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    format!("evt_{}", hex(&digest.as_ref()[..16]))
}

impl Delivery<'_> {
    /// Now, in seconds since 1970.
    fn seconds(&self) -> i64 {
        self.now.as_millis().div_euclid(1000)
    }
}

/// For formats that sign nothing of the URL.
fn any_target(_: &Url) -> Result<()> {
    Ok(())
}

/// For formats that need one, when it was configured once and is no longer.
fn no_application() -> Error {
    Error::new(ErrorKind::Internal, "the setting `application` is missing")
}

fn unwritable(cause: serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, "a body cannot be written").with_source(cause)
}

/// What a stored secret is that its format's check would not have let in.
fn unusable() -> Error {
    Error::new(ErrorKind::Internal, "a stored secret is not of its format")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hex digits in either case, two each.
fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? * 16 + digit(low)?),
        _ => None,
    };
    digits.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(event_id: &str) -> String {
        let (event_type, body) = ("a.b".into(), Bytes::new());
        webhook_id(&Payload { event_id: event_id.into(), event_type, body })
    }

    /// A word that `sign` knows is one of `verify`, and of a source.
    #[test]
    fn what_every_format_signs_a_scheme_of_its_name_verifies() {
        for format in FORMATS {
            assert_eq!(Scheme::find(format.name).unwrap().name, format.name);
        }
    }

    #[test]
    fn an_id_that_could_move_what_is_signed_or_break_out_of_its_header_is_not_sent() {
        let longest = "x".repeat(128);
        for plain in ["evt_1", "a-b:c_D9", &longest] {
            assert_eq!(id(plain), plain);
        }
        let long = format!("{longest}x");
        let reserved =
            ["a.b", "a.1767225600.{}", "a b", "a\r\nx: y", "a\0", "ü", "a,b", "a;b", "a\"b", "/", &long];
        let ids: std::collections::BTreeSet<_> = reserved.map(id).into_iter().collect();
        assert_eq!(ids.len(), reserved.len(), "each its own");
        for id in ids {
            assert!(id.len() == 36 && id.starts_with("evt_"), "{id}");
            assert!(id[4..].bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        }
    }
}
