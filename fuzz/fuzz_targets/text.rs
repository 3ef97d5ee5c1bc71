//! libFuzzer's door to `targets/text.rs`, and nothing else.
#![no_main]

#[path = "../targets/bytes.rs"]
mod bytes;
#[path = "../targets/text.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::check(data));
