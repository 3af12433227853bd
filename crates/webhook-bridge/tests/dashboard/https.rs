//! The dashboard behind TLS, as people run it: a real browser, and a proxy in front of the bridge that ends it.

use std::net::SocketAddr;
use std::sync::Arc;

use http::StatusCode;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use webhook_bridge::dashboard::Access;
use webhook_bridge::{Bridge, Config};

use crate::browser::Browser;
use crate::client::Client;

/// Takes TLS for what is at an address; gives its port.
async fn front(of: SocketAddr) -> u16 {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let (acceptor, listener) =
        (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut bridge = TcpStream::connect(of).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut bridge).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn behind_tls_a_session_is_a_cookie_of_this_host_and_of_https_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new().data(folder.path()).listen("127.0.0.1:0".parse().unwrap());
    let bridge = Bridge::start(config.dashboard(Access::Https)).await.unwrap();
    let port = front(bridge.address()).await;
    let browser = Browser::open(&format!("https://localhost:{port}/")).await;
    browser.write("API key", bridge.fresh_keys()[0].reveal()).await;
    browser.click("Sign in").await;
    browser.see("Sign out").await;
    let cookies = browser.cookies().await;
    let [cookie] = cookies.as_array().unwrap().as_slice() else { panic!("{cookies}") };
    assert_eq!(cookie["name"], format!("__Host-webhook-bridge-{port}"));
    for (name, value) in [
        ("secure", json!(true)),
        ("httpOnly", json!(true)),
        ("sameSite", json!("Strict")),
        ("path", json!("/")),
        // Of this very host, and of none below it.
        ("domain", json!("localhost")),
    ] {
        assert_eq!(cookie[name], value, "{name}: {cookie}");
    }
    // A session of the way without TLS, which anybody on the network could have set, is none here.
    let value = cookie["value"].as_str().unwrap();
    let at = bridge.address();
    for (name, status) in [
        (format!("__Host-webhook-bridge-{}", at.port()), StatusCode::OK),
        (format!("webhook-bridge-{}", at.port()), StatusCode::UNAUTHORIZED),
    ] {
        let visitor = Client::with_cookie(at, format!("{name}={value}"));
        assert_eq!(visitor.get("/v1/session").await.0, status, "{name}");
    }
    browser.click("Sign out").await;
    browser.see("Sign in to webhook-bridge").await;
    assert_eq!(browser.cookies().await, Value::Array(Vec::new()));
    drop(browser);
    bridge.stop().await;
}
