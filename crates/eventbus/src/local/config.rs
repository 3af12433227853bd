//! The settings of the local transport, in code and in its URL.

use crate::error::{Error, ErrorKind, Result};
use crate::transport::Overflow;

/// The settings of the local transport.
///
/// In a URL: `local:?capacity=1024&overflow=fail&dead_letters=1000`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalConfig {
    /// The most messages a group holds that are not settled: queued, in flight, waiting for a retry and parked
    /// together. Default 65,536.
    pub capacity: usize,
    /// What happens to an event when a group is full. Default [`Overflow::Wait`].
    pub overflow: Overflow,
    /// The most dead letters a group keeps; above it messages stay with the subscription and its health says so.
    /// Default 65,536.
    pub dead_letters: usize,
    /// The most events that wait for their time of publication. Default 65,536.
    pub scheduled: usize,
}

/// The names of the options a URL may have, with what each may say.
const OPTIONS: &str =
    "capacity, dead_letters, scheduled (numbers above 0), overflow (wait, fail, drop_oldest)";

impl Default for LocalConfig {
    fn default() -> Self {
        const MANY: usize = 65_536;
        Self { capacity: MANY, overflow: Overflow::Wait, dead_letters: MANY, scheduled: MANY }
    }
}

impl LocalConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many unsettled messages a group holds.
    #[must_use]
    pub fn capacity(self, messages: usize) -> Self {
        Self { capacity: messages, ..self }
    }

    /// Sets what happens to an event when a group is full.
    #[must_use]
    pub fn overflow(self, overflow: Overflow) -> Self {
        Self { overflow, ..self }
    }

    /// Sets how many dead letters a group keeps.
    #[must_use]
    pub fn dead_letters(self, messages: usize) -> Self {
        Self { dead_letters: messages, ..self }
    }

    /// Sets how many events may wait for their time of publication.
    #[must_use]
    pub fn scheduled(self, events: usize) -> Self {
        Self { scheduled: events, ..self }
    }

    /// Reads the part of the URL after `local:`.
    pub(crate) fn parse(rest: &str) -> Result<Self> {
        let query = match rest.split_once('?') {
            Some(("", query)) => query,
            None if rest.is_empty() => "",
            _ => return Err(invalid("has nothing but options after the scheme: local:?capacity=1024")),
        };
        let mut config = Self::default();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "capacity" => config.capacity = number(name, value)?,
                "dead_letters" => config.dead_letters = number(name, value)?,
                "scheduled" => config.scheduled = number(name, value)?,
                "overflow" => config.overflow = overflow(value)?,
                _ => return Err(invalid(&format!("does not know the option {name:?}; it knows {OPTIONS}"))),
            }
        }
        config.check()?;
        Ok(config)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let bounds =
            [("capacity", self.capacity), ("dead_letters", self.dead_letters), ("scheduled", self.scheduled)];
        match bounds.iter().find(|(_, bound)| *bound == 0) {
            Some((name, _)) => {
                Err(Error::new(ErrorKind::Invalid, format!("local transport: {name}: must be above 0")))
            }
            None => Ok(()),
        }
    }
}

fn number(name: &str, value: &str) -> Result<usize> {
    value.parse().map_err(|_| invalid(&format!("option {name}: {value:?} is not a number above 0")))
}

fn overflow(value: &str) -> Result<Overflow> {
    match value {
        "wait" => Ok(Overflow::Wait),
        "fail" => Ok(Overflow::Fail),
        "drop_oldest" => Ok(Overflow::DropOldest),
        _ => Err(invalid(&format!("option overflow: {value:?} is none of wait, fail, drop_oldest"))),
    }
}

fn invalid(rule: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("local URL {rule}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_sets_what_it_names_and_nothing_else() {
        assert_eq!(LocalConfig::parse("").unwrap(), LocalConfig::new());
        let config = LocalConfig::parse("?capacity=7&overflow=drop_oldest").unwrap();
        assert_eq!(config, LocalConfig::new().capacity(7).overflow(Overflow::DropOldest));
    }

    #[test]
    fn bad_options_name_themselves_and_the_known_ones() {
        for (url, part) in [
            ("?capacity=0", "above 0"),
            ("?capacity=many", "\"many\""),
            ("?overflow=panic", "drop_oldest"),
            ("?speed=11", "it knows capacity"),
            ("//host", "nothing but options"),
        ] {
            let error = LocalConfig::parse(url).unwrap_err();
            assert!(error.to_string().contains(part), "{url}: {error}");
        }
    }
}
