//! `t=…,v1=…`: when it was signed, and HMACs of that and the body, in one header, as Stripe and Blocklet Server write it.
//!
//! HMAC-SHA256 in hex over `t`, a dot and the body, keyed by the secret's text, which is not decoded. There may be several `v1`,
//! while a secret is rolled; other versions are of nobody.

use eventbus::Timestamp;
use ring::hmac::{Context, HMAC_SHA256, Key};

use super::arrival::{Arrival, Refusal, Trust, candidates, from_hex, seconds};
use super::hex;
use crate::model::Secret;

/// What the header says when this body is sent now.
pub(super) fn stamp(secret: &Secret, now: Timestamp, body: &[u8]) -> String {
    let time = now.as_millis().div_euclid(1000).to_string();
    let mut context = Context::with_key(&Key::new(HMAC_SHA256, secret.reveal().as_bytes()));
    [time.as_bytes(), b".", body].iter().for_each(|part| context.update(part));
    format!("t={time},v1={}", hex(context.sign().as_ref()))
}

/// Verifies what a header says of the body.
pub(super) fn verify(header: &str, arrival: &Arrival<'_>, trust: &Trust) -> Result<(), Refusal> {
    let time = time(header)?;
    let signatures = parts(header).filter(|(name, _)| *name == "v1").map(|(_, value)| value);
    trust.fresh(seconds(time)?, arrival.now)?;
    trust.signed(&candidates(signatures, from_hex)?, &[time.as_bytes(), b".", arrival.body])
}

/// When it was signed: there is one `t`.
pub(super) fn time(header: &str) -> Result<&str, Refusal> {
    let mut times = parts(header).filter(|(name, _)| *name == "t").map(|(_, value)| value);
    match (times.next(), times.next()) {
        (Some(time), None) => Ok(time),
        _ => Err(Refusal::Malformed),
    }
}

fn parts(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header.split(',').filter_map(|part| part.trim().split_once('='))
}
