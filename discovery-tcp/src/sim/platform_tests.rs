//! The platform by itself.

use super::*;

const LATER: Moment = Moment::from_nanos(5_000_000_000);

fn platform() -> Platform {
    Platform::new(Climate::default(), Chance::of_seed(1))
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

#[test]
fn every_write_raises_the_version() {
    let mut platform = platform();
    let first = platform.version();
    let id = platform.make(Moment::START, name("a"));
    let second = platform.version();
    platform.list(id);
    assert!(first < second && second < platform.version());
}

#[test]
fn runs_of_a_container_are_reported_in_whole_seconds_with_their_count() {
    let mut platform = platform();
    let id = platform.make(Moment::START, name("a"));
    let at = |millis: u64| Moment::from_nanos(millis * 1_000_000);
    platform.container_started(at(1_700), id, ProcessId(0));
    platform.container_ended(at(3_200), id);
    platform.container_started(at(3_900), id, ProcessId(1));

    let reading = platform.reading_at(id, LATER).unwrap();

    let run = reading.last_termination.unwrap();
    let start = seconds(WALL_START).0;
    assert_eq!(
        (run.started_at.0, run.finished_at.0),
        (start + 1, start + 3)
    );
    assert_eq!(reading.restart_count, 1);
    assert!(
        matches!(reading.container, ContainerState::Running { started_at }
        if started_at.0 == start + 3)
    );
}

#[test]
fn a_status_is_read_as_it_was_at_the_moment_asked_for() {
    let mut platform = platform();
    let id = platform.make(Moment::START, name("a"));
    let start = Moment::from_nanos(1_000);
    platform.container_started(start, id, ProcessId(0));
    let state = |moment| platform.reading_at(id, moment).unwrap().container.clone();
    assert!(matches!(
        state(Moment::START),
        ContainerState::Waiting { .. }
    ));
    assert!(matches!(state(start), ContainerState::Running { .. }));
}

#[test]
fn the_status_of_a_lost_machine_is_never_written_again() {
    let mut platform = platform();
    let id = platform.make(Moment::START, name("a"));
    platform.container_started(Moment::START, id, ProcessId(0));
    platform.machine_lost(id);
    platform.ask_deletion(LATER, id);
    let reading = platform.reading_at(id, LATER).unwrap();
    assert!(matches!(reading.container, ContainerState::Running { .. }));
}

#[test]
fn an_address_is_given_again_only_where_addresses_are_reused() {
    for reuses_addresses in [false, true] {
        let climate = Climate {
            reuses_addresses,
            ..Climate::default()
        };
        let mut platform = Platform::new(climate, Chance::of_seed(1));
        let first = platform.make(Moment::START, name("a"));
        let address = platform.pod(first).address;
        platform.remove(LATER, first);
        assert_eq!(platform.at(address), None);

        let second = platform.make(LATER, name("b"));

        assert_eq!(platform.pod(second).address == address, reuses_addresses);
    }
}
