//! Gates on real sockets over loopback.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_mins(1);

/// A link from member 1 to member 2, through the gates at both ends.
async fn link(gates: &Gates) -> (SecuredLink, SecuredLink) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    gates.place(2, address);
    let (one, two) = (gates.gate_of(1), gates.gate_of(2));
    let dial = async {
        let socket = TcpStream::connect(address).await.unwrap();
        one.dial(socket, address).await.unwrap()
    };
    let accept = async {
        let (socket, from) = listener.accept().await.unwrap();
        two.accept(socket, from).await.unwrap()
    };
    tokio::join!(dial, accept)
}

#[tokio::test]
async fn what_is_sent_through_a_cut_arrives_once_it_is_healed() {
    let gates = Gates::default();
    let (mut one, mut two) = link(&gates).await;
    gates.put(2, 1);
    let mut byte = [0];
    let send = async {
        one.stream.write_all(&[7]).await.unwrap();
        one.stream.flush().await.unwrap();
    };
    assert!(send.now_or_never().is_none());
    gates.heal();
    one.stream.write_all(&[7]).await.unwrap();
    timeout(LIMIT, two.stream.read_exact(&mut byte))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(byte, [7]);
}

#[tokio::test]
async fn a_link_closed_behind_a_cut_ends_for_the_other_side_when_it_is_healed() {
    let gates = Gates::default();
    let (one, mut two) = link(&gates).await;
    gates.put(2, 1);
    drop(one);
    let mut byte = [0];
    assert!(two.stream.read(&mut byte).now_or_never().is_none());
    gates.heal();
    let read = timeout(LIMIT, two.stream.read(&mut byte)).await.unwrap();
    assert_eq!(read.unwrap(), 0);
}

#[tokio::test]
async fn nobody_answers_who_is_dialled_across_a_cut() {
    let gates = Gates::default();
    gates.put(2, 1);
    let opened = timeout(Duration::from_millis(200), link(&gates)).await;
    opened.expect_err("nobody answers");
}

#[tokio::test]
async fn those_on_one_side_of_a_cut_reach_each_other() {
    let gates = Gates::default();
    gates.put(1, 1);
    gates.put(2, 1);
    let (mut one, mut two) = timeout(LIMIT, link(&gates)).await.unwrap();
    one.stream.write_all(&[9]).await.unwrap();
    let mut byte = [0];
    timeout(LIMIT, two.stream.read_exact(&mut byte))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(byte, [9]);
}
