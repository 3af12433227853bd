//! The same program on Redis and on RabbitMQ, where it kills one of its processes.

use std::process::Command;

use eventbus::conformance::{Redis, Server, VirtualHost};

#[tokio::test]
async fn on_redis_nothing_is_lost_with_a_killed_process() {
    let server = Server::start(Redis::new()).await.expect("Redis starts");
    runs(&format!("{}?lease=1s", server.url()));
}

#[tokio::test]
async fn on_rabbitmq_nothing_is_lost_with_a_killed_process() {
    let host = VirtualHost::start(&[]).await.expect("RabbitMQ starts");
    runs(&host.url());
}

/// Runs the program on a server and reads what it prints.
fn runs(url: &str) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_two_processes"));
    let output = program.arg(url).output().expect("the example starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the example failed: {errors}");
    let printed = String::from_utf8_lossy(&output.stdout);
    let expected = [
        "published: 400",
        "one of two processes killed, while it held messages: true",
        "handled: 400, all in order: true",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}
