//! The conformance suite on a real Redis, through a proxy that breaks, with consumers in processes of their own.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use eventbus::conformance::{AppendOnly, CASES, Child, Fault, Faults, FaultyServer, Harness, Redis, matrix};
use eventbus::transport::Transport;
use eventbus_redis::{RedisConfig, RedisTransport};

/// One private server, made anew for every case.
#[derive(Debug, Default)]
struct OnRedis {
    server: OnceLock<FaultyServer<Redis>>,
    /// What comes after the `?` of the URL.
    options: &'static str,
}

impl OnRedis {
    fn url(&self) -> String {
        let server = self.server.get().expect("it was started");
        format!("{}?lease=2s&response_timeout=2s{}", server.url(), self.options)
    }
}

async fn connect(url: String) -> eventbus::Result<Arc<dyn Transport>> {
    Ok(Arc::new(RedisTransport::connect(RedisConfig::parse(&url)?).await?))
}

#[async_trait]
impl Harness for OnRedis {
    async fn start(&self, _: &[Fault]) {
        let server = FaultyServer::start(Redis::new().append_only(AppendOnly::Always)).await;
        self.server.set(server.expect("Redis starts")).expect("it is started once");
    }

    async fn connect(&self) -> eventbus::Result<Arc<dyn Transport>> {
        connect(self.url()).await
    }

    fn faults(&self) -> Option<&dyn Faults> {
        self.server.get().map(|server| server as &dyn Faults)
    }

    fn child(&self) -> Option<Child> {
        Some(Child::new("conformance_child", self.url()))
    }
}

eventbus::conformance!(OnRedis::default());

/// What shards make harder once more, with several of them. Cases that expect an order between keys are left out:
/// there is none.
mod sharded {
    use super::*;

    fn run(theme: &str, without: &[&str]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        for case in CASES.iter().filter(|case| case.theme == theme && !without.contains(&case.name)) {
            let harness = OnRedis { options: "&shards=3", ..OnRedis::default() };
            runtime.block_on(eventbus::conformance::run(Arc::new(harness), &case.title(), None));
        }
    }

    #[test]
    fn order() {
        run("order", &["a_transport_holds_the_key_of_a_waiting_message"]);
    }

    #[test]
    fn soak() {
        run("soak", &[]);
    }

    #[test]
    fn processes() {
        run("processes", &[]);
    }

    #[test]
    fn groups() {
        run("groups", &[]);
    }

    #[test]
    fn shutdown() {
        run("shutdown", &[]);
    }
}

eventbus::conformance_child!(connect);

/// Set `WRITE_CAPABILITIES=1` to write the table instead.
#[tokio::test]
async fn the_written_table_is_what_the_code_says() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/CAPABILITIES.md");
    let table = matrix(&OnRedis::default()).await.expect("Redis answers");
    let text = format!("{HEAD}\n{table}");
    if std::env::var_os("WRITE_CAPABILITIES").is_some() {
        std::fs::write(file, &text).expect("the file can be written");
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(written == text, "CAPABILITIES.md is not what the code says; write it with WRITE_CAPABILITIES=1");
}

const HEAD: &str = "# What the Redis transport can do

Written by `tests/conformance.rs` from the code; not edited by hand. Each case is a test of the conformance suite. The
server of the tests runs with `appendonly yes` and `appendfsync always`; durability is what the server is set to.
";
