//! Requests that are refused, fail or hang: the right cause, the last good set, and recovery.

use std::time::Duration;

use discovery_core::FinderCause;
use discovery_k8s::testing::{
    Fault, On, Resource, SERVICE, ScriptedApi, TestAuthority, Verb, service,
};
use discovery_k8s::{ApiAccess, ApiEndpoint};
use tempfile::TempDir;

use crate::scene::{SLICES, Scene, pods_at, quick, unaudited};

const BOTH: [&str; 2] = ["10.0.0.1", "10.0.0.2"];

#[tokio::test]
async fn a_refused_token_is_unauthorised_until_its_file_holds_a_new_one() {
    let api = ScriptedApi::start().await.unwrap();
    api.put(pods_at("ring-a", &["10.0.0.1"]));
    api.accept_tokens(["first"]);
    let mut scene = Scene::with_token(api, quick(), "first");
    scene.knows(&["10.0.0.1"]).await;

    scene.api.accept_tokens(["second"]);
    scene
        .unknown(FinderCause::Unauthorised, &["10.0.0.1"])
        .await;
    scene.api.put(pods_at("ring-b", &["10.0.0.2"]));
    scene.replace("token", "second");

    scene.knows(&BOTH).await;
    assert!(scene.finder.stats().client_rebuilds > 0);
}

#[tokio::test]
async fn a_missing_permission_names_the_rule_that_grants_it() {
    for verb in ["list", "watch"] {
        let mut scene = Scene::of_two(quick()).await;
        scene.api.deny(verb, SLICES);

        let error = scene.unknown(FinderCause::Forbidden, &BOTH).await;
        let remedy = error.remedy().unwrap();
        let rule = format!("resources: [\"endpointslices\"], verbs: [\"{verb}\"]");
        assert!(remedy.contains(&rule), "{remedy}");
        assert!(error.detail().contains(verb), "{error}");

        scene.api.put(pods_at("ring-c", &["10.0.0.3"]));
        scene.api.allow(verb, SLICES);
        scene.knows(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]).await;
    }
}

#[tokio::test]
async fn a_finder_that_never_could_list_has_no_last_good_set() {
    let api = ScriptedApi::start().await.unwrap();
    api.put(pods_at("ring-a", &["10.0.0.1"]));
    api.deny("list", SLICES);
    let mut scene = Scene::on(api, quick());

    scene.unknown(FinderCause::Forbidden, &[]).await;
    assert_eq!(scene.watch.latest().last_good, None);

    scene.api.allow("list", SLICES);
    scene.knows(&["10.0.0.1"]).await;
}

#[tokio::test]
async fn a_service_that_does_not_exist_is_told_from_one_without_endpoints() {
    let mut scene = Scene::on(ScriptedApi::start().await.unwrap(), quick());
    let error = scene.unknown(FinderCause::NotFound, &[]).await;
    assert!(
        error.remedy().unwrap().contains("create Service ring"),
        "{error}"
    );

    scene.api.put(service(SERVICE));
    scene.knows_nobody().await;
    scene.api.put(pods_at("ring-a", &["10.0.0.1"]));
    scene.knows(&["10.0.0.1"]).await;
}

#[tokio::test]
async fn without_permission_to_read_the_service_no_slices_means_nobody() {
    let api = ScriptedApi::start().await.unwrap();
    api.deny("get", Resource::Services);
    Scene::on(api, quick()).knows_nobody().await;
}

#[tokio::test]
async fn an_api_that_does_not_exist_is_not_found() {
    let mut scene = Scene::of_two(quick()).await;
    let outage = scene.api.fault(On::list(SLICES), Fault::not_found());
    scene.unknown(FinderCause::NotFound, &BOTH).await;
    outage.lift();
    scene.knows(&BOTH).await;
}

#[tokio::test]
async fn a_failing_server_is_failed_wherever_it_fails() {
    for on in [On::list(SLICES), On::watch(SLICES)] {
        for fault in [Fault::internal(), Fault::unavailable()] {
            let mut scene = Scene::of_two(quick()).await;
            let outage = scene.api.fault(on, fault);
            scene.unknown(FinderCause::Failed, &BOTH).await;
            scene.api.put(pods_at("ring-b", &["10.0.0.3"]));
            outage.lift();
            scene.knows(&["10.0.0.1", "10.0.0.3"]).await;
        }
    }
}

