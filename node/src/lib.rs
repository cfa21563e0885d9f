//! The node's pieces without the edges of a process, so that tests can hold them one by one.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | the settings: file, environment, flags; all faults at once |
//! | [`compose`] | finders made from them |
//! | [`cli`] | the commands, and what they print |
//! | [`exit`] | what the exit codes mean |
//! | `wrap`, `terminal` | text for people; the edges of the process |

pub mod config;

pub mod compose;

pub mod cli;
pub mod exit;
mod terminal;
mod wrap;
