//! Patterns over event types, by the rules of topic exchanges, and the filters a subscription is made of.

use std::fmt;
use std::str::FromStr;

use super::name::{EventType, MAX_TYPE, Source, shorten, type_rule};
use crate::error::{Error, Result};

/// A pattern over event types: `*` stands for one segment, `#` for zero or more; a lone `*` is everything.
///
/// `customer.*` matches `customer.created` but not `customer.subscription.created`; `customer.#` matches both and
/// `customer` itself. The lone `*` follows `enabled_events: ["*"]` of webhook endpoints.
///
/// ```
/// use eventbus::Pattern;
/// let pattern: Pattern = "customer.subscription.*".parse()?;
/// assert!(pattern.matches("customer.subscription.renewed"));
/// assert!(!pattern.matches("customer.created"));
/// # Ok::<(), eventbus::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// The pattern that matches every type.
    pub fn all() -> Self {
        Self("#".into())
    }

    /// The pattern as text; a lone `*` is spelt `#`, so that equal patterns have one spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether this pattern is a plain type, without a wildcard.
    pub fn is_exact(&self) -> bool {
        !self.0.contains(['*', '#'])
    }

    /// Tells whether a type belongs to this pattern.
    pub fn matches(&self, event_type: &str) -> bool {
        match &*self.0 {
            "#" => true,
            exact if self.is_exact() => exact == event_type,
            pattern => matches(pattern, event_type),
        }
    }
}

/// Matches segment by segment, going back only to the last `#`: linear in practice, quadratic at worst, no recursion.
fn matches(pattern: &str, event_type: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('.').collect();
    let words: Vec<&str> = event_type.split('.').collect();
    let (mut at, mut word) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while word < words.len() {
        match pattern.get(at) {
            Some(&"#") => {
                retry = Some((at + 1, word));
                at += 1;
            }
            Some(&segment) if segment == "*" || segment == words[word] => {
                at += 1;
                word += 1;
            }
            _ => {
                let Some((after, from)) = retry else { return false };
                retry = Some((after, from + 1));
                at = after;
                word = from + 1;
            }
        }
    }
    pattern[at..].iter().all(|&segment| segment == "#")
}

impl FromStr for Pattern {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let invalid = |rule: &str| Error::invalid(format!("pattern {:?}: {rule}", shorten(text)));
        if text == "*" {
            return Ok(Self::all());
        }
        if text.len() > MAX_TYPE {
            return Err(invalid("must have at most 128 characters"));
        }
        let mut previous = "";
        for segment in text.split('.') {
            match segment {
                "#" if previous == "#" => return Err(invalid("must not have '#' twice in a row")),
                "*" | "#" => {}
                word if word.contains(['*', '#']) => {
                    return Err(invalid("'*' and '#' must be whole segments"));
                }
                word => type_rule(word.as_bytes()).map_err(|rule| match word {
                    "" => invalid("must not have an empty segment"),
                    _ => invalid(rule),
                })?,
            }
            previous = segment;
        }
        Ok(Self(text.into()))
    }
}

impl From<EventType> for Pattern {
    fn from(event_type: EventType) -> Self {
        Self(event_type.as_str().into())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What a handler wants to see: a [`Pattern`] over types, of one source or of any.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Filter {
    source: Option<Source>,
    pattern: Pattern,
}

impl Filter {
    /// Every type of any source that matches the pattern.
    pub fn new(pattern: Pattern) -> Self {
        Self { source: None, pattern }
    }

    /// Everything of every source.
    pub fn all() -> Self {
        Self::new(Pattern::all())
    }

    /// Only events of this source.
    #[must_use]
    pub fn source(self, source: Source) -> Self {
        Self { source: Some(source), ..self }
    }

    /// The source this filter is limited to.
    pub fn only_source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// The pattern over types.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Tells whether an event with this address belongs to the filter.
    pub fn matches(&self, source: &str, event_type: &str) -> bool {
        self.source.as_ref().is_none_or(|only| only == source) && self.pattern.matches(event_type)
    }
}

impl From<Pattern> for Filter {
    fn from(pattern: Pattern) -> Self {
        Self::new(pattern)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{source}:{}", self.pattern),
            None => write!(f, "{}", self.pattern),
        }
    }
}
