//! The suite of all stores over SQLite, and what only SQLite promises: one bridge per file, and queries by index.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::*;
use crate::model::{Ending, Next, Outcome, Trouble};
use crate::store::conformance::front::Desk;
use crate::store::conformance::{self, Harness, Shop, suite};

/// A file in a folder of its own.
pub(super) struct File {
    pub(super) folder: tempfile::TempDir,
}

pub(super) fn file() -> File {
    File { folder: tempfile::tempdir().unwrap() }
}

#[async_trait]
impl Harness for File {
    async fn open(&self, now: Timestamp) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.folder.path().join("s.sqlite"), now).unwrap())
    }
}

suite!(file());

/// As `.cargo/config.toml` has it.
#[test]
fn connections_share_no_cache_and_no_counter() {
    let connection = Connection::open_in_memory().unwrap();
    let mut options = connection.prepare("PRAGMA compile_options").unwrap();
    let options: Vec<String> = options.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(options.contains(&"DEFAULT_MEMSTATUS=0".to_owned()), "{options:?}");
    assert!(!options.contains(&"ENABLE_MEMORY_MANAGEMENT".to_owned()), "{options:?}");
}

#[tokio::test]
async fn two_bridges_never_have_one_store() {
    let file = file();
    let _first = file.open(Timestamp::now()).await;
    let second = SqliteStore::open(&file.folder.path().join("s.sqlite"), Timestamp::now());
    assert_eq!(second.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn the_files_are_their_owners_alone_whatever_the_folder_allows() {
    let file = file();
    std::fs::set_permissions(file.folder.path(), Permissions::from_mode(0o755)).unwrap();
    let path = file.folder.path().join("s.sqlite");
    std::fs::write(&path, []).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let shop = Shop::open(&file).await;
    shop.ingest("e1").await;
    let files = std::fs::read_dir(file.folder.path()).unwrap().map(|entry| entry.unwrap());
    let modes: Vec<_> = files
        .map(|entry| (entry.file_name(), entry.metadata().unwrap().permissions().mode() & 0o777))
        .collect();
    assert_eq!(modes.len(), 4, "{modes:?}");
    assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
}

/// Damage is one row's trouble: whoever it is of gets nothing, the others are served.
#[tokio::test]
async fn an_endpoint_whose_row_is_damaged_holds_up_no_other() {
    for damage in ["url = 'no url'", "schedule = 'no list'", "enabled_events = 'no list'"] {
        let file = file();
        let shop = Shop::open(&file).await;
        let (damaged, other) = (shop.endpoint("*").await, shop.endpoint("*").await);
        shop.ingest("e1").await;
        let outside = Connection::open(file.folder.path().join("s.sqlite")).unwrap();
        outside.execute(&format!("UPDATE endpoint SET {damage} WHERE no = ?1"), [damaged.0]).unwrap();
        let shop = shop.reopen(&file).await;
        shop.ingest("e2").await;
        let wanted = [damaged, other].map(|endpoint| Wanted { endpoint, most: 8, in_flight: 0 });
        let claimed = shop.store.claim(wanted.into(), shop.now).await.unwrap();
        assert_eq!(claimed[1].deliveries.len(), 2, "{damage}");
    }
}

/// What cannot be read comes next: the outcome before it is stored all the same, and others are claimed.
#[tokio::test]
async fn a_delivery_that_is_damaged_undoes_no_outcome_and_holds_up_no_other_endpoint() {
    let damages = [
        "UPDATE delivery SET attempts = -1 WHERE endpoint_no = 1 AND sequence = 3",
        "DELETE FROM event WHERE id = 'e3'",
    ];
    for damage in damages {
        let file = file();
        let shop = Shop::open(&file).await;
        let (to, other) = (shop.endpoint("*").await, shop.endpoint("*").await);
        for id in ["e1", "e2", "e3"] {
            shop.ingest(id).await;
        }
        let shop = shop.reopen(&file).await;
        let first = shop.claim(to, 2).await.remove(0);
        Connection::open(file.folder.path().join("s.sqlite")).unwrap().execute(damage, []).unwrap();
        let desk = Desk::attach(&shop, 0);
        let (finished, next) = shop.follow(&first, (conformance::status(200), Next::Succeeded)).await;
        assert_eq!((finished, next.is_none()), (Finished::Stored, true), "{damage}");
        assert_eq!(shop.state(first.key).await, Some(DeliveryState::Succeeded), "{damage}");
        drop(desk);
        let wanted = [to, other].map(|endpoint| Wanted { endpoint, most: 2, in_flight: 0 });
        let claimed = shop.store.claim(wanted.into(), shop.now).await.unwrap();
        assert_eq!(claimed.iter().map(|one| one.deliveries.len()).collect::<Vec<_>>(), [0, 2], "{damage}");
        let third = DeliveryKey { sequence: 3, ..first.key };
        assert_eq!(shop.state(third).await, Some(DeliveryState::Pending), "{damage}");
    }
}

#[tokio::test]
async fn what_a_deleted_endpoint_is_owed_is_cancelled_whole_lines_of_it() {
    let file = file();
    let shop = Shop::open(&file).await;
    let (to, other) = (shop.endpoint("*").await, shop.endpoint("*").await);
    shop.store.order(to, Order::PerKey).await.unwrap();
    for (id, key) in [("e1", "1"), ("e2", "1"), ("e3", "1"), ("e4", "2"), ("e5", "2")] {
        shop.keyed(id, key).await;
    }
    let outside = Connection::open(file.folder.path().join("s.sqlite")).unwrap();
    outside.pragma_update(None, "ignore_check_constraints", true).unwrap();
    outside.execute("UPDATE endpoint SET status = 'deleted' WHERE no = ?1", [to.0]).unwrap();
    assert_eq!(shop.store.prune(Retention::default(), shop.now).await.unwrap().rows, 5);
    for sequence in 1..=5 {
        let of = |endpoint| shop.state(DeliveryKey { endpoint, sequence });
        assert_eq!(of(to).await, Some(DeliveryState::Cancelled), "{sequence}");
        assert_eq!(of(other).await, Some(DeliveryState::Pending), "{sequence}");
    }
}

#[tokio::test]
async fn what_is_parked_is_not_released_when_its_event_is_of_no_use_any_more() {
    let file = file();
    let shop = Shop::open(&file).await;
    let to = shop.endpoint("*").await;
    shop.ingest("e1").await;
    let one = shop.claim(to, 1).await.remove(0);
    shop.finish(&one, Outcome::Failed(Trouble::Internal), Next::Parked).await;
    let outside = Connection::open(file.folder.path().join("s.sqlite")).unwrap();
    outside.execute("UPDATE event SET expires_at = 1", []).unwrap();
    assert_eq!(shop.store.release(Mode::Test, one.key).await.unwrap(), Released::Expired);
    outside.execute("UPDATE event SET expires_at = NULL", []).unwrap();
    assert_eq!(shop.store.release(Mode::Test, one.key).await.unwrap(), Released::Due);
}

/// More than a page looks through, of which little is wanted: nothing is left out, and no page is without end.
#[tokio::test]
async fn pages_go_on_where_a_window_ended() {
    let (file, now) = (file(), Timestamp::now());
    drop(file.open(now).await);
    let outside = Connection::open(file.folder.path().join("s.sqlite")).unwrap();
    outside
        .execute_batch(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 12000)
             INSERT INTO event (no, livemode, source, id, type, key, occurred_at, received_at, body)
             SELECT n, 0, 'shop', 'e' || n, iif(n IN (1, 7000), 'rare', 'a.b'), 'k', n, n, x'7b7d' FROM n;
             INSERT INTO endpoint (id, livemode, url, description, enabled_events, metadata, format, status, api_version,
                                   schedule, max_in_flight, timeout_ms, created_at, updated_at)
             VALUES ('we_1', 0, 'https://example.com/', '', '[\"*\"]', '{}', 'standard', 'paused', '', '[]', 8, 15000, 0, 0);
             INSERT INTO delivery (endpoint_no, sequence, event_no, state, attempts, faults, due_at, created_at, finished_at,
                                   expires_at)
             SELECT 1, no, no, 3, 1, 0, no, no, no, no FROM event WHERE no NOT BETWEEN 2000 AND 2999;",
        )
        .unwrap();
    let store = file.open(now).await;
    let rare = Some("rare".to_owned());
    let (endpoint, state) = (Some(EndpointId::new("we_1")), Some(DeliveryState::Failed(Ending::Exhausted)));
    let all = || DeliveryFilter { event_type: rare.clone(), limit: 9, ..DeliveryFilter::default() };
    for filter in [
        all(),
        DeliveryFilter { endpoint: endpoint.clone(), ..all() },
        DeliveryFilter { state, ..all() },
        DeliveryFilter { endpoint, state, ..all() },
        DeliveryFilter { event_key: Some("k".to_owned()), ..all() },
    ] {
        let (mut filter, mut found, mut pages) = (filter, Vec::new(), 0);
        loop {
            let page = store.deliveries(Mode::Test, filter.clone()).await.unwrap();
            (pages, filter.before) = (pages + 1, page.next);
            found.extend(page.list.into_iter().map(|one| one.event_id));
            if page.next.is_none() {
                break;
            }
        }
        assert_eq!(found, ["e7000", "e1"], "{filter:?}");
        assert!(pages > 2, "{pages}: {filter:?}");
    }
    let (mut filter, mut found) =
        (EventFilter { event_type: rare, limit: 9, ..EventFilter::default() }, Vec::new());
    loop {
        let page = store.event_log(Mode::Test, filter.clone()).await.unwrap();
        filter.before = page.next;
        found.extend(page.list.into_iter().map(|one| one.id));
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(found, ["e7000", "e1"]);
}

/// Whatever part of the log it is in, and whichever bridge stored it.
#[tokio::test]
async fn what_came_long_ago_is_known_and_found() {
    let (file, now) = (file(), Timestamp::now());
    drop(file.open(now).await);
    Connection::open(file.folder.path().join("s.sqlite")).unwrap().execute_batch(FILL).unwrap();
    let shop = Shop::open(&file).await;
    for no in [1, 4095, 4096, 30_000, 60_000] {
        let id = format!("e{no}");
        assert!(shop.ingest(&id).await.duplicate, "{id}");
        let found = shop.store.event(Mode::Test, id.clone()).await.unwrap();
        assert_eq!(found.iter().map(|one| one.event.no).collect::<Vec<_>>(), [no], "{id}");
    }
    assert!(!shop.ingest("new").await.duplicate);
    assert!(shop.ingest("new").await.duplicate);
    let shop = shop.reopen(&file).await;
    assert!(shop.ingest("new").await.duplicate);
    let filter = EventFilter { key: Some("7".to_owned()), limit: 100, ..EventFilter::default() };
    let found = shop.store.event_log(Mode::Test, filter).await.unwrap().list;
    let expected: Vec<u64> = (0..60).rev().map(|thousand| thousand * 1000 + 7).collect();
    assert_eq!(found.iter().map(|one| one.no).collect::<Vec<_>>(), expected);
    for since in [1, 50_007, 50_008, 60_001] {
        let since = Timestamp::from_millis(since);
        let (key, limit) = (Some("7".to_owned()), 100);
        let filter = EventFilter { key, limit, since: Some(since), ..EventFilter::default() };
        let page = shop.store.event_log(Mode::Test, filter).await.unwrap();
        let count = expected.iter().filter(|no| i64::try_from(**no).unwrap() >= since.as_millis()).count();
        assert_eq!((page.list.len(), page.next), (count, None), "{since}");
    }
}

/// Nobody should; an event that is there all the same is one that came before, and not refused again and again.
#[tokio::test]
async fn what_somebody_else_wrote_to_the_file_is_known_too() {
    let file = file();
    let shop = Shop::open(&file).await;
    shop.ingest("e1").await;
    let outside = Connection::open(file.folder.path().join("s.sqlite")).unwrap();
    let copy = "INSERT INTO event (livemode, source, id, type, occurred_at, received_at, body)
         SELECT livemode, source, 'e2', type, occurred_at, received_at, body FROM event";
    outside.execute(copy, []).unwrap();
    assert!(shop.ingest("e2").await.duplicate);
    assert!(!shop.ingest("e3").await.duplicate);
}

/// An event owed to more endpoints than a page looks through.
#[tokio::test]
async fn who_is_the_last_of_many_is_found() {
    let (file, now) = (file(), Timestamp::now());
    drop(file.open(now).await);
    let outside = Connection::open(file.folder.path().join("s.sqlite")).unwrap();
    outside
        .execute_batch(
            "INSERT INTO event (no, livemode, source, id, type, key, occurred_at, received_at, body)
             VALUES (1, 0, 'shop', 'e1', 'a.b', 'k', 1, 1, x'7b7d');
             WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5002)
             INSERT INTO endpoint (no, id, livemode, url, description, enabled_events, metadata, format, status, api_version,
                                   schedule, max_in_flight, timeout_ms, created_at, updated_at)
             SELECT n, 'we_' || n, 0, 'https://example.com/', '', '[\"*\"]', '{}', 'standard', 'paused', '', '[]', 8, 15000, 0, 0
             FROM n;
             INSERT INTO delivery (endpoint_no, sequence, event_no, state, attempts, faults, due_at, created_at, finished_at,
                                   expires_at)
             SELECT no, 1, 1, 2, 1, 0, 1, 1, 1, 1 FROM endpoint;",
        )
        .unwrap();
    let store = file.open(now).await;
    let last = EndpointId::new("we_5002");
    let told = store.events(Mode::Test, "e1".to_owned(), last.clone()).await.unwrap();
    assert_eq!(told[0].delivery.as_ref().map(|one| one.endpoint.clone()), Some(last));
    let (mut filter, mut count) =
        (DeliveryFilter { event: Some("e1".to_owned()), limit: 9999, ..DeliveryFilter::default() }, 0);
    loop {
        let page = store.deliveries(Mode::Test, filter.clone()).await.unwrap();
        (filter.before, count) = (page.next, count + page.list.len());
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(count, 5002);
}

/// Every query whose table grows, with what its plan must name.
const QUERIES: &[(&str, &[&str])] = &[
    (claim::DUE, &["delivery_due (endpoint_no=? AND due_at<?)"]),
    (contents::CONTENT, &["INTEGER PRIMARY KEY (rowid=?)"]),
    (claim::NEXT, &["delivery_due (endpoint_no=?)"]),
    (reclaim::LOST, &["delivery_lease (lease_until<?)"]),
    (due::FIRST, &["delivery_due (endpoint_no>?)"]),
    (due::SENT, &["delivery_lease (lease_until>?)"]),
    (finish::SETTLE, &["PRIMARY KEY (endpoint_no=? AND sequence=?)"]),
    (finish::SETTLE_KEYED, &["PRIMARY KEY (endpoint_no=? AND sequence=?)"]),
    (again::FAILED, &["delivery_failed (endpoint_no=?", "INTEGER PRIMARY KEY"]),
    (deliveries::WINDOWED, &["PRIMARY KEY (endpoint_no=? AND sequence<?)", "INTEGER PRIMARY KEY"]),
    (
        attempts::WINDOWED,
        &[
            "d USING PRIMARY KEY (endpoint_no=? AND sequence>? AND sequence<?)",
            "a USING PRIMARY KEY (endpoint_no=? AND sequence>?",
            "answer_attempt (endpoint_no=?",
        ],
    ),
    (
        deliveries::TROUBLED,
        &["delivery_failed (endpoint_no=? AND (created_at,sequence)<", "INTEGER PRIMARY KEY"],
    ),
    (
        deliveries::IN_TROUBLE,
        &["delivery_trouble (state=? AND (event_no,endpoint_no)<", "INTEGER PRIMARY KEY"],
    ),
    (deliveries::OWED, &["INTEGER PRIMARY KEY (rowid=?)", "delivery_event (event_no=? AND endpoint_no>?"]),
    (events::WINDOWED, &["event_mode (livemode=? AND rowid<?)"]),
    (events::NEWS, &["event_mode (livemode=? AND rowid>?)"]),
    (events::BETWEEN, &["event_mode (livemode=? AND rowid>? AND rowid<?)"]),
    (
        statistics::NEWEST,
        &[
            "d USING PRIMARY KEY (endpoint_no=? AND sequence>? AND sequence<?)",
            "a USING PRIMARY KEY (endpoint_no=?)",
        ],
    ),
    (sent::DELIVERY, &["PRIMARY KEY (endpoint_no=? AND sequence=?)", "INTEGER PRIMARY KEY (rowid=?)"]),
    (events::OF_KEY, &["event_key (<expr>=? AND livemode=? AND key=? AND rowid<?)"]),
    (events::FROM, &["INTEGER PRIMARY KEY (rowid>?)"]),
    (events::OF_ID, &["event_identity (<expr>=? AND livemode=? AND id=?)"]),
    (identities::KNOWN, &["event_identity (<expr>=? AND livemode=? AND id=? AND source=?)"]),
    (replay::RANGE, &["INTEGER PRIMARY KEY (rowid>?)", "delivery_event (event_no=? AND endpoint_no=?)"]),
    (line::FIRST, &["delivery_line (endpoint_no=? AND key=?)"]),
    (publishing::EXPIRED, &["idempotency_expiry (expires_at<?)"]),
    (inbound::PAGE, &["PRIMARY KEY (digest>?)"]),
    (prune::PARKED, &["delivery_parked (due_at<?)"]),
    (
        prune::ENDPOINTS,
        &["sequence USING INTEGER PRIMARY KEY (rowid>?)", "endpoint USING INTEGER PRIMARY KEY"],
    ),
    (prune::OWED, &["delivery_due (endpoint_no=?)"]),
    (prune::FIRSTS, &["d USING PRIMARY KEY (endpoint_no=? AND sequence>?)"]),
    (prune::ATTEMPTS, &["PRIMARY KEY (endpoint_no=?)"]),
    (prune::DELIVERIES, &["PRIMARY KEY (endpoint_no=?)"]),
    (prune::BODIES, &["INTEGER PRIMARY KEY (rowid>?)"]),
    (prune::OPEN, &["delivery_event (event_no=?)"]),
    (line::LEADS, &["PRIMARY KEY (endpoint_no=? AND sequence=?)"]),
];

/// An endpoint with nearly all there is, others with little: what would tempt a planner to scan.
const FILL: &str = "
    WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 60000)
    INSERT INTO event (no, livemode, source, id, type, key, occurred_at, received_at, body)
    SELECT n, 0, 'shop', 'e' || n, 'a.b', n % 1000, n, n, x'7b7d' FROM n;
    INSERT INTO delivery (endpoint_no, sequence, event_no, state, attempts, faults, due_at, lease, lease_until,
                          created_at, finished_at, key, expires_at)
    SELECT iif(no % 100 = 0, 2 + no % 7, 1), no, no, state, 1, 0, no, iif(state = 1, no, NULL),
           iif(state = 1, no, NULL), no, iif(state BETWEEN 2 AND 6, no, NULL), iif(no % 3 = 0, key, NULL), 9223372036854775807
    FROM (SELECT no, key, CASE WHEN no % 50 = 0 THEN 8 WHEN no % 20 = 0 THEN 1 WHEN no % 3 = 0 THEN 7
                               WHEN no % 2 = 0 THEN 0 ELSE 2 END AS state FROM event);
    UPDATE delivery SET first_at = created_at, first_ms = 1, first_status = 200 WHERE state != 1;
    INSERT INTO attempt (endpoint_no, sequence, number, started_at, duration_ms, status)
    SELECT endpoint_no, sequence, 2, created_at, 1, 200 FROM delivery WHERE state != 1;
    INSERT INTO sequence (endpoint_no, next, sent_to)
    SELECT endpoint_no, max(sequence) + 1, max(sequence) FROM delivery GROUP BY endpoint_no;
    ANALYZE;";

/// How many rows: `WEBHOOK_BRIDGE_ROWS=1000000` is the long form.
fn fill(connection: &Connection) {
    let rows = std::env::var("WEBHOOK_BRIDGE_ROWS").unwrap_or_else(|_| "60000".to_owned());
    connection.execute_batch(&FILL.replace("60000", &rows)).unwrap();
}

fn plan(connection: &Connection, query: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
    let values = rusqlite::params_from_iter(vec![1; statement.parameter_count()]);
    let rows = statement.query_map(values, |row| row.get(3)).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

/// Each is a search of an index, without a sort or a scan, so that its cost does not grow with rows, or where it is
/// asked for each part of the log, with one look for 4096 of them; also when SQLite
/// knows how many there are.
#[test]
fn every_query_of_a_table_that_grows_is_a_search_of_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = Connection::open(folder.path().join("s.sqlite")).unwrap();
    connection.pragma_update(None, "synchronous", "OFF").unwrap();
    schema::migrate(&mut connection).unwrap();
    for state in ["empty", "full"] {
        for (query, parts) in QUERIES {
            let plan = plan(&connection, query);
            // Two searches may be merged, each in the order of its index.
            let search = |step: &String| {
                ["SEARCH ", "CORRELATED "].iter().any(|start| step.starts_with(start))
                    || ["MERGE (UNION ALL)", "LEFT", "RIGHT"].contains(&step.as_str())
            };
            assert!(plan.iter().all(search), "{state}: {query}: {plan:?}");
            for part in *parts {
                assert!(plan.iter().any(|step| step.contains(part)), "{state}: {query}: {plan:?}");
            }
        }
        // From the old end, and no further than its limit.
        let plan = plan(&connection, prune::EVENTS);
        let (scans, others): (Vec<_>, Vec<_>) = plan.iter().partition(|step| step.starts_with("SCAN "));
        assert_eq!(scans, ["SCAN event"], "{state}: by its number, no sort");
        assert!(others.iter().any(|step| step.contains("delivery_event (event_no=?")), "{state}: {others:?}");
        assert!(others.iter().all(|step| !step.contains("TEMP B-TREE")), "{state}: {others:?}");
        if state == "empty" {
            fill(&connection);
        }
    }
}

/// What is done for each delivery builds no table of its own: a condition of an index can make SQLite do that each time.
#[test]
fn what_is_done_for_each_delivery_builds_no_table() {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection).unwrap();
    for statement in [ingest::EVENT, owe::OWE, claim::DUE, claim::HOLD, finish::SETTLE, finish::ATTEMPT] {
        let mut explained = connection.prepare(&format!("EXPLAIN {statement}")).unwrap();
        let values = rusqlite::params_from_iter(vec![1; explained.parameter_count()]);
        let steps = explained.query_map(values, |row| row.get(1)).unwrap();
        let steps: Vec<String> = steps.collect::<rusqlite::Result<_>>().unwrap();
        assert!(steps.len() > 10, "{statement}: {steps:?}");
        assert!(!steps.iter().any(|step| step == "OpenEphemeral"), "{statement}: {steps:?}");
    }
}

