//! What is old is forgotten by a bridge that was told nothing.

use std::time::Duration;

use http::StatusCode;
use rusqlite::Connection;
use webhook_bridge::model::Retention;
use webhook_bridge::{Bridge, Config};

use crate::receiver::Receiver;
use crate::{EVENT, wish};

/// How many rows there are of what is forgotten: 0 when all is.
const ROWS: &str = "SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM delivery)
     + (SELECT count(*) FROM delivery WHERE first_at IS NOT NULL) + (SELECT count(*) FROM attempt)
     + (SELECT count(*) FROM answer)";

/// Makes all of it so many days older.
const AGE: &str = "UPDATE event SET received_at = received_at - 86400000 * 91;
     UPDATE delivery SET created_at = created_at - 86400000 * 91, first_at = first_at - 86400000 * 91;
     UPDATE attempt SET started_at = started_at - 86400000 * 91;";

#[tokio::test]
async fn what_is_old_is_forgotten_while_the_bridge_runs_and_what_is_new_stays() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let (bridge, caller) = crate::bridge(&folder, &receiver).await;
    caller.post("/v1/endpoints", wish(&receiver, &["*"]).to_string()).await;
    for id in ["evt_1", "evt_2", "evt_3"] {
        caller.post("/v1/events", EVENT.replace("evt_1", id)).await;
        receiver.next().await.answer(StatusCode::OK);
    }
    bridge.stop().await;
    let file = Connection::open(folder.path().join("bridge.sqlite")).unwrap();
    let rows = || file.query_row(ROWS, [], |row| row.get::<_, u32>(0)).unwrap();
    let config = || Config::new().data(folder.path()).listen("127.0.0.1:0".parse().unwrap());
    // An hour of doubt is too long for a test.
    let eager = || config().retention(Retention::default().doubting(Duration::ZERO));
    Bridge::start(eager()).await.unwrap().stop().await;
    assert_eq!(rows(), 9);

    file.execute_batch(AGE).unwrap();
    Bridge::start(config()).await.unwrap().stop().await;
    assert_eq!(rows(), 9, "a clock that was just started is not believed");
    let old = Bridge::start(eager()).await.unwrap();
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let forgotten = async {
        while rows() > 0 {
            looks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), forgotten).await.expect("forgotten within 30 s");
    old.stop().await;
}
