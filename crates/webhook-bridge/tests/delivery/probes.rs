//! Answers of every kind: what becomes of each, by its first attempt.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use webhook_bridge::{Bridge, Config};

use crate::EVENT;
use crate::caller::Caller;
use crate::peers::Peer;
use crate::process::Process;

/// A bridge, and a peer that it calls.
struct Case {
    bridge: Bridge,
    caller: Caller,
    peer: Peer,
    _folder: tempfile::TempDir,
}

impl Case {
    async fn start() -> Self {
        let (folder, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
        let target = format!("127.0.0.1/32:{}", peer.address.port()).parse().unwrap();
        let config = Config::new().data(folder.path()).listen("127.0.0.1:0".parse().unwrap());
        let bridge = Bridge::start(config.allow_targets(vec![target])).await.unwrap();
        let caller = Caller::new(bridge.address(), bridge.fresh_keys()[0].reveal().to_owned());
        Self { bridge, caller, peer, _folder: folder }
    }

    /// Owes an event to an endpoint of its own.
    async fn owe(&self, (scheme, number): (&str, usize)) -> Value {
        let (url, event_type) = (format!("{scheme}://{}/", self.peer.address), format!("probe.n{number}"));
        let wish =
            json!({ "url": url, "enabled_events": [event_type], "schedule": [3600], "timeout_seconds": 2 });
        let (_, endpoint) = self.caller.post("/v1/endpoints", wish.to_string()).await;
        let event = EVENT
            .replace("evt_1", &format!("evt_{number}"))
            .replace("checkout.session.completed", &event_type);
        self.caller.post("/v1/events", event).await;
        endpoint
    }

    /// What becomes of a request that is answered so: a status or a word, and the note.
    async fn becomes(&self, (number, answer): (usize, &[u8])) -> (String, Value) {
        let endpoint = self.owe(("http", number)).await;
        let mut stream = self.peer.accept().await;
        read_request(&mut stream).await;
        // It may hang up before it heard everything.
        let _ = stream.write_all(answer).await;
        let _ = stream.shutdown().await;
        let attempt = self.caller.attempt(&endpoint).await;
        let status = attempt["response_status"].as_u64().map(|status| status.to_string());
        (status.unwrap_or_else(|| attempt["error"].as_str().unwrap().to_owned()), attempt)
    }
}

async fn read_request(stream: &mut TcpStream) {
    let mut text = Vec::new();
    while !text.ends_with(b"}") {
        assert_ne!(stream.read_buf(&mut text).await.unwrap(), 0, "a whole request");
    }
}

fn head(lines: usize, length: usize) -> Vec<u8> {
    let line = format!("x: {}\r\n", "y".repeat(length));
    format!("HTTP/1.1 200 OK\r\n{}\r\n", line.repeat(lines)).into_bytes()
}

#[tokio::test]
async fn every_answer_has_an_outcome() {
    let case = Case::start().await;
    let ok = |rest: &str| format!("HTTP/1.1 200 OK\r\n{rest}").into_bytes();
    let early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let answers: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", b"".to_vec(), "reset"),
        ("another protocol", b"SSH-2.0-OpenSSH\r\n".to_vec(), "reset"),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), "reset"),
        ("an alert of TLS", b"\x15\x03\x01\x00\x02\x02\x28".to_vec(), "reset"),
        ("a version that is none", b"HTTP/9.9 200 OK\r\n\r\n".to_vec(), "reset"),
        ("a status that is none", b"HTTP/1.1 2000 OK\r\n\r\n".to_vec(), "reset"),
        ("a status below all", b"HTTP/1.1 099 OK\r\n\r\n".to_vec(), "reset"),
        ("a status above all", b"HTTP/1.1 999 OK\r\ncontent-length: 0\r\n\r\n".to_vec(), "999"),
        ("half a head", b"HTTP/1.1 200 OK\r\ncontent-le".to_vec(), "reset"),
        ("a header without a name", ok(": x\r\n\r\n"), "reset"),
        ("a header with NUL", ok("x: a\0b\r\n\r\n"), "reset"),
        ("two lengths", ok("content-length: 1\r\ncontent-length: 2\r\n\r\nab"), "reset"),
        ("a length below zero", ok("content-length: -1\r\n\r\n"), "reset"),
        ("a length beyond all", ok("content-length: 99999999999999999999999\r\n\r\n"), "reset"),
        ("more than 128 headers", head(129, 1), "reset"),
        ("128 headers", [head(127, 1).as_slice(), b""].concat(), "200"),
        ("a head of twice 64 KiB", head(120, 1200), "reset"),
        (
            "another protocol from here",
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_vec(),
            "101",
        ),
        (
            "information, then an answer",
            [&early[..], early, early, early, b"HTTP/1.1 200 OK\r\n\r\n"].concat(),
            "200",
        ),
        ("information and no answer", early.repeat(4), "reset"),
        (
            "a header in no known alphabet",
            b"HTTP/1.1 200 OK\r\nretry-after: \xff\xfe\r\n\r\n".to_vec(),
            "200",
        ),
        ("HTTP/1.0 without a length", b"HTTP/1.0 200 OK\r\n\r\nfine".to_vec(), "200"),
        ("a chunk of no size", ok("transfer-encoding: chunked\r\n\r\nxyz\r\n"), "200"),
        ("a chunk beyond all", ok("transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n"), "200"),
        ("a body that is cut", ok("content-length: 100\r\n\r\nshort"), "200"),
        ("length and chunks", ok("content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"), "200"),
        (
            "a redirect to within",
            b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n".to_vec(),
            "302",
        ),
    ];
    let mut wrong = Vec::new();
    for (number, (name, answer, outcome)) in answers.iter().enumerate() {
        let (became, attempt) = case.becomes((number, answer)).await;
        if became != *outcome || (attempt["status"] == "succeeded") != (*outcome == "200") {
            wrong.push((name, attempt));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    case.bridge.stop().await;
}

#[tokio::test]
async fn a_compressed_answer_is_kept_as_it_came() {
    let case = Case::start().await;
    let bomb = b"HTTP/1.1 500 x\r\ncontent-encoding: gzip\r\ncontent-length: 6\r\n\r\n\x1f\x8b\x08\x00ab";
    let (_, attempt) = case.becomes((0, bomb)).await;
    assert_eq!(attempt["response_body"], "\u{1f}\u{fffd}\u{8}\u{0}ab");
    case.bridge.stop().await;
}

#[tokio::test]
async fn informations_without_end_are_left_at_the_deadline() {
    let case = Case::start().await;
    let endpoint = case.owe(("http", 0)).await;
    let mut stream = case.peer.accept().await;
    while stream.write_all(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100)).await.is_ok() {}
    assert_eq!(case.caller.attempt(&endpoint).await["error"], "timeout");
    case.bridge.stop().await;
}

