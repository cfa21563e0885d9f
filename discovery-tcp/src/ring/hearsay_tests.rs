//! For how long somebody better is waited for.

use discovery_core::UnixMillis;

use super::*;

fn rank(started_at: u32) -> Rank {
    Rank {
        unanswered: 0,
        started_at: UnixMillis(started_at.into()),
        node: NodeId::from_u128(started_at.into()),
    }
}

fn best(started_at: u32) -> Best {
    Best {
        rank: rank(started_at),
        addresses: Vec::new(),
    }
}

// Counter-example B6.
// Clauses: FORM-2
#[test]
fn a_better_candidate_that_does_not_ask_counts_last() {
    let mut hearsay = Hearsay::default();
    let heard = Moment::START + Duration::from_secs(1);
    hearsay.note(&best(1), false, heard);
    let almost = heard + PATIENCE * 9 / 10;
    assert_eq!(hearsay.better_than(rank(2), almost), Some(best(1)));
    // That others go on telling of it changes nothing.
    hearsay.note(&best(1), false, almost);
    assert_eq!(hearsay.better_than(rank(2), heard + PATIENCE), None);

    // It asks: it may be expected to go on for as long again.
    hearsay.note(&best(1), true, heard + PATIENCE);
    let later = almost + PATIENCE;
    assert_eq!(hearsay.better_than(rank(2), later), Some(best(1)));
    assert_eq!(hearsay.better_than(rank(2), heard + 2 * PATIENCE), None);
}
