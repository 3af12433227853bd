//! From the bus: who shares it, and bodies of any spelling.

use eventbus::transport::Order;
use eventbus::{AnyEvent, HandlerResult};
use http::StatusCode;
use serde_json::Value;
use tokio::sync::mpsc;
use webhook_bridge::{Bridge, Config};

use crate::caller::Caller;
use crate::receiver::Receiver;
use crate::{EVENT, wish};

/// Data as it may be published: whatever a parser would write in another way.
const ODD: &str = "{ \"object\" : {\"id\":\"cs_1\"},\"n\":[1.0,1e0,-0,-0.0,0.10,1E+2,9007199254740993],\n\
     \t\"t\":\"\\u0041\\/ \u{e9}\\u00e9\\ud83d\\ude00\",\"\":{} ,\r\"nest\":[[[[[[[[[[]]]]]]]]]]}";
/// What no parser takes, as a publisher of another kind may put it on a bus: names twice, numbers of no type, half of a
/// pair, more nesting than one follows, and no end.
const BROKEN: &str = "{\"a\":1,\"a\":[1E400,01,123456789012345678901234567890],\"t\":\"\\ud800\",\"b\":NEST";

fn event(id: &str, data: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"livemode\":false,\"type\":\"a.b\",\"source\":\"shop\",\"data\":{data},\
         \"pad\":\"{}\",\"created_at\":\"2026-01-01T00:00:00.000Z\"}}",
        "x".repeat(200_000)
    )
}

#[tokio::test]
async fn whatever_the_data_is_it_is_matched_and_fanned_out_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (Receiver::start().await, Receiver::start().await);
    let (bridge, caller) = crate::bridge_to(&folder, &[&one, &two]).await;
    for (receiver, events) in [(&one, "a.b"), (&two, "a.*")] {
        let (status, problem) = caller.post("/v1/endpoints", wish(receiver, &[events]).to_string()).await;
        assert_eq!(status, StatusCode::CREATED, "{problem}");
    }
    let (posted, published) =
        (event("posted", ODD), event("published", &BROKEN.replace("NEST", &"[".repeat(10_000))));
    let (status, problem) = caller.post("/v1/events", posted.clone()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{problem}");
    assert!(serde_json::from_str::<Value>(&published).is_err());
    let read = AnyEvent::from_json(event("published", "{}")).unwrap();
    let foreign = AnyEvent::from_wire(read.envelope().clone(), published.clone());
    bridge.bus().publish(foreign).await.unwrap();
    for receiver in [&mut one, &mut two] {
        for _ in 0..2 {
            let request = receiver.next().await;
            request.answer(StatusCode::OK);
            let sent = if request.header("webhook-id") == "posted" { &posted } else { &published };
            assert!(request.body == sent.as_bytes(), "{}", request.header("webhook-id"));
        }
    }
    bridge.stop().await;
}

/// Publishes events on the bus of a bridge of a group, where another subscriber takes what it gets of them, until both
/// have got so many; tells how many the bridge delivered, and how many the other got.
async fn shared(group: &str, both: usize) -> (usize, usize) {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let config = Config::new().data(folder.path()).listen("127.0.0.1:0".parse().unwrap());
    let config = config.allow_targets(vec![receiver.target()]).group("shop");
    let bridge = Bridge::start(config).await.unwrap();
    let caller = Caller::new(bridge.address(), bridge.fresh_keys()[0].reveal().to_owned());
    caller.post("/v1/endpoints", wish(&receiver, &["*"]).to_string()).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let other = bridge.bus().subscribe(group).order(Order::PerKey).on(move |_: AnyEvent| {
        let told = tell.send(());
        async move {
            told.unwrap();
            HandlerResult::Ok(())
        }
    });
    let _other = other.start().await.unwrap();
    // Each with a key of its own.
    let event = |id: usize| EVENT.replace("evt_1", &id.to_string()).replace("cs_1", &id.to_string());
    let events = (0..EVENTS).map(|id| AnyEvent::from_json(event(id)).unwrap());
    bridge.bus().publish_all(events).await.unwrap();
    let (mut delivered, mut taken) = (0, 0);
    while delivered + taken < both {
        tokio::select! {
            request = receiver.next() => {
                request.answer(StatusCode::OK);
                delivered += 1;
            }
            Some(()) = told.recv() => taken += 1,
        }
    }
    // What is on its way still, and should not be.
    let stop = bridge.stop();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            request = receiver.wait() => {
                request.answer(StatusCode::OK);
                delivered += 1;
            }
            Some(()) = told.recv() => taken += 1,
        }
    }
    while told.try_recv().is_ok() {
        taken += 1;
    }
    (delivered, taken)
}

const EVENTS: usize = 100;

#[tokio::test]
async fn bridges_share_the_events_of_their_group_and_no_others() {
    let (delivered, taken) = shared("shop", EVENTS).await;
    assert_eq!(delivered + taken, EVENTS, "each goes to one of the group: {delivered} and {taken}");
    assert_eq!(shared("ledger", 2 * EVENTS).await, (EVENTS, EVENTS), "another group gets all of it too");
}
