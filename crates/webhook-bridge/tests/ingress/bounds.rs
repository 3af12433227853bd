//! What is refused, with what answer; nothing of it is published.

use bytes::Bytes;
use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use webhook_bridge::Config;

use crate::rig::{Headers, PATIENCE, Rig, now, standard};

const BODY: &str = r#"{"type":"order.paid","data":{"id":"ord_1"}}"#;

/// The headers with another value for one of them.
fn with(headers: &Headers, name: &'static str, value: impl Into<String>) -> Headers {
    let others = headers.iter().filter(|(other, _)| *other != name).cloned();
    others.chain([(name, value.into())]).collect()
}

fn without(headers: &Headers, name: &str) -> Headers {
    headers.iter().filter(|(other, _)| *other != name).cloned().collect()
}

/// Requests that are not believed, each with why.
fn unbelieved() -> Vec<(&'static str, &'static str, Headers, Bytes)> {
    let good = standard("msg_1", now(), BODY);
    let signature = good[2].1.clone();
    let body = Bytes::from_static(BODY.as_bytes());
    let mut rows: Vec<(&'static str, &'static str, Headers, Bytes)> = Vec::new();
    let mut row = |why, reason, headers: Headers| rows.push((why, reason, headers, body.clone()));
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        row("a header is missing", "unsigned", without(&good, name));
        if name != "webhook-signature" {
            let twice =
                [good.clone(), good.iter().filter(|(one, _)| *one == name).cloned().collect()].concat();
            row("a header twice", "malformed", twice);
        }
    }
    row("another id", "forged", with(&good, "webhook-id", "msg_2"));
    row("an id with a dot", "malformed", with(&good, "webhook-id", "msg.1"));
    row("an empty id", "malformed", with(&good, "webhook-id", ""));
    row("another time", "forged", with(&good, "webhook-timestamp", (now() - 1).to_string()));
    for time in
        ["", "-1", "+1", "1.5", "1e9", "0x10", " ", "9007199254740993", "99999999999999999999", "nan", "١"]
    {
        row("a time that is no number", "malformed", with(&good, "webhook-timestamp", time));
    }
    let stale = now() - 301;
    row("signed too long ago", "stale", standard("msg_1", stale, BODY));
    row("signed in the future", "stale", standard("msg_1", now() + 310, BODY));
    row("in milliseconds", "stale", standard("msg_1", now() * 1000, BODY));
    let forged = [
        signature.replace("v1,", "v0,"),
        signature.replace("v1,", "v2,"),
        signature.replace("v1,", "v1"),
        signature.replace("v1,", "V1,"),
        signature.replace("v1,", ""),
        signature.replace("v1,", "v1a,"),
        "v1,".to_owned(),
        "v1,=".to_owned(),
        "v1,????".to_owned(),
        signature[..signature.len() - 4].to_owned(),
        format!("{signature}AAAA"),
        signature.to_lowercase(),
        "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned(),
    ];
    for signature in forged {
        row("another signature", "forged", with(&good, "webhook-signature", signature));
    }
    row("no signature", "unsigned", with(&good, "webhook-signature", ""));
    let many = format!("{}{signature}", "v1,AAAA ".repeat(16));
    row("too many signatures", "malformed", with(&good, "webhook-signature", many));
    for tampered in
        [BODY.replace("paid", "free"), format!("{BODY} "), BODY[..BODY.len() - 1].to_owned(), String::new()]
    {
        rows.push(("another body", "forged", good.clone(), tampered.into()));
    }
    rows
}

#[tokio::test]
async fn what_is_not_believed_is_401_and_says_no_more_than_that() {
    let mut rig = Rig::start(Config::new()).await;
    let (mut bodies, mut reasons) = (Vec::new(), std::collections::BTreeMap::new());
    for (why, reason, headers, body) in unbelieved() {
        let answer = rig.post("/in/shop", &headers, body.clone()).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{why}: {headers:?}");
        bodies.push(answer.into_body());
        *reasons.entry(reason).or_insert(0) += 1;
        let unknown = rig.post("/in/nobody", &headers, body).await;
        assert_eq!(unknown.status(), StatusCode::NOT_FOUND, "{why}");
        bodies.push(unknown.into_body());
    }
    let right = standard("msg_1", now(), BODY);
    let unknown = rig.post("/in/nobody", &right, BODY).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    bodies.push(unknown.into_body());
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "all the same: {bodies:?}");
    for (reason, expected) in reasons {
        assert_eq!(rig.count(reason).await, expected, "{reason}");
    }
    rig.nothing_else().await;
    rig.stop().await;
}

