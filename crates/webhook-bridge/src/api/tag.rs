//! `If-Match`: nobody overwrites what somebody else changed meanwhile (RFC 9110, sections 8.8.3 and 13.1.1).

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;

use super::Api;
use super::body::Id;
use super::problem::Problem;
use crate::model::Expected;

/// What is to be changed: the id in the path, as its `If-Match` expects it; without one, whatever it is.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) id: String,
    pub(super) expected: Expected,
}

impl FromRequestParts<Api> for Seen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Id(id) = Id::from_request_parts(parts, api).await?;
        Ok(Self { id, expected: expected(&parts.headers) })
    }
}

/// A tag that is none of ours, a weak one for example, is no version.
fn expected(headers: &HeaderMap) -> Expected {
    let lines = || headers.get_all(IF_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines().flat_map(|line| line.split(',')).map(str::trim);
    if !headers.contains_key(IF_MATCH) || tags.any(|tag| tag == "*") {
        return Expected::Any;
    }
    let version = |tag: &str| tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    Expected::OneOf(lines().flat_map(|line| line.split(',')).filter_map(version).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_names_versions_or_anything() {
        for (value, versions) in [
            ("\"3\"", Some(vec![3])),
            ("\"3\", \"4\"", Some(vec![3, 4])),
            ("*", None),
            ("W/\"3\"", Some(vec![])),
            ("3", Some(vec![])),
            ("\"other\"", Some(vec![])),
            ("", Some(vec![])),
        ] {
            let headers = HeaderMap::from_iter([(IF_MATCH, value.parse().unwrap())]);
            assert_eq!(expected(&headers), versions.map_or(Expected::Any, Expected::OneOf), "{value}");
        }
        assert_eq!(expected(&HeaderMap::new()), Expected::Any);
    }
}
