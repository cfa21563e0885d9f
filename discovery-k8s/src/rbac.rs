//! The permissions that the finder needs, one by one, and the Role that grants them as manifest
//! lines. Pure text; asking the API what is granted is `access_report.rs`'s.

use std::fmt;

use crate::config::KubeFinderConfig;

/// One permission: a verb on a resource of one namespace, perhaps on one object only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Get one slice: unused by the finder itself, asked of a Role for diagnosis by people.
    GetEndpointSlices,
    /// List slices: the first listing, the audits, the census.
    ListEndpointSlices,
    /// Watch slices: learning of changes at once.
    WatchEndpointSlices,
    /// Get one pod: exemption and proof of death.
    GetPods,
    /// List pods: what was last seen of a pod before it was gone.
    ListPods,
    /// Get this one Service: telling "no Service" from "no endpoints", the start-up check of
    /// `publishNotReadyAddresses`, and which pods to list.
    GetService,
}

impl Rule {
    /// Every rule, in the order of the Role.
    pub const ALL: [Self; 6] = [
        Self::GetEndpointSlices,
        Self::ListEndpointSlices,
        Self::WatchEndpointSlices,
        Self::GetPods,
        Self::ListPods,
        Self::GetService,
    ];

    /// The verb: `get`, `list` or `watch`.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::GetEndpointSlices | Self::GetPods | Self::GetService => "get",
            Self::ListEndpointSlices | Self::ListPods => "list",
            Self::WatchEndpointSlices => "watch",
        }
    }

    /// The resource's plural name.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::GetEndpointSlices | Self::ListEndpointSlices | Self::WatchEndpointSlices => {
                "endpointslices"
            }
            Self::GetPods | Self::ListPods => "pods",
            Self::GetService => "services",
        }
    }

    /// The API group; empty for the core group.
    pub const fn api_group(self) -> &'static str {
        match self {
            Self::GetEndpointSlices | Self::ListEndpointSlices | Self::WatchEndpointSlices => {
                "discovery.k8s.io"
            }
            Self::GetPods | Self::ListPods | Self::GetService => "",
        }
    }

    /// What is lost without it.
    pub const fn without_it(self) -> &'static str {
        match self {
            Self::GetEndpointSlices => "nothing but convenience: people cannot get a single slice",
            Self::ListEndpointSlices => "no seed is found and no census can be made",
            Self::WatchEndpointSlices => "changes are noticed at audits only, and reported unknown",
            Self::GetPods => "no listed pod is exempt and no death can be proven by its pod",
            Self::ListPods => "a pod that is gone proves nothing unless it was read just before",
            Self::GetService => {
                "a Service that does not exist reads like one without endpoints, and each audit \
                 lists the namespace's pods in place of the Service's"
            }
        }
    }

    /// The rule as one entry of a Role's `rules`, limited to this Service where that is possible.
    fn entry(self, config: &KubeFinderConfig) -> String {
        let (group, resource, verb) = (self.api_group(), self.resource(), self.verb());
        let names = match self {
            Self::GetService => format!(", resourceNames: [\"{}\"]", config.service),
            Self::GetEndpointSlices
            | Self::ListEndpointSlices
            | Self::WatchEndpointSlices
            | Self::GetPods
            | Self::ListPods => String::new(),
        };
        format!(
            "- {{apiGroups: [\"{group}\"], resources: [\"{resource}\"]{names}, verbs: [\"{verb}\"]}}"
        )
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb(), self.resource())?;
        if self.api_group().is_empty() {
            Ok(())
        } else {
            write!(f, ".{}", self.api_group())
        }
    }
}

/// The lines to add to a Role's `rules` so that it grants these.
pub fn role_lines(config: &KubeFinderConfig, rules: &[Rule]) -> String {
    let lines: Vec<String> = rules.iter().map(|rule| rule.entry(config)).collect();
    lines.join("\n")
}

/// The whole Role that the finder needs, with its RoleBinding, as a manifest to apply.
///
/// Object names are `<service>-discovery`; the account is a ServiceAccount of the same namespace.
///
/// ```
/// use discovery_k8s::{KubeFinderConfig, role_manifest};
///
/// let manifest = role_manifest(&KubeFinderConfig::new("prod", "ring"), "ring");
/// assert!(manifest.contains("resources: [\"endpointslices\"]"));
/// assert!(manifest.contains("resourceNames: [\"ring\"]"));
/// ```
pub fn role_manifest(config: &KubeFinderConfig, service_account: &str) -> String {
    let KubeFinderConfig {
        namespace, service, ..
    } = config;
    format!(
        r#"apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {service}-discovery
  namespace: {namespace}
rules:
# Finding peers, auditing what was found, and the census.
- apiGroups: ["discovery.k8s.io"]
  resources: ["endpointslices"]
  verbs: ["get", "list", "watch"]
# Exempting a listed pod that does not run, and proving that a member's process has ended.
- apiGroups: [""]
  resources: ["pods"]
  verbs: ["get", "list"]
# Telling "no Service" from "no endpoints", checking publishNotReadyAddresses at start, and
# listing no other pods than the Service's.
- apiGroups: [""]
  resources: ["services"]
  resourceNames: ["{service}"]
  verbs: ["get"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {service}-discovery
  namespace: {namespace}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {service}-discovery
subjects:
- kind: ServiceAccount
  name: {service_account}
  namespace: {namespace}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_grants_every_rule_and_nothing_cluster_wide() {
        let manifest = role_manifest(&KubeFinderConfig::new("prod", "ring"), "app");
        for rule in Rule::ALL {
            assert!(
                manifest.contains(&format!("\"{}\"", rule.resource())),
                "{rule}"
            );
            assert!(manifest.contains(&format!("\"{}\"", rule.verb())), "{rule}");
        }
        assert!(!manifest.contains("ClusterRole"));
        assert!(!manifest.contains('*'));
    }

    #[test]
    fn the_service_rule_is_limited_to_the_service() {
        let lines = role_lines(&KubeFinderConfig::new("prod", "ring"), &[Rule::GetService]);
        let expected = "- {apiGroups: [\"\"], resources: [\"services\"], \
                        resourceNames: [\"ring\"], verbs: [\"get\"]}";
        assert_eq!(lines, expected);
    }
}
