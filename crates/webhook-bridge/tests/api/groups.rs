//! Dead letters of a group: paged, and removed when it is said which.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventbus::transport::Backlog;
use eventbus::{AnyEvent, HandlerError, Retry};
use http::StatusCode;
use serde_json::{Value, json};

use crate::client::Client;
use crate::{EVENT, Scene};

const LETTERS: &str = "/v1/groups/ledger/dead_letters";
const PURGE: &str = "/v1/groups/ledger/purge";

/// A group that gave up an event of each type, of the test mode, and one of the live mode among them.
async fn gave_up(types: &[&str]) -> Scene {
    let scene = Scene::start().await;
    let refuse = |_: AnyEvent| async { Err::<(), _>(HandlerError::permanent("the ledger is closed")) };
    let bus = scene.bridge.bus();
    bus.subscribe("ledger").on(refuse).retry(Retry::never()).start().await.unwrap();
    for (at, event_type) in types.iter().enumerate() {
        let event =
            EVENT.replace("evt_1", &format!("evt_{at}")).replace("checkout.session.completed", event_type);
        bus.publish(AnyEvent::from_json(event).unwrap()).await.unwrap();
        if at == 1 {
            let live = EVENT.replace("evt_1", "evt_live").replace("false", "true");
            bus.publish(AnyEvent::from_json(live).unwrap()).await.unwrap();
        }
    }
    until(&scene, |backlog| backlog.dead == types.len() as u64 + 1).await;
    scene
}

/// What was given up is handed out again when it is asked for, and none of it is lost.
#[tokio::test]
async fn what_is_redriven_comes_to_the_group_again() {
    let (scene, mended, seen) =
        (Scene::start().await, Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
    let (works, came) = (Arc::clone(&mended), Arc::clone(&seen));
    let handle = move |event: AnyEvent| {
        let works = works.load(Ordering::SeqCst);
        came.lock().unwrap().extend(works.then(|| event.id().to_string()));
        async move { if works { Ok(()) } else { Err(HandlerError::permanent("the ledger is closed")) } }
    };
    let bus = scene.bridge.bus();
    bus.subscribe("ledger").on(handle).retry(Retry::never()).start().await.unwrap();
    for (id, event_type) in [("evt_1", "a.b"), ("evt_2", "a.c"), ("evt_3", "b.d")] {
        let event = EVENT.replace("evt_1", id).replace("checkout.session.completed", event_type);
        bus.publish(AnyEvent::from_json(event).unwrap()).await.unwrap();
    }
    until(&scene, |backlog| backlog.dead == 3).await;
    mended.store(true, Ordering::SeqCst);
    let redrive = async |asked: Value| {
        scene.client.post("/v1/groups/ledger/redrive", &asked).await.1["dead_letters"].take()
    };
    assert_eq!(redrive(json!({ "dry_run": true })).await, 3);
    until(&scene, |backlog| backlog.dead == 3 && backlog.unsettled() == 0).await;
    let third = scene.client.get(LETTERS).await.1["list"][2]["id"].clone();
    for (asked, count, expected) in [
        (json!({ "dead_letter": third }), 1, vec!["evt_3"]),
        (json!({ "types": "a.*" }), 2, vec!["evt_3", "evt_1", "evt_2"]),
        (json!({}), 0, vec!["evt_3", "evt_1", "evt_2"]),
    ] {
        assert_eq!(redrive(asked).await, count);
        until(&scene, |backlog| backlog.dead == 3 - expected.len() as u64 && backlog.unsettled() == 0).await;
        assert_eq!(*seen.lock().unwrap(), expected);
    }
    scene.bridge.stop().await;
}

/// Waits until the group is so.
async fn until(scene: &Scene, is: impl Fn(&Backlog) -> bool) {
    let so = async {
        while !is(&scene.bridge.bus().backlog("ledger").await.unwrap().unwrap()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), so).await.expect("the group gets there");
}

fn events(page: &Value) -> Vec<&str> {
    page["list"].as_array().unwrap().iter().map(|one| one["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn dead_letters_are_listed_page_by_page_each_once() {
    let scene = gave_up(&["a.b"; 5]).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for (count, more) in [(2, true), (2, true), (1, false)] {
        let (status, page) = scene.client.get(&format!("{LETTERS}?limit=2{cursor}")).await;
        assert_eq!((status, page["list"].as_array().unwrap().len()), (StatusCode::OK, count), "{page}");
        assert_eq!(page["next"].is_string(), more, "{page}");
        seen.extend(events(&page).into_iter().map(str::to_owned));
        cursor = format!("&cursor={}", page["next"].as_str().unwrap_or_default());
    }
    assert_eq!(seen, ["evt_0", "evt_1", "evt_2", "evt_3", "evt_4"]);
    scene.bridge.stop().await;
}

#[tokio::test]
async fn only_what_is_named_is_purged_and_nothing_of_the_other_mode() {
    let scene = gave_up(&["a.b", "a.c", "b.d", "b.e"]).await;
    let live = Client::new(scene.bridge.address(), scene.bridge.fresh_keys()[1].reveal());
    let left = async || {
        let (_, page) = scene.client.get(LETTERS).await;
        events(&page).join(" ")
    };
    assert_eq!(scene.client.post(PURGE, &json!({})).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        scene.client.post(PURGE, &json!({ "dry_run": true })).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let counted = scene.client.post(PURGE, &json!({ "all": true, "dry_run": true })).await.1;
    assert_eq!(counted, json!({ "dead_letters": 4, "more": false }));
    assert_eq!(left().await, "evt_0 evt_1 evt_2 evt_3");

    let first = scene.client.get(LETTERS).await.1["list"][0]["id"].clone();
    // Only what is of both.
    let both = json!({ "dead_letter": first, "types": "b.*" });
    assert_eq!(scene.client.post(PURGE, &both).await.0, StatusCode::NOT_FOUND);
    let one = json!({ "dead_letter": first });
    assert_eq!(scene.client.post(PURGE, &one).await.1["dead_letters"], 1);
    assert_eq!(left().await, "evt_1 evt_2 evt_3");
    assert_eq!(scene.client.post(PURGE, &one).await.0, StatusCode::NOT_FOUND, "it is gone");
    assert_eq!(scene.client.post(PURGE, &json!({ "types": "b.*" })).await.1["dead_letters"], 2);
    assert_eq!(left().await, "evt_1");
    assert_eq!(scene.client.post(PURGE, &json!({ "all": true })).await.1["dead_letters"], 1);
    assert_eq!(left().await, "");
    assert_eq!(events(&live.get(LETTERS).await.1), ["evt_live"]);
    scene.bridge.stop().await;
}
