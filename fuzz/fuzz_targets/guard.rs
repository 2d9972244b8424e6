//! The guard on any text: it does not panic, its counts are bounded by the text's length, and it agrees with a slow count.

#![no_main]

use doorbuster::api::graphql::edge::guard::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        fuzzing::check(text);
    }
});
