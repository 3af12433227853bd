//! Who asks: a bearer key, or a session of the dashboard that stands for one. The key says the mode.

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use eventbus::Timestamp;
use tokio::time::Instant;

use super::Api;
use super::problem::Problem;
use crate::dashboard::{Access, SessionId};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{KeyDigest, KeyRecord, Mode};

/// Whoever sent a key that is known, or a session of one; sees and does only what is of its mode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub(super) mode: Mode,
    /// When the key runs out.
    expires_at: Option<Timestamp>,
    proof: Proof,
}

/// What somebody is known by.
#[derive(Debug, Clone, Copy)]
enum Proof {
    Key(KeyDigest),
    Session(SessionId),
}

impl Caller {
    /// Refuses who was let in for a time: what makes or deletes keys would outlive that.
    pub(super) fn lasting(&self) -> Result<(), Error> {
        let message = "this key runs out: one that does not makes and deletes keys";
        self.expires_at.map_or(Ok(()), |_| Err(Error::new(ErrorKind::Forbidden, message)))
    }

    /// The key, as it is now; `None` when it, or the session, has ended since.
    pub(super) async fn key(&self, api: &Api) -> Result<Option<KeyRecord>> {
        let digest = match self.proof {
            Proof::Key(digest) => Some(digest),
            Proof::Session(id) => api.dashboard.sessions.key(id, Instant::now()),
        };
        match digest {
            Some(digest) => api.store.key(digest).await,
            None => Ok(None),
        }
    }

    /// The session it came by.
    pub(super) fn session(&self) -> Option<SessionId> {
        match self.proof {
            Proof::Key(_) => None,
            Proof::Session(id) => Some(id),
        }
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let unauthorized =
            || Error::new(ErrorKind::Unauthorized, "send `Authorization: Bearer` and an API key");
        let (digest, proof) = match parts.headers.get(AUTHORIZATION) {
            Some(header) => {
                let digest = header.to_str().ok().and_then(bearer).ok_or_else(unauthorized)?;
                (digest, Proof::Key(digest))
            }
            None => {
                let id = session(&parts.headers, api.dashboard.access).ok_or_else(unauthorized)?;
                same_origin(&parts.method, &parts.headers)?;
                let key = api.dashboard.sessions.renew(id, Instant::now()).ok_or_else(unauthorized)?;
                (key, Proof::Session(id))
            }
        };
        let Some(found) = api.store.key(digest).await? else {
            if let Proof::Session(id) = proof {
                api.dashboard.sessions.end(id);
            }
            return Err(unauthorized().into());
        };
        Ok(Self { mode: found.mode, expires_at: found.expires_at, proof })
    }
}

fn bearer(header: &str) -> Option<KeyDigest> {
    let (scheme, key) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| KeyDigest::of(key.trim()))
}

/// The session that a browser names.
fn session(headers: &HeaderMap, access: Access) -> Option<SessionId> {
    if access == Access::Off {
        return None;
    }
    let name = access.cookie(headers);
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|line| line.split(';')).filter_map(|one| one.trim().split_once('='));
    cookies.find(|(cookie, _)| *cookie == name).map(|(_, text)| SessionId::of(text))
}

/// A request that a page of this origin sent, not one elsewhere on whose behalf the browser adds the cookie. `SameSite` says
/// so too, but to it every port of a machine is one site.
pub(super) struct Visit;

impl FromRequestParts<Api> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        // What has neither is no browser, and acts for nobody but itself.
        if parts.headers.contains_key("sec-fetch-site") || parts.headers.contains_key(ORIGIN) {
            same_origin(&parts.method, &parts.headers)?;
        }
        Ok(Self)
    }
}

/// Browsers say where a request comes from, and no page can make them say otherwise. What only reads may also have been typed
/// or followed from a bookmark.
fn same_origin(method: &Method, headers: &HeaderMap) -> Result<()> {
    let word = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = match word("sec-fetch-site") {
        Some("same-origin") => true,
        Some("none") => method.is_safe(),
        Some(_) => false,
        // Browsers without it send the origin with whatever is not safe.
        None => match word(ORIGIN.as_str()) {
            Some(origin) => {
                let host = word(HOST.as_str());
                host.is_some() && origin.split_once("://").map(|(_, authority)| authority) == host
            }
            None => method.is_safe(),
        },
    };
    if own {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Forbidden, "a session is used by the dashboard's own pages only"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(method: &Method, headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        headers.iter().for_each(|(name, value)| drop(map.insert(*name, value.parse().unwrap())));
        same_origin(method, &map).is_ok()
    }

    #[test]
    fn a_session_is_used_by_pages_of_its_own_origin_only() {
        let host = ("host", "bridge.example:8440");
        for (headers, get, post) in [
            (vec![host, ("sec-fetch-site", "same-origin")], true, true),
            (vec![host, ("sec-fetch-site", "none")], true, false),
            (vec![host, ("sec-fetch-site", "same-site")], false, false),
            (vec![host, ("sec-fetch-site", "cross-site")], false, false),
            (
                vec![host, ("sec-fetch-site", "cross-site"), ("origin", "https://bridge.example:8440")],
                false,
                false,
            ),
            (vec![host, ("origin", "https://bridge.example:8440")], true, true),
            (vec![host, ("origin", "https://bridge.example")], false, false),
            (vec![host, ("origin", "https://evil.example")], false, false),
            (vec![host, ("origin", "null")], false, false),
            (vec![("origin", "null")], false, false),
            (vec![host], true, false),
        ] {
            assert_eq!(allowed(&Method::GET, &headers), get, "{headers:?}");
            assert_eq!(allowed(&Method::POST, &headers), post, "{headers:?}");
            assert_eq!(allowed(&Method::DELETE, &headers), post, "{headers:?}");
        }
    }

    #[test]
    fn the_session_is_the_cookie_of_the_way_browsers_come() {
        let mut headers = HeaderMap::new();
        let cookies = "a=b; webhook-bridge=v; __Host-webhook-bridge=w; webhook-bridge-8440=x; __Host-webhook-bridge-8440=y";
        headers.insert(COOKIE, cookies.parse().unwrap());
        for (host, over_http, over_https) in [
            ("bridge.example:8440", Some("x"), Some("y")),
            ("[::1]:8440", Some("x"), Some("y")),
            ("bridge.example", Some("v"), Some("w")),
            ("bridge.example:8441", None, None),
        ] {
            headers.insert(HOST, host.parse().unwrap());
            for (access, id) in [(Access::Http, over_http), (Access::Https, over_https), (Access::Off, None)]
            {
                assert_eq!(session(&headers, access), id.map(SessionId::of), "{host} {access:?}");
            }
        }
    }
}
