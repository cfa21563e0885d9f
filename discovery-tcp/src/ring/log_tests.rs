//! What an acceptor takes, keeps and delivers, step by step.

use discovery_core::{
    ClusterId, Epoch, NodeInfo, NodeName, NodeOrder, Topic, TopologyChange, UnixMillis,
};

use super::*;

fn term(counter: u64) -> Term {
    let above = (1..counter).try_fold(Term::FIRST, |term, _| term.above(NodeOrder::FIRST));
    above.unwrap()
}

fn log() -> Log {
    let name = NodeName::new("n1").unwrap();
    let address = "10.0.0.1:47500".parse().unwrap();
    let id = NodeId::from_u128(1);
    let founder = NodeInfo::new(id, name, [address], UnixMillis(1)).unwrap();
    let cluster_id = ClusterId::from_u128(1);
    let topology = Topology::founded(cluster_id, Epoch(5), Term::FIRST, founder).unwrap();
    let snapshot = Snapshot {
        topology,
        position: Position(0),
        promised: Term::FIRST,
        sequences: Vec::new(),
    };
    Log::starting(&snapshot, (8, 1 << 20), Planted::default())
}

fn message(sequence: u64) -> Arc<Decision> {
    Arc::new(Decision::Message(PublishedMessage {
        publisher: NodeId::from_u128(1),
        sequence,
        topic: Topic::new("t").unwrap(),
        payload: Arc::from(&b"p"[..]),
    }))
}

fn propose(log: &Log, term: Term, reproposed_to: u64, entries: Vec<Arc<Decision>>) -> Propose {
    Propose {
        topology: log.id(),
        term,
        start: Position(1),
        reproposed_to: Position(reproposed_to),
        first: Position(1),
        entries,
        decided: Position(0),
        tick: 1,
        relay: false,
        skip: Vec::new(),
        recovery: false,
    }
}

// Clauses: DECIDE-6
#[test]
fn a_watermark_of_another_term_delivers_nothing_of_the_own_tail() {
    let mut log = log();
    let accepted = log.accept(&propose(&log, term(1), 0, vec![message(1)]));
    assert_eq!(accepted, Verdict::Accepted(Position(1)));

    assert!(log.deliver_next(term(2), Position(1)).is_none());
    assert_eq!(log.decided(), Position(0));
    assert!(log.deliver_next(term(1), Position(1)).is_some());
}

// Clauses: DECIDE-2
#[test]
fn a_tail_is_replaced_only_as_a_whole() {
    let mut log = log();
    log.accept(&propose(&log, term(1), 0, vec![message(1), message(2)]));

    let part = log.accept(&propose(&log, term(2), 2, vec![message(1)]));
    assert_eq!(part, Verdict::Missing);
    assert_eq!((log.tail_term(), log.tail().len()), (Some(term(1)), 2));

    let whole = log.accept(&propose(&log, term(2), 2, vec![message(1), message(2)]));
    assert_eq!(whole, Verdict::Accepted(Position(2)));
    assert_eq!(log.tail_term(), Some(term(2)));
}

// Counter-example C1.
// Clauses: DECIDE-2
#[test]
fn who_lacks_what_is_before_a_terms_start_keeps_its_tail() {
    let mut log = log();
    log.accept(&propose(&log, term(1), 0, vec![message(1), message(2)]));

    // Its coordinator decided both, and begins behind them; here it is not known.
    let next = Propose {
        start: Position(3),
        first: Position(3),
        ..propose(&log, term(2), 0, vec![message(3)])
    };
    assert_eq!(log.accept(&next), Verdict::Missing);
    assert_eq!((log.tail_term(), log.tail().len()), (Some(term(1)), 2));

    // Once it is told them, it goes on behind them.
    for (position, sequence) in [(1, 1), (2, 2)] {
        let entry = DecidedEntry {
            term: term(1),
            decision: message(sequence),
        };
        assert!(log.learn(Position(position), &entry).unwrap().is_some());
    }
    assert_eq!(log.accept(&next), Verdict::Accepted(Position(3)));
}

/// A change of this term that opens another cluster, proposed.
fn split(log: &Log, term: Term) -> Propose {
    let change = TopologyChange::of(log.topology())
        .under(term)
        .in_epoch(Epoch(6))
        .in_cluster(ClusterId::from_u128(2))
        .build()
        .unwrap();
    propose(log, term, 0, vec![Arc::new(Decision::Change(change))])
}

// Clauses: RECOVER-8
#[test]
fn a_forced_change_is_in_no_tail() {
    let mut log = log();
    log.accept(&propose(&log, term(1), 0, vec![message(1)]));
    log.promise(term(2));

    let accepted = log.accept(&split(&log, term(2)));

    assert_eq!(accepted, Verdict::Accepted(Position(1)));
    let told = log.tail_after(Position(0));
    assert_eq!((told.term, told.entries), (Some(term(1)), vec![message(1)]));
}

// Clauses: RECOVER-8
#[test]
fn who_promised_nothing_takes_no_part_in_a_split() {
    // C56.
    let mut log = log();

    assert_eq!(log.accept(&split(&log, term(2))), Verdict::Unpromised);

    assert_eq!(log.promised(), Term::FIRST);
    assert!(log.deliver_next(term(2), Position(1)).is_none());
}

// Clauses: RECOVER-8
#[test]
fn a_split_has_no_place_where_something_else_is_decided() {
    // C55.
    let mut log = log();
    log.promise(term(2));
    log.accept(&split(&log, term(2)));
    let decision = message(1);
    let term = term(1);

    log.learn(Position(1), &DecidedEntry { term, decision })
        .unwrap();

    assert!(log.deliver_next(self::term(2), Position(2)).is_none());
}
