//! The node's numbers, for Prometheus and whatever else reads its text format. `docs/metrics.md`
//! explains each; a test holds the two together.
//!
//! | module | what it holds |
//! |---|---|
//! | `described` | every metric: name, kind, labels, help |
//! | `reading` | their values at one moment, from what a node says of itself |

mod described;
mod reading;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::view::NodeView;

pub use described::{Described, Kind, METRICS};
use reading::{Reading, Value};

/// The media type of what [`exposition`] returns.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All numbers of a node as text. What cannot be asked now is left out; the rest is there.
///
/// # Errors
///
/// If a metric cannot be written, which would be a fault of this program.
///
/// # Cancel safety
///
/// Dropping the future changes nothing.
pub async fn exposition(view: &NodeView) -> Result<String, fmt::Error> {
    text(Reading::take(view).await)
}

fn text(reading: Reading) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(reading));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for metric in METRICS {
            let mut samples = self.samples_of(metric.name).peekable();
            if samples.peek().is_none() {
                continue;
            }
            let kind = match metric.kind {
                Kind::Gauge => MetricType::Gauge,
                Kind::Counter => MetricType::Counter,
                Kind::Histogram => MetricType::Histogram,
            };
            // The text format adds the ending of counters by itself.
            let name = metric.name.strip_suffix("_total").unwrap_or(metric.name);
            let mut encoder = encoder.encode_descriptor(name, metric.help, None, kind)?;
            for (labels, value) in samples {
                if labels.is_empty() {
                    value.write(&mut encoder)?;
                } else {
                    value.write(&mut encoder.encode_family(labels)?)?;
                }
            }
        }
        Ok(())
    }
}

impl Value {
    fn write(&self, encoder: &mut MetricEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Gauge(value) => encoder.encode_gauge(value),
            Self::Whole(value) => encoder.encode_gauge(value),
            Self::Count(value) => encoder.encode_counter::<NoLabelSet, _, u64>(value, None),
            Self::Buckets { sum, buckets } => {
                let count = buckets.iter().map(|(_, within)| within).sum();
                encoder.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)
            }
        }
    }
}

#[cfg(test)]
mod tests;
