//! Which endpoints want an event, and in which order: read from the file once, and again whenever an endpoint changed.
//!
//! Only the writer has it, and only the writer changes endpoints, so it is never older than the transaction it decides in.

use std::collections::HashMap;

use eventbus::Pattern;
use eventbus::transport::Order;
use rusqlite::{Connection, Result};

use crate::model::{EnabledEvents, EndpointKey, Mode};

/// The enabled endpoints by what they want.
#[derive(Debug, Default)]
pub(super) struct Routes {
    exact: HashMap<(Mode, Box<str>), Vec<Route>>,
    patterns: Vec<(Mode, Pattern, Route)>,
}

/// To whom, and whether what has one key stays in order.
pub(super) type Route = (EndpointKey, Order);

impl Routes {
    /// Reads them.
    pub(super) fn read(connection: &Connection) -> Result<Self> {
        let mut statement = connection.prepare_cached(
            "SELECT no, livemode, enabled_events, ordering FROM endpoint WHERE status = 'enabled'",
        )?;
        let mut routes = Self::default();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let texts: String = row.get(2)?;
            let events = super::convert::parsed(2, || EnabledEvents::parse(super::convert::json(&texts)?))?;
            let route = (EndpointKey(row.get(0)?), super::standing::order_of(&row.get::<_, String>(3)?));
            routes.add(Mode::from(row.get::<_, bool>(1)?), route, &events);
        }
        Ok(routes)
    }

    fn add(&mut self, mode: Mode, route: Route, events: &EnabledEvents) {
        for pattern in events.patterns() {
            if pattern.is_exact() {
                self.exact.entry((mode, pattern.as_str().into())).or_default().push(route);
            } else {
                self.patterns.push((mode, pattern.clone(), route));
            }
        }
    }

    /// The endpoints that want this type, each once.
    pub(super) fn of(&self, mode: Mode, event_type: &str) -> Vec<Route> {
        let mut found = self.exact.get(&(mode, event_type.into())).cloned().unwrap_or_default();
        let matching =
            self.patterns.iter().filter(|(of, pattern, _)| *of == mode && pattern.matches(event_type));
        found.extend(matching.map(|(_, _, route)| *route));
        found.sort_unstable_by_key(|(endpoint, _)| *endpoint);
        found.dedup();
        found
    }
}
