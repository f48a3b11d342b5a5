//! Fuzzes the search for values in a stream, cut anywhere.

#![no_main]

#[allow(dead_code)]
#[path = "../../tests/house/mask_body.rs"]
mod mask_body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| mask_body::check(data));
