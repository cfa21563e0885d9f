//! Members that end: by being killed, by leaving, by being replaced.

use discovery_core::{Attributes, Discovery, Standing, Topology};
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::stage::{LIMIT, Stage, agreed, next_change, stands};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_process_ends_is_removed() {
    let stage = Stage::new();
    let nodes = stage.start_all(3).await;
    // A runtime that is dropped closes its sockets as a killed process does, without a word.
    let apart = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let settings = stage
        .settings("ring-killed")
        .listener(stage.listed("ring-killed"));
    let killed = apart.spawn(settings.start()).await.unwrap().unwrap();
    let mut all = nodes.clone();
    all.push(killed.clone());
    let topology = agreed(&all, 4).await;

    let mut deliveries = nodes[0].subscribe(Some(topology.id()));
    apart.shutdown_background();
    let event = next_change(&mut *deliveries).await;
    let failed: Vec<_> = event.failed.iter().map(|(member, _)| member.id()).collect();
    assert_eq!(failed, [killed.local_node().id()]);
    agreed(&nodes, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_leaves_goes_by_its_own_word() {
    let stage = Stage::new();
    let mut nodes = stage.start_all(3).await;
    let topology = agreed(&nodes, 3).await;
    let leaver = nodes.pop().unwrap();
    let mut deliveries = nodes[0].subscribe(Some(topology.id()));
    let mut own = leaver.subscribe(Some(topology.id()));

    timeout(LIMIT, leaver.leave()).await.unwrap().unwrap();

    let event = next_change(&mut *deliveries).await;
    assert_eq!(event.failed, []);
    let left: Vec<_> = event
        .left
        .iter()
        .map(|member| member.name().as_str())
        .collect();
    assert_eq!(left, ["ring-02"]);
    stands(&leaver, |standing| *standing == Standing::Left).await;
    let ended = async { while own.next().await.is_some() {} };
    timeout(LIMIT, ended).await.unwrap();
    agreed(&nodes, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_coordinator_may_leave_too() {
    let stage = Stage::new();
    let mut nodes = stage.start_all(4).await;
    let eldest = agreed(&nodes, 4).await.eldest().id();
    let place = nodes
        .iter()
        .position(|node| node.local_node().id() == eldest);
    let leaver = nodes.remove(place.unwrap());
    timeout(LIMIT, leaver.leave()).await.unwrap().unwrap();
    let topology = agreed(&nodes, 3).await;
    assert!(topology.member(eldest).is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_restarts_under_its_name_takes_the_place_of_its_former_run() {
    let stage = Stage::new();
    let mut nodes = stage.start_all(3).await;
    agreed(&nodes, 3).await;
    let former = nodes.pop().unwrap();
    let (id, address) = (former.local_node().id(), former.local_node().addresses()[0]);
    former.shutdown().await;
    drop(former);

    let settings = stage.settings("ring-02").listen(address);
    nodes.push(settings.start().await.unwrap());
    let mut standings = nodes[2].standings();
    let is_back = |standing: &Standing| matches!(standing, Standing::Member { topology } if topology.len() == 3);
    timeout(LIMIT, standings.wait_for(is_back))
        .await
        .unwrap()
        .unwrap();
    let topology = agreed(&nodes, 3).await;
    assert!(topology.member(id).is_none());
    let name = "ring-02".parse().unwrap();
    assert_eq!(
        topology.named(&name).unwrap().id(),
        nodes[2].local_node().id()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_comes_back_brings_its_new_attributes() {
    let stage = Stage::new();
    let mut nodes = stage.start_all(2).await;
    let name = "ring-back";
    let of_run = |run: &str| Attributes::new([("run", run)]).unwrap();
    let settings = stage.settings(name).listener(stage.listed(name));
    let former = settings.attributes(of_run("1")).start().await.unwrap();
    let address = former.local_node().addresses()[0];
    nodes.push(former);
    let topology = agreed(&nodes, 3).await;
    let attributes = |topology: &Topology| {
        let member = topology.named(&name.parse().unwrap()).unwrap();
        member.info.attributes().clone()
    };
    assert_eq!(attributes(&topology), of_run("1"));
    let former = nodes.pop().unwrap();
    former.shutdown().await;
    agreed(&nodes, 2).await;

    let settings = stage.settings(name).listen(address);
    nodes.push(settings.attributes(of_run("2")).start().await.unwrap());
    assert_eq!(attributes(&agreed(&nodes, 3).await), of_run("2"));
}
