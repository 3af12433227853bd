//! What is configured of GStable's API: where it is, and what its documentation does not say.

use std::collections::BTreeSet;
use std::time::Duration;

use eventbus::gstable::UtcOffset;
use serde::Deserialize;

use crate::api::wish::{Waits, within};
use crate::error::{Error, Result};
use crate::model::{EndpointStatus, NewEndpoint, Schedule};

/// GStable's API here. Only the limit and the second of the paths are GStable's word; the rest it does not say.
#[derive(Debug, Clone)]
pub struct GstableConfig {
    /// Where it is. Its documentation names the first, its client calls the second. Default `/payment/v1` and `/api/v1`; none,
    /// and there is no such API.
    pub(super) paths: Vec<String>,
    /// The most webhooks of a mode. Default 10, as documented.
    pub(super) most: u32,
    /// Whether a type that its catalogue does not list can be subscribed to. Default yes: an example of its own does.
    pub(super) unknown_events: bool,
    /// What happens to events while a webhook is inactive. Default that they are not owed to it.
    pub(super) while_inactive: WhileInactive,
    /// The zone of `createAt` and `updateAt`. Default UTC.
    pub(super) zone: UtcOffset,
    /// How long a request to a webhook may take. Default 15 s.
    pub(super) timeout: Duration,
    /// When it is tried again. Default as everywhere else.
    pub(super) schedule: Schedule,
    /// The code of a webhook that there is not. Default 990101.
    pub(super) not_found_code: i64,
    /// The code of one too many. Default 990102.
    pub(super) limit_code: i64,
}

/// What happens to events while a webhook is inactive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhileInactive {
    /// They are not owed to it.
    #[default]
    Drop,
    /// They gather, and are sent when it is active again.
    Keep,
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    paths: Option<Vec<String>>,
    most: Option<u32>,
    unknown_events: Option<bool>,
    while_inactive: Option<WhileInactive>,
    zone: Option<String>,
    timeout_seconds: Option<u64>,
    schedule: Option<Waits>,
    not_found_code: Option<i64>,
    limit_code: Option<i64>,
}

impl Default for GstableConfig {
    fn default() -> Self {
        Self {
            paths: vec!["/payment/v1".to_owned(), "/api/v1".to_owned()],
            most: 10,
            unknown_events: true,
            while_inactive: WhileInactive::default(),
            zone: UtcOffset::UTC,
            timeout: NewEndpoint::TIMEOUT,
            schedule: Schedule::default(),
            not_found_code: 990_101,
            limit_code: 990_102,
        }
    }
}

impl GstableConfig {
    /// Parses the JSON of the setting; what it does not name has its default.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming the field and the rule.
    pub fn parse(text: &str) -> Result<Self> {
        let written: Written = serde_json::from_str(text)
            .map_err(|error| Error::invalid(format!("must be an object: {error}")))?;
        let usual = Self::default();
        let zone =
            written.zone.map(|zone| zone.parse().map_err(|error| Error::invalid(format!("zone: {error}"))));
        let timeout = within("timeout_seconds", written.timeout_seconds, 1..=30)?.map(Duration::from_secs);
        Ok(Self {
            paths: written.paths.map(paths).transpose()?.unwrap_or(usual.paths),
            most: within("most", written.most, 1..=1000)?.unwrap_or(usual.most),
            unknown_events: written.unknown_events.unwrap_or(usual.unknown_events),
            while_inactive: written.while_inactive.unwrap_or_default(),
            zone: zone.transpose()?.unwrap_or_default(),
            timeout: timeout.unwrap_or(usual.timeout),
            schedule: written.schedule.map(Waits::parse).transpose()?.unwrap_or_default(),
            not_found_code: code("not_found_code", written.not_found_code)?.unwrap_or(usual.not_found_code),
            limit_code: code("limit_code", written.limit_code)?.unwrap_or(usual.limit_code),
        })
    }

    /// What an endpoint becomes that its owner disables.
    pub(super) fn inactive(&self) -> EndpointStatus {
        match self.while_inactive {
            WhileInactive::Drop => EndpointStatus::Disabled,
            WhileInactive::Keep => EndpointStatus::Paused,
        }
    }
}

/// Its client takes 0 for success, whatever else an answer says.
fn code(field: &str, code: Option<i64>) -> Result<Option<i64>> {
    within(field, code, 1..=i64::from(i32::MAX))
}

/// Prefixes of routes, `/` for none, each without a slash at its end, as its client takes one away.
fn paths(written: Vec<String>) -> Result<Vec<String>> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let path = |text: String| {
        let path = text.strip_suffix('/').unwrap_or(&text);
        let rooted = text.starts_with('/') && !path.contains("//") && path.bytes().all(plain);
        rooted.then(|| path.to_owned()).ok_or_else(|| Error::invalid("paths: must be such as /payment/v1"))
    };
    let paths = written.into_iter().map(path).collect::<Result<Vec<_>>>()?;
    if paths.iter().collect::<BTreeSet<_>>().len() != paths.len() {
        return Err(Error::invalid("paths: must not name one twice"));
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_parsed_and_the_rest_has_its_default() {
        let read = GstableConfig::parse(
            r#"{"paths":["/gs/","/"],"while_inactive":"keep","zone":"+08:00","schedule":[1,2],"timeout_seconds":3}"#,
        );
        let read = read.unwrap();
        assert_eq!(
            (&read.paths, read.inactive()),
            (&vec!["/gs".to_owned(), String::new()], EndpointStatus::Paused)
        );
        assert_eq!((read.schedule.seconds(), read.timeout), (vec![1, 2], Duration::from_secs(3)));
        assert_eq!((read.most, read.unknown_events, read.not_found_code), (10, true, 990_101));
        assert_eq!(GstableConfig::default().inactive(), EndpointStatus::Disabled);
        assert!(GstableConfig::parse(r#"{"paths":[]}"#).unwrap().paths.is_empty());
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        for (text, rule) in [
            (r#"{"path":[]}"#, "unknown field"),
            (r#"{"paths":["payment"]}"#, "paths: must be such as"),
            (r#"{"paths":["/{any}"]}"#, "paths: must be such as"),
            (r#"{"paths":["/a//b"]}"#, "paths: must be such as"),
            (r#"{"paths":["/a","/a/"]}"#, "paths: must not name one twice"),
            (r#"{"most":0}"#, "most: must be from 1"),
            (r#"{"limit_code":0}"#, "limit_code: must be from 1"),
            (r#"{"zone":"CET"}"#, "zone: "),
            (r#"{"timeout_seconds":31}"#, "timeout_seconds: must be from 1 to 30"),
            (r#"{"schedule":"often"}"#, "schedule: "),
        ] {
            let error = GstableConfig::parse(text).unwrap_err().to_string();
            assert!(error.contains(rule), "{text}: {error}");
        }
    }
}
