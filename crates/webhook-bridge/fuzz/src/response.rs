//! Whatever an endpoint may answer.
//!
//! The input is what it writes before it hangs up.

use std::time::Duration;

use bytes::Bytes;
use eventbus::Timestamp;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;
use webhook_bridge::dispatcher::answer::{self, KEPT};
use webhook_bridge::model::{Answer, Next, Outcome, Schedule};
use webhook_bridge::retry::{self, Case};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Nothing panics; what is kept is bounded; only a 2xx is a success; what an endpoint asks for is bounded.
pub fn run(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let Some((outcome, answer)) = runtime.block_on(exchange(data)) else { return };
    assert!(answer.body.len() <= KEPT);
    let status = outcome.status().expect("there was a head");
    assert_eq!(outcome.is_success(), (200..300).contains(&status));
    assert!(outcome.hold().is_none_or(|hold| hold <= DAY && (status == 429 || status == 503)));
    follows(&outcome);
}

/// Head and body, if there was a head; read as an attempt reads them.
async fn exchange(data: &[u8]) -> Option<(Outcome, Answer)> {
    let (near, mut far) = tokio::io::duplex(data.len() + 1024);
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(answer::HEAD)
        .max_headers(answer::HEADERS)
        .handshake::<_, Full<Bytes>>(TokioIo::new(near))
        .await
        .expect("it says nothing yet");
    let connection = async {
        let _ = connection.await;
    };
    let peer = async {
        let _ = far.read(&mut [0; 512]).await;
        let _ = far.write_all(data).await;
        drop(far);
    };
    let request = http::Request::post("/").header("host", "a.example").body(Full::default());
    let asked = async {
        let response = sender.send_request(request.expect("it is a request")).await.ok()?;
        let read = answer::read(response, Instant::now() + Duration::from_secs(5)).await;
        drop(sender);
        Some(read)
    };
    let (read, (), ()) = tokio::join!(asked, connection, peer);
    read
}

fn follows(outcome: &Outcome) {
    let schedule = Schedule::default();
    for (attempt, random) in [(1, 0.0), (5, 0.5), (13, 1.0), (u32::MAX, 1.0)] {
        let case = Case {
            schedule: &schedule,
            attempt,
            faults: 0,
            outcome,
            expires_at: NOW.plus(Schedule::AGE),
            now: NOW,
            random,
        };
        match retry::decide(&case) {
            Next::Succeeded => assert!(outcome.is_success()),
            Next::Retry(at) => assert!(at > NOW && at.since(NOW) <= Schedule::AGE),
            Next::Failed(_) | Next::Parked => assert!(!outcome.is_success()),
        }
    }
}
