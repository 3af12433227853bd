#![no_main]

#[path = "../src/url_admission.rs"]
mod url_admission;

libfuzzer_sys::fuzz_target!(|data: &[u8]| url_admission::run(data));