/// The work of a claim is that of the rows it takes, as SQLite's own count of steps shows.
#[test]
fn a_claim_costs_the_same_whatever_is_owed() {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection).unwrap();
    fill(&connection);
    let steps = |limit: u32| {
        let (mut statement, began) = (connection.prepare(claim::DUE).unwrap(), std::time::Instant::now());
        let rows = statement.query_map((1, i64::MAX, limit), |row| row.get::<_, i64>(0)).unwrap().count();
        assert_eq!(rows, limit as usize);
        println!("{rows} rows in {:?}", began.elapsed());
        statement.get_status(rusqlite::StatementStatus::VmStep)
    };
    assert!(steps(8) < 8 * 40, "{}", steps(8));
}

#[tokio::test]
async fn a_step_of_forgetting_leaves_the_writer_to_others_soon() {
    let (file, now) = (file(), Timestamp::now());
    drop(file.open(now).await);
    let path = file.folder.path().join("s.sqlite");
    Connection::open(&path).unwrap().execute_batch(FILL).unwrap();
    let store = file.open(now).await;
    let pruned = store.prune(Retention::default(), now.plus(Duration::from_secs(1))).await.unwrap();
    assert!(pruned.more && (256..=2048).contains(&pruned.rows), "{pruned:?}");
    store.close().await;
}
