//! The ways people go: an endpoint is made, a delivery fails, is mended and sent again.

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::receiver::verify;
use crate::rig::{Rig, publish};

#[tokio::test]
async fn an_endpoint_is_made_its_delivery_fails_is_mended_and_succeeds() {
    let mut rig = Rig::signed_in().await;
    rig.browser.see("No endpoints yet.").await;
    rig.browser.click("Create the first").await;
    rig.browser.write("URL", &rig.receiver.url()).await;
    rig.browser.write("Description", "the shop").await;
    // By both ways: from the catalogue, and as a pattern.
    rig.browser.write("Find types", "invoice paid").await;
    rig.browser.tick("invoice.paid").await;
    rig.browser.write("Another type or pattern", "shop.order.*").await;
    rig.browser.click("Add").await;
    rig.browser.wait("return document.querySelectorAll('.chosen button').length === 2", "").await;
    rig.browser.picture("create-endpoint").await;
    rig.browser.click("Create").await;
    rig.browser.see("The signing secret of this endpoint").await;
    let secret = rig.browser.wait("return document.querySelector('dialog pre')?.innerText", "").await;
    rig.browser.click("Done").await;
    rig.browser.see("Nothing was owed to it yet.").await;
    let made = rig.api.get("/v1/endpoints").await.1["list"][0].take();
    assert_eq!(made["enabled_events"], json!(["invoice.paid", "shop.order.*"]));

    publish(&rig.api, "evt_1", "invoice.paid").await;
    let request = rig.receiver.next().await;
    request.answer(StatusCode::INTERNAL_SERVER_ERROR);
    rig.browser.click("Deliveries").await;
    rig.browser.click("invoice.paid").await;
    rig.browser.see("Attempt 1").await;
    // What was sent is shown as it went out, the signature too.
    rig.browser.see(request.header("webhook-signature")).await;
    rig.browser.see(request.header("webhook-timestamp")).await;
    verify(&request, secret.as_str().unwrap());
    rig.browser.see("pending").await;

    rig.browser.click("Resend").await;
    rig.receiver.next().await.answer(StatusCode::OK);
    rig.browser.see("Attempt 2").await;
    rig.browser.see("succeeded").await;
    rig.browser.picture("delivery").await;
    rig.end().await;
}

#[tokio::test]
async fn an_endpoint_is_edited_paused_resumed_tested_and_deleted() {
    let mut rig = Rig::signed_in().await;
    let made = rig.endpoint(json!({ "enabled_events": ["refund.*"] })).await;
    rig.view(&format!("endpoints/{}", made["id"].as_str().unwrap())).await;
    rig.browser.see("Healthy").await;
    rig.browser.click("Edit").await;
    rig.browser.click("Remove refund.*").await;
    rig.browser.click("Save").await;
    rig.browser.see("Choose at least one type of event.").await;
    rig.browser.tick("*").await;
    rig.browser.write("Description", "mended").await;
    rig.browser.click("Save").await;
    rig.browser.see("mended").await;
    let path = format!("/v1/endpoints/{}", made["id"].as_str().unwrap());
    assert_eq!(rig.api.get(&path).await.1["enabled_events"], json!(["*"]));
    rig.browser.click("Pause").await;
    rig.browser.see("Paused: what it is owed gathers").await;
    rig.browser.click("Resume").await;
    rig.browser.see("Healthy").await;
    rig.browser.click("Send test event").await;
    rig.receiver.next().await.answer(StatusCode::OK);
    rig.browser.see("succeeded").await;
    rig.view(&format!("endpoints/{}", made["id"].as_str().unwrap())).await;
    rig.browser.see("100 %").await;
    rig.browser.click("Delete…").await;
    rig.browser.see("This cannot be undone.").await;
    rig.browser.click("Delete").await;
    rig.browser.see("No endpoints yet.").await;
    rig.end().await;
}

#[tokio::test]
async fn what_was_given_up_is_recovered_with_how_far_it_is() {
    let mut rig = Rig::signed_in().await;
    let made = rig.endpoint(json!({ "enabled_events": ["*"], "schedule": [] })).await;
    for number in 0..3 {
        publish(&rig.api, &format!("evt_{number}"), "refund.created").await;
        rig.receiver.next().await.answer(StatusCode::BAD_REQUEST);
    }
    rig.view("deliveries?state=exhausted").await;
    rig.browser.wait("return document.querySelectorAll('tbody tr').length === 3", "").await;
    rig.view(&format!("endpoints/{}", made["id"].as_str().unwrap())).await;
    rig.browser.click("Recover…").await;
    rig.browser.click("Count").await;
    rig.browser.see("3 deliveries would be sent again.").await;
    rig.browser.click("Send 3 again").await;
    rig.browser.see("3 deliveries are due now.").await;
    for _ in 0..3 {
        rig.receiver.next().await.answer(StatusCode::OK);
    }
    rig.browser.click("Close").await;
    rig.view("deliveries?state=succeeded").await;
    rig.browser.wait("return document.querySelectorAll('tbody tr').length === 3", "").await;
    rig.end().await;
}

/// Nothing that somebody else wrote is ever markup: not in an event, not in a URL, not in an answer.
#[tokio::test]
async fn what_others_wrote_stays_text() {
    const MARKUP: &str = "<img src=x onerror=alert(1)><script>alert(2)</script>";
    let mut rig = Rig::signed_in().await;
    let url = format!("{}&q=%3Cscript%3E'\"", rig.receiver.url());
    let wish = json!({ "enabled_events": ["*"], "schedule": [], "description": MARKUP, "url": url });
    let made = rig.endpoint(wish).await;
    let event = json!({ "id": "evt_1", "livemode": false, "type": "shop.sold", "source": "shop", "created_at": "2026-01-01T00:00:00Z",
        "data": { "object": { "id": MARKUP, "name": MARKUP } } });
    assert_eq!(rig.api.post("/v1/events", &event).await.0, StatusCode::ACCEPTED);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "text/html".parse().unwrap());
    rig.receiver.next().await.answer_body(StatusCode::BAD_GATEWAY, headers, MARKUP);
    let delivery = rig.api.get("/v1/deliveries").await.1["list"][0]["id"].as_str().unwrap().to_owned();
    let id = made["id"].as_str().unwrap();
    for view in [
        "endpoints".to_owned(),
        format!("endpoints/{id}"),
        format!("deliveries/{delivery}"),
        "events".to_owned(),
        "events/evt_1?source=shop".to_owned(),
        "deliveries".to_owned(),
    ] {
        rig.view(&view).await;
        if !["deliveries", "events"].contains(&view.as_str()) {
            rig.browser.see(MARKUP).await;
        }
        let found = rig
            .browser
            .run("return document.querySelectorAll('main img, main script, main iframe').length")
            .await;
        assert_eq!(found, 0, "{view}");
    }
    assert_eq!(
        rig.browser.run("return document.querySelectorAll('a[href^=\"javascript\" i]').length").await,
        Value::from(0)
    );
    rig.end().await;
}
