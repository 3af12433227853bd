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
    // A copy, also where there is but one: frames are parts of the connection's buffer, which goes on being used.
    let mut whole = BytesMut::new();
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|_| Refused::Broken)?;
        whole.extend_from_slice(&within(frame, most - whole.len())?);
    }
    Ok(whole.freeze())
}

fn within(frame: Bytes, most: usize) -> Result<Bytes, Refused> {
    if frame.len() > most { Err(Refused::TooLarge) } else { Ok(frame) }
}
