//! An answer that never seems to end: the finder stops reading at its limit. A process of its own,
//! since what is measured is the memory of the whole process.

#![cfg(all(feature = "testing", target_os = "linux"))]

use std::time::Duration;

use discovery_core::{Finder, FinderCause, Finding, SeedReport, SeedWatch};
use discovery_k8s::testing::{
    Endpoint, Fault, NAMESPACE, On, Resource, SERVICE, ScriptedApi, slice,
};
use discovery_k8s::{ApiAccess, ApiEndpoint, KubeFinder, KubeFinderConfig};

const SLICES: Resource = Resource::EndpointSlices;

/// What the server would send.
const OBJECT_BYTES: u64 = 100_000_000;

/// The finder's limit for a list, in bytes, and for one event of a watch.
const LIST_BYTES_MAX: u64 = 32 * 1024 * 1024;
const EVENT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What may lie in the sockets' buffers on both sides, in bytes.
const IN_FLIGHT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Most that the process may grow by: a list at its limit, copied once, and some room.
const GROWTH_BYTES_MAX: u64 = 90_000_000;

async fn until(watch: &mut dyn SeedWatch, what: &str, there: impl Fn(&SeedReport) -> bool) {
    let waiting = async {
        let mut report = watch.latest();
        while !there(&report) {
            report = watch.changed().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), waiting).await;
    waited.expect(what);
}

fn is_too_large(report: &SeedReport) -> bool {
    matches!(&report.finding, Finding::Unknown(error) if error.cause() == FinderCause::TooLarge)
}

/// The largest resident size of this process so far, in bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux with /proc");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    let kilobytes = kilobytes.and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok());
    kilobytes.expect("a line VmHWM in kB") * 1024
}

#[tokio::test]
async fn an_object_of_a_hundred_megabytes_is_not_read_to_its_end() {
    let api = ScriptedApi::start().await.unwrap();
    let endpoint = Endpoint::pod("web-1", "uid-1").at("10.0.0.1");
    api.put(slice("ring-a").port("ring", 47500).endpoint(endpoint));
    let mut config = KubeFinderConfig::new(NAMESPACE, SERVICE);
    config.watch_timeout = Duration::from_secs(1);
    config.audit_interval = Duration::from_secs(1);
    config.remember_pods = false;
    let access = ApiAccess::Endpoint(ApiEndpoint::new(api.url()));
    let finder = KubeFinder::new(config, access).unwrap();
    let mut watch = finder.watch();
    let is_known = |report: &SeedReport| report.finding.state() == "known";
    until(watch.as_mut(), "a known set", is_known).await;
    let before = peak_bytes();

    for (on, limit) in [
        (On::stream(SLICES), EVENT_BYTES_MAX),
        (On::list(SLICES), LIST_BYTES_MAX),
    ] {
        let asked = api.requests().len();
        let huge = api.fault(
            on,
            Fault::HugeObject {
                bytes: OBJECT_BYTES,
            },
        );
        until(watch.as_mut(), "too large", is_too_large).await;
        assert_eq!(watch.latest().seeds().len(), 1, "the last good set stays");
        drop(huge);
        until(watch.as_mut(), "a known set again", is_known).await;
        let requests = api.requests();
        let sent = requests[asked.saturating_sub(2)..]
            .iter()
            .map(discovery_k8s::testing::Recorded::body_bytes_sent);
        let most = sent.max().unwrap_or_default();
        assert!(
            most > limit,
            "{on:?}: the limit of {limit} was not met: {most}"
        );
        let allowed = limit + IN_FLIGHT_BYTES_MAX;
        assert!(
            most < allowed,
            "{on:?}: {most} bytes were read at a limit of {limit}"
        );
    }
    let grown = peak_bytes() - before;
    assert!(grown < GROWTH_BYTES_MAX, "grew by {grown} bytes");
}
