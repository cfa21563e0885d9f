//! The values of TIME-1, as the protocol's page has them and as the ring does.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::{census, forced, gather, hearsay, join, removal, round, takeover, tend, watch};
use crate::config::RingConfig;

/// Those that are no constants: parts of the silence limit, and one that the node keeps.
const ELSEWHERE: [&str; 3] = ["heartbeat", "tick_pause", "unready_after"];

fn told(value: Duration) -> String {
    let millis = value.as_millis();
    match (millis % 60_000, millis % 1000) {
        (0, _) => format!("{} min", millis / 60_000),
        (_, 0) => format!("{} s", millis / 1000),
        _ => format!("{millis} ms"),
    }
}

fn values() -> [(&'static str, String); 26] {
    let config = RingConfig::default();
    let pair = |(least, most)| format!("{} to {}", told(least), told(most));
    let (first, most) = watch::REDIAL;
    let redial = format!(
        "{}, once; then {} doubling to {}",
        told(config.redial_pause),
        told(first),
        told(most)
    );
    [
        ("silence_limit", told(config.silence_limit)),
        ("dial_timeout", told(config.dial_timeout)),
        ("hello_timeout", told(config.hello_timeout)),
        ("redial_pause", redial),
        ("doubt_wait_silence", told(config.doubt_wait_silence)),
        ("doubt_wait_closed", told(config.doubt_wait_closed)),
        ("contested_after", told(removal::CONTESTED)),
        ("mutual_pause", told(tend::OLDER_WAITS)),
        ("round_pause", pair(config.round_pause)),
        ("yield_after", told(census::YIELD)),
        // The other half of it: who has not asked for so long counts last.
        ("yield_after", told(hearsay::PATIENCE)),
        ("relist_pause", pair(round::RELIST)),
        ("rumour_pause", told(hearsay::BATCH)),
        ("join_pause", pair(join::RETRY)),
        ("refusal_pause", told(join::REFUSED)),
        ("rejoin_pause", pair(config.rejoin_pause)),
        ("takeover_pause", pair(takeover::RETRY)),
        ("settle", told(config.settle)),
        ("repair_pause", told(config.repair_pause)),
        ("gather_pause", told(gather::GATHER)),
        ("leave_limit", told(config.leave_limit)),
        ("recovery_after", told(config.recovery_after)),
        ("recovery_pause", pair(config.recovery_pause)),
        ("forced_wait", told(forced::FORCED_WAIT)),
        ("probe_interval", told(config.probe_interval)),
        (
            "audit_interval",
            format!("{} ± 20 %", told(config.audit_interval)),
        ),
    ]
}

// Clauses: TIME-1
#[test]
fn the_defaults_are_those_that_the_protocol_names() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol/watching.md");
    let page = std::fs::read_to_string(page).unwrap();
    let clause = page.split("**TIME-").nth(1).unwrap();
    let rows = clause.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.flat_map(|row| row.trim_matches('|').split('|').map(str::trim));
    let cells: Vec<&str> = cells.collect();
    let page: BTreeSet<(&str, &str)> = cells
        .chunks_exact(2)
        .map(|pair| (pair[0].trim_matches('`'), pair[1]))
        .filter(|(name, _)| !ELSEWHERE.contains(name))
        .collect();
    let values = values();
    let ring = values.iter().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(page, ring.collect());
}
