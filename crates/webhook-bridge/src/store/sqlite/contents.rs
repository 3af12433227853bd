//! What is sent of events, read once for all endpoints that are owed it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use eventbus::{Timestamp, TraceContext};
use foldhash::fast::RandomState;
use rusqlite::{Result, Row};

use super::statements::Statements;
use crate::model::Payload;
use crate::trace;

/// What of an event is needed to send it.
pub(super) const CONTENT: &str = "SELECT id, type, body, trace, received_at FROM event WHERE no = ?1";

/// How many bytes of bodies are kept.
const KEPT: usize = 8 << 20;

/// What is sent of an event.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) payload: Arc<Payload>,
    pub(super) trace: Option<TraceContext>,
    pub(super) received_at: Timestamp,
}

/// What was stored or read last. Numbers of events that are deleted are given out again, so it is forgotten when any is.
#[derive(Debug, Default)]
pub(super) struct Contents {
    kept: HashMap<i64, Content, RandomState>,
    /// The longest kept first.
    order: VecDeque<i64>,
    size: usize,
}

impl Contents {
    /// What is sent of an event.
    pub(super) fn of(&mut self, statements: &mut Statements<'_>, event_no: i64) -> Result<Content> {
        if let Some(known) = self.kept.get(&event_no) {
            return Ok(known.clone());
        }
        let content = statements.find(CONTENT)?.query_row([event_no], content)?;
        self.keep(event_no, content.clone());
        Ok(content)
    }

    /// Keeps what was just stored or read, in place of what was kept the longest.
    pub(super) fn keep(&mut self, event_no: i64, content: Content) {
        self.size += content.payload.body.len();
        self.order.push_back(event_no);
        self.kept.insert(event_no, content);
        while self.size > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            let gone = self.kept.remove(&oldest);
            self.size -= gone.map_or(0, |gone| gone.payload.body.len());
        }
    }
}

fn content(row: &Row<'_>) -> Result<Content> {
    let payload = Payload {
        event_id: row.get(0)?,
        event_type: row.get(1)?,
        body: Bytes::from(row.get::<_, Vec<u8>>(2)?),
    };
    Ok(Content {
        payload: Arc::new(payload),
        trace: row.get::<_, Option<String>>(3)?.and_then(|text| trace::parse(&text)),
        received_at: Timestamp::from_millis(row.get(4)?),
    })
}
