#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_request_context_fuzz::trusted::check;

fuzz_target!(|input: &[u8]| {
    check(input);
});
