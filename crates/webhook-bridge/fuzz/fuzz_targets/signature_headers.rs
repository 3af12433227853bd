#![no_main]

#[path = "../src/signature_headers.rs"]
mod signature_headers;

libfuzzer_sys::fuzz_target!(|data: &[u8]| signature_headers::run(data));
