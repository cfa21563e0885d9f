//! Tests of `links.rs`: what a dial that does not come about says, and of whom.

use std::net::TcpListener;
use std::process::Command;

use super::super::security::Plaintext;
use super::*;
use crate::wire::FRAME_BYTES_MAX;

/// Longer than anything here takes; only a failure waits for it.
const LONG: Duration = Duration::from_secs(20);

fn links(places_max: usize) -> Arc<Links> {
    let config = RingConfig {
        links_max: places_max,
        dial_timeout: LONG,
        hello_timeout: LONG,
        ..RingConfig::default()
    };
    Arc::new(Links::new(Arc::new(Plaintext), &config))
}

/// How a dial of this address ends.
async fn dialled(links: &Arc<Links>, to: SocketAddr) -> Happening {
    links.dial(LinkId(2), to, &Arc::new(Outbox::new(FRAME_BYTES_MAX)));
    let any = std::future::poll_fn(|cx| links.inbox.poll_any(cx));
    timeout(LONG, any).await.unwrap();
    let mut happened = Vec::new();
    links.inbox.take(&mut happened);
    happened.remove(0)
}

fn is_not_tried(happening: &Happening) -> bool {
    let failure = DialFailure::NotTried;
    matches!(happening, Happening::Failed { failure: it, .. } if *it == failure)
}

// Clauses: CUT-6, LINK-6
#[tokio::test]
async fn a_dial_for_which_there_is_no_place_says_nothing_of_the_other_side() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let links = links(1);
    let place = links.place();
    let happened = dialled(&links, listener.local_addr().unwrap()).await;
    assert!(is_not_tried(&happened), "{happened:?}");
    drop(place);
    let happened = dialled(&links, listener.local_addr().unwrap()).await;
    assert!(matches!(happened, Happening::Opened { .. }), "{happened:?}");
}

/// Tells the test that it runs in a process that may open few files.
#[cfg(unix)]
const CHILD: &str = "DISCOVERY_DIALS_WITHOUT_FILES";

// Clauses: CUT-6
#[cfg(unix)]
#[tokio::test]
async fn a_dial_for_which_no_file_can_be_opened_says_nothing_of_the_other_side() {
    const TEST: &str = "driver::links::tests::\
                        a_dial_for_which_no_file_can_be_opened_says_nothing_of_the_other_side";
    if std::env::var_os(CHILD).is_none() {
        // The limit is one of the whole process, in which other tests run.
        let limited = "ulimit -n 64 && exec \"$0\" \"$@\"";
        let mut child = Command::new("sh");
        child.args(["-c", limited]);
        child.arg(std::env::current_exe().unwrap());
        let child = child.args([TEST, "--exact"]).env(CHILD, "1");
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("1 passed"), "{said}");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut open = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        open.push(file);
    }
    let happened = dialled(&links(4), listener.local_addr().unwrap()).await;
    drop(open);
    assert!(is_not_tried(&happened), "{happened:?}");
}
