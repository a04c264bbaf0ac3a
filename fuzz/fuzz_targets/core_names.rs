#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| release_testkit::properties::parse_names_and_routings(bytes).unwrap());
