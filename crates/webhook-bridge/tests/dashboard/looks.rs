//! How it looks and is used: narrow and wide, light and dark, by keyboard alone.

use http::StatusCode;
use serde_json::json;

use crate::rig::{Rig, publish};

/// A bridge with something to see: an endpoint that does well and one that does not.
async fn furnished() -> (Rig, Vec<String>) {
    let mut rig = Rig::signed_in().await;
    let types = ["customer.subscription.*", "invoice.paid", "checkout.session.completed", "refund.#"];
    let well = rig.endpoint(json!({ "enabled_events": types, "description": "the shop's entitlements, in a sentence that is long enough to wrap" })).await;
    for number in 0..6 {
        publish(&rig.api, &format!("evt_{number}"), "invoice.paid").await;
        let status = if number % 3 == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        rig.receiver.next().await.answer(status);
    }
    let unwell = json!({ "enabled_events": ["refund.*"], "status": "disabled",
        "url": format!("{}&a-query-that-is-very-long={}", rig.receiver.url(), "0123456789".repeat(12)) });
    rig.endpoint(unwell).await;
    rig.view("deliveries?state=succeeded").await;
    rig.browser.wait("return document.querySelectorAll('tbody tr').length === 4", "").await;
    let delivery =
        rig.api.get("/v1/deliveries?state=succeeded").await.1["list"][0]["id"].as_str().unwrap().to_owned();
    let views = [
        "endpoints".to_owned(),
        format!("endpoints/{}", well["id"].as_str().unwrap()),
        "endpoints/new".to_owned(),
        "deliveries".to_owned(),
        format!("deliveries/{delivery}"),
        "events".to_owned(),
        "events/evt_1".to_owned(),
        "bus".to_owned(),
    ];
    (rig, views.to_vec())
}

/// What a view has when it has all that it asked for.
const READY: &str = "return document.querySelector('main h1') && ![...document.querySelectorAll('main .loading')].some((one) => one.checkVisibility())
    && ![...document.querySelectorAll('td span')].some((one) => one.innerText === '…')";

#[tokio::test]
async fn every_view_fits_a_telephone_and_a_desk_in_light_and_dark() {
    let (rig, views) = furnished().await;
    for view in &views {
        rig.view(view).await;
        rig.browser.wait(READY, view).await;
        for (width, scheme) in [(1280, "light"), (400, "light"), (400, "dark"), (1280, "dark")] {
            rig.browser.dress(width, scheme).await;
            let wide = rig.browser.run("return document.documentElement.scrollWidth").await.as_u64().unwrap();
            assert!(wide <= width.into(), "{view} is {wide} wide at {width}");
            let name = view.split(['?', '_']).next().unwrap().replace('/', "-");
            rig.browser.picture(&format!("{name}-{width}-{scheme}")).await;
        }
        rig.browser.dress(1280, "light").await;
        let unnamed = rig.browser.run("return [...document.querySelectorAll('input, select, button, a')].filter((one) =>
            one.checkVisibility() && !(one.labels?.length || one.getAttribute('aria-label') || one.innerText.trim())).length").await;
        assert_eq!(unnamed, 0, "{view}: everything has a name");
    }
    rig.end().await;
}

/// Tab, Enter, Space and letters are enough to sign in and to make an endpoint.
#[tokio::test]
async fn an_endpoint_is_made_by_keyboard_alone() {
    const ENTER: &str = "\u{E007}";
    let rig = Rig::start().await;
    rig.browser.see("Sign in to webhook-bridge").await;
    rig.browser.press(&format!("{}{ENTER}", rig.bridge.fresh_keys()[0].reveal())).await;
    rig.browser.see("No endpoints yet.").await;
    rig.browser.reach("Skip to content").await;
    let ring = rig.browser.run("return getComputedStyle(document.activeElement).outlineStyle").await;
    assert_eq!(ring, "solid", "the focus is seen");
    rig.browser.press(ENTER).await;
    rig.browser.reach("Create endpoint").await;
    rig.browser.press(ENTER).await;
    rig.browser.see("Find types").await;
    rig.browser.reach("URL").await;
    rig.browser.press(&rig.receiver.url()).await;
    rig.browser.reach("Find types").await;
    rig.browser.press("invoice paid").await;
    rig.browser.reach("invoice.paid").await;
    rig.browser.press(" ").await;
    rig.browser.reach("Create").await;
    rig.browser.press(ENTER).await;
    rig.browser.see("The signing secret of this endpoint").await;
    rig.browser.press(ENTER).await;
    rig.browser.see("Nothing was owed to it yet.").await;
    assert_eq!(rig.api.get("/v1/endpoints").await.1["list"][0]["enabled_events"], json!(["invoice.paid"]));
    rig.end().await;
}
