//! Asking the API server what we may do, rule by rule, and saying what is missing.

use std::fmt;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};

use crate::access::ApiClient;
use crate::config::KubeFinderConfig;
use crate::error::{ApiError, Call};
use crate::rbac::{Rule, role_lines};
use crate::source::Source;

/// Which of the finder's permissions the API server says we have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessReport {
    /// Every rule, and whether it is granted.
    pub rules: Vec<(Rule, bool)>,
    config: KubeFinderConfig,
}

impl AccessReport {
    /// The rules that are not granted.
    pub fn missing(&self) -> Vec<Rule> {
        self.rules
            .iter()
            .filter(|(_, granted)| !granted)
            .map(|(rule, _)| *rule)
            .collect()
    }

    /// Whether seeds can be found and watched; what else is missing costs less.
    pub fn suffices_to_find(&self) -> bool {
        let needed = [Rule::ListEndpointSlices, Rule::WatchEndpointSlices];
        !self.missing().iter().any(|rule| needed.contains(rule))
    }

    /// The lines to add to a Role so that nothing is missing; `None` if nothing is.
    pub fn missing_role_lines(&self) -> Option<String> {
        let missing = self.missing();
        (!missing.is_empty()).then(|| role_lines(&self.config, &missing))
    }
}

impl fmt::Display for AccessReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rule, granted) in &self.rules {
            let word = if *granted { "granted" } else { "MISSING" };
            write!(f, "{word}  {rule}")?;
            if *granted {
                writeln!(f)?;
            } else {
                writeln!(f, "  (without it: {})", rule.without_it())?;
            }
        }
        if let Some(lines) = self.missing_role_lines() {
            writeln!(
                f,
                "\nadd to the rules of a Role in namespace {}:",
                self.config.namespace
            )?;
            writeln!(f, "{lines}")?;
        }
        Ok(())
    }
}

/// Asks about every rule.
pub(crate) async fn review(source: &Source, client: &ApiClient) -> Result<AccessReport, ApiError> {
    let config = &source.config;
    let api: Api<SelfSubjectAccessReview> = Api::all(client.client.clone());
    let mut rules = Vec::new();
    for rule in Rule::ALL {
        let call = Call::new(config, rule, format!("SelfSubjectAccessReview of '{rule}'"));
        let question = question(config, rule);
        let params = PostParams::default();
        let answer = tokio::time::timeout(call.deadline, api.create(&params, &question)).await;
        let answer = answer
            .map_err(|_| call.timed_out())?
            .map_err(|error| call.failed(&error))?;
        rules.push((rule, answer.status.is_some_and(|status| status.allowed)));
    }
    Ok(AccessReport {
        rules,
        config: (**config).clone(),
    })
}

fn question(config: &KubeFinderConfig, rule: Rule) -> SelfSubjectAccessReview {
    let name = (rule == Rule::GetService).then(|| config.service.clone());
    let attributes = ResourceAttributes {
        namespace: Some(config.namespace.clone()),
        verb: Some(rule.verb().to_owned()),
        group: Some(rule.api_group().to_owned()),
        resource: Some(rule.resource().to_owned()),
        name,
        ..ResourceAttributes::default()
    };
    SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    }
}
