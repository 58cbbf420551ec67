#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cyclr_fuzz::run("judge", data));
