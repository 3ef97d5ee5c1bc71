//! libFuzzer's door to `targets/host.rs`, and nothing else.
#![no_main]

#[path = "../targets/bytes.rs"]
mod bytes;
#[path = "../targets/host.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::check(data));
