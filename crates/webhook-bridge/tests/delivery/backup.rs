//! A copy of the store while a bridge works on it, and a bridge on the copy; a new key for its secrets.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use rusqlite::Connection;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use webhook_bridge::model::Sealed;
use webhook_bridge::store::SqliteStore;
use webhook_bridge::vault::Vault;

use crate::caller::Caller;
use crate::process::Process;
use crate::receiver::{Receiver, verify};
use crate::{EVENT, wish};

const PATIENCE: Duration = Duration::from_secs(60);
/// How often the renewal of the key is killed, each time a little later.
const KILLS: u32 = 24;

/// The program, over the store in a folder.
fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_webhook-bridge"));
    command.args(arguments).arg("--data").arg(folder).kill_on_drop(true);
    command
}

async fn output(folder: &Path, arguments: &[&str]) -> Output {
    program(folder, arguments).output().await.unwrap()
}

/// An endpoint that wants everything; gives its secret.
async fn endpoint(process: &Process, receiver: &Receiver) -> String {
    let (status, made) = process.caller().post("/v1/endpoints", wish(receiver, &["*"]).to_string()).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made["secret"].as_str().unwrap().to_owned()
}

/// Publishes until the bridge is gone.
async fn publish(caller: Caller, name: u32, accepted: Arc<watch::Sender<Vec<String>>>) {
    for number in 0.. {
        let id = format!("evt_{name}_{number}");
        match caller.publish(EVENT.replace("evt_1", &id)).await {
            Some(StatusCode::ACCEPTED) => accepted.send_modify(|ids| ids.push(id)),
            Some(status) => panic!("{id} was answered {status}"),
            None => return,
        }
    }
}

/// Waits until so many were accepted, and gives all that were.
async fn accepted(ids: &mut watch::Receiver<Vec<String>>, least: usize) -> Vec<String> {
    let enough = timeout(PATIENCE, ids.wait_for(|ids| ids.len() >= least)).await;
    enough.expect("accepted in time").unwrap().clone()
}

#[tokio::test]
async fn what_was_stored_before_a_backup_began_is_in_it_and_delivered_by_a_bridge_that_has_it() {
    let (folder, other, mut receiver) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Receiver::start().await);
    let target = receiver.target_text();
    let mut process = Process::start(folder.path(), &target).await;
    let secret = endpoint(&process, &receiver).await;
    let (tell, mut ids) = watch::channel(Vec::new());
    let tell = Arc::new(tell);
    let publishers: Vec<_> =
        (0..4).map(|name| tokio::spawn(publish(process.caller(), name, Arc::clone(&tell)))).collect();
    let before = accepted(&mut ids, 200).await;

    let copy = other.path().join("bridge.sqlite");
    let said = output(folder.path(), &["backup", copy.to_str().unwrap()]).await;
    assert!(said.status.success(), "{said:?}");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let again = output(folder.path(), &["backup", copy.to_str().unwrap()]).await;
    assert!(!again.status.success(), "it replaces nothing: {again:?}");
    let meanwhile = ids.borrow().len();
    accepted(&mut ids, meanwhile + 50).await;
    process.kill().await;
    futures::future::join_all(publishers).await;
    // What the killed one had under way, unanswered.
    while !receiver.is_empty() {}

    for file in ["secret.key", "key-of-this-test"] {
        std::fs::copy(folder.path().join(file), other.path().join(file)).unwrap();
    }
    let store = Connection::open(&copy).unwrap();
    let leased: u32 =
        store.query_row("SELECT count(*) FROM delivery WHERE state = 1", [], |row| row.get(0)).unwrap();
    assert!(leased > 0, "some were under way");
    drop(store);
    let restored = Process::start(other.path(), &target).await;
    let mut missing: BTreeSet<_> = before.into_iter().collect();
    while !missing.is_empty() {
        let request = receiver.next().await;
        verify(&request, &secret);
        missing.remove(request.header("webhook-id"));
        request.answer(StatusCode::OK);
    }
    drop(receiver);
    restored.stop().await;
}

/// Whether all of its secrets open with the key that a bridge takes.
fn all_open(folder: &Path) -> usize {
    let sealed = secrets(folder);
    let vault = Vault::open(&folder.join(Vault::FILE), sealed.first()).unwrap();
    sealed.iter().filter(|sealed| vault.open_secret(sealed).is_ok()).count()
}

fn secrets(folder: &Path) -> Vec<Sealed> {
    let store = Connection::open(folder.join("bridge.sqlite")).unwrap();
    let mut all = store.prepare("SELECT sealed FROM endpoint_secret").unwrap();
    let all = all.query_map([], |row| row.get(0).map(Sealed)).unwrap();
    all.collect::<Result<_, _>>().unwrap()
}

/// The files of keys that there may be: the one that is used, one that will take its place, one that is being written.
const KEYS: [&str; 3] = [Vault::FILE, "secret.next", "secret.new"];

/// Those that there are.
fn keys(folder: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("secret.")).collect()
}