#[tokio::test]
async fn a_throttling_server_is_left_alone_for_as_long_as_it_asks() {
    for (on, verb) in [
        (On::list(SLICES), Verb::List),
        (On::watch(SLICES), Verb::Watch),
    ] {
        let api = ScriptedApi::start().await.unwrap();
        api.put(pods_at("ring-a", &["10.0.0.1"]));
        let throttled = api.fault_times(1, on, Fault::throttled(1));
        let mut scene = Scene::on(api, unaudited());
        throttled.met_times(1).await.unwrap();
        scene.api.requested(2, verb, SLICES).await.unwrap();

        let requests = scene.api.requests_of(verb, SLICES);
        let between = requests[1].received_at - requests[0].received_at;
        assert!(
            between >= Duration::from_millis(990),
            "{verb:?} again after {between:?}"
        );
        scene.knows(&["10.0.0.1"]).await;
        assert_eq!(scene.finder.stats().errors[&FinderCause::Throttled], 1);
    }
}

#[tokio::test]
async fn a_list_that_is_cut_or_hung_up_is_unreachable() {
    for fault in [Fault::CutMidLine, Fault::HangUp] {
        let mut scene = Scene::of_two(quick()).await;
        let outage = scene.api.fault(On::list(SLICES), fault);
        scene.unknown(FinderCause::Unreachable, &BOTH).await;
        outage.lift();
        scene.knows(&BOTH).await;
    }
}

#[tokio::test]
async fn a_list_that_is_no_json_is_malformed() {
    let mut scene = Scene::of_two(quick()).await;
    let outage = scene.api.fault(On::list(SLICES), Fault::MalformedJson);
    scene.unknown(FinderCause::Malformed, &BOTH).await;
    outage.lift();
    scene.knows(&BOTH).await;
}

#[tokio::test]
async fn silence_in_place_of_an_answer_is_a_timeout() {
    for on in [On::list(SLICES), On::watch(SLICES)] {
        let mut config = quick();
        config.request_deadline = Duration::from_secs(1);
        let mut scene = Scene::of_two(config).await;
        let outage = scene.api.fault(on, Fault::HalfOpen);
        let error = scene.unknown(FinderCause::Timeout, &BOTH).await;
        assert!(error.detail().contains("within 1s"), "{error}");
        outage.lift();
        scene.knows(&BOTH).await;
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_unreachable_and_the_last_good_set_ages() {
    let Scene { api, mut watch, .. } = Scene::of_two(quick()).await;
    drop(api);
    let mut report = watch.latest();
    while crate::scene::caused(&report).is_none() {
        report = watch.changed().await;
    }
    let cause = crate::scene::caused(&report).unwrap().cause();
    assert_eq!(cause, FinderCause::Unreachable);
    assert_eq!(crate::scene::ips(&report), BOTH);
    let age = report.last_good.unwrap().age;
    let later = watch.latest().last_good.unwrap().age;
    assert!(later >= age);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let api = ScriptedApi::start_tls().await.unwrap();
    api.put(pods_at("ring-a", &["10.0.0.1"]));
    let files = TempDir::new().unwrap();
    let ca_file = files.path().join("ca.crt");
    let stranger = TestAuthority::new("another").unwrap();
    std::fs::write(&ca_file, stranger.pem()).unwrap();
    let mut endpoint = ApiEndpoint::new(api.url());
    endpoint.ca_file = Some(ca_file);
    let mut scene = Scene::with(api, quick(), ApiAccess::Endpoint(endpoint), files);

    let error = scene.unknown(FinderCause::Tls, &[]).await;
    assert!(error.remedy().unwrap().contains("CA"), "{error}");
    assert_eq!(
        scene.api.request_count(),
        0,
        "nothing is sent to a stranger"
    );

    scene.api.serve_certificate_of(&stranger).unwrap();
    scene.knows(&["10.0.0.1"]).await;
}

#[tokio::test]
async fn an_authority_swapped_while_running_is_accepted_from_its_file() {
    let api = ScriptedApi::start_tls().await.unwrap();
    api.put(pods_at("ring-a", &["10.0.0.1"]));
    let (old, new) = (
        api.authority_pem().unwrap(),
        TestAuthority::new("new").unwrap(),
    );
    let files = TempDir::new().unwrap();
    let ca_file = files.path().join("ca.crt");
    std::fs::write(&ca_file, old).unwrap();
    let mut endpoint = ApiEndpoint::new(api.url());
    endpoint.ca_file = Some(ca_file);
    let mut scene = Scene::with(api, quick(), ApiAccess::Endpoint(endpoint), files);
    scene.knows(&["10.0.0.1"]).await;

    scene.api.serve_certificate_of(&new).unwrap();
    scene.api.cut_connections();
    scene.unknown(FinderCause::Tls, &["10.0.0.1"]).await;
    scene.api.put(pods_at("ring-b", &["10.0.0.2"]));
    scene.replace("ca.crt", &new.pem());

    scene.knows(&BOTH).await;
}
