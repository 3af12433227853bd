//! SIGTERM under load, and no file left.

use std::time::{Duration, Instant};

use futures::future::join_all;
use http::StatusCode;

use crate::ledger::{ENDPOINTS, Ledger, PUBLISHERS, publish, repeated, settle};
use crate::process::Process;
use crate::receiver::Receiver;
use crate::{EVENT, wish};

/// How long a stop waits for what is under way, and for its parts.
const BOUND: Duration = Duration::from_secs(25);

#[tokio::test]
async fn a_stop_under_load_loses_nothing_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let receivers = join_all((0..ENDPOINTS).map(|_| Receiver::start())).await;
    let targets: Vec<_> = receivers.iter().map(Receiver::target_text).collect();
    let process = Process::start(folder.path(), &targets.join(",")).await;
    for receiver in &receivers {
        let wish = wish(receiver, &["*"]).to_string();
        assert_eq!(process.caller().post("/v1/endpoints", wish).await.0, StatusCode::CREATED);
    }
    let mut ledger = Ledger::start(receivers);
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|number| tokio::spawn(publish(process.caller(), format!("stop_{number}"))))
        .collect();
    for _ in 0..200 {
        ledger.next().await;
    }
    let began = Instant::now();
    process.stop().await;
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    let accepted: Vec<_> = join_all(publishers).await.into_iter().flat_map(Result::unwrap).collect();

    let process = Process::start(folder.path(), &targets.join(",")).await;
    settle(folder.path()).await;
    process.stop().await;
    ledger.catch_up();
    let lost: Vec<_> = accepted.iter().filter(|id| ledger.misses(id)).collect();
    assert!(lost.is_empty(), "accepted and lost: {lost:?}");
    assert_eq!(repeated(&ledger), 0, "what was under way was finished");
}

#[tokio::test]
async fn a_bridge_without_a_file_left_answers_when_it_has_some_again() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let process = Process::start(folder.path(), &receiver.target_text()).await;
    let all = process.allow_files(3);
    let caller = process.caller();
    let mut asked = Box::pin(caller.post("/v1/events", EVENT.to_owned()));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut asked).await;
    assert!(early.is_err(), "it cannot accept a connection: {early:?}");
    process.allow_files(all);
    assert_eq!(asked.await.0, StatusCode::ACCEPTED);
    process.stop().await;
}
