//! Secrets of endpoints: the newest signs until there is a newer one, and for a while beside it.

use eventbus::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::writer::Write;
use crate::error::{Error, ErrorKind};
use crate::model::{EndpointId, EndpointKey, Mode, Rotation, Sealed, SecretVersion};

/// The most that sign beside each other: each makes a header longer.
const MOST: usize = 10;

/// What ran out, by its index.
const EXPIRED: &str = "DELETE FROM endpoint_secret INDEXED BY secret_expiry WHERE expires_at <= ?1";

/// The secrets that sign at this time, the newest first, and until when all of them do.
pub(super) fn signing(
    connection: &Connection,
    endpoint: EndpointKey,
    now: Timestamp,
) -> Result<(Vec<Sealed>, Option<Timestamp>)> {
    let mut statement = connection.prepare_cached(
        "SELECT sealed, expires_at FROM endpoint_secret
         WHERE endpoint_no = ?1 AND (expires_at IS NULL OR expires_at > ?2) ORDER BY version DESC",
    )?;
    let rows = statement.query_map([endpoint.0, now.as_millis()], |row| {
        Ok((Sealed(row.get(0)?), row.get::<_, Option<i64>>(1)?.map(Timestamp::from_millis)))
    })?;
    let (secrets, until): (Vec<_>, Vec<_>) = rows.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    Ok((secrets, until.into_iter().flatten().min()))
}

/// Gives an endpoint a new secret; `None` when there is no such endpoint.
pub(super) fn rotate(
    write: &mut Write<'_>,
    (mode, id): (Mode, &EndpointId),
    rotation: &Rotation,
) -> Result<Option<crate::error::Result<Vec<SecretVersion>>>> {
    let mut find = write
        .connection
        .prepare_cached("SELECT no FROM endpoint WHERE id = ?1 AND livemode = ?2 AND status <> 'deleted'")?;
    let no = find.query_row(params![id.as_str(), mode.is_live()], |row| row.get::<_, i64>(0)).optional()?;
    let Some(no) = no else { return Ok(None) };
    let connection = write.connection;
    let known = list(connection, (mode, id))?;
    let signs = |one: &&SecretVersion| one.expires_at.is_none_or(|at| at > rotation.now);
    if known.iter().filter(signs).count() >= MOST && !rotation.overlap.is_zero() {
        let message = "ten secrets sign already: wait, or rotate with an overlap of 0";
        return Ok(Some(Err(Error::new(ErrorKind::Conflict, message))));
    }
    let version = known.first().map_or(0, |newest| newest.version) + 1;
    let until = rotation.now.plus(rotation.overlap).as_millis();
    connection.execute(
        "UPDATE endpoint_secret SET expires_at = min(coalesce(expires_at, ?2), ?2) WHERE endpoint_no = ?1",
        params![no, until],
    )?;
    expire(write, rotation.now)?;
    connection.execute(
        "INSERT INTO endpoint_secret (endpoint_no, version, sealed, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![no, version, rotation.secret.0, rotation.now.as_millis()],
    )?;
    *write.routes = None;
    Ok(Some(Ok(list(connection, (mode, id))?)))
}

/// The secrets of an endpoint, the newest first.
pub(super) fn list(connection: &Connection, (mode, id): (Mode, &EndpointId)) -> Result<Vec<SecretVersion>> {
    let mut statement = connection.prepare_cached(
        "SELECT s.version, s.created_at, s.expires_at FROM endpoint AS e
         JOIN endpoint_secret AS s ON s.endpoint_no = e.no
         WHERE e.id = ?1 AND e.livemode = ?2 ORDER BY s.version DESC",
    )?;
    let rows = statement.query_map(params![id.as_str(), mode.is_live()], |row| {
        Ok(SecretVersion {
            version: row.get(0)?,
            created_at: Timestamp::from_millis(row.get(1)?),
            expires_at: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis),
        })
    })?;
    rows.collect()
}

/// The newest secret of an endpoint.
pub(super) fn newest(connection: &Connection, (mode, id): (Mode, &EndpointId)) -> Result<Option<Sealed>> {
    let mut statement = connection.prepare_cached(
        "SELECT s.sealed FROM endpoint AS e JOIN endpoint_secret AS s ON s.endpoint_no = e.no
         WHERE e.id = ?1 AND e.livemode = ?2 ORDER BY s.version DESC LIMIT 1",
    )?;
    let row = |row: &rusqlite::Row<'_>| row.get(0).map(Sealed);
    statement.query_row(params![id.as_str(), mode.is_live()], row).optional()
}

/// One of those that are stored.
pub(super) fn any(connection: &Connection) -> Result<Option<Sealed>> {
    let sealed = "SELECT sealed FROM endpoint_secret LIMIT 1";
    connection.query_row(sealed, [], |row| row.get(0).map(Sealed)).optional()
}

