//! What changes by itself: the stream of events, the bus.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eventbus::{AnyEvent, HandlerError, HandlerResult};
use serde_json::json;

use crate::rig::{Rig, publish};

#[tokio::test]
async fn an_event_shows_when_it_is_stored_and_one_of_the_other_mode_never() {
    let rig = Rig::signed_in().await;
    rig.view("events").await;
    rig.browser.see("No events yet.").await;
    rig.browser.wait("return document.querySelector('.card .state')?.innerText === 'live'", "").await;
    publish(&rig.live, "evt_live", "invoice.paid").await;
    publish(&rig.api, "evt_1", "invoice.paid").await;
    rig.browser.see("evt_1").await;
    rig.browser.click("Pause").await;
    publish(&rig.api, "evt_2", "refund.created").await;
    rig.browser.see("Resume (1)").await;
    rig.browser.click("Resume (1)").await;
    rig.browser.see("evt_2").await;
    rig.browser.write("Show only", "refund").await;
    rig.browser.wait("return document.querySelectorAll('tbody tr:not([hidden])').length === 1", "").await;
    let text = rig.browser.run("return document.body.innerText").await;
    assert!(!text.as_str().unwrap().contains("evt_live"), "{text}");
    rig.browser.picture("events").await;
    rig.browser.click("evt_2").await;
    rig.browser.see("It is owed to no endpoint.").await;
    rig.end().await;
}

#[tokio::test]
async fn dead_letters_are_paged_and_purged_when_it_was_confirmed() {
    let rig = Rig::signed_in().await;
    let refuse = |_: AnyEvent| async { Err::<(), _>(HandlerError::permanent("the ledger is closed")) };
    let bus = rig.bridge.bus();
    let _group = bus.subscribe("ledger").on(refuse).start().await.unwrap();
    for number in 0..60 {
        let event = json!({ "id": format!("evt_{number}"), "livemode": number == 59, "type": "invoice.paid", "source": "payment-kit",
            "data": { "object": { "id": "in_1" } }, "created_at": "2026-01-01T00:00:00Z" });
        bus.publish(AnyEvent::from_json(event.to_string()).unwrap()).await.unwrap();
    }
    let dead = async || bus.backlog("ledger").await.unwrap().unwrap().dead;
    while dead().await < 60 {
        tokio::task::yield_now().await;
    }
    let rows = |count: u32| {
        format!("return document.querySelectorAll('main section:last-of-type tbody tr').length === {count}")
    };
    rig.view("bus?group=ledger").await;
    rig.browser.wait(&rows(50), "").await;
    rig.browser.click("Show more").await;
    rig.browser.wait(&rows(59), "").await;
    rig.browser.click("Purge evt_58…").await;
    rig.browser.see("Purge this dead letter?").await;
    rig.browser.click("Cancel").await;
    assert_eq!(dead().await, 60, "nothing was confirmed");
    rig.browser.click("Purge evt_58…").await;
    rig.browser.click("Purge").await;
    rig.browser.see("1 removed.").await;
    assert_eq!(dead().await, 59);
    rig.browser.dress(400, "light").await;
    let wide = rig.browser.run("return document.documentElement.scrollWidth").await.as_u64().unwrap();
    assert!(wide <= 400, "{wide} wide");
    rig.browser.picture("purge-400").await;
    rig.browser.dress(1280, "light").await;
    rig.browser.click("Purge all…").await;
    rig.browser.see("58 are removed for good").await;
    rig.browser.picture("purge").await;
    rig.browser.click("Purge 58").await;
    rig.browser.see("58 removed.").await;
    rig.browser.see("Nothing was given up.").await;
    assert_eq!(dead().await, 1, "the one of the other mode");
    rig.end().await;
}

#[tokio::test]
async fn a_dead_letter_is_redriven_and_the_lag_is_shown() {
    let rig = Rig::signed_in().await;
    let mended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&mended);
    let handler = move |_: AnyEvent| {
        let mended = Arc::clone(&seen);
        async move {
            let done: HandlerResult = if mended.load(Ordering::SeqCst) {
                Ok(())
            } else {
                Err(HandlerError::permanent("the ledger is closed"))
            };
            done
        }
    };
    let group = rig.bridge.bus().subscribe("ledger").on(handler).start().await.unwrap();
    for (id, livemode) in [("evt_1", false), ("evt_2", true)] {
        let event = json!({ "id": id, "livemode": livemode, "type": "invoice.paid", "source": "payment-kit",
            "data": { "object": { "id": "in_1" } }, "created_at": "2026-01-01T00:00:00Z" });
        rig.bridge.bus().publish(AnyEvent::from_json(event.to_string()).unwrap()).await.unwrap();
    }
    rig.view("bus?group=ledger").await;
    rig.browser.see("the ledger is closed").await;
    rig.browser.see("webhook-bridge").await;
    let text = rig.browser.run("return document.querySelector('main').innerText").await;
    assert!(!text.as_str().unwrap().contains("evt_2"), "of the other mode: {text}");
    rig.browser.picture("bus").await;
    mended.store(true, Ordering::SeqCst);
    rig.browser.click("Redrive evt_1").await;
    rig.browser.see("1 handed out again.").await;
    rig.browser.see("Nothing was given up.").await;
    assert_eq!(
        rig.bridge
            .bus()
            .dead_letters("ledger")
            .unwrap()
            .list(eventbus::Select::all(), 9)
            .await
            .unwrap()
            .len(),
        1
    );
    drop(group);
    rig.end().await;
}
