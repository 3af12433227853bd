//! Who is signed in, and what others can do with that.

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use webhook_bridge::{Bridge, Config};

use crate::rig::Rig;

#[tokio::test]
async fn a_browser_is_signed_in_by_a_key_and_out_again() {
    let rig = Rig::start().await;
    rig.endpoint(json!({ "enabled_events": ["refund.*"], "description": "the shop" })).await;
    rig.browser.write("API key", "whb_test_guessed").await;
    rig.browser.click("Sign in").await;
    rig.browser.see("This API key is not known.").await;
    rig.sign_in(&rig.bridge.fresh_keys()[0]).await;
    rig.browser.see("Test mode: nothing here is real money").await;
    rig.browser.see("refund.*").await;
    assert_eq!(rig.browser.run("return document.cookie").await, "", "no script reads it");
    // Also after the page was loaded again, until it is signed out.
    rig.view("endpoints").await;
    rig.browser.run("location.reload()").await;
    rig.browser.see("the shop").await;
    rig.browser.click("Sign out").await;
    rig.browser.see("Sign in to webhook-bridge").await;
    rig.sign_in(&rig.bridge.fresh_keys()[1]).await;
    rig.browser.see("Live mode: these are real payments").await;
    rig.browser.see("No endpoints yet.").await;
    rig.end().await;
}

/// Were markup of somebody else's ever taken for the page's own, it could neither run nor tell anybody anything.
#[tokio::test]
async fn nothing_runs_in_a_page_or_is_asked_of_it_that_is_not_its_own() {
    let rig = Rig::signed_in().await;
    let inline = "const script = document.createElement('script'); script.textContent = 'window.ran = true';
        document.body.append(script); return window.ran === true";
    assert_eq!(rig.browser.run(inline).await, false, "a script in the markup");
    let handler = "const button = document.createElement('button'); button.setAttribute('onclick', 'window.ran = true');
        document.body.append(button); button.click(); return window.ran === true";
    assert_eq!(rig.browser.run(handler).await, false, "a handler in the markup");
    for (name, bytes) in [("", "text/html"), ("/app.js", "text/javascript"), ("/style.css", "text/css")] {
        let headers = rig.api.head(&format!("/dashboard{name}")).await;
        let word = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert!(word("content-type").starts_with(bytes), "{name}");
        let policy = word("content-security-policy");
        let rules: Vec<_> = policy.split("; ").collect();
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(rules.contains(&rule), "{name}: {rule} in {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{policy}");
        assert_eq!(word("referrer-policy"), "no-referrer");
        assert_eq!(word("cross-origin-opener-policy"), "same-origin");
        assert_eq!(word("cross-origin-resource-policy"), "same-origin");
    }
    drop(rig.browser);
    rig.bridge.stop().await;
}

/// To cookies all ports of a host are one.
#[tokio::test]
async fn who_signs_in_at_two_bridges_of_one_host_is_signed_in_at_both() {
    let rig = Rig::signed_in().await;
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new().data(folder.path()).listen("127.0.0.1:0".parse().unwrap());
    let other = Bridge::start(config).await.unwrap();
    rig.browser.go(&format!("http://{}/", other.address())).await;
    rig.sign_in(&other.fresh_keys()[1]).await;
    rig.view("endpoints").await;
    rig.browser.see("Test mode: nothing here is real money").await;
    rig.browser.click("Sign out").await;
    rig.browser.see("Sign in to webhook-bridge").await;
    rig.browser.go(&format!("http://{}/", other.address())).await;
    rig.browser.see("Live mode: these are real payments").await;
    drop(rig.browser);
    rig.bridge.stop().await;
    other.stop().await;
}

/// An answer to a request with these headers.
async fn ask(
    rig: &Rig,
    (method, path): (Method, &str),
    headers: &[(&str, &str)],
    body: &Value,
) -> (StatusCode, Option<String>) {
    let mut request = Request::builder().method(method).uri(format!("http://{}{path}", rig.bridge.address()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::<bytes::Bytes>::from(body.to_string())).unwrap();
    let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
    let cookie = response.headers().get("set-cookie").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status();
    response.into_body().collect().await.unwrap();
    (status, cookie)
}

#[tokio::test]
async fn a_session_is_of_no_use_to_other_sites_and_ends_with_its_key() {
    let rig = Rig::start().await;
    let (_, made) = rig.api.post("/v1/api_keys", &json!({ "name": "mine" })).await;
    let key = json!({ "key": made["key"] });
    let own = format!("http://{}", rig.bridge.address());
    let evil = ("origin", "http://evil.example");
    let begin = (Method::POST, "/v1/session");
    assert_eq!(
        ask(&rig, begin.clone(), &[evil], &key).await.0,
        StatusCode::FORBIDDEN,
        "nobody else signs it in"
    );
    let (status, cookie) = ask(&rig, begin, &[("origin", &own)], &key).await;
    let cookie = cookie.unwrap();
    assert_eq!(status, StatusCode::CREATED);
    for word in ["; Path=/", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    let cookie = ("cookie", cookie.split(';').next().unwrap());
    let wish = json!({ "url": rig.receiver.url(), "enabled_events": ["*"] });
    let create = || (Method::POST, "/v1/endpoints");
    for from in [evil, ("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("x-plain", "form")]
    {
        let (status, _) = ask(&rig, create(), &[cookie, from], &wish).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{from:?}");
    }
    assert_eq!(rig.api.get("/v1/endpoints").await.1["count"], 0);
    assert_eq!(ask(&rig, create(), &[cookie, ("origin", &own)], &wish).await.0, StatusCode::CREATED);
    let list = || (Method::GET, "/v1/endpoints");
    assert_eq!(ask(&rig, list(), &[cookie], &Value::Null).await.0, StatusCode::OK);
    rig.api
        .send(Method::DELETE, &format!("/v1/api_keys/{}", made["id"].as_str().unwrap()), &Value::Null)
        .await;
    assert_eq!(
        ask(&rig, list(), &[cookie], &Value::Null).await.0,
        StatusCode::UNAUTHORIZED,
        "its key is gone"
    );
    rig.browser.see("Sign in to webhook-bridge").await;
    rig.end().await;
}