/// Where a kill has to fall for one of these is a matter of luck: so each is made, as it then lies there.
#[tokio::test]
async fn wherever_the_renewal_of_a_key_was_killed_a_bridge_and_the_next_renewal_go_on() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let (data, target) = (folder.path(), receiver.target_text());
    let process = Process::start(data, &target).await;
    let secret = endpoint(&process, &receiver).await;
    process.stop().await;
    let [key, next, new] = KEYS.map(|name| data.join(name));
    let mut number = 0;
    for state in
        ["the new key half written", "the new key there, the store as it was", "the store has the new key"]
    {
        for again in ["serve", "rewrap"] {
            let former = std::fs::read(&key).unwrap();
            match state {
                "the new key half written" => std::fs::write(&new, &former[..7]).unwrap(),
                "the new key there, the store as it was" => std::fs::write(&next, [7; 32]).unwrap(),
                _ => {
                    assert!(output(data, &["rewrap"]).await.status.success());
                    std::fs::rename(&key, &next).unwrap();
                    std::fs::write(&key, &former).unwrap();
                    let stored = Vault::new(&former.clone().try_into().unwrap()).unwrap();
                    assert!(stored.open_secret(&secrets(data)[0]).is_err(), "the store has the other key");
                }
            }
            if again == "rewrap" {
                let said = output(data, &["rewrap"]).await;
                assert!(said.status.success(), "{state}: {said:?}");
                assert_ne!(std::fs::read(&key).unwrap(), former);
            }
            let process = Process::start(data, &target).await;
            assert!(!next.exists(), "{state}: the other key went");
            number += 1;
            let event = EVENT.replace("evt_1", &format!("evt_{number}"));
            assert_eq!(process.caller().publish(event).await, Some(StatusCode::ACCEPTED));
            let request = receiver.next().await;
            verify(&request, &secret);
            request.answer(StatusCode::OK);
            process.stop().await;
            assert_eq!(all_open(data), 1, "{state}, then {again}");
        }
    }
}

/// Whoever is killed in between has both keys, and never the new one alone.
#[tokio::test]
async fn a_new_key_takes_its_place_when_the_store_has_it_and_not_before() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let data = folder.path();
    let process = Process::start(data, &receiver.target_text()).await;
    endpoint(&process, &receiver).await;
    process.stop().await;
    let former = Vault::open(&data.join(Vault::FILE), None).unwrap();
    let new = Vault::new(&[7; 32]).unwrap();
    let anew = |sealed: Vec<Sealed>| {
        assert_eq!(sealed, secrets(data), "all of them, and as they were");
        sealed.iter().map(|sealed| new.seal(&former.open_secret(sealed)?)).collect()
    };
    let mut finished = 0;
    let finish = || {
        finished += 1;
        assert!(secrets(data).iter().all(|sealed| new.open_secret(sealed).is_ok()), "stored");
        Ok(())
    };
    assert_eq!(SqliteStore::reseal(&data.join(SqliteStore::FILE), anew, finish).unwrap(), 1);
    assert_eq!(finished, 1);
}

#[tokio::test]
async fn secrets_get_a_new_key_however_often_that_is_killed_and_sign_as_before() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let (data, target) = (folder.path(), receiver.target_text());
    let mut process = Process::start(data, &target).await;
    let secret = endpoint(&process, &receiver).await;
    for number in 1..4 {
        let elsewhere = wish(&receiver, &["a.b"]).to_string();
        process.caller().post("/v1/endpoints", elsewhere).await;
        assert_eq!(secrets(data).len(), number + 1);
    }
    assert_eq!(process.caller().publish(EVENT.to_owned()).await, Some(StatusCode::ACCEPTED));
    let under_way = receiver.next().await;
    let refused = output(data, &["rewrap"]).await;
    assert!(!refused.status.success(), "a bridge has the store: {refused:?}");
    process.kill().await;
    drop(under_way);

    let (former, begun) = (std::fs::read(data.join(Vault::FILE)).unwrap(), Instant::now());
    let said = output(data, &["rewrap"]).await;
    assert!(said.status.success() && said.stdout == b"4 secrets have a new key\n", "{said:?}");
    let took = begun.elapsed();
    let former = Vault::new(&former.try_into().unwrap()).unwrap();
    assert!(secrets(data).iter().all(|sealed| former.open_secret(sealed).is_err()));
    for kill in 0..KILLS {
        let mut child = program(data, &["rewrap"]).spawn().unwrap();
        sleep(took * kill / KILLS).await;
        child.kill().await.unwrap();
        let keys = keys(data);
        assert!(
            keys.iter().all(|name| KEYS.contains(&name.as_str())),
            "a state of which no case is: {keys:?}"
        );
        assert_eq!(all_open(data), 4, "killed after {:?}", took * kill / KILLS);
    }
    let process = Process::start(data, &target).await;
    let request = receiver.next().await;
    verify(&request, &secret);
    request.answer(StatusCode::OK);
    process.stop().await;
}
