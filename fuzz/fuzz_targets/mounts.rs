//! libFuzzer's door to `targets/mounts.rs`, and nothing else.
#![no_main]

#[path = "../targets/bytes.rs"]
mod bytes;
#[path = "../targets/mounts.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::check(data));
