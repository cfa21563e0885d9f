//! The program as its users meet it: run as a process, with an environment of its own, against
//! finders that need no cluster and against a scripted API server.

mod completions;
mod configuration;
mod demo;
mod doctor;
mod ends;
mod hosted;
mod kubernetes;
mod listed;
mod node;
mod operating;
mod program;
mod seeds;
