//! The log of attempts.

use std::time::Duration;

use bytes::Bytes;
use eventbus::Timestamp;
use rusqlite::{Connection, Result, Row, params};

use super::deliveries::WINDOW;
use crate::model::{AttemptFilter, AttemptRecord, DeliveryKey, EndpointId, EndpointKey, LogPage, Mode};

/// A window of an endpoint's attempts, backwards: the first ones, a range of its deliveries as far as any was sent, merged with
/// those after them, a range of their own. What never was sent has no time.
pub(super) const WINDOWED: &str = "SELECT d.endpoint_no, d.sequence, 1, p.id, e.id, d.first_at,
     d.first_ms, d.first_status, d.first_trouble, r.body, r.note
     FROM endpoint AS p CROSS JOIN sequence AS s ON s.endpoint_no = p.no
     CROSS JOIN delivery AS d ON d.endpoint_no = p.no
     CROSS JOIN event AS e ON e.no = d.event_no
     LEFT JOIN answer AS r ON r.endpoint_no = d.endpoint_no AND r.sequence = d.sequence AND r.number = 1
     WHERE p.id = ?1 AND p.livemode = ?2 AND d.sequence <= min(?3, s.sent_to) AND (d.sequence < ?3 OR ?4 > 1)
     AND d.sequence >= max(?5, s.forgotten_to + 1)
     UNION ALL SELECT a.endpoint_no, a.sequence, a.number, p.id, e.id, a.started_at,
     a.duration_ms, a.status, a.trouble, r.body, r.note
     FROM endpoint AS p CROSS JOIN attempt AS a ON a.endpoint_no = p.no
     CROSS JOIN delivery AS d ON d.endpoint_no = a.endpoint_no AND d.sequence = a.sequence
     CROSS JOIN event AS e ON e.no = d.event_no
     LEFT JOIN answer AS r ON r.endpoint_no = a.endpoint_no AND r.sequence = a.sequence AND r.number = a.number
     WHERE p.id = ?1 AND p.livemode = ?2 AND (a.sequence, a.number) < (?3, ?4) AND a.sequence >= ?5
     ORDER BY 2 DESC, 3 DESC LIMIT ?6";

/// A page of an endpoint's attempts, those of the newest delivery first.
pub(super) fn list(
    connection: &Connection,
    mode: Mode,
    filter: &AttemptFilter,
) -> Result<LogPage<AttemptRecord, (u64, u32)>> {
    let (least, most) = filter.sequence.map_or((0, u64::MAX), |sequence| (sequence, sequence));
    let (sequence, number) = filter.before.unwrap_or((most, u32::MAX));
    let last = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(WINDOWED)?;
    let mut rows = statement.query(params![
        filter.endpoint.as_str(),
        mode.is_live(),
        last(sequence),
        number,
        last(least),
        WINDOW
    ])?;
    let (mut list, mut seen, mut next) = (Vec::new(), 0, None);
    while let Some(row) = rows.next()? {
        seen += 1;
        next = Some((row.get(1)?, row.get(2)?));
        let Some(started_at) = row.get(5)? else { continue };
        let attempt = record(row, Timestamp::from_millis(started_at))?;
        let succeeded = attempt.status.is_some_and(|status| (200..300).contains(&status));
        if filter.succeeded.is_none_or(|wanted| wanted == succeeded) {
            list.push(attempt);
        }
        if list.len() as u64 == u64::from(filter.limit) {
            return Ok(LogPage { list, next });
        }
    }
    Ok(LogPage { list, next: next.filter(|_| seen == WINDOW) })
}

