//! Which endpoints want an event, and in which order: read from the file once, and again whenever an endpoint changed.
//!
//! Only the writer has it, and only the writer changes endpoints, so it is never older than the transaction it decides in.

use std::collections::HashMap;
use std::sync::Arc;

use eventbus::transport::Order;
use eventbus::{Pattern, Timestamp};
use foldhash::fast::RandomState;
use rusqlite::{Connection, Result, Row};

use super::convert::{is_damage, json, parsed};
use super::standing::order_of;
use crate::model::{EnabledEvents, EndpointKey, Mode, Target};

/// The endpoints that get events, those that are paused too, by what they want.
#[derive(Debug, Default)]
pub(super) struct Routes {
    exact: HashMap<Mode, HashMap<Box<str>, Vec<Route>>>,
    patterns: Vec<(Mode, Pattern, Route)>,
    /// The only source of those that want one only.
    sources: HashMap<EndpointKey, Box<str>, RandomState>,
    /// Whom was sent to since it was read.
    pub(super) cards: HashMap<EndpointKey, Card, RandomState>,
}

/// An endpoint that is enabled, as it is sent to.
#[derive(Debug, Clone)]
pub(super) struct Card {
    pub(super) target: Arc<Target>,
    /// How many requests it takes at once when it is well.
    pub(super) most: u32,
    /// When the first of its secrets runs out.
    pub(super) until: Option<Timestamp>,
}

/// To whom, and whether what has one key stays in order.
pub(super) type Route = (EndpointKey, Order);

impl Routes {
    /// Reads them.
    pub(super) fn read(connection: &Connection) -> Result<Self> {
        let mut statement = connection.prepare_cached(
            "SELECT no, livemode, enabled_events, ordering, source FROM endpoint WHERE status IN ('enabled', 'paused')",
        )?;
        let mut routes = Self::default();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            match wanted(row) {
                Ok((mode, route, events)) => {
                    routes.add(mode, route, &events);
                    let source: Option<String> = row.get(4)?;
                    routes.sources.extend(source.map(|source| (route.0, source.into())));
                }
                // It gets nothing until it is mended; the others do.
                Err(cause) if is_damage(&cause) => {
                    tracing::error!(endpoint = row.get::<_, i64>(0)?, %cause, "an endpoint cannot be read");
                }
                Err(cause) => return Err(cause),
            }
        }
        Ok(routes)
    }

    fn add(&mut self, mode: Mode, route: Route, events: &EnabledEvents) {
        for pattern in events.patterns() {
            if pattern.is_exact() {
                let exact = self.exact.entry(mode).or_default();
                exact.entry(pattern.as_str().into()).or_default().push(route);
            } else {
                self.patterns.push((mode, pattern.clone(), route));
            }
        }
    }

    /// The endpoints that want this type of this source, each once.
    pub(super) fn of(&self, mode: Mode, (source, event_type): (&str, &str)) -> Vec<Route> {
        let exact = self.exact.get(&mode).and_then(|exact| exact.get(event_type));
        let mut found = exact.cloned().unwrap_or_default();
        let matching =
            self.patterns.iter().filter(|(of, pattern, _)| *of == mode && pattern.matches(event_type));
        found.extend(matching.map(|(_, _, route)| *route));
        if !self.sources.is_empty() {
            found.retain(|(to, _)| self.sources.get(to).is_none_or(|only| **only == *source));
        }
        found.sort_unstable_by_key(|(endpoint, _)| *endpoint);
        found.dedup();
        found
    }
}

/// What an endpoint wants.
fn wanted(row: &Row<'_>) -> Result<(Mode, Route, EnabledEvents)> {
    let (texts, order): (String, String) = (row.get(2)?, row.get(3)?);
    let events = parsed(2, || EnabledEvents::parse(json(&texts)?))?;
    Ok((Mode::from(row.get::<_, bool>(1)?), (EndpointKey(row.get(0)?), order_of(&order)), events))
}
