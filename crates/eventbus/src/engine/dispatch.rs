//! Which handler of a subscription gets an event.

use std::sync::Arc;

use super::handler::{AnyHandler, Slot};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{AnyEvent, Filter};

/// The handlers of a subscription. An exact type goes before a pattern, and among patterns the first one wins.
#[derive(Default)]
pub(crate) struct Dispatch {
    rows: Vec<Row>,
}

struct Row {
    filter: Filter,
    handler: Arc<dyn AnyHandler>,
}

impl Dispatch {
    /// Adds a handler for what its filters match.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when another handler has one of the filters.
    pub(crate) fn add(&mut self, filters: Vec<Filter>, handler: &Arc<dyn AnyHandler>) -> Result<()> {
        for filter in filters {
            if self.rows.iter().any(|row| row.filter == filter) {
                let text = format!("two handlers of one subscription want {filter}");
                return Err(Error::new(ErrorKind::Conflict, text));
            }
            self.rows.push(Row { filter, handler: Arc::clone(handler) });
        }
        // Stable: patterns stay in the order they were added.
        self.rows.sort_by_key(|row| !(row.filter.pattern().is_exact() && row.filter.only_source().is_some()));
        Ok(())
    }

    /// What all handlers together want: sorted, without repetition.
    pub(crate) fn filters(&self) -> Vec<Filter> {
        let mut filters: Vec<Filter> = self.rows.iter().map(|row| row.filter.clone()).collect();
        filters.sort();
        filters
    }

    /// Memory for the handler in a row.
    pub(crate) fn slot(&self, row: usize) -> Box<dyn Slot> {
        self.rows[row].handler.slot()
    }

    /// How many handlers there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Puts something around every handler.
    pub(crate) fn wrap(&mut self, wrap: impl Fn(Arc<dyn AnyHandler>) -> Arc<dyn AnyHandler>) {
        for row in &mut self.rows {
            row.handler = wrap(Arc::clone(&row.handler));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn find(&self, event: &AnyEvent) -> Option<usize> {
        let (source, event_type) = (event.source().as_str(), event.event_type().as_str());
        self.rows.iter().position(|row| row.filter.matches(source, event_type))
    }
}

/// Remembers the last answer: events of one type often come in a row.
#[derive(Default)]
pub(crate) struct Memo {
    last: Option<(AnyEvent, usize)>,
}

impl Memo {
    /// The row of the handler that gets an event.
    pub(crate) fn find(&mut self, dispatch: &Dispatch, event: &AnyEvent) -> Option<usize> {
        if dispatch.rows.len() == 1 {
            return Some(0);
        }
        let same =
            |other: &AnyEvent| other.event_type() == event.event_type() && other.source() == event.source();
        match &self.last {
            Some((last, row)) if same(last) => Some(*row),
            _ => {
                let row = dispatch.find(event)?;
                self.last = Some((event.clone(), row));
                Some(row)
            }
        }
    }
}
