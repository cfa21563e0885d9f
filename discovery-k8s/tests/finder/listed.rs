//! What slices mean: which endpoints become which seeds, and what is refused.

use discovery_core::{FinderCause, Finding, Seed};
use discovery_k8s::testing::{Endpoint, SERVICE, ScriptedApi, service, slice};
use discovery_k8s::{FamilyPolicy, PortChoice};
use serde_json::json;

use crate::scene::{Scene, ips, pods_at, quick, unaudited};

async fn server() -> ScriptedApi {
    let api = ScriptedApi::start().await.expect("a scripted server");
    api.put(service(SERVICE));
    api
}

#[tokio::test]
async fn an_endpoint_in_two_slices_is_one_seed() {
    let api = server().await;
    api.put(pods_at("ring-a", &["10.0.0.1", "10.0.0.2"]));
    api.put(pods_at("ring-b", &["10.0.0.2", "10.0.0.3"]));
    let mut scene = Scene::on(api, unaudited());
    scene.knows(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]).await;

    scene.api.put(pods_at("ring-b", &["10.0.0.3"]));
    scene.api.put(pods_at("ring-a", &["10.0.0.1"]));
    scene.knows(&["10.0.0.1", "10.0.0.3"]).await;
}

#[tokio::test]
async fn slices_that_shrink_to_empty_leave_nobody() {
    let mut scene = Scene::of_two(unaudited()).await;
    scene.api.put(pods_at("ring-a", &[]));
    scene.knows(&["10.0.0.2"]).await;
    scene.api.put(pods_at("ring-b", &[]));
    let report = scene.knows_nobody().await;
    assert_eq!(ips(&report), [""; 0], "the empty set is the last good one");

    scene.api.put(pods_at("ring-a", &["10.0.0.9"]));
    scene.knows(&["10.0.0.9"]).await;
}

#[tokio::test]
async fn an_absent_ready_is_ready_and_the_other_conditions_are_as_defined() {
    let api = server().await;
    api.put(
        slice("ring-a").port("ring", 47500).endpoints([
            Endpoint::pod("web-1", "uid-1").at("10.0.0.1"),
            Endpoint::pod("web-2", "uid-2")
                .at("10.0.0.2")
                .ready(false)
                .serving(false),
            Endpoint::pod("web-3", "uid-3")
                .at("10.0.0.3")
                .ready(false)
                .serving(true)
                .terminating(true),
            Endpoint::pod("web-4", "uid-4")
                .at("10.0.0.4")
                .with("conditions", json!(null)),
        ]),
    );
    let mut config = unaudited();
    config.include_not_ready = false;
    let mut scene = Scene::on(api, config);

    let report = scene.knows(&["10.0.0.1", "10.0.0.3", "10.0.0.4"]).await;
    let Finding::Known(seeds) = report.finding else {
        unreachable!("knows() waited for it");
    };
    let conditions: Vec<_> = seeds.iter().map(|seed| seed.condition).collect();
    assert_eq!(conditions[0].ready, Some(true));
    assert_eq!(conditions[1].terminating, Some(true));
    assert_eq!(conditions[1].serving, Some(true));
    assert_eq!(conditions[2].ready, Some(true));
}

#[tokio::test]
async fn those_not_ready_or_on_their_way_out_are_seeds_unless_left_out() {
    let endpoints = || {
        slice("ring-a").port("ring", 47500).endpoints([
            Endpoint::pod("web-1", "uid-1")
                .at("10.0.0.1")
                .ready(false)
                .serving(false),
            Endpoint::pod("web-2", "uid-2")
                .at("10.0.0.2")
                .serving(true)
                .terminating(true),
        ])
    };
    let mut strict = unaudited();
    strict.include_not_ready = false;
    let mut staying = unaudited();
    staying.include_terminating = false;
    for (config, expected) in [
        (unaudited(), vec!["10.0.0.1", "10.0.0.2"]),
        (strict, vec!["10.0.0.2"]),
        (staying, vec!["10.0.0.1"]),
    ] {
        let api = server().await;
        api.put(endpoints());
        Scene::on(api, config).knows(&expected).await;
    }
}

#[tokio::test]
async fn a_dual_stack_pod_is_one_seed_with_the_families_that_are_wanted() {
    for (families, expected) in [
        (FamilyPolicy::V4, vec!["10.0.0.1:47500"]),
        (FamilyPolicy::V6, vec!["[fd00::1]:47500"]),
        (FamilyPolicy::PreferV4, vec!["10.0.0.1:47500"]),
        (FamilyPolicy::PreferV6, vec!["[fd00::1]:47500"]),
        (
            FamilyPolicy::Both,
            vec!["[fd00::1]:47500", "10.0.0.1:47500"],
        ),
    ] {
        let api = server().await;
        api.put(pods_at("ring-v4", &["10.0.0.1"]));
        api.put(pods_at("ring-v6", &["fd00::1"]).v6());
        let mut config = unaudited();
        config.families = families;
        let mut scene = Scene::on(api, config);
        let report = scene
            .until("one seed", |report| report.seeds().len() == 1)
            .await;
        let seeds = report.seeds();
        let addresses: Vec<String> = seeds
            .iter()
            .flat_map(Seed::addresses)
            .map(ToString::to_string)
            .collect();
        assert_eq!(addresses, expected, "{families}");
    }
}

