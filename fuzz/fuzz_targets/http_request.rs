//! Any input to `release-http`: see the property.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    release_http::properties::any_request_gets_a_documented_answer(data).unwrap();
});