/// Deletes the secrets that ran out: they sign no more as it is, and need not be kept.
pub(super) fn expire(write: &mut Write<'_>, now: Timestamp) -> Result<u32> {
    let count = write.connection.prepare_cached(EXPIRED)?.execute([now.as_millis()])?;
    if count > 0 {
        *write.routes = None;
    }
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::SqliteStore;
    use super::*;
    use crate::model::{EnabledEvents, EndpointUrl, NewEndpoint, Wanted};
    use crate::store::Store as _;

    /// A time when all that a case stores is due.
    fn soon() -> Timestamp {
        Timestamp::now().plus(Duration::from_secs(3600))
    }

    async fn endpoint(store: &SqliteStore, now: Timestamp) -> EndpointId {
        let url = EndpointUrl::parse("https://example.com").unwrap();
        let events = EnabledEvents::parse(vec!["*".to_owned()]).unwrap();
        let new = NewEndpoint::new(Mode::Test, url, events, ("standard", Sealed(vec![1])));
        store.create_endpoint(new, now).await.unwrap().id
    }

    fn rotation(secret: u8, overlap: u64, now: Timestamp) -> Rotation {
        Rotation { secret: Sealed(vec![secret]), overlap: Duration::from_secs(overlap), now }
    }

    /// The secrets that a request would be signed with.
    async fn signing(store: &SqliteStore, now: Timestamp) -> Vec<u8> {
        let body = r#"{"id":"ID","livemode":false,"type":"a.b","source":"s","data":{},"created_at":"2026-01-01T00:00:00Z"}"#;
        let body = body.replace("ID", &now.to_string());
        store.ingest(eventbus::AnyEvent::from_json(body).unwrap()).await.unwrap();
        let (endpoint, _) = store.agenda().await.unwrap()[0];
        let claimed =
            store.claim(vec![Wanted { endpoint, most: 1, in_flight: 0 }], now).await.unwrap().remove(0);
        claimed.deliveries[0].target.secrets.iter().map(|sealed| sealed.0[0]).collect()
    }

    #[tokio::test]
    async fn a_former_secret_signs_until_its_time_and_no_longer_than_it_would_have() {
        let (folder, now) = (tempfile::tempdir().unwrap(), soon());
        let store = SqliteStore::open(&folder.path().join("s.sqlite"), now).unwrap();
        let id = endpoint(&store, now).await;
        let rotate = |rotation| store.rotate_secret(Mode::Test, id.clone(), rotation);
        rotate(rotation(2, 60, now)).await.unwrap();
        let third = rotate(rotation(3, 3600, now)).await.unwrap().unwrap();
        let at = |seconds| Some(now.plus(Duration::from_secs(seconds)));
        let expiries: Vec<_> = third.iter().map(|one| (one.version, one.expires_at)).collect();
        assert_eq!(expiries, [(3, None), (2, at(3600)), (1, at(60))]);

        assert_eq!(store.expire(now.plus(Duration::from_secs(59))).await.unwrap(), 0);
        assert_eq!(store.expire(now.plus(Duration::from_secs(60))).await.unwrap(), 1);
        assert_eq!(signing(&store, now).await, [3, 2]);
    }

    #[tokio::test]
    async fn a_secret_signs_no_more_when_it_ran_out_whether_it_was_deleted_or_not() {
        let (folder, now) = (tempfile::tempdir().unwrap(), soon());
        let store = SqliteStore::open(&folder.path().join("s.sqlite"), now).unwrap();
        let id = endpoint(&store, now).await;
        let rotate = |rotation| store.rotate_secret(Mode::Test, id.clone(), rotation);
        rotate(rotation(2, 60, now)).await.unwrap();
        let after = |seconds| now.plus(Duration::from_secs(seconds));
        assert_eq!(signing(&store, after(59)).await, [2, 1]);
        assert_eq!(signing(&store, after(60)).await, [2]);
        for secret in 3..=11 {
            rotate(rotation(secret, 60, after(60))).await.unwrap();
        }
    }

    #[tokio::test]
    async fn ten_secrets_sign_at_most_and_a_rotation_without_overlap_ends_them() {
        let (folder, now) = (tempfile::tempdir().unwrap(), soon());
        let store = SqliteStore::open(&folder.path().join("s.sqlite"), now).unwrap();
        let id = endpoint(&store, now).await;
        let rotate = |rotation| store.rotate_secret(Mode::Test, id.clone(), rotation);
        for secret in 2..=10 {
            rotate(rotation(secret, 60, now)).await.unwrap();
        }
        let refused = rotate(rotation(11, 60, now)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        assert_eq!(store.secrets(Mode::Test, id.clone()).await.unwrap().len(), 10);
        let last = rotate(rotation(11, 0, now)).await.unwrap().unwrap();
        assert_eq!(last.iter().map(|one| one.version).collect::<Vec<_>>(), [11]);
        assert!(store.rotate_secret(Mode::Live, id, rotation(12, 0, now)).await.unwrap().is_none());
    }
}
