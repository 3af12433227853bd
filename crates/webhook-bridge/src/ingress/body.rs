//! Reading a body within bounds, as it comes.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use super::refused::Refused;

/// Reads a body of at most so many bytes. What `Content-Length` says is believed only where it says too much.
pub(super) async fn read(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, Refused> {
    let encoded = |value: &http::HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().any(encoded) {
        return Err(Refused::Encoded);
    }
    let said = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|said| said > most as u64) {
        return Err(Refused::TooLarge);
    }
    let mut frames = body.into_data_stream();
    // Mostly there is one.
    let Some(first) = frames.next().await else { return Ok(Bytes::new()) };
    let first = within(first.map_err(|_| Refused::Broken)?, most)?;
    let Some(second) = frames.next().await else { return Ok(first) };
    let mut whole = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(frame) = next {
        let frame = frame.map_err(|_| Refused::Broken)?;
        whole.extend_from_slice(&within(frame, most - whole.len())?);
        next = frames.next().await;
    }
    Ok(whole.freeze())
}

fn within(frame: Bytes, most: usize) -> Result<Bytes, Refused> {
    if frame.len() > most { Err(Refused::TooLarge) } else { Ok(frame) }
}