fn record(row: &Row<'_>, started_at: Timestamp) -> Result<AttemptRecord> {
    Ok(AttemptRecord {
        delivery: DeliveryKey { endpoint: EndpointKey(row.get(0)?), sequence: row.get(1)? },
        number: row.get(2)?,
        endpoint: EndpointId::new(row.get::<_, String>(3)?),
        event_id: row.get(4)?,
        started_at,
        duration: Duration::from_millis(row.get(6)?),
        status: row.get(7)?,
        trouble: row.get(8)?,
        body: Bytes::from(row.get::<_, Option<Vec<u8>>>(9)?.unwrap_or_default()),
        note: row.get(10)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;
    use crate::model::{Outcome, Period, Retention, Trouble};
    use crate::store::conformance::{Harness as _, Shop};

    /// What never was sent stands between nobody and the attempts before it.
    #[tokio::test]
    async fn attempts_are_found_behind_more_than_a_page_of_what_was_never_sent() {
        let file = file();
        let shop = Shop::open(&file).await;
        let id = shop.create(Mode::Test, "*").await;
        let to = shop.standing(&id).await.key;
        shop.ingest("e1").await;
        let one = shop.claim(to, 1).await.remove(0);
        shop.succeed(&one).await;
        shop.store.close().await;
        let outside = Connection::open(file.folder.path().join("s.sqlite")).unwrap();
        let waiting = "WITH RECURSIVE n(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < 30000)
             INSERT INTO event (no, livemode, source, id, type, occurred_at, received_at, body)
             SELECT n, 0, 'shop', n, 'a.b', 1, 1, x'7b7d' FROM n;
             INSERT INTO delivery (endpoint_no, sequence, event_no, state, attempts, faults, due_at, created_at, expires_at)
             SELECT 1, no, no, 0, 0, 0, 1, 1, 9e18 FROM event WHERE no > 1;
             UPDATE sequence SET next = 30001";
        outside.execute_batch(waiting).unwrap();
        let store = file.open(shop.now).await;
        let filter =
            AttemptFilter { endpoint: id.clone(), sequence: None, succeeded: None, before: None, limit: 1 };
        let page = store.attempts(Mode::Test, filter).await.unwrap();
        assert_eq!(page.list.iter().map(|one| one.delivery).collect::<Vec<_>>(), [one.key]);
        let (since, bucket) = (shop.now, Duration::from_secs(60));
        let period = Period { endpoint: id, since, bucket, buckets: 1, most: 10 };
        let told = store.statistics(Mode::Test, period).await.unwrap();
        assert_eq!((told.buckets[0].succeeded, told.complete_since), (1, since));
        store.close().await;
    }

    /// Answers are kept as long as attempts, and no longer than their deliveries.
    #[tokio::test]
    async fn nothing_is_left_of_an_answer_that_is_forgotten_or_whose_delivery_is() {
        // By the days that deliveries are kept: after their attempts, or before.
        for (days, left) in [(30, 2), (9, 0)] {
            answers(days, left).await;
        }
    }

    async fn answers(days: u32, left: u32) {
        let file = file();
        let mut shop = Shop::open(&file).await;
        let to = shop.endpoint("*").await;
        for id in ["e1", "e2"] {
            shop.ingest(id).await;
        }
        let began = shop.now;
        shop.wait(Duration::from_secs(24 * 3600));
        let claimed = shop.claim(to, 2).await;
        shop.succeed(&claimed[0]).await;
        shop.fail(&claimed[1], Outcome::Failed(Trouble::Timeout)).await;
        let again = shop.claim(to, 1).await.remove(0);
        shop.succeed(&again).await;
        let outside = Connection::open(file.folder.path().join("s.sqlite")).unwrap();
        let count = |table: &str| {
            let count = format!("SELECT count(*) FROM {table}");
            outside.query_row(&count, [], |row| row.get::<_, u32>(0)).unwrap()
        };
        assert_eq!((count("delivery"), count("attempt"), count("answer")), (2, 1, 3));
        let (keep, day) = (Retention::days(9, 9, days).unwrap(), Duration::from_secs(24 * 3600));
        for passed in [day * 9, day * 10] {
            let now = began.plus(passed + Duration::from_secs(1));
            while shop.store.prune(keep, now).await.unwrap().more {}
        }
        assert_eq!(count("delivery"), left);
        assert_eq!((count("attempt"), count("answer")), (0, 0));
    }
}
