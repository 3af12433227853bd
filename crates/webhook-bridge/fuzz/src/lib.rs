//! What each target does with bytes; `tests/fuzz` of the crate does the same with the corpus.

pub mod response;
pub mod signature_headers;
pub mod url_admission;
pub mod webhooks;
