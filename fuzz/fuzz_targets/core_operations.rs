#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| release_testkit::properties::operations(bytes).unwrap());
