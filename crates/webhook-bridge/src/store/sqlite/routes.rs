//! Which endpoints want an event: read from the file once, and again whenever an endpoint changed.
//!
//! Only the writer has it, and only the writer changes endpoints, so it is never older than the transaction it decides in.

use std::collections::HashMap;

use eventbus::Pattern;
use rusqlite::{Connection, Result};

use crate::model::{EnabledEvents, EndpointKey, Mode};

/// The enabled endpoints by what they want.
#[derive(Debug, Default)]
pub(super) struct Routes {
    exact: HashMap<(Mode, Box<str>), Vec<EndpointKey>>,
    patterns: Vec<(Mode, Pattern, EndpointKey)>,
}

impl Routes {
    /// Reads them.
    pub(super) fn read(connection: &Connection) -> Result<Self> {
        let mut statement = connection
            .prepare_cached("SELECT no, livemode, enabled_events FROM endpoint WHERE status = 'enabled'")?;
        let mut routes = Self::default();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let texts: String = row.get(2)?;
            let events = super::convert::parsed(2, || EnabledEvents::parse(super::convert::json(&texts)?))?;
            routes.add(Mode::from(row.get::<_, bool>(1)?), EndpointKey(row.get(0)?), &events);
        }
        Ok(routes)
    }

    fn add(&mut self, mode: Mode, endpoint: EndpointKey, events: &EnabledEvents) {
        for pattern in events.patterns() {
            if pattern.is_exact() {
                self.exact.entry((mode, pattern.as_str().into())).or_default().push(endpoint);
            } else {
                self.patterns.push((mode, pattern.clone(), endpoint));
            }
        }
    }

    /// The endpoints that want this type, each once.
    pub(super) fn of(&self, mode: Mode, event_type: &str) -> Vec<EndpointKey> {
        let mut found = self.exact.get(&(mode, event_type.into())).cloned().unwrap_or_default();
        let matching =
            self.patterns.iter().filter(|(of, pattern, _)| *of == mode && pattern.matches(event_type));
        found.extend(matching.map(|(_, _, endpoint)| *endpoint));
        found.sort_unstable();
        found.dedup();
        found
    }
}
