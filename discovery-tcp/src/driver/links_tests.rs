//! Tests of `links.rs`: what a dial that does not come about says, and of whom.

use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::process::Command;
use std::task::{Context, Poll};

use discovery_core::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

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

/// Security that goes wrong in one way or another.
#[derive(Debug)]
enum Wrong {
    Panics,
    PanicsLater,
    Refuses,
}

impl LinkSecurity for Wrong {
    fn name(&self) -> &'static str {
        "wrong"
    }

    fn dial(&self, _: TcpStream, _: SocketAddr) -> BoxFuture<'_, io::Result<SecuredLink>> {
        Box::pin(async {
            match self {
                Self::Panics => unreachable!("a test has the security go wrong"),
                Self::PanicsLater => Ok(SecuredLink::new(Broken)),
                Self::Refuses => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }

    fn accept(&self, socket: TcpStream, to: SocketAddr) -> BoxFuture<'_, io::Result<SecuredLink>> {
        self.dial(socket, to)
    }
}

/// A stream that goes wrong when it is read.
struct Broken;

impl AsyncRead for Broken {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        unreachable!("a test has the stream go wrong")
    }
}

impl AsyncWrite for Broken {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn links_with(security: Wrong) -> Arc<Links> {
    let config = RingConfig {
        dial_timeout: LONG,
        ..RingConfig::default()
    };
    Arc::new(Links::new(Arc::new(security), &config))
}

async fn dialled_with(security: Wrong) -> Happening {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    dialled(&links_with(security), listener.local_addr().unwrap()).await
}

#[tokio::test]
async fn a_link_that_panics_has_ended() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let links = links_with(Wrong::PanicsLater);
    let to = listener.local_addr().unwrap();
    // The protocol holds its side meanwhile.
    let outbox = Arc::new(Outbox::new(FRAME_BYTES_MAX));
    links.dial(LinkId(2), to, &outbox);
    let ended = timeout(LONG, links.all_ended()).await;
    assert!(ended.is_ok(), "its place is given back");
    let mut happened = Vec::new();
    links.inbox.take(&mut happened);
    assert!(
        matches!(
            happened[..],
            [Happening::Opened { .. }, Happening::Closed { .. }]
        ),
        "{happened:?}"
    );
}

#[tokio::test]
async fn a_dial_that_panics_has_failed() {
    let happened = dialled_with(Wrong::Panics).await;
    assert!(is_not_tried(&happened), "{happened:?}");
}

// Clauses: FORM-7
#[tokio::test]
async fn who_listens_does_not_refuse_whatever_its_security_says() {
    let happened = dialled_with(Wrong::Refuses).await;
    let failure = DialFailure::Unreachable;
    assert!(
        matches!(happened, Happening::Failed { failure: it, .. } if it == failure),
        "{happened:?}"
    );
}
