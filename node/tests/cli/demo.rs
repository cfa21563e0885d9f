//! The demo as whoever tries the project first meets it.

use crate::program::run;

#[tokio::test]
async fn the_script_of_the_demo_comes_as_it_is_told_and_ends_by_itself() {
    let ended = run(&["demo", "--script"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    for part in [
        "five started at once agree on one topology",
        "removed, accused: connection refused (ring-",
        "removed, accused: silence (ring-",
        "is without quorum",
        "For 4 s nothing was decided",
        "a new epoch, by recovery; ring-",
        "and the address alone counts",
        "nothing is left behind",
    ] {
        let out = ended.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(out.contains(part), "{part}\nis missing in\n{}", ended.out);
    }
}
