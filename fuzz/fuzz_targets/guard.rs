//! The guard on any text: it does not panic, its counts are bounded by the text's length, and it agrees with a slow count.

#![no_main]

use libfuzzer_sys::fuzz_target;

// Only these files: all of the server, with every branch counted, would take many minutes to build.
#[path = "../../src/api/graphql/edge"]
mod edge {
    #[allow(dead_code, reason = "the server uses the rest")]
    pub mod guard;
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        edge::guard::fuzzing::check(text);
    }
});
