//! The demo: several members in one process, on loopback, each with its page; and what can be done
//! to them.
//!
//! Every member has a thread and a runtime of its own, as a process would, so that one that is
//! paused stops whole and one that is killed loses its sockets at once.
//!
//! A static list would do for finding, but nobody vouches for one: who was lost could not be told
//! from who was never written down, so after the loss of a quorum no node could know that nobody
//! else is left, and would wait for an operator. Here the list is the demo's, who alone starts
//! members, so it has authority, as a platform's has: clusters form by census, and a quorum that
//! is lost is recovered. What a platform would say of a container nobody says here; a death is
//! proven by another node id at the same address (`proof = address`), which holds on loopback.
//!
//! | module | what it holds |
//! |---|---|
//! | `list` | who is listed: the finder of all members |
//! | `gates` | links that can be cut and healed between any two members |
//! | `member` | one member on its own thread |
//! | `stage` | all members, and what can be done to them |
//! | `story` | what happened, told in words |
//! | `script` | the demo without a terminal |
//! | `screen`, `keys` | the demo on a terminal |

mod gates;
mod keys;
mod list;
mod member;
mod screen;
mod script;
mod stage;
mod story;

pub use keys::run_on_terminal;
pub use script::{Ended, ScriptError, run_script};
pub use stage::{MEMBERS, MEMBERS_MAX, Place, Stage, StageError};
