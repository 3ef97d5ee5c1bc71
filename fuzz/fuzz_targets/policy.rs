//! libFuzzer's door to `targets/policy.rs`, and nothing else.
#![no_main]

#[path = "../targets/bytes.rs"]
mod bytes;
#[path = "../targets/policy.rs"]
mod target;
#[path = "../targets/valid.rs"]
mod valid;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::check(data));
