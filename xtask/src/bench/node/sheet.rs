//! The figures as one table for people, or as JSON.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// One figure.
#[derive(Debug)]
pub(super) struct Row {
    what: String,
    cells: Vec<(&'static str, f64)>,
    unit: &'static str,
}

/// All figures, in the order of measuring.
#[derive(Debug, Default)]
pub(super) struct Sheet(Vec<Row>);

impl Row {
    pub(super) fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            cells: vec![("", value)],
            unit,
        }
    }

    /// The median and the worst of these.
    pub(super) fn spread(what: &str, values: &mut [f64], unit: &'static str) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied();
        let median = at(values.len() / 2).map(|value| ("median", value));
        let worst = at(values.len().saturating_sub(1)).map(|value| ("worst", value));
        Self {
            what: what.to_owned(),
            cells: median.into_iter().chain(worst).collect(),
            unit,
        }
    }

    /// A latency in milliseconds.
    pub(super) fn latency(
        what: &str,
        p50: Option<f64>,
        p99: Option<f64>,
        worst: Option<f64>,
    ) -> Self {
        let cells = [("p50", p50), ("p99", p99), ("worst", worst)];
        let cells = cells
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        Self {
            what: what.to_owned(),
            cells: cells.collect(),
            unit: "ms",
        }
    }

    fn to_json(&self) -> Value {
        let cells = self.cells.iter().map(|(name, value)| {
            let name = if name.is_empty() { "value" } else { name };
            (name.to_owned(), json!(value))
        });
        let cells: serde_json::Map<String, Value> = cells.collect();
        json!({"what": self.what, "unit": self.unit, "figures": cells})
    }
}

impl Sheet {
    pub(super) fn add(&mut self, row: Row) {
        eprintln!("{row}");
        self.0.push(row);
    }

    pub(super) fn to_json(&self) -> Value {
        self.0.iter().map(Row::to_json).collect()
    }
}

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.iter().map(|row| format!("{row}\n"));
        f.write_str(&lines.collect::<String>())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:64}", self.what)?;
        for (name, value) in &self.cells {
            let decimals = if value.abs() >= 1000.0 { 0 } else { 2 };
            let gap = if name.is_empty() { "" } else { " " };
            write!(f, " {name}{gap}{value:>9.decimals$}")?;
        }
        write!(f, " {}", self.unit)
    }
}

pub(super) fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

/// A count as a figure; exact below 2^52, which no figure here reaches.
#[expect(
    clippy::cast_precision_loss,
    reason = "figures of memory and counts stay far below 2^52"
)]
pub(super) fn decimal(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_worst_are_of_all_values() {
        let row = Row::spread("x", &mut [3.0, 1.0, 2.0], "ms");
        assert_eq!(row.cells, [("median", 2.0), ("worst", 3.0)]);
        assert!(
            row.to_string()
                .contains("median      2.00 worst      3.00 ms"),
            "{row}"
        );
    }

    #[test]
    fn what_was_not_measured_has_no_cell() {
        let row = Row::latency("x", Some(1.0), None, None);
        assert_eq!(row.to_json()["figures"], json!({"p50": 1.0}));
    }
}
