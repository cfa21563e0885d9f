//! Whatever comes in whatever order, a ring does not panic, keeps its state sound (it checks itself
//! after every input in this build), and asks nothing of the world that the world cannot do.
//!
//! The input's bytes are choices: a few rings are set up and play, and between whole stretches of
//! undisturbed play messages are damaged and repeated, strangers speak, links break, listings lie,
//! time jumps, nodes restart. Nothing here asks whether the rings agree; the simulator does.
#![no_main]

mod choices;
mod play;
mod world;

use libfuzzer_sys::fuzz_target;

use self::choices::Choices;
use self::play::Play;

fuzz_target!(|bytes: &[u8]| {
    Play::new(Choices::new(bytes)).run();
});
