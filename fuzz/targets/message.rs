//! Any payload is a message or a refusal, and what is accepted means one thing: written again it is
//! read as the same.
#![no_main]

use discovery_tcp::wire::{decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    if let Ok(message) = decode(payload) {
        assert_eq!(decode(&encode(&message)), Ok(message));
    }
});
