//! The ring in simulated time: directed schedules, scenarios, planted bugs and a few seeds.
//!
//! | module | what it holds |
//! |---|---|
//! | `stage` | worlds to begin with, and what to ask of them |
//! | `crossroads` | two coordinators, word by word |
//! | `borders` | two coordinators and a change that both decide |
//! | `storm` | few members under constant loss, by seed |
//! | `forming`, `granting` | who founds, whose word counts |
//! | `exempting`, `between` | who need not be heard, and what is seen beside a listing |
//! | `founding` | founding by a majority of names |
//! | `joining`, `deciding`, `leaving` | becoming a member, agreeing, going |
//! | `watching`, `alerting` | who is gone, and who hears of it |
//! | `losing`, `meeting` | a lost majority, another cluster |
//! | `proving`, `recovering`, `leftovers` | who is dead, who goes on without them, and with what |
//! | `forcing`, `splitting` | recoveries that an operator forces; who hears of them |
//! | `linking` | links, their limits, the values that are named |
//! | `publishing` | publications that something ended |
//! | `reasons` | why members are removed, or told of and not removed |
//! | `reviews` | counter-examples of the reviews that belong to no one chapter |
//! | `conformance` | scenarios that the predecessor's tests pin down |
//! | `planted` | mistakes that some schedule or seed must catch |
//! | `sweep` | seeds; thousands of them run by `cargo xtask sim` |
//!
//! From `forming` to `linking` each schedule is of one counter-example, by chapter of the protocol.

#![cfg(test)]

mod alerting;
mod between;
mod borders;
mod conformance;
mod crossroads;
mod deciding;
mod exempting;
mod forcing;
mod forming;
mod founding;
mod granting;
mod joining;
mod leaving;
mod leftovers;
mod linking;
mod losing;
mod meeting;
mod planted;
mod proving;
mod publishing;
mod reasons;
mod recovering;
mod reviews;
mod splitting;
mod stage;
mod storm;
mod sweep;
mod watching;
