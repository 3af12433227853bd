//! What fuzzing kept, again: each file of the corpora in `fuzz/corpus`, through the function that is fuzzed.

#![allow(unreachable_pub, reason = "shared with the fuzzed crate, where they are public")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test helper that fails is a test that fails")]

#[path = "../../fuzz/src/response.rs"]
mod response;
#[path = "../../fuzz/src/signature_headers.rs"]
mod signature_headers;
#[path = "../../fuzz/src/url_admission.rs"]
mod url_admission;
#[path = "../../fuzz/src/webhooks.rs"]
mod webhooks;

use std::panic::catch_unwind;
use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for file in std::fs::read_dir(&corpus).unwrap() {
        let path = file.unwrap().path();
        let data = std::fs::read(&path).unwrap();
        assert!(catch_unwind(|| run(&data)).is_ok(), "{}", path.display());
        count += 1;
    }
    assert!((5..=100).contains(&count), "{count} files in {}", corpus.display());
}

#[test]
fn signature_headers_of_the_corpus() {
    replay("signature_headers", signature_headers::run);
}

#[test]
fn urls_of_the_corpus() {
    replay("url_admission", url_admission::run);
}

#[test]
fn responses_of_the_corpus() {
    replay("response", response::run);
}

#[test]
fn webhooks_of_the_corpus() {
    replay("webhooks", webhooks::run);
}
