//! Any bytes, with any switches, give the same requests and the same refusal however they are cut; and each answer on the
//! way is one that a client reads as it was meant.

#![no_main]

use indrik::options::{Options, reply};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((options, rest)) = Options::take(input) else { return };
    let Some((&choice, stream)) = rest.split_first() else { return };
    for seen in indrik::read(&options, stream, &reply(choice)) {
        assert_eq!(seen.refusal.is_none() && seen.ending != "waits", !seen.answer.is_empty(), "{seen:?}");
    }
});
