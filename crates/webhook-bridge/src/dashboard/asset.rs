//! The files of the dashboard, as they lie in `assets/`: in the program, served under a policy that lets nothing else in.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ring::digest;

/// What a page may do: run, show and ask for what comes from here. Whatever a customer put in an event or a URL could not
/// run, were it ever taken for markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Sent with every file.
const HEADERS: [(&str, &str); 5] = [
    ("content-security-policy", POLICY),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=()"),
];

/// A file: its name and what it holds.
type Asset = (&'static str, &'static [u8]);

macro_rules! assets {
    ($($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("assets/", $name)))),*]
    };
}

/// Every file.
const ASSETS: &[Asset] = assets! {
    "index.html"
    "style.css"
    "api.js"
    "app.js"
    "bus.js"
    "chart.js"
    "deliveries.js"
    "delivery.js"
    "dialog.js"
    "dom.js"
    "endpoint-form.js"
    "endpoint.js"
    "endpoints.js"
    "event.js"
    "events.js"
    "format.js"
    "recover.js"
    "sign-in.js"
    "types.js"
};

/// Changes with any file, so that a browser never mixes those of two versions.
static VERSION: LazyLock<HeaderValue> = LazyLock::new(|| {
    let mut all = digest::Context::new(&digest::SHA256);
    ASSETS.iter().for_each(|(_, bytes)| all.update(bytes));
    let text: String = all.finish().as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    // Digits in quotes are always a header.
    HeaderValue::try_from(format!("\"{text}\"")).unwrap_or(HeaderValue::from_static("\"\""))
});

/// The pages of the dashboard: `/` leads there.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let index = async |headers: HeaderMap| serve("index.html", &headers);
    Router::new().route("/", get(async || Redirect::to("/dashboard"))).route("/dashboard", get(index)).route(
        "/dashboard/{file}",
        get(async |Path(file): Path<String>, headers: HeaderMap| serve(&file, &headers)),
    )
}

/// A file, or word that the browser has it.
fn serve(name: &str, asked: &HeaderMap) -> Response {
    let Some((name, bytes)) = ASSETS.iter().find(|(known, _)| *known == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let known = asked.get(IF_NONE_MATCH).is_some_and(|tag| *tag == *VERSION);
    let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { bytes.into_response() };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind(name)));
    headers.insert(ETAG, VERSION.clone());
    // Asked about each time, so that another version's file is never taken for this one's.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        _ => "text/javascript; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a policy of the page forbids anyway, found before a browser does; and the one way in for markup.
    #[test]
    fn no_file_has_a_script_or_a_style_in_its_markup_or_writes_markup() {
        for (name, bytes) in ASSETS {
            let text = std::str::from_utf8(bytes).unwrap();
            let words =
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=", " on"];
            let words = if name.ends_with(".html") { &words[..] } else { &words[..5] };
            for word in words {
                assert!(!text.contains(word), "{name}: {word}");
            }
            assert!(
                !text.contains("http://")
                    || text.matches("http://").count() == text.matches("http://www.w3.org/").count(),
                "{name}"
            );
            assert!(!text.contains("https://cdn"), "{name}");
        }
    }

    #[test]
    fn every_file_in_the_folder_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dashboard/assets");
        let mut lying: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        let mut served: Vec<_> = ASSETS.iter().map(|(name, _)| std::ffi::OsString::from(name)).collect();
        lying.sort();
        served.sort();
        assert_eq!(lying, served);
    }
}
