//! The node's pieces without the edges of a process, so that tests can hold them one by one.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | the settings: file, environment, flags; all faults at once |
//! | [`compose`] | finders made from them |
//! | [`app`] | a node put together: finder, ring and services |
//! | [`feed`] | what users of the API are told, kept once for all of them |
//! | [`grpc`] | the API |
//! | [`view`] | what the outside is told of a running node |
//! | [`metrics`] | its numbers, for Prometheus |
//! | [`http`] | probes, metrics and the page |
//! | [`demo`] | several nodes in one process, and what can be done to them |
//! | [`cli`] | the commands, and what they print |
//! | [`exit`] | what the exit codes mean |
//! | `wrap`, `terminal` | text for people; the edges of the process |

pub mod config;

pub mod app;
pub mod compose;

pub mod demo;
pub mod feed;
pub mod grpc;
pub mod http;
pub mod metrics;
pub mod view;

pub mod cli;
pub mod exit;
mod terminal;
mod wrap;
