//! Small exhaustive models of the rules that agree on members, each with the rule it replaces: the
//! old one fails in some schedule, the new one in none within the bounds. This file says how a
//! model is run and what of it is printed; each model is a file of its own, whose head says what
//! it leaves out, its bounds and the clauses it supports.
//!
//! `cargo test -p discovery-tcp --test models` takes small bounds; `cargo xtask models --large`
//! takes the large ones too, and prints how many states there were.
#![allow(
    clippy::print_stdout,
    reason = "the counts and schedules are what a person runs a model for"
)]

mod deciding;
mod explorer;
mod formation;
mod majority;
mod recovery;

use std::env;
use std::time::Instant;

use explorer::{Model, Outcome, explore};

/// The environment variable that asks for the large bounds, and what it must say.
const SCALE: (&str, &str) = ("DISCOVERY_MODELS", "large");

/// More states than any model may have: some three gigabytes.
const STATES_MAX: usize = 20_000_000;

fn is_large() -> bool {
    env::var(SCALE.0).is_ok_and(|scale| scale == SCALE.1)
}

/// The small scopes, and the large ones where those are asked for.
fn scopes<M, L: IntoIterator<Item = M>>(
    small: impl IntoIterator<Item = M>,
    large: impl FnOnce() -> L,
) -> Vec<M> {
    let large = is_large().then(large).into_iter().flatten();
    small.into_iter().chain(large).collect()
}

/// Asserts that no schedule breaks a promise.
fn assert_holds<M: Model>(name: &str, model: &M) {
    let outcome = run(name, model);
    let fault = outcome.fault.map(|it| (it.promise, it.schedule));
    assert!(fault.is_none(), "{name}: {fault:#?}");
    assert!(outcome.is_complete, "{name}: more than {STATES_MAX} states");
}

/// Asserts that some schedule breaks this promise.
fn assert_breaks<M: Model>(name: &str, promise: &str, model: &M) {
    let fault = run(name, model).fault;
    assert_eq!(fault.map(|it| it.promise), Some(promise), "{name}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a duration shown to people; nothing is decided by it"
)]
fn run<M: Model>(name: &str, model: &M) -> Outcome<M::Step> {
    let start = Instant::now();
    let outcome = explore(model, STATES_MAX);
    let took = start.elapsed().as_secs_f64();
    let found = match &outcome.fault {
        Some(fault) => format!(
            "broken: {} in {} steps",
            fault.promise,
            fault.schedule.len()
        ),
        None if outcome.is_complete => "holds, complete".to_owned(),
        None => "none found, cut short".to_owned(),
    };
    println!(
        "model | {name} | {} states | {took:.1} s | {found}",
        outcome.states
    );
    for step in outcome.fault.iter().flat_map(|it| &it.schedule) {
        println!("        {step:?}");
    }
    outcome
}
