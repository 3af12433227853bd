//! The dashboard: pages that show what the API answers, and sessions, by which a browser has the rights of an API key.
//!
//! Its files are in the program, and ask for nothing elsewhere. It has no API of its own: its pages call `/v1`, where a
//! session stands for the key it was begun with.

mod asset;
mod session;

use std::fmt;
use std::str::FromStr;

use http::HeaderMap;
use http::header::HOST;
use http::uri::Authority;

use crate::error::{Error, Result};

pub use session::{SessionId, Sessions};

pub(crate) use asset::routes;

/// Whether there is a dashboard, and how browsers reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// There is none.
    Off,
    /// Over HTTP: on this machine, or in a network that is trusted.
    #[default]
    Http,
    /// Over HTTPS, which ends before the bridge: browsers send the session there only.
    Https,
}

impl Access {
    /// The name of the cookie that names the session, for a request with these headers. With the prefix, browsers take it over
    /// HTTPS from this host alone. It has the port that the browser asks: to cookies all ports of a host are one, and two
    /// bridges on it would sign each other's visitors out.
    pub fn cookie(self, headers: &HeaderMap) -> String {
        let name = match self {
            Self::Https => "__Host-webhook-bridge",
            Self::Http | Self::Off => "webhook-bridge",
        };
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        match host.and_then(|host| host.port_u16()) {
            Some(port) => format!("{name}-{port}"),
            None => name.to_owned(),
        }
    }

    /// The value of `Set-Cookie` that begins a session, or, of an empty id, ends it.
    pub fn set_cookie(self, headers: &HeaderMap, id: &str) -> String {
        let secure = if self == Self::Https { "; Secure" } else { "" };
        let over = if id.is_empty() { "; Max-Age=0" } else { "" };
        format!("{}={id}; Path=/; HttpOnly; SameSite=Strict{secure}{over}", self.cookie(headers))
    }
}

impl FromStr for Access {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "off" => Ok(Self::Off),
            "http" => Ok(Self::Http),
            "https" => Ok(Self::Https),
            _ => Err(Error::invalid("must be http, https or off")),
        }
    }
}

/// What the API needs of it.
#[derive(Default)]
pub struct Dashboard {
    /// How it is reached.
    pub access: Access,
    /// Who is signed in.
    pub sessions: Sessions,
}

impl Dashboard {
    /// A dashboard with nobody signed in.
    pub fn new(access: Access) -> Self {
        Self { access, sessions: Sessions::default() }
    }
}

impl fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashboard").field("access", &self.access).finish_non_exhaustive()
    }
}
