//! An event and what is owed of it, in one transaction.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use eventbus::transport::Order;
use eventbus::{AnyEvent, Key, Timestamp};
use rusqlite::{Result, params};

use super::contents::Content;
use super::owe::{Owed, owe};
use super::writer::Write;
use crate::model::{Ingested, Mode, Payload};
use crate::trace;

/// An event. What is stored already is found before; where somebody else wrote to the file, its part of the log refuses it too.
pub(super) const EVENT: &str =
    "INSERT INTO event (livemode, source, id, type, key, trace, occurred_at, received_at, body, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING";

/// An event to be stored: its envelope as it travelled and its bytes as they came; no part of the body is parsed.
pub(super) struct Incoming {
    pub(super) event: AnyEvent,
    pub(super) body: Bytes,
    /// From when on it is of no use to anybody.
    pub(super) expires_at: Option<Timestamp>,
    /// What is sent of it at once, the same for all endpoints.
    payload: OnceLock<Arc<Payload>>,
}

impl Incoming {
    pub(super) fn new(event: AnyEvent) -> eventbus::Result<Self> {
        Ok(Self { body: event.to_json()?, event, expires_at: None, payload: OnceLock::new() })
    }

    /// Sets from when on it is of no use.
    pub(super) fn until(self, expires_at: Option<Timestamp>) -> Self {
        Self { expires_at, ..self }
    }

    fn content(&self, received_at: Timestamp) -> Content {
        Content { payload: self.payload(), trace: self.event.trace().cloned(), received_at }
    }

    pub(super) fn payload(&self) -> Arc<Payload> {
        let payload = || Payload {
            event_id: self.event.id().as_str().to_owned(),
            event_type: self.event.event_type().as_str().to_owned(),
            body: self.body.clone(),
        };
        Arc::clone(self.payload.get_or_init(|| Arc::new(payload())))
    }
}

/// Stores an event and its deliveries, unless it is there already.
///
/// The time is read here, in the writer's order, so that what is numbered later is not due earlier.
pub(super) fn ingest(write: &mut Write<'_>, incoming: &Incoming) -> Result<Ingested> {
    let now = Timestamp::now();
    let Some(event_no) = insert(write, incoming, now)? else {
        return Ok(Ingested { deliveries: 0, duplicate: true });
    };
    let (mode, event) = (Mode::from(incoming.event.livemode()), &incoming.event);
    let begun = write.sent.len();
    let endpoints = write.routes()?.of(mode, (event.source().as_str(), event.event_type().as_str()));
    for &(endpoint, order) in &endpoints {
        let key = incoming.event.key().map(Key::as_str).filter(|_| order == Order::PerKey);
        let (expires_at, incoming) = (incoming.expires_at, Some(incoming));
        owe(write, &Owed { event_no, endpoint, key, expires_at, incoming }, now)?;
    }
    let sent = write.sent.len() - begun;
    if sent < endpoints.len() && write.front.is_some() {
        write.known.contents.keep(event_no, incoming.content(now));
    }
    Ok(Ingested { deliveries: u32::try_from(endpoints.len()).unwrap_or(u32::MAX), duplicate: false })
}

/// Stores an event, unless it is there already; gives its number.
pub(super) fn insert(write: &mut Write<'_>, incoming: &Incoming, now: Timestamp) -> Result<Option<i64>> {
    let event = &incoming.event;
    let identity = (event.livemode(), event.id().as_str(), event.source().as_str());
    if write.identities.have(identity, &mut write.statements)? {
        return Ok(None);
    }
    let inserted = write.statements.find(EVENT)?.execute(params![
        event.livemode(),
        event.source().as_str(),
        event.id().as_str(),
        event.event_type().as_str(),
        event.key().map(Key::as_str),
        event.trace().map(trace::write),
        event.time().as_millis(),
        now.as_millis(),
        &incoming.body[..],
        incoming.expires_at.map(Timestamp::as_millis),
    ])?;
    let no = (inserted == 1).then(|| write.connection.last_insert_rowid());
    no.into_iter().for_each(|no| write.identities.add(no, identity));
    Ok(no)
}
