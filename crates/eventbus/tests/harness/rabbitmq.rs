//! Private RabbitMQ nodes: they keep what they were told to keep, and nothing of them outlives the tests.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use eventbus::conformance::{Fault, Faults as _, FaultyServer, RabbitCluster, RabbitMq, Server, VirtualHost};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{PATIENCE, exists, until};

/// Declares a durable quorum queue, and waits until the node has stored that.
///
/// RabbitMQ 3.10 answers when its transaction is stored, but not yet that it was committed: Mnesia leaves that to a
/// process of its own, whose entry goes to the file up to 2 s later. A node that is killed in between has no queue.
fn declare(host: &str, queue: &str) -> String {
    format!(
        "{{new, _}} = rabbit_amqqueue:declare(rabbit_misc:r(<<\"{host}\">>, queue, <<\"{queue}\">>), true, false,
            [{{<<\"x-queue-type\">>, longstr, <<\"quorum\">>}}], none, <<\"test\">>),
         _ = sys:get_state(mnesia_recover), ok = disk_log:sync(latest_log)."
    )
}

/// The names of the queues of a virtual host.
fn queues(host: &str) -> String {
    format!("[element(4, amqqueue:get_name(Queue)) || Queue <- rabbit_amqqueue:list(<<\"{host}\">>)].")
}

/// The processes that were started for a server in this folder.
fn living(folder: &Path) -> BTreeSet<u32> {
    let folder = folder.as_os_str().as_encoded_bytes();
    let belongs = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(folder.len()).any(|part| part == folder)
    };
    let processes = std::fs::read_dir("/proc")
        .expect("this is Linux")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    processes.filter_map(|name| name.parse().ok()).filter(belongs).filter(|pid| exists(*pid)).collect()
}

async fn greet(port: u16) -> std::io::Result<[u8; 11]> {
    let mut client = TcpStream::connect(("127.0.0.1", port)).await?;
    client.write_all(b"AMQP\x00\x00\x09\x01").await?;
    let mut heard = [0; 11];
    client.read_exact(&mut heard).await?;
    Ok(heard)
}

#[tokio::test]
async fn what_a_node_stores_survives_a_kill_and_no_vanishing() {
    let server = FaultyServer::start(RabbitMq::new().set("consumer_timeout", "90000")).await.unwrap();
    let node = server.server();
    let timeout = node.evaluate("application:get_env(rabbit, consumer_timeout).").await.unwrap();
    assert_eq!(timeout, "{ok,90000}");
    node.add_virtual_host("shop").await.unwrap();
    node.add_user("alice", "wonder", "shop").await.unwrap();
    node.evaluate(&declare("shop", "orders")).await.unwrap();
    let (port, pid) = (node.port(), node.pid());
    server.kill().await;
    assert!(!exists(pid) && node.evaluate("ok.").await.is_err());
    until("its helpers are gone", || living(node.place().folder()).is_empty()).await;
    server.restart().await;
    assert_eq!(
        (node.port(), node.evaluate(&queues("shop")).await.unwrap()),
        (port, r#"[<<"orders">>]"#.to_owned())
    );
    let known =
        node.evaluate("rabbit_access_control:check_user_pass_login(<<\"alice\">>, <<\"wonder\">>).").await;
    assert!(known.unwrap().starts_with("{ok,"));
    let pid = node.pid();
    server.vanish().await;
    assert_eq!((node.pid(), node.evaluate(&queues("shop")).await.unwrap()), (pid, "[]".to_owned()));
    node.terminate().await.unwrap();
    assert!(!exists(pid));
}

#[tokio::test]
async fn a_node_raises_its_alarm_and_stands_still_on_demand() {
    let server = Server::start(RabbitMq::new()).await.unwrap();
    server.raise_alarm().await.unwrap();
    let alarms = "length(rabbit_alarm:get_alarms()).";
    assert_eq!(server.evaluate(alarms).await.unwrap(), "1");
    server.clear_alarm().await.unwrap();
    assert_eq!(server.evaluate(alarms).await.unwrap(), "0");
    let error = server.evaluate("exit(because).").await.unwrap_err().to_string();
    assert!(error.contains("exit because"), "{error}");
    server.stop();
    let greeted = greet(server.port());
    tokio::pin!(greeted);
    assert!(timeout(Duration::from_millis(200), &mut greeted).await.is_err());
    server.resume();
    assert_eq!(timeout(PATIENCE, greeted).await.unwrap().unwrap()[7..], [0, 10, 0, 10]);
    let (folder, alive) = (server.place().folder().to_owned(), living(server.place().folder()));
    assert!(alive.contains(&server.pid()) && folder.exists());
    drop(server);
    until("all its processes are gone", || living(&folder).is_empty()).await;
    assert!(!folder.exists());
}

#[tokio::test]
async fn virtual_hosts_share_a_node_and_nothing_on_it() {
    let [one, other] =
        [VirtualHost::start(&[Fault::Cut]).await.unwrap(), VirtualHost::start(&[]).await.unwrap()];
    let node = one.node();
    assert_eq!(node.pid(), other.node().pid());
    assert!(one.name() != other.name() && one.url() != other.url());
    for host in [&one, &other] {
        node.evaluate(&declare(host.name(), "orders")).await.unwrap();
    }
    one.vanish().await;
    assert_eq!(node.evaluate(&queues(one.name())).await.unwrap(), "[]");
    assert_eq!(node.evaluate(&queues(other.name())).await.unwrap(), r#"[<<"orders">>]"#);
    let hosts = async || node.evaluate("rabbit_vhost:list().").await.unwrap();
    let name = other.name().to_owned();
    assert!(hosts().await.contains(&name));
    drop(other);
    let gone = async { while hosts().await.contains(&name) {} };
    timeout(PATIENCE, gone).await.unwrap();
    let own = VirtualHost::start(&[Fault::Kill]).await.unwrap();
    assert_ne!(own.node().pid(), node.pid());
}

#[tokio::test]
async fn a_node_that_does_not_start_shows_its_log() {
    let error = Server::start(RabbitMq::new().set("no.such.setting", "1")).await.unwrap_err();
    assert!(error.to_string().contains("no.such.setting"), "{error}");
}

#[tokio::test]
async fn a_cluster_goes_on_without_one_of_its_nodes() {
    let cluster = RabbitCluster::start(RabbitMq::new(), 3).await.unwrap();
    let nodes = cluster.nodes();
    let running = "length(rabbit_nodes:all_running()).";
    let count = async |number: usize| nodes[number].evaluate(running).await.unwrap();
    assert_eq!((count(0).await, count(2).await), ("3".to_owned(), "3".to_owned()));
    for queue in ["one", "two", "three"] {
        nodes[0].evaluate(&declare("/", queue)).await.unwrap();
    }
    let leaders =
        "lists:usort([element(2, amqqueue:get_pid(Queue)) || Queue <- rabbit_amqqueue:list(<<\"/\">>)]).";
    let leaders = nodes[0].evaluate(leaders).await.unwrap();
    assert_eq!(leaders, "[node1@localhost,node2@localhost,node3@localhost]");
    nodes[1].kill();
    let two = async { while count(0).await != "2" {} };
    timeout(PATIENCE, two).await.unwrap();
    nodes[2].evaluate(&declare("/", "four")).await.unwrap();
    nodes[1].restart().await.unwrap();
    assert_eq!(count(1).await, "3");
}

/// Set by the test below in the process it starts.
const NURSERY: &str = "EVENTBUS_TEST_RABBIT_NURSERY";

/// The process that is killed: it starts nodes, says where and waits.
#[tokio::test]
async fn nursery() {
    if std::env::var_os(NURSERY).is_some() {
        let shared = VirtualHost::start(&[]).await.unwrap();
        println!("\nnode in {}", shared.node().place().folder().display());
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn a_shared_node_and_its_folder_go_with_the_tests_that_are_killed() {
    let mut nursery = Command::new(std::env::current_exe().unwrap());
    nursery.args(["rabbitmq::nursery", "--exact", "--nocapture"]).env(NURSERY, "1").stdout(Stdio::piped());
    let mut nursery = nursery.spawn().unwrap();
    let lines = BufReader::new(nursery.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("node in ")).unwrap();
    let folder = Path::new(line.strip_prefix("node in ").unwrap());
    assert!(!living(folder).is_empty());
    nursery.kill().unwrap();
    nursery.wait().unwrap();
    until("all its processes are gone", || living(folder).is_empty()).await;
    until("its folder is gone", || !folder.exists()).await;
}