#[tokio::test]
async fn several_signatures_are_looked_at_and_one_by_the_secret_is_enough() {
    let mut rig = Rig::start(Config::new()).await;
    let good = standard("msg_1", now(), BODY);
    let many = format!("v2,x v1a,AAAA {}{}", "v1,AAAA ".repeat(13), good[2].1);
    assert_eq!(rig.status("/in/shop", &with(&good, "webhook-signature", many), BODY).await, StatusCode::OK);
    assert_eq!(rig.next().await.id().as_str(), "msg_1");
    rig.stop().await;
}

#[tokio::test]
async fn what_is_signed_and_no_event_is_422() {
    let mut rig = Rig::start(Config::new()).await;
    let deep = format!(r#"{{"type":"a.b","data":{}1{}}}"#, "[".repeat(70), "]".repeat(70));
    let texts = [
        "",
        "null",
        "[]",
        "{",
        r#"{"type":"a.b""#,
        "not json",
        r#"{"type":1,"data":{}}"#,
        r#"{"data":{}}"#,
        r#"{"type":"","data":{}}"#,
        r#"{"type":"a..b","data":{}}"#,
        r#"{"type":"a b","data":{}}"#,
        r#"{"type":"a.b","type":"c.d","data":{}}"#,
        r#"{"type":"a.b","data":{"x":1,"x":2}}"#,
        r#"{"type":"a.b","data":{"x":1e999}}"#,
        r#"{"type":"a.b","data":{"x":"\ud800"}}"#,
        &deep,
    ];
    for text in texts {
        let answer = rig.status("/in/shop", &standard("msg_1", now(), text), text.to_owned()).await;
        assert_eq!(answer, StatusCode::UNPROCESSABLE_ENTITY, "{text:?}");
    }
    assert_eq!(rig.count("event").await, texts.len() as u64);
    rig.nothing_else().await;
    rig.stop().await;
}

#[tokio::test]
async fn bodies_that_are_compressed_or_too_large_are_refused_whatever_their_length_says() {
    let mut rig = Rig::start(Config::new()).await;
    for encoding in ["gzip", "br", "deflate", "identity, gzip", "x"] {
        let headers = with(&standard("msg_1", now(), BODY), "content-encoding", encoding);
        let status = rig.status("/in/shop", &headers, BODY).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{encoding}");
    }
    let most = format!(r#"{{"type":"a.b","data":"{}"}}"#, "x".repeat((1 << 20) - 24));
    assert_eq!(most.len(), 1 << 20);
    let larger = format!("{most} ");
    let headers = standard("msg_2", now(), &larger);
    let length = format!("content-length: {}", larger.len());
    for (path, framing) in [("/in/shop", &*length), ("/in/nobody", &length), ("/in/shop", CHUNKED)] {
        let answer = raw(&rig, (path, framing), &headers, &larger).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{path} {framing}: {answer}");
    }
    assert_eq!(rig.status("/in/shop", &standard("msg_most", now(), &most), most).await, StatusCode::OK);
    assert_eq!(rig.next().await.id().as_str(), "msg_most");
    let headers = standard("msg_3", now(), BODY);
    assert!(raw(&rig, ("/in/shop", CHUNKED), &headers, BODY).await.starts_with("HTTP/1.1 200"));
    assert_eq!(rig.next().await.id().as_str(), "msg_3");
    rig.nothing_else().await;
    rig.stop().await;
}

const CHUNKED: &str = "transfer-encoding: chunked";

/// The beginning of an answer, also to a request that is refused before all of it is written.
async fn raw(rig: &Rig, (path, framing): (&str, &str), headers: &Headers, body: &str) -> String {
    let mut stream = TcpStream::connect(rig.bridge.address()).await.unwrap();
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{framing}\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    let sent = if framing == CHUNKED {
        let chunk = |part: &[u8]| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
        let chunks = body.as_bytes().chunks(100_000).map(chunk).collect::<Vec<_>>().concat();
        [chunks, b"0\r\n\r\n".to_vec()].concat()
    } else {
        body.as_bytes().to_vec()
    };
    let _ = stream.write_all(&sent).await;
    let mut answer = vec![0; 64];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await.expect("an answer").unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_published() {
    let mut rig = Rig::start(Config::new()).await;
    let mut stream = TcpStream::connect(rig.bridge.address()).await.unwrap();
    let mut head = format!("POST /in/shop HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n", BODY.len());
    for (name, value) in standard("msg_1", now(), BODY) {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n{}", &BODY[..BODY.len() - 1]).as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("the connection ends");
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    rig.nothing_else().await;
    rig.stop().await;
}
