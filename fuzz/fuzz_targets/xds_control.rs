//! Anything that can happen to nodes and their control plane: see the property.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = release_xds::testkit::control(data).unwrap();
});
