//! What the tables promise.

use std::time::Duration;

use super::*;
use crate::model::{
    Answer, DeliveryKey, EnabledEvents, Ending, EndpointUrl, Lease, Next, Outcome, Schedule, Sealed,
};

const NOW: Timestamp = Timestamp::from_millis(4_000_000_000_000);

fn store(folder: &tempfile::TempDir) -> SqliteStore {
    SqliteStore::open(&folder.path().join("s.sqlite"), NOW).unwrap()
}

fn event(id: &str) -> AnyEvent {
    let body = format!(
        r#"{{"id":"{id}","livemode":false,"type":"a.b","source":"shop","data":{{}},"created_at":"2026-01-01T00:00:00Z"}}"#
    );
    AnyEvent::from_json(body).unwrap()
}

async fn endpoint(store: &SqliteStore, mode: Mode, events: &str) -> EndpointKey {
    let new = NewEndpoint {
        mode,
        url: EndpointUrl::parse("https://example.com/").unwrap(),
        description: String::new(),
        enabled_events: EnabledEvents::parse(vec![events.to_owned()]).unwrap(),
        metadata: eventbus::json::JsonMap::default(),
        format: "standard".into(),
        secret: Sealed(vec![1]),
        schedule: Schedule::default(),
        max_in_flight: 8,
        timeout: Duration::from_secs(15),
    };
    store.create_endpoint(new, NOW).await.unwrap();
    let newest = "SELECT max(no) FROM endpoint";
    EndpointKey(store.reader.call(move |c| c.query_row(newest, [], |row| row.get(0))).await.unwrap())
}

async fn claim(store: &SqliteStore, endpoint: EndpointKey, most: u32) -> Claimed {
    store.claim(vec![Wanted { endpoint, most }], NOW).await.unwrap().remove(0)
}

fn attempt(delivery: DeliveryKey, lease: Lease, next: Next) -> Attempt {
    Attempt {
        delivery,
        lease,
        number: 1,
        started_at: NOW,
        duration: Duration::ZERO,
        outcome: Outcome::Answered { status: 200, retry_after: None },
        answer: Answer { body: "ok".into(), note: None },
        next,
        hold: None,
    }
}

#[tokio::test]
async fn an_event_is_stored_once_and_owed_to_whoever_wants_it_in_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let (one, all) = (endpoint(&store, Mode::Test, "a.b").await, endpoint(&store, Mode::Test, "*").await);
    let other = endpoint(&store, Mode::Test, "b.*").await;
    let live = endpoint(&store, Mode::Live, "*").await;
    assert_eq!(store.ingest(event("e1")).await.unwrap(), Ingested { deliveries: 2, duplicate: false });
    assert_eq!(store.ingest(event("e1")).await.unwrap(), Ingested { deliveries: 0, duplicate: true });
    for (of, count) in [(one, 1), (all, 1), (other, 0), (live, 0)] {
        assert_eq!(claim(&store, of, 9).await.deliveries.len(), count);
    }
}

#[tokio::test]
async fn an_endpoints_deliveries_are_numbered_without_gaps_and_claimed_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let to = endpoint(&store, Mode::Test, "*").await;
    let ids: Vec<_> = (0..300).map(|n| format!("e{n}")).collect();
    futures::future::try_join_all(ids.iter().map(|id| store.ingest(event(id)))).await.unwrap();
    let claimed = claim(&store, to, 300).await;
    let (numbers, sent): (Vec<_>, Vec<_>) =
        claimed.deliveries.into_iter().map(|one| (one.key.sequence, one.payload.event_id)).unzip();
    assert_eq!(numbers, (1..=300).collect::<Vec<_>>());
    assert_eq!(sent, ids);
    assert_eq!(claimed.next_due, None);
}

