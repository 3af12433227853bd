//! TLS, of the broker and of the client.

use eventbus::ErrorKind;
use eventbus::conformance::{RabbitMq, Server};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::ground::{Seen, bus, event};

/// Vouches for names; what it makes is in the files of a folder.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
    cert: String,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let mut params = subject("authority", Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("keys can be made");
        let cert = file(&folder, "ca", &params.self_signed(&key).expect("it can sign").pem());
        Self { issuer: Issuer::new(params, key), cert, folder }
    }

    /// The files of a certificate for a name and of its key.
    fn vouch(&self, name: &str) -> [String; 2] {
        let params = subject(name, vec![name.to_owned()]);
        let key = KeyPair::generate().expect("keys can be made");
        let cert = params.signed_by(&key, &self.issuer).expect("it can sign");
        let files = [("cert", cert.pem()), ("key", key.serialize_pem())];
        files.map(|(kind, text)| file(&self.folder, &format!("{name}.{kind}"), &text))
    }
}

/// Who a certificate is of.
fn subject(name: &str, hosts: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(hosts).expect("the names are legal");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn file(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("there is room");
    path.to_str().expect("the path is text").to_owned()
}

#[tokio::test]
async fn tls_is_checked_both_ways() {
    let authority = Authority::new();
    let [cert, key] = authority.vouch("localhost");
    let [own_cert, own_key] = authority.vouch("client");
    let ca = &authority.cert;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let node = RabbitMq::new()
        .set("listeners.ssl.default", format!("127.0.0.1:{port}"))
        .set("ssl_options.cacertfile", ca)
        .set("ssl_options.certfile", &cert)
        .set("ssl_options.keyfile", &key)
        .set("ssl_options.verify", "verify_peer")
        .set("ssl_options.fail_if_no_peer_cert", "true");
    let _node = Server::start(node).await.unwrap();
    let url = format!("amqps://guest:guest@localhost:{port}/%2f");
    let known = bus(&format!("{url}?ca={ca}&cert={own_cert}&key={own_key}")).await.unwrap();
    let seen = Seen::default();
    let _running = seen.by(&known, "g").await;
    known.publish(&event("evt_1")).await.unwrap();
    seen.until(1).await;
    let strange = bus(&format!("{url}?cert={own_cert}&key={own_key}"))
        .await
        .expect_err("nobody vouches for the broker");
    assert_eq!(strange.kind(), ErrorKind::NotSent, "{strange}");
    let nobody = bus(&format!("{url}?ca={ca}")).await.expect_err("the broker wants to know who comes");
    assert_eq!(nobody.kind(), ErrorKind::NotSent, "{nobody}");
}