#[tokio::test]
async fn ten_slices_of_a_hundred_endpoints_are_a_thousand_seeds() {
    let api = server().await;
    for tens in 0..10 {
        let endpoints = (0..100).map(|ones| {
            let name = format!("web-{}", tens * 100 + ones);
            Endpoint::pod(&name, &format!("uid-{name}")).at(&format!("10.0.{tens}.{ones}"))
        });
        let name = format!("ring-{tens}");
        api.put(slice(&name).port("ring", 47500).endpoints(endpoints));
    }
    let mut scene = Scene::on(api, unaudited());
    scene
        .until("a thousand seeds", |report| {
            report.finding.state() == "known" && report.seeds().len() == 1000
        })
        .await;
    scene.api.delete_slice("ring-7");
    scene
        .until("nine hundred seeds", |report| report.seeds().len() == 900)
        .await;
}

#[tokio::test]
async fn a_named_port_is_resolved_in_each_slice_by_itself() {
    let api = server().await;
    api.put(pods_at("ring-a", &["10.0.0.1"]));
    api.put(
        slice("ring-b")
            .port("ring", 5000)
            .endpoint(Endpoint::pod("web-2", "uid-2").at("10.0.0.2")),
    );
    api.put(
        slice("ring-c")
            .port("other", 5000)
            .endpoint(Endpoint::pod("web-3", "uid-3").at("10.0.0.3")),
    );
    let mut scene = Scene::on(api, unaudited());
    let report = scene.knows(&["10.0.0.1", "10.0.0.2"]).await;
    let ports: Vec<u16> = report
        .seeds()
        .iter()
        .map(|seed| seed.address().port())
        .collect();
    assert_eq!(ports, [47500, 5000]);
}

#[tokio::test]
async fn a_port_that_no_slice_carries_is_no_port_with_those_it_carries() {
    let mut scene = Scene::of_two(unaudited()).await;
    let renamed = |name, address| {
        slice(name)
            .port("renamed", 47500)
            .endpoint(Endpoint::pod("web", name).at(address))
    };
    scene.api.put(renamed("ring-a", "10.0.0.1"));
    scene.api.put(renamed("ring-b", "10.0.0.2"));
    // One slice after the other: the last set that was sure may be that of the second alone.
    let report = scene
        .until("no port", |report| {
            crate::scene::caused(report).is_some_and(|error| error.cause() == FinderCause::NoPort)
        })
        .await;
    let error = crate::scene::caused(&report).unwrap();
    assert!(error.detail().contains("'ring'"), "{error}");
    assert!(error.detail().contains("'renamed' = 47500"), "{error}");
    assert!(!report.seeds().is_empty(), "the last good set stays");

    scene.api.put(pods_at("ring-a", &["10.0.0.1"]));
    scene.knows(&["10.0.0.1"]).await;
}

#[tokio::test]
async fn a_numbered_port_needs_no_slice_to_carry_it() {
    let api = server().await;
    api.put(slice("ring-a").endpoint(Endpoint::bare().at("10.0.0.1")));
    let mut config = unaudited();
    config.port = PortChoice::Number(4000);
    let mut scene = Scene::on(api, config);
    let report = scene.knows(&["10.0.0.1"]).await;
    let seeds = report.seeds();
    let seed = seeds.iter().next().unwrap();
    assert_eq!(seed.address().port(), 4000);
    assert_eq!(seed.pod_uid, None);
}

#[tokio::test]
async fn a_seed_carries_what_its_slice_says_of_it() {
    let api = server().await;
    let endpoint = Endpoint::pod("web-0", "uid-0")
        .at("10.0.0.1")
        .zone("zone-a")
        .node("machine-1")
        .hostname("web-0");
    api.put(slice("ring-a").port("ring", 47500).endpoint(endpoint));
    let mut scene = Scene::on(api, quick());
    let report = scene.knows(&["10.0.0.1"]).await;
    let seeds = report.seeds();
    let seed = seeds.iter().next().unwrap();
    assert_eq!(seed.name.as_ref().unwrap().as_str(), "web-0");
    assert_eq!(seed.pod_uid.as_ref().unwrap().as_str(), "uid-0");
    assert_eq!(seed.zone.as_deref(), Some("zone-a"));
    assert_eq!(seed.host_node.as_deref(), Some("machine-1"));
    assert_eq!(seed.hostname.as_deref(), Some("web-0"));
}
