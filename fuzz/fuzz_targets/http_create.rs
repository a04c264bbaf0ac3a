//! Any input to `release-http`: see the property.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    release_http::properties::any_create_body_is_understood_or_refused(data).unwrap();
});
