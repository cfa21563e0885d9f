//! The examples, run as the programs they are; each fails if what it shows does not happen.

use std::path::Path;
use std::process::Output;
use std::time::SystemTime;

use tokio::process::Command;
use tokio::time::timeout;

use crate::stage::LIMIT;

/// What an example says, once it has ended well.
///
/// Tests may be built without examples: it is not run, said in one line, where it was not built or
/// not from this source; in CI it must be.
async fn said_by(name: &str) -> Option<String> {
    let own = std::env::current_exe().unwrap();
    let built = own.ancestors().nth(2).unwrap().join("examples").join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}.rs"));
    let is_of_this_source = modified(&built).is_some_and(|at| Some(at) >= modified(&source));
    if !is_of_this_source {
        let missing = format!(
            "the example {name} was not run, {} is not built from this source; cargo build \
             --workspace --all-features --examples",
            built.display()
        );
        let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!is_ci, "{missing}");
        skipped(&missing);
        return None;
    }
    let mut program = Command::new(built);
    let ended = timeout(LIMIT, program.kill_on_drop(true).output()).await;
    let ended: Output = ended.expect("it ends in time").unwrap();
    let out = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{out}{:?}", ended.stderr);
    Some(out)
}

fn modified(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|facts| facts.modified()).ok()
}

/// Says that something was not tried, past the test's own output, which nobody sees while it
/// passes.
fn skipped(what: &str) {
    use std::io::Write as _;
    let line = format!("skipped: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

#[tokio::test]
async fn three_members_see_one_fail_and_one_leave() {
    let Some(out) = said_by("three_members").await else {
        return;
    };
    assert!(out.contains("ring-2 failed: "), "{out}");
    let last = out.lines().last().unwrap();
    assert!(last.ends_with(": ring-0"), "{out}");
}

#[tokio::test]
async fn a_leader_of_yesterday_is_refused_by_what_it_writes_to() {
    let Some(out) = said_by("elected_leader").await else {
        return;
    };
    assert!(out.contains("stored 'one' under "), "{out}");
    assert!(out.contains("stored 'two' under "), "{out}");
    let last = out.lines().last().unwrap();
    assert!(last.starts_with("'one, late' under "), "{out}");
    assert!(last.contains(" is refused: seen "), "{out}");
}

#[tokio::test]
async fn a_finder_of_ones_own_brings_a_cluster_together() {
    let Some(out) = said_by("custom_finder").await else {
        return;
    };
    let members = out.lines().filter(|line| line.contains(" is a member, "));
    assert_eq!(members.count(), 3, "{out}");
}
