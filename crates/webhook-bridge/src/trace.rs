//! Traces: what a publisher's request, what is stored of it and each attempt have in common, as
//! <https://www.w3.org/TR/trace-context/> has it.
//!
//! An event keeps the context it came with. What the bridge does with it are spans of the same trace, each with an id of
//! its own: that of an attempt is what the endpoint is sent.

use eventbus::TraceContext;
use http::HeaderMap;

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";
/// The most members of a `tracestate`.
const MEMBERS: usize = 32;

/// The context that a request was sent with; `None` where it breaks the recommendation, which is no error.
pub(crate) fn read(headers: &HeaderMap) -> Option<TraceContext> {
    let mut parents = headers.get_all(PARENT).iter();
    let (parent, None) = (parents.next()?, parents.next()) else { return None };
    let context: TraceContext = parent.to_str().ok()?.trim().parse().ok()?;
    let states: Option<Vec<_>> = headers.get_all(STATE).iter().map(|state| state.to_str().ok()).collect();
    let state = states.unwrap_or_default().join(",");
    Some(if is_state(&state) { context.with_state(&state) } else { context })
}

/// The headers to send for a context.
pub(crate) fn headers(context: &TraceContext) -> impl Iterator<Item = (&'static str, String)> {
    let state = context.state().filter(|state| is_state(state)).map(|state| (STATE, state.to_owned()));
    [(PARENT, context.parent())].into_iter().chain(state)
}

/// The text that is stored.
pub(crate) fn write(context: &TraceContext) -> String {
    let state = context.state().map(|state| format!(" {state}")).unwrap_or_default();
    context.parent() + &state
}

/// The context that was stored as this text.
pub(crate) fn parse(text: &str) -> Option<TraceContext> {
    let (parent, state) = text.split_once(' ').unwrap_or((text, ""));
    parent.parse().ok().map(|context: TraceContext| context.with_state(state))
}

/// The names of the trace and of the span, as logs have them.
pub(crate) fn ids(context: Option<&TraceContext>) -> (Option<String>, Option<String>) {
    (context.map(TraceContext::trace_id), context.map(span_id))
}

/// The 16 hexadecimal digits of the span that a context is the parent of.
fn span_id(context: &TraceContext) -> String {
    const SPAN: std::ops::Range<usize> = 36..52;
    context.parent().get(SPAN).unwrap_or_default().to_owned()
}

/// Members of `key=value`, none of them twice.
fn is_state(text: &str) -> bool {
    let members: Vec<_> = text.split(',').map(|member| member.trim_matches([' ', '\t'])).collect();
    let mut keys: Vec<_> =
        members.iter().filter_map(|member| member.split_once('=')).map(|(key, _)| key).collect();
    let named = members.iter().filter(|member| !member.is_empty()).count();
    let well = members.iter().filter(|member| !member.is_empty()).all(|member| is_member(member));
    keys.sort_unstable();
    let count = keys.len();
    keys.dedup();
    named > 0 && named <= MEMBERS && well && keys.len() == count
}

fn is_member(member: &str) -> bool {
    const LONGEST: usize = 256;
    let Some((key, value)) = member.split_once('=') else { return false };
    let first = key.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
    first
        && key.len() <= LONGEST
        && key.bytes().all(rest)
        && (1..=LONGEST).contains(&value.len())
        && value.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn of(lines: &[(&'static str, &str)]) -> Option<TraceContext> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        read(&headers)
    }

    #[test]
    fn a_context_survives_the_store_and_goes_out_as_a_child() {
        let context = of(&[(PARENT, SAMPLE), (STATE, "one=1"), (STATE, "two@x= 2")]).unwrap();
        assert_eq!(parse(&write(&context)).as_ref(), Some(&context));
        assert_eq!(span_id(&context), "00f067aa0ba902b7");
        let child: Vec<_> = headers(&context.child()).collect();
        assert!(child[0].1.starts_with(&SAMPLE[..36]) && child[0].1.ends_with("-01"), "{child:?}");
        assert_ne!(child[0].1, SAMPLE);
        assert_eq!(child[1], (STATE, "one=1,two@x= 2".to_owned()));
    }

    #[test]
    fn what_breaks_the_recommendation_is_left_out() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(PARENT, "00-x-y-01")]), None);
        assert_eq!(of(&[(PARENT, SAMPLE), (PARENT, SAMPLE)]), None, "which of them?");
        let many = (0..33).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
        for state in ["", ",", "one", "One=1", "=1", "one=", "one=1,one=2", "one=1=2", &many] {
            let context = of(&[(PARENT, SAMPLE), (STATE, state)]).unwrap();
            assert_eq!(context.state(), None, "{state:?}");
        }
    }
}