#[tokio::test]
async fn only_the_holder_of_the_lease_finishes_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let to = endpoint(&store, Mode::Test, "*").await;
    store.ingest(event("e1")).await.unwrap();
    let one = claim(&store, to, 1).await.deliveries.remove(0);
    assert!(claim(&store, to, 1).await.deliveries.is_empty(), "leased to one at a time");
    let other = Lease(one.lease.0.wrapping_add(1));
    assert_eq!(store.finish(attempt(one.key, other, Next::Succeeded)).await.unwrap(), Finished::Lost);
    assert_eq!(store.finish(attempt(one.key, one.lease, Next::Succeeded)).await.unwrap(), Finished::Stored);
    assert_eq!(store.finish(attempt(one.key, one.lease, Next::Succeeded)).await.unwrap(), Finished::Lost);
    assert!(store.agenda().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_retry_is_due_at_its_time_and_what_is_given_up_never_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let to = endpoint(&store, Mode::Test, "*").await;
    store.ingest(event("e1")).await.unwrap();
    store.ingest(event("e2")).await.unwrap();
    let claimed = claim(&store, to, 2).await.deliveries;
    let later = NOW.plus(Duration::from_secs(60));
    store.finish(attempt(claimed[0].key, claimed[0].lease, Next::Retry(later))).await.unwrap();
    store.finish(attempt(claimed[1].key, claimed[1].lease, Next::Failed(Ending::Exhausted))).await.unwrap();
    assert_eq!(store.agenda().await.unwrap(), [(to, later)]);
    assert_eq!(claim(&store, to, 2).await.next_due, Some(later));
    let again = store.claim(vec![Wanted { endpoint: to, most: 2 }], later).await.unwrap().remove(0);
    assert_eq!(again.deliveries.iter().map(|one| one.attempt).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn an_endpoint_that_asked_for_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let to = endpoint(&store, Mode::Test, "*").await;
    store.ingest(event("e1")).await.unwrap();
    store.ingest(event("e2")).await.unwrap();
    let one = claim(&store, to, 1).await.deliveries.remove(0);
    let until = NOW.plus(Duration::from_secs(60));
    let held = Attempt { hold: Some(until), ..attempt(one.key, one.lease, Next::Retry(until)) };
    store.finish(held).await.unwrap();
    let claimed = claim(&store, to, 9).await;
    assert_eq!((claimed.deliveries.len(), claimed.next_due), (0, Some(until)));
}

#[tokio::test]
async fn what_a_killed_bridge_had_under_way_is_due_again() {
    let folder = tempfile::tempdir().unwrap();
    let first = store(&folder);
    let to = endpoint(&first, Mode::Test, "*").await;
    first.ingest(event("e1")).await.unwrap();
    let lost = claim(&first, to, 1).await.deliveries.remove(0);
    first.close().await;
    drop(first);

    let second = store(&folder);
    assert_eq!(second.agenda().await.unwrap(), [(to, NOW)]);
    let again = claim(&second, to, 1).await.deliveries.remove(0);
    assert_eq!((again.key, again.attempt), (lost.key, 2));
    assert_eq!(second.finish(attempt(lost.key, lost.lease, Next::Succeeded)).await.unwrap(), Finished::Lost);
}

#[tokio::test]
async fn a_lease_that_ran_out_is_taken_back_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let to = endpoint(&store, Mode::Test, "*").await;
    store.ingest(event("e1")).await.unwrap();
    claim(&store, to, 1).await;
    assert_eq!(store.reclaim(NOW.plus(Duration::from_secs(29))).await.unwrap(), 0);
    assert_eq!(store.reclaim(NOW.plus(Duration::from_secs(30))).await.unwrap(), 1);
}

#[tokio::test]
async fn two_bridges_never_have_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let _first = store(&folder);
    let second = SqliteStore::open(&folder.path().join("s.sqlite"), NOW);
    assert_eq!(second.unwrap_err().kind(), ErrorKind::Conflict);
}

/// Every query of the hot path is a search of an index, without a sort or a scan, so its cost does not grow with rows.
#[test]
fn the_queue_is_read_by_index() {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection).unwrap();
    for query in [claim::DUE, claim::NEXT, claim::LOST] {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let count = statement.parameter_count();
        let rows =
            statement.query_map(rusqlite::params_from_iter(vec![1; count]), |row| row.get::<_, String>(3));
        let plan = rows.unwrap().collect::<rusqlite::Result<Vec<_>>>().unwrap();
        assert!(plan.iter().all(|step| step.starts_with("SEARCH ")), "{query}: {plan:?}");
    }
}