/// What follows an answer on its connection answers no later request.
#[tokio::test]
async fn an_answer_in_advance_answers_nothing() {
    let case = Case::start().await;
    let twice = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".repeat(2);
    let first = case.owe(("http", 0)).await;
    let mut advance = case.peer.accept().await;
    read_request(&mut advance).await;
    advance.write_all(twice.as_bytes()).await.unwrap();
    assert_eq!(case.caller.attempt(&first).await["response_status"], 200);

    let (became, _) = case.becomes((1, b"HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n")).await;
    assert_eq!(became, "503", "asked again, over a connection of its own");
    case.bridge.stop().await;
}

#[tokio::test]
async fn a_peer_that_is_not_who_it_says_is_told_nothing() {
    let case = Case::start().await;
    let endpoint = case.owe(("https", 0)).await;
    let mut plain = case.peer.accept().await;
    plain.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    assert_eq!(case.caller.attempt(&endpoint).await["error"], "tls", "no TLS");

    let endpoint = case.owe(("https", 1)).await;
    let stream = case.peer.accept().await;
    assert!(acceptor().accept(stream).await.is_err(), "the bridge hangs up");
    assert_eq!(case.caller.attempt(&endpoint).await["error"], "tls", "a certificate that nobody signed");

    let endpoint = case.owe(("https", 2)).await;
    let _silent = case.peer.accept().await;
    assert_eq!(case.caller.attempt(&endpoint).await["error"], "timeout", "no handshake");
    case.bridge.stop().await;
}

fn acceptor() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = rustls::crypto::ring::default_provider().into();
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth().with_single_cert(vec![made.cert.into()], key);
    TlsAcceptor::from(std::sync::Arc::new(config.unwrap()))
}

/// 400 MB are offered each time; a bridge that took them in would grow.
#[tokio::test]
async fn an_answer_of_400_mb_costs_no_memory() {
    let (folder, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    let bridge = Process::start(folder.path(), &format!("127.0.0.1/32:{}", peer.address.port())).await;
    let caller = bridge.caller();
    let wish = json!({ "url": format!("http://{}/", peer.address), "enabled_events": ["*"] });
    caller.post("/v1/endpoints", wish.to_string()).await;
    let mut before = 0;
    for number in 0..20 {
        caller.post("/v1/events", EVENT.replace("evt_1", &format!("evt_{number}"))).await;
        let mut stream = peer.accept().await;
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 400000000\r\n\r\n").await.unwrap();
        let mut taken = 0;
        while stream.write_all(&[b'x'; 65536]).await.is_ok() {
            taken += 65536;
        }
        assert!(taken < 40_000_000, "{taken} bytes were taken");
        if number == 9 {
            before = bridge.resident();
        }
    }
    let grown = bridge.resident().saturating_sub(before);
    assert!(grown < 1024 * 1024, "{grown} bytes more after ten such answers");
    bridge.stop().await;
}

/// Nothing in the environment makes it call by a proxy, which would see the guard's names and not its addresses.
#[tokio::test]
async fn proxies_of_the_environment_are_not_used() {
    let (folder, peer, proxy) = (tempfile::tempdir().unwrap(), Peer::start().await, Peer::start().await);
    let by = format!("http://{}", proxy.address);
    let proxies = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let environment: Vec<_> = proxies.iter().map(|name| (*name, by.as_str())).collect();
    let bridge = Process::start_in(folder.path(), "127.0.0.1/32", &environment).await;
    let caller = bridge.caller();
    let wish = json!({ "url": format!("http://{}/", peer.address), "enabled_events": ["*"] });
    caller.post("/v1/endpoints", wish.to_string()).await;
    caller.post("/v1/events", EVENT.to_owned()).await;
    let mut stream = peer.accept().await;
    read_request(&mut stream).await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    bridge.stop().await;
    assert!(tokio::time::timeout(Duration::ZERO, proxy.accept()).await.is_err(), "nobody called there");
}
