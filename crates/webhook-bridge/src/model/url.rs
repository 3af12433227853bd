//! The URL of an endpoint, parsed once by one parser.

use std::fmt;

use url::Url;

use crate::error::{Error, Result};

/// An endpoint's URL: `http` or `https` with a host, no credentials, no fragment, at most 2,048 characters.
///
/// What one grammar takes and HTTP's does not is refused here, so that no delivery fails by it. Whether its host and port may be
/// called is the egress guard's decision, at every attempt.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl {
    url: Url,
    written: Box<str>,
}

impl EndpointUrl {
    const LONGEST: usize = 2048;

    /// Parses a URL.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming the rule.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |rule: &'static str| Error::invalid(format!("url: {rule}"));
        let short = |text: &str| match text.len() <= Self::LONGEST {
            true => Ok(()),
            false => Err(invalid("must have at most 2048 characters, with what is escaped")),
        };
        short(text)?;
        let url = Url::parse(text).map_err(|cause| invalid("must be a URL").with_source(cause))?;
        short(url.as_str())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("must begin with https:// or http://"));
        }
        if url.host().is_none() {
            return Err(invalid("must have a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("must not have a user or password"));
        }
        if url.fragment().is_some() {
            return Err(invalid("must not have a fragment"));
        }
        // What is called is this text; a host that HTTP has no name for could never be.
        if url.as_str().parse::<http::Uri>().is_err() {
            return Err(invalid("must have a host and a path that HTTP can name"));
        }
        Ok(Self { url, written: text.into() })
    }

    /// The parsed URL.
    pub fn as_url(&self) -> &Url {
        &self.url
    }

    /// The URL as text, normalised by the parser: what is called.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The URL as it was written: what is shown, so that its owner finds it again by comparing texts.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// The port that is dialled.
    pub fn port(&self) -> u16 {
        // The schemes are `http` and `https`, which both have a default.
        self.url.port_or_known_default().unwrap_or(443)
    }
}

impl fmt::Debug for EndpointUrl {
    /// Without path and query: they often carry tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", self.url.scheme(), self.url.host_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_is_no_longer_than_what_may_be_written() {
        let path = |end: &str, times| format!("https://example.com/{}", end.repeat(times));
        for (url, taken) in
            [(path("a", 2028), true), (path("a", 2029), false), (path("\u{1f600}", 200), false)]
        {
            assert_eq!(EndpointUrl::parse(&url).is_ok(), taken, "{}", url.len());
        }
    }

    #[test]
    fn what_is_taken_can_be_called() {
        for url in ["https://a{b.example.com/", "https://a`b.example.com/", "https://a\"b.example.com/"] {
            assert!(EndpointUrl::parse(url).is_err(), "{url}");
        }
        for url in
            ["https://example.com/{id}?of={x}|`", "https://bücher.example/é", "http://[2606:4700::1]:8443"]
        {
            let url = EndpointUrl::parse(url).unwrap();
            assert_eq!(url.as_str().parse::<http::Uri>().unwrap().path(), url.as_url().path());
        }
    }
}
