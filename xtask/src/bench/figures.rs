//! What all runs measured, gathered by purpose and size. Nothing here runs or prints anything.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::runs::{Plan, Program, Purpose};

/// One figure over several runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) worst: f64,
    pub(super) runs: usize,
}

/// All that was measured.
#[derive(Debug, Default)]
pub(super) struct Figures {
    runs: BTreeMap<(Purpose, usize), Vec<Map<String, Value>>>,
    failures: Vec<String>,
    skipped: Vec<(usize, String)>,
}

impl Figures {
    /// Makes a run and keeps what it measured, or why it failed.
    pub(super) fn take(&mut self, plan: &Plan, program: &Program) {
        let what = format!(
            "{:?}, {} members, run {}",
            plan.purpose, plan.nodes, plan.run
        );
        match program.run(plan) {
            Ok(figures) => {
                eprintln!("{what}: formed in {} ms", figures["formed_ms"]);
                self.add(plan, figures);
            }
            Err(error) => {
                eprintln!("{what}: {error:#}");
                self.failures.push(format!("{what}: {error:#}"));
            }
        }
    }

    pub(super) fn add(&mut self, plan: &Plan, figures: Map<String, Value>) {
        let key = (plan.purpose.clone(), plan.nodes);
        self.runs.entry(key).or_default().push(figures);
    }

    /// A size that was not measured.
    pub(super) fn skip(&mut self, nodes: usize, why: String) {
        eprintln!("skipped: {why}");
        self.skipped.push((nodes, why));
    }

    pub(super) fn failures(&self) -> &[String] {
        &self.failures
    }

    pub(super) fn skipped(&self) -> impl Iterator<Item = &str> {
        self.skipped.iter().map(|(_, why)| why.as_str())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The sizes measured for a purpose.
    pub(super) fn sizes(&self, purpose: &Purpose) -> Vec<usize> {
        let of_purpose = self.runs.keys().filter(|(of, _)| of == purpose);
        of_purpose.map(|(_, nodes)| *nodes).collect()
    }

    /// The purposes measured.
    pub(super) fn purposes(&self) -> Vec<Purpose> {
        let mut purposes: Vec<_> = self
            .runs
            .keys()
            .map(|(purpose, _)| purpose.clone())
            .collect();
        purposes.dedup();
        purposes
    }

    /// One figure over the runs of a purpose and size, if it was measured.
    pub(super) fn spread(&self, purpose: &Purpose, nodes: usize, what: &str) -> Option<Spread> {
        let runs = self.runs.get(&(purpose.clone(), nodes))?;
        let values = runs.iter().filter_map(|run| run.get(what)?.as_f64());
        spread(values.collect(), is_better_high(what))
    }

    /// Whether every run ended, nobody that lived was removed, and no version had two memberships.
    pub(super) fn are_sound(&self) -> bool {
        let mut runs = self.runs.values().flatten();
        self.failures.is_empty()
            && runs.all(|run| {
                run.get("false_removals").and_then(Value::as_u64) == Some(0)
                    && run
                        .get("memberships_under_one_version")
                        .and_then(Value::as_u64)
                        == Some(1)
            })
    }

    pub(super) fn to_json(&self) -> Value {
        let runs: Vec<Value> = self
            .runs
            .iter()
            .flat_map(|((purpose, nodes), runs)| {
                let purpose = format!("{purpose:?}");
                runs.iter()
                    .map(move |run| json!({"purpose": purpose, "nodes": nodes, "figures": run}))
            })
            .collect();
        let skipped: Vec<&str> = self.skipped().collect();
        json!({"runs": runs, "failures": self.failures, "skipped": skipped})
    }
}

/// Whether more of it is better, so that the least is the worst.
fn is_better_high(what: &str) -> bool {
    what == "messages_per_second"
}

fn spread(mut values: Vec<f64>, is_better_high: bool) -> Option<Spread> {
    values.sort_by(f64::total_cmp);
    let (first, last) = (*values.first()?, *values.last()?);
    let middle = values.len() / 2;
    let median = if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    };
    let worst = if is_better_high { first } else { last };
    let runs = values.len();
    Some(Spread {
        median,
        worst,
        runs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(formed: f64, false_removals: u64) -> Map<String, Value> {
        let run = json!({
            "formed_ms": formed, "messages_per_second": formed,
            "false_removals": false_removals, "memberships_under_one_version": 1,
        });
        serde_json::from_value(run).unwrap()
    }

    fn figures(runs: &[(f64, u64)]) -> Figures {
        let mut figures = Figures::default();
        for (formed, false_removals) in runs {
            figures.add(&Plan::full(10, 0), run(*formed, *false_removals));
        }
        figures
    }

    #[test]
    fn median_and_worst_are_over_all_runs() {
        let figures = figures(&[(5.0, 0), (1.0, 0), (3.0, 0), (9.0, 0)]);
        let spread = |what| {
            let spread = figures.spread(&Purpose::Full, 10, what).unwrap();
            (spread.median, spread.worst)
        };
        assert_eq!(spread("formed_ms"), (4.0, 9.0));
        assert_eq!(spread("messages_per_second"), (4.0, 1.0));
        assert_eq!(figures.spread(&Purpose::Full, 10, "unknown"), None);
        assert_eq!(figures.spread(&Purpose::Majority, 10, "formed_ms"), None);
    }

    #[test]
    fn one_false_removal_is_not_sound() {
        assert!(figures(&[(1.0, 0), (1.0, 0)]).are_sound());
        assert!(!figures(&[(1.0, 0), (1.0, 1)]).are_sound());
    }

    #[test]
    fn a_failed_run_is_not_sound() {
        let mut figures = figures(&[(1.0, 0)]);
        figures.failures.push("no end".to_owned());
        assert!(!figures.are_sound());
    }
}
