//! Rows that a store already has, made by SQL: a million in seconds.

use std::path::Path;

use rusqlite::{Connection, params};

/// Deliveries of an endpoint that are due, with their events.
pub(crate) fn pending(folder: &Path, count: usize, endpoint: i64) {
    fill(folder, count, (endpoint, 0));
}

/// Deliveries of an endpoint that were made, with their events and attempts.
pub(crate) fn delivered(folder: &Path, count: usize, endpoint: i64) {
    fill(folder, count, (endpoint, 2));
}

/// Ids and keys are random, as they are in life, so that new ones go anywhere in their indexes.
fn fill(folder: &Path, count: usize, (endpoint, state): (i64, i64)) {
    if count == 0 {
        return;
    }
    let connection = Connection::open(folder.join("bridge.sqlite")).expect("the store is there");
    connection.pragma_update(None, "synchronous", "OFF").expect("it can be set");
    let transaction = connection.unchecked_transaction().expect("nobody else writes");
    let first: i64 = transaction
        .query_row("SELECT coalesce(max(no), 0) + 1 FROM event", [], |row| row.get(0))
        .expect("it can be read");
    let now = eventbus::Timestamp::now().as_millis();
    let run = |sql: &str| {
        let mut statement = transaction.prepare(sql).expect("the tables are known");
        let values: [&dyn rusqlite::ToSql; 5] = [&first, &(first + count as i64), &endpoint, &state, &now];
        let wanted = statement.parameter_count();
        statement.execute(&values[..wanted]).expect("legal rows")
    };
    run("WITH RECURSIVE n(n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?2)
         INSERT INTO event (no, livemode, source, id, type, key, occurred_at, received_at, body)
         SELECT n, 0, 'shop', 'evt_' || lower(hex(randomblob(12))), 'stuck.event', 'in_' || lower(hex(randomblob(12))),
         ?5, ?5, randomblob(300 + 0 * ?3 * ?4) FROM n");
    run("INSERT INTO delivery (endpoint_no, sequence, event_no, state, attempts, faults, due_at, created_at, finished_at,
                               expires_at, first_at, first_ms, first_status)
         SELECT ?3, no - ?1 + 1, no, ?4, iif(?4 = 2, 1, 0), 0, ?5, ?5, iif(?4 = 2, ?5, NULL), ?5 + 86400000,
                iif(?4 = 2, ?5, NULL), iif(?4 = 2, 2, NULL), iif(?4 = 2, 200, NULL) FROM event
         WHERE no >= ?1 AND no < ?2");
    transaction
        .execute(
            "UPDATE sequence SET next = ?2, sent_to = ?3 WHERE endpoint_no = ?1",
            params![endpoint, count + 1, if state == 2 { count } else { 0 }],
        )
        .expect("it is there");
    transaction.commit().expect("there is room on the disk");
    // The last connection: what it leaves is one file. It is on the disk, as what was stored long ago is, or the first sync
    // that is measured would write all of it.
    drop(connection);
    let file = std::fs::File::open(folder.join("bridge.sqlite")).expect("it is there");
    file.sync_all().expect("there is room on the disk");
}
