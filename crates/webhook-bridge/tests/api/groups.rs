//! Dead letters of a group: paged, and removed when it is said which.

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
    let all = async {
        while bus.backlog("ledger").await.unwrap().unwrap().dead < types.len() as u64 + 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), all).await.expect("they are given up");
    scene
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
