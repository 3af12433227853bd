//! TLS to endpoints, with a real server and certificates made here.

use std::path::Path;
use std::sync::Arc;

use http::StatusCode;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use webhook_bridge::dispatcher::Roots;
use webhook_bridge::{Bridge, Config};

use crate::caller::Caller;
use crate::rig::EVENT;

/// An authority of these tests.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        // Others have another name: one of the same name would be taken for this one with a wrong key.
        parameters.distinguished_name.push(DnType::CommonName, key.public_key_pem());
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), pem }
    }

    /// A certificate and its key.
    fn sign(&self, parameters: &CertificateParams) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        server(certificate.der().clone(), &key)
    }

    fn roots(&self, folder: &Path) -> Roots {
        let path = folder.join("roots.pem");
        std::fs::write(&path, &self.pem).unwrap();
        Roots::read(&path).unwrap()
    }
}

fn named(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap()
}

fn server(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()
}

/// Serves one request of each connection; gives the port.
async fn listen(config: ServerConfig) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

/// What the log says of the one attempt at this URL.
async fn attempt(url: &str, roots: Option<Roots>) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let targets = ["127.0.0.1/32", "[::1]/128"].map(|target| target.parse().unwrap());
    let mut config = Config::new().data(folder.path()).allow_targets(targets.into());
    config.roots = roots.unwrap_or_default();
    let bridge = Bridge::start(config.listen("127.0.0.1:0".parse().unwrap())).await.unwrap();
    let caller = Caller::new(bridge.address(), bridge.fresh_keys()[0].reveal().to_owned());
    let wish = json!({ "url": url, "enabled_events": ["*"] });
    assert_eq!(caller.post("/v1/endpoints", wish.to_string()).await.0, StatusCode::CREATED);
    assert_eq!(caller.post("/v1/events", EVENT.to_owned()).await.0, StatusCode::ACCEPTED);
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(10));
    let attempt = loop {
        looks.tick().await;
        let (_, page) = caller.get("/v1/deliveries/dlv_1_1/attempts").await;
        if let Some(attempt) = page["list"].as_array().and_then(|list| list.first()) {
            break attempt.clone();
        }
    };
    bridge.stop().await;
    attempt
}

#[tokio::test]
async fn an_authority_that_is_configured_is_trusted() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let port = listen(authority.sign(&named(&["127.0.0.1"]))).await;
    let roots = authority.roots(folder.path());
    let attempt = attempt(&format!("https://127.0.0.1:{port}/"), Some(roots)).await;
    assert_eq!(attempt["response_status"], 200, "{attempt}");
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_is_refused_and_the_log_says_why() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let host = &["127.0.0.1"];
    let (mut expired, mut early) = (named(host), named(host));
    expired.not_after = date_time_ymd(2020, 1, 1);
    early.not_before = date_time_ymd(4000, 1, 1);
    let key = KeyPair::generate().unwrap();
    let own = server(named(host).self_signed(&key).unwrap().der().clone(), &key);
    for (config, word) in [
        (authority.sign(&expired), "certificate_expired"),
        (authority.sign(&early), "certificate_not_yet_valid"),
        (authority.sign(&named(&["other.example"])), "certificate_name"),
        (Authority::new().sign(&named(host)), "certificate_issuer"),
        (own, "certificate_issuer"),
    ] {
        let port = listen(config).await;
        let attempt =
            attempt(&format!("https://127.0.0.1:{port}/"), Some(authority.roots(folder.path()))).await;
        assert_eq!(attempt["error"], "tls", "{word}: {attempt}");
        let note = attempt["note"].as_str().unwrap();
        assert!(note.starts_with(&format!("{word}: ")), "{word}: {attempt}");
    }
}

#[tokio::test]
async fn nobody_is_trusted_without_an_authority_or_below_tls_1_2() {
    let port = listen(Authority::new().sign(&named(&["127.0.0.1"]))).await;
    let refused = attempt(&format!("https://127.0.0.1:{port}/"), None).await;
    assert!(refused["note"].as_str().unwrap().starts_with("certificate_issuer: "), "{refused}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        // A ServerHello of TLS 1.1: no session, AES-128-CBC, no compression.
        let hello = [&[0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
        let _ = stream.write_all(&hello).await;
        let _ = stream.read(&mut [0; 64]).await;
    });
    let old = attempt(&format!("https://127.0.0.1:{port}/"), None).await;
    assert_eq!(old["error"], "tls", "{old}");
    assert!(old["note"].as_str().unwrap().starts_with("protocol: "), "{old}");
}

#[test]
fn a_file_that_is_no_authority_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let path = folder.path().join("roots.pem");
        std::fs::write(&path, text).unwrap();
        let error = Roots::read(&path).unwrap_err();
        assert_eq!(error.kind(), webhook_bridge::ErrorKind::Invalid, "{text:?}");
    }
    assert!(Roots::read(&folder.path().join("nowhere")).is_err());
}
