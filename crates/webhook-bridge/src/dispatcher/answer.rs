//! What is read of an answer: its head decides, and little of its body is kept.

use std::fmt::Display;

use bytes::{Bytes, BytesMut};
use eventbus::Timestamp;
use http::Response;
use http::header::RETRY_AFTER;
use http_body_util::BodyExt as _;
use hyper::body::Body;
use tokio::time::{Instant, timeout_at};

use crate::model::{Answer, Outcome, Wish};
use crate::retry;

/// How much of an answer's body is kept; reading ends there, and the connection with it.
pub const KEPT: usize = 16 * 1024;
/// The largest head of an answer, in bytes.
pub const HEAD: usize = 64 * 1024;
/// The most headers of an answer.
pub const HEADERS: usize = 128;
/// By which header an answer asks for more than its status says.
const WISH: &str = "webhook-delivery";

/// Reads an answer: the outcome is in its head; its body is kept up to [`KEPT`] and until the deadline, and whatever
/// becomes of it changes nothing.
pub async fn read<B>(response: Response<B>, deadline: Instant) -> (Outcome, Answer)
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let retry_after =
        header(RETRY_AFTER.as_str()).and_then(|value| retry::retry_after(value, Timestamp::now()));
    let wish = header(WISH).and_then(Wish::parse);
    let (body, note) = keep(response.into_body(), deadline).await;
    (Outcome::Answered { status, retry_after, wish }, Answer { body, note })
}

/// The beginning of a body, and why it is not all of it.
async fn keep<B>(mut body: B, deadline: Instant) -> (Bytes, Option<String>)
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    let mut kept = BytesMut::new();
    let note = loop {
        match timeout_at(deadline, body.frame()).await {
            Ok(None) => break None,
            Ok(Some(Ok(frame))) => {
                let data = frame.into_data().unwrap_or_default();
                kept.extend_from_slice(&data[..data.len().min(KEPT - kept.len())]);
            }
            Ok(Some(Err(error))) => break Some(format!("the body broke: {error}")),
            Err(_) => break Some("the body did not end in time".to_owned()),
        }
        if kept.len() >= KEPT {
            break Some("the body was longer than what is kept".to_owned());
        }
    };
    (kept.freeze(), note)
}
