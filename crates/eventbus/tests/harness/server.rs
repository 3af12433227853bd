//! A private server: it keeps what it was told to keep, and it outlives nobody.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use eventbus::conformance::{AppendOnly, Broker, Faults as _, FaultyServer, Place, Redis, Reply, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{PATIENCE, exists, until};

fn text(text: &str) -> Reply {
    Reply::Text(text.to_owned())
}

#[tokio::test]
async fn what_is_appended_always_survives_a_kill() {
    let server = Server::start(Redis::new().append_only(AppendOnly::Always)).await.unwrap();
    let (port, pid) = (server.port(), server.pid());
    assert_eq!(server.command(&["SET", "k", "v"]).await.unwrap(), text("OK"));
    server.kill();
    assert!(!exists(pid));
    assert!(server.command(&["PING"]).await.is_err());
    server.restart().await.unwrap();
    assert_eq!((server.port(), server.command(&["GET", "k"]).await.unwrap()), (port, text("v")));
    server.restart().await.unwrap();
    assert_eq!(server.command(&["GET", "k"]).await.unwrap(), text("v"));
}

#[tokio::test]
async fn what_is_never_written_is_gone_after_a_kill_and_after_a_vanishing() {
    let server = FaultyServer::start(Redis::new()).await.unwrap();
    for _ in 0..2 {
        let inner = server.server();
        assert_eq!(inner.command(&["SET", "k", "v"]).await.unwrap(), text("OK"));
        let pid = inner.pid();
        server.vanish().await;
        assert_eq!(inner.command(&["GET", "k"]).await.unwrap(), Reply::Null);
        assert_eq!(inner.pid(), pid);
        inner.command(&["SET", "k", "v"]).await.unwrap();
        server.kill().await;
        server.restart().await;
        assert_eq!(inner.command(&["GET", "k"]).await.unwrap(), Reply::Null);
    }
}

#[tokio::test]
async fn a_port_is_nobody_elses_while_its_server_is_down() {
    let server = Server::start(Redis::new()).await.unwrap();
    let claim = ("127.0.0.1", server.port());
    server.kill();
    assert!(std::net::UdpSocket::bind(claim).is_err(), "the server's place keeps it");
    drop(server);
    std::net::UdpSocket::bind(claim).expect("it is free again");
}

#[tokio::test]
async fn a_stopped_server_answers_when_it_goes_on() {
    let server = Server::start(Redis::new()).await.unwrap();
    server.stop();
    let asked = server.command(&["PING"]);
    tokio::pin!(asked);
    assert!(timeout(Duration::from_millis(200), &mut asked).await.is_err());
    server.resume();
    assert_eq!(timeout(PATIENCE, asked).await.unwrap().unwrap(), text("PONG"));
}

#[tokio::test]
async fn a_faulty_server_ends_all_its_faults_at_once() {
    let server = FaultyServer::start(Redis::new().password("secret")).await.unwrap();
    assert_eq!(server.url(), format!("redis://:secret@127.0.0.1:{}", server.port()));
    let mut client = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    server.stall().await;
    server.stop().await;
    client.write_all(b"AUTH secret\r\n").await.unwrap();
    let mut heard = [0; 5];
    assert!(timeout(Duration::from_millis(200), client.read_exact(&mut heard)).await.is_err());
    server.resume().await;
    timeout(PATIENCE, client.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(&heard, b"+OK\r\n");
}

#[tokio::test]
async fn settings_and_the_password_reach_the_server() {
    let redis = Redis::new()
        .password("secret")
        .set("maxmemory", ["64mb"])
        .set("maxmemory-policy", ["noeviction"])
        .set("user", ["alice", "on", ">wonder", "~*", "+@all"]);
    let server = Server::start(redis).await.unwrap();
    let asked = server.command(&["CONFIG", "GET", "maxmemory-policy"]).await.unwrap();
    assert_eq!(asked, Reply::Array(vec![text("maxmemory-policy"), text("noeviction")]));
    assert_eq!(server.command(&["AUTH", "alice", "wonder"]).await.unwrap(), text("OK"));
    assert_eq!(server.url(), format!("redis://:secret@127.0.0.1:{}", server.port()));
}

#[tokio::test]
async fn a_server_that_does_not_start_shows_its_log() {
    let error = Server::start(Redis::new().set("no-such-setting", ["1"])).await.unwrap_err();
    assert!(error.to_string().contains("no-such-setting"), "{error}");
}

#[derive(Debug)]
struct Absent;

#[async_trait::async_trait]
impl Broker for Absent {
    fn program(&self) -> &'static str {
        "no-such-server"
    }
    fn install(&self) -> &'static str {
        "it grows on trees"
    }
    fn arrange(&self, _: &mut Command, _: &Place) -> std::io::Result<()> {
        Ok(())
    }
    async fn is_ready(&self, _: &Place) -> bool {
        false
    }
}

#[tokio::test]
async fn a_missing_program_says_how_to_install_it() {
    let error = Server::start(Absent).await.unwrap_err().to_string();
    assert!(error.contains("no-such-server") && error.contains("it grows on trees"), "{error}");
}

#[tokio::test]
async fn a_server_and_its_folder_go_with_their_value() {
    let server = Server::start(Redis::new()).await.unwrap();
    let (pid, folder) = (server.pid(), server.place().folder().to_owned());
    assert!(exists(pid) && folder.exists());
    drop(server);
    assert!(!exists(pid) && !folder.exists());
}

/// Set by the test below in the process it starts.
const NURSERY: &str = "EVENTBUS_TEST_NURSERY";

/// The process that is killed: it starts a server, says its id and waits.
#[tokio::test]
async fn nursery() {
    if std::env::var_os(NURSERY).is_some() {
        let server = Server::start(Redis::new()).await.unwrap();
        println!("\nserver {} in {}", server.pid(), server.place().folder().display());
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn a_server_dies_with_the_tests_that_are_killed() {
    let mut nursery = Command::new(std::env::current_exe().unwrap());
    nursery.args(["server::nursery", "--exact", "--nocapture"]).env(NURSERY, "1").stdout(Stdio::piped());
    let mut nursery = nursery.spawn().unwrap();
    let lines = BufReader::new(nursery.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("server ")).unwrap();
    let (pid, folder) = line.strip_prefix("server ").unwrap().split_once(" in ").unwrap();
    let pid = pid.parse().unwrap();
    assert!(exists(pid));
    nursery.kill().unwrap();
    nursery.wait().unwrap();
    until("the server is gone", || !exists(pid)).await;
    std::fs::remove_dir_all(folder).unwrap();
}
