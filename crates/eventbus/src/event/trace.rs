//! W3C Trace Context: the `traceparent` and `tracestate` that travel with an event.

use std::fmt;
use std::str::FromStr;

use rand::Rng as _;

use super::name::shorten;
use crate::error::{Error, Result};

/// The longest `tracestate` that is carried; the recommendation asks for at least 512 characters.
const MAX_STATE: usize = 512;

/// The trace an event belongs to, as <https://www.w3.org/TR/trace-context/> defines it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: u128,
    parent: u64,
    flags: u8,
    state: Option<Box<str>>,
}

impl TraceContext {
    /// Adds the vendors' `tracestate`; one that is too long or not visible ASCII is left out, as the recommendation allows.
    #[must_use]
    pub fn with_state(mut self, state: &str) -> Self {
        let fits = !state.is_empty() && state.len() <= MAX_STATE;
        let printable = state.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        self.state = (fits && printable).then(|| state.into());
        self
    }

    /// The same trace with a fresh parent id: what an event published while handling this one carries.
    #[must_use]
    pub fn child(&self) -> Self {
        let parent = rand::rng().next_u64().max(1);
        Self { parent, ..self.clone() }
    }

    /// The `traceparent` header's text.
    pub fn parent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace, self.parent, self.flags)
    }

    /// The `tracestate` header's text, where there is one.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The 32 hexadecimal digits that all events of one trace share.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }
}

impl FromStr for TraceContext {
    type Err = Error;

    /// Parses a `traceparent`; higher versions are read as version 00, as the recommendation asks.
    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            let text = shorten(text);
            Error::invalid(format!(
                "traceparent {text:?}: must be version-traceid-parentid-flags in lower-case hex, ids not all zero"
            ))
        })
    }
}

fn parse(text: &str) -> Option<TraceContext> {
    let mut parts = text.split('-');
    let version = hex(parts.next()?, 2)?;
    let trace = hex(parts.next()?, 32).filter(|&id| id != 0)?;
    let parent = hex(parts.next()?, 16).filter(|&id| id != 0)?;
    let flags = hex(parts.next()?, 2)?;
    let over = parts.next().is_some();
    if version == 0xff || (version == 0 && over) {
        return None;
    }
    Some(TraceContext {
        trace,
        parent: u64::try_from(parent).ok()?,
        flags: u8::try_from(flags).ok()?,
        state: None,
    })
}

fn hex(text: &str, digits: usize) -> Option<u128> {
    let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == digits && lower).then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parent())
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_survives_and_a_child_keeps_the_trace() {
        let context: TraceContext = SAMPLE.parse().unwrap();
        assert_eq!(context.parent(), SAMPLE);
        let child = context.clone().with_state("vendor=1").child();
        assert_eq!(child.trace_id(), context.trace_id());
        assert_ne!(child.parent(), context.parent());
        assert_eq!(child.state(), Some("vendor=1"));
    }

    #[test]
    fn what_the_recommendation_forbids_is_refused() {
        let zeros = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let upper = SAMPLE.to_uppercase();
        let over = format!("{SAMPLE}-00");
        for bad in ["", "00", zeros, &upper, &over, &SAMPLE.replacen("00", "ff", 1), &SAMPLE[..54]] {
            assert!(bad.parse::<TraceContext>().is_err(), "{bad}");
        }
        assert!(SAMPLE.replacen("00", "01", 1).parse::<TraceContext>().is_ok());
    }
}
