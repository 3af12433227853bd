//! A way into a RabbitMQ node: it evaluates Erlang that comes through a socket in its folder.
//!
//! A command of RabbitMQ's own tools does the same in a second of processor time; this takes a millisecond, and the
//! node needs no port for it.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream as Blocking;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::Place;

/// What the node evaluates when it has booted.
pub(super) const SCRIPT: &str = include_str!("control.erl");

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the socket is.
pub(super) fn socket(place: &Place) -> PathBuf {
    place.folder().join("control")
}

/// Evaluates expressions, which end with a full stop, and returns the last one's value as Erlang prints it.
pub(super) async fn evaluate(place: &Place, code: &str) -> io::Result<String> {
    let answered = timeout(PATIENCE, exchange(place, code)).await;
    let answer = answered.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    match answer.strip_prefix("ok ") {
        Some(value) => Ok(value.to_owned()),
        None => Err(io::Error::other(format!("{code} {answer}"))),
    }
}

/// Has expressions evaluated, at some time, and waits for nothing.
pub(super) fn tell(place: &Place, code: &str) -> io::Result<()> {
    Blocking::connect(socket(place))?.write_all(&framed(code)?)
}

async fn exchange(place: &Place, code: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket(place)).await?;
    stream.write_all(&framed(code)?).await?;
    // The length of the answer, which ends the connection anyway.
    stream.read_u32().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn framed(code: &str) -> io::Result<Vec<u8>> {
    let length = u32::try_from(code.len()).map_err(io::Error::other)?;
    Ok([&length.to_be_bytes(), code.as_bytes()].concat())
}

/// A text as an Erlang binary.
pub(super) fn binary(text: &str) -> String {
    format!("<<\"{}\"/utf8>>", text.replace('\\', "\\\\").replace('"', "\\\""))
}
