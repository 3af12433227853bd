//! As much of Redis' protocol as a test needs to look into a server.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer of a Redis server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A status or a string.
    Text(String),
    /// What it refused, and why.
    Error(String),
    /// A number.
    Integer(i64),
    /// Nothing.
    Null,
    /// Several.
    Array(Vec<Reply>),
}

impl Reply {
    /// The text of a [`Text`](Self::Text).
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Runs one command on a connection of its own.
pub(super) async fn command(port: u16, password: Option<&str>, words: &[&str]) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    if let Some(password) = password {
        // A server that does not know the password yet, or any more, says so when it is asked something.
        exchange(&mut stream, &["AUTH", password]).await?;
    }
    exchange(&mut stream, words).await
}

async fn exchange(stream: &mut TcpStream, words: &[&str]) -> io::Result<Reply> {
    stream.write_all(&request(words)).await?;
    let mut received = Vec::new();
    loop {
        if let Some((reply, _)) = parse(&received)? {
            return Ok(reply);
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn request(words: &[&str]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    request.into_bytes()
}

/// The first answer in these bytes and its length; `None` when it is not complete.
fn parse(bytes: &[u8]) -> io::Result<Option<(Reply, usize)>> {
    let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
    let line = String::from_utf8_lossy(&bytes[1..end]).into_owned();
    let next = end + 2;
    let reply = match bytes[0] {
        b'+' => Reply::Text(line),
        b'-' => Reply::Error(line),
        b':' => Reply::Integer(number(&line)?),
        b'$' => return string(bytes, next, number(&line)?),
        b'*' => return array(bytes, next, number(&line)?),
        other => return Err(malformed(&format!("an answer that begins with {other}"))),
    };
    Ok(Some((reply, next)))
}

fn string(bytes: &[u8], start: usize, length: i64) -> io::Result<Option<(Reply, usize)>> {
    let Ok(length) = usize::try_from(length) else { return Ok(Some((Reply::Null, start))) };
    let text = bytes.get(start..start + length + 2);
    Ok(text
        .map(|text| (Reply::Text(String::from_utf8_lossy(&text[..length]).into_owned()), start + length + 2)))
}

fn array(bytes: &[u8], mut next: usize, length: i64) -> io::Result<Option<(Reply, usize)>> {
    let Ok(length) = usize::try_from(length) else { return Ok(Some((Reply::Null, next))) };
    let mut replies = Vec::new();
    for _ in 0..length {
        let Some((reply, taken)) = parse(&bytes[next..])? else { return Ok(None) };
        replies.push(reply);
        next += taken;
    }
    Ok(Some((Reply::Array(replies), next)))
}

fn number(line: &str) -> io::Result<i64> {
    line.parse().map_err(|_| malformed(&format!("{line:?} where a number belongs")))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sent {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_when_they_are_complete() {
        let whole = b"*4\r\n$2\r\nok\r\n:-7\r\n$-1\r\n*1\r\n-ERR no\r\n";
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]).unwrap(), None, "{end} bytes");
        }
        let inner = Reply::Array(vec![Reply::Error("ERR no".to_owned())]);
        let reply = Reply::Array(vec![Reply::Text("ok".to_owned()), Reply::Integer(-7), Reply::Null, inner]);
        assert_eq!(parse(whole).unwrap(), Some((reply, whole.len())));
        assert!(parse(b"?\r\n").is_err());
    }
}
