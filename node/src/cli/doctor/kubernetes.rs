//! Asks the API server what `doctor` wants to know, most basic first: what hinders one question
//! hinders those after it.

use std::sync::Arc;
use std::time::Duration;

use discovery_core::Finder;
use discovery_k8s::{ApiAccess, KubeFinder};
use tokio::time::Instant;

use super::check::Checks;
use super::{first_report, judge};
use crate::config::{Part, Surroundings};

/// Everything about one Service.
pub(super) async fn check(
    finder: &Arc<KubeFinder>,
    planned: &Part,
    surroundings: &Surroundings,
    wait: Duration,
) -> Checks {
    let mut checks = Checks::of(finder.provenance().as_str());
    checks.ok("configuration", configuration_words(finder, planned));
    let asked = Instant::now();
    match finder.access_report().await {
        Ok(report) => {
            let took = asked.elapsed();
            checks.ok("credentials", "the API server knows us");
            checks.ok(
                "API server",
                format!("answered {} questions in {took:.0?}", report.rules.len()),
            );
            judge::access(&report, &mut checks);
        }
        Err(error) => {
            judge::no_answer(&error, &mut checks);
            return checks;
        }
    }
    judge::service(finder.service().await, finder.config(), &mut checks);
    judge::seeds(&first_report(&**finder, wait).await, &mut checks);
    let census = finder.census().await;
    judge::census(&census, &mut checks);
    if let Ok(census) = &census {
        let uid = surroundings.env.get("POD_UID").map(String::as_str);
        judge::this_pod(census, uid, surroundings.is_in_a_pod(), &mut checks);
    }
    checks
}

fn configuration_words(finder: &KubeFinder, planned: &Part) -> String {
    let config = finder.config();
    let words = format!(
        "Service {} of namespace {}, port {}, families {}",
        config.service, config.namespace, config.port, config.families
    );
    match planned {
        Part::Kubernetes {
            access,
            namespace_from,
            ..
        } => {
            format!(
                "{words}; namespace from {namespace_from}; API server {}",
                access_words(access)
            )
        }
        Part::Dns(_) | Part::Static(_) | Part::File(_) => words,
    }
}

fn access_words(access: &ApiAccess) -> String {
    match access {
        ApiAccess::InCluster => "by the pod's service account".to_owned(),
        ApiAccess::Kubeconfig { path, context } => {
            let file = path.as_ref().map_or_else(
                || "$KUBECONFIG or ~/.kube/config".to_owned(),
                |path| path.display().to_string(),
            );
            let context = context.as_deref().unwrap_or("current");
            format!("by kubeconfig {file}, context {context}")
        }
        ApiAccess::Endpoint(endpoint) => format!("at {}", endpoint.url),
        // The enum grows in its own crate.
        _ => "by other means".to_owned(),
    }
}
