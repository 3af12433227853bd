//! The whole loop, with kills in between: a provider posts a signed webhook → the bridge → the bus → a typed handler in another
//! process, and → the bridge → a merchant's endpoint that verifies it, and that Payment Kit's published client manages meanwhile.
//!
//! `WEBHOOK_LOOP_ROUNDS=20` is the long form.

mod ledger;
#[path = "../../../../crates/webhook-bridge/tests/payment_kit/node.rs"]
#[allow(dead_code, reason = "Payment Kit's own tests need more of it")]
mod node;
mod provider;
mod role;

use std::net::TcpListener;
use std::path::Path;

use eventbus::conformance::{AppendOnly, Broker, RabbitMq, Redis, Server};
use serde_json::{Value, json};
use webhook_bridge::model::Mode;

use crate::bridge::until;
use ledger::Ledger;
use node::Node;
use provider::{Provider, WEBHOOKS};
use role::{Handler, Serve};

/// RFC 8032's first test key, as `BLOCKLET_APP_SK` has it: the application's, whose components manage endpoints, and with which
/// these are signed for.
const KEY: &str = "0x9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
/// What a delivery may have under way at an endpoint: what a kill of the bridge can interrupt.
const IN_FLIGHT: usize = 8;

fn rounds() -> usize {
    std::env::var("WEBHOOK_LOOP_ROUNDS").map_or(1, |text| text.parse().unwrap())
}

/// All that is in the loop but the broker.
struct Scene {
    serve: Serve,
    bridge: Option<role::Process>,
    handler: Option<Handler>,
    bus: String,
    client: Node,
    ledger: Ledger,
    /// The id of the merchant's endpoint.
    endpoint: Value,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn start(bus: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Its own for all of its lives: providers and components know one address.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut merchant = Node::start(([127, 0, 0, 1], port).into(), KEY);
        let receives = merchant.verify().await;
        let mut ledger = Ledger::default();
        ledger.merchant(merchant);
        let serve = Serve { port, receives, bus: bus.clone(), folder: folder.path().join("bridge") };
        let bridge = Some(serve.start().await);
        let handler = Some(Handler::start(&bus, &ledger).await);
        let mut client = Node::start(([127, 0, 0, 1], port).into(), KEY);
        let wish = json!({
            "url": format!("http://127.0.0.1:{receives}/hooks?of=shop"),
            "enabled_events": ["session.paid"],
            "description": "the merchant's",
        });
        let endpoint = client.get(Mode::Test, "create", json!([wish])).await["id"].clone();
        Self { _folder: folder, serve, bridge, handler, bus, client, ledger, endpoint }
    }

    async fn kill_bridge(&mut self) {
        self.bridge.take().unwrap().kill();
        self.bridge = Some(self.serve.start().await);
        self.ledger.kills.bridge += 1;
    }

    async fn kill_handler(&mut self) {
        self.handler.take().unwrap().kill();
        self.handler = Some(Handler::start(&self.bus, &self.ledger).await);
        self.ledger.kills.handler += 1;
    }

    async fn kill_broker<B: Broker>(&mut self, server: &Server<B>) {
        server.kill();
        server.restart().await.unwrap();
        self.ledger.kills.broker += 1;
    }

    /// What a component of the application does with its endpoints, while webhooks come and go.
    async fn manage(&mut self) {
        let change = json!({ "description": "managed meanwhile" });
        let changed = self.client.get(Mode::Test, "update", json!([self.endpoint, change])).await;
        assert_eq!(changed["description"], "managed meanwhile", "{changed}");
        let other = json!({ "url": "http://127.0.0.1:1/", "enabled_events": ["product.removed"] });
        let made = self.client.get(Mode::Test, "create", json!([other])).await;
        let listed = self.client.get(Mode::Test, "list", json!([{}])).await;
        assert_eq!(listed["count"], 2, "{listed}");
        self.client.get(Mode::Test, "del", json!([made["id"]])).await;
        let found = self.client.get(Mode::Test, "retrieve", json!([self.endpoint])).await;
        assert!(!found["attempts"].as_array().unwrap().is_empty(), "{found}");
    }

    /// One round: everything that can be killed is, at any moment of the posting, each time when more was accepted.
    async fn round<B: Broker>(&mut self, number: usize, server: &Server<B>) {
        let mut provider = Provider::start(self.serve.port, number);
        provider.accepted(WEBHOOKS / 6).await;
        self.kill_bridge().await;
        provider.accepted(WEBHOOKS * 2 / 6).await;
        self.kill_handler().await;
        provider.accepted(WEBHOOKS * 3 / 6).await;
        self.manage().await;
        self.kill_broker(server).await;
        provider.accepted(WEBHOOKS * 4 / 6).await;
        self.kill_handler().await;
        self.kill_bridge().await;
        provider.accepted(WEBHOOKS * 5 / 6).await;
        self.manage().await;
        self.ledger.sent(provider.end().await);
        self.ledger.arrived().await;
        // An answer is stored after it was given.
        let store = self.serve.folder.join("bridge.sqlite");
        until("all that arrived is stored as delivered", async || rows(&store).2 == 0).await;
    }

    /// Everything is where it belongs, once, but for what the kills account for.
    fn check(&self, name: &str) {
        self.ledger.check(name, rows(&self.serve.folder.join("bridge.sqlite")));
    }
}

/// As it is in the store: events of the provider, what is owed of them, and of that what is not delivered.
fn rows(store: &Path) -> (usize, usize, usize) {
    let connection = rusqlite::Connection::open(store).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get(0)).unwrap();
    (
        count("SELECT count(*) FROM event WHERE source = 'gstable'"),
        count("SELECT count(*) FROM delivery"),
        count("SELECT count(*) FROM delivery WHERE state != 2"),
    )
}

async fn nothing_is_lost<B: Broker>(name: &str, server: Server<B>, bus: String) {
    let mut scene = Scene::start(bus).await;
    for number in 0..rounds() {
        scene.round(number, &server).await;
    }
    scene.check(name);
}

#[tokio::test]
async fn on_redis_nothing_is_lost_by_kills_from_a_provider_to_handler_and_merchant() {
    let server = Server::start(Redis::new().append_only(AppendOnly::Always)).await.unwrap();
    let bus = format!("{}?lease=1s", server.url());
    nothing_is_lost("redis", server, bus).await;
}

#[tokio::test]
async fn on_rabbitmq_nothing_is_lost_by_kills_from_a_provider_to_handler_and_merchant() {
    let server = Server::start(RabbitMq::new()).await.unwrap();
    let bus = server.url();
    nothing_is_lost("rabbitmq", server, bus).await;
}
