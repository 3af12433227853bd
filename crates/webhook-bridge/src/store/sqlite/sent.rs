//! What an attempt was made of.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use eventbus::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::convert::parsed;
use crate::model::{
    DeliveryKey, EndpointId, EndpointUrl, Lease, Leased, Mode, Payload, Schedule, Sealed, Sent, Target,
};

/// The delivery, its event and its endpoint, each by its key.
pub(super) const DELIVERY: &str =
    "SELECT e.id, e.type, e.body, e.received_at, p.id, p.url, p.format, p.updated_at, d.expires_at
     FROM delivery AS d CROSS JOIN event AS e ON e.no = d.event_no CROSS JOIN endpoint AS p ON p.no = d.endpoint_no
     WHERE d.endpoint_no = ?1 AND d.sequence = ?2 AND p.livemode = ?3 AND p.status <> 'deleted'";

/// The secrets that signed at a time, the newest first.
const SECRETS: &str = "SELECT sealed FROM endpoint_secret
     WHERE endpoint_no = ?1 AND created_at <= ?2 AND (expires_at IS NULL OR expires_at > ?2) ORDER BY version DESC";

/// What the attempt of this number was made of, which began at this time; `None` when its event's body or its endpoint is
/// gone.
pub(super) fn find(
    connection: &Connection,
    (mode, key): (Mode, DeliveryKey),
    (attempt, at): (u32, Timestamp),
) -> Result<Option<Sent>> {
    let mut statement = connection.prepare_cached(SECRETS)?;
    let secrets =
        statement.query_map(params![key.endpoint.0, at.as_millis()], |row| row.get(0).map(Sealed))?;
    let secrets = secrets.collect::<Result<Vec<_>>>()?;
    let mut statement = connection.prepare_cached(DELIVERY)?;
    let found = statement.query_row(params![key.endpoint.0, key.sequence, mode.is_live()], |row| {
        let url: String = row.get(5)?;
        let target = Target {
            endpoint: EndpointId::new(row.get::<_, String>(4)?),
            url: parsed(5, || EndpointUrl::parse(&url))?,
            format: row.get(6)?,
            secrets,
            schedule: Schedule::default(),
            timeout: std::time::Duration::ZERO,
            prepared: OnceLock::new(),
        };
        let payload = Payload {
            event_id: row.get(0)?,
            event_type: row.get(1)?,
            body: Bytes::from(row.get::<_, Vec<u8>>(2)?),
        };
        let leased = Leased {
            key,
            // Of no attempt: nothing can be stored by it.
            lease: Lease(rand::random()),
            attempt,
            faults: 0,
            earlier: 0,
            expires_at: Timestamp::from_millis(row.get(8)?),
            payload: Arc::new(payload),
            received_at: Timestamp::from_millis(row.get(3)?),
            // Each attempt is a span of its own, whose number is in the log and nowhere else.
            trace: None,
            target: Arc::new(target),
        };
        Ok(Sent { leased, changed_at: Timestamp::from_millis(row.get(7)?) })
    });
    Ok(found.optional()?.filter(|sent| !sent.leased.payload.body.is_empty()))
}
