//! The command line of every part; nothing here touches the machine.

use super::constants::{
    API_PORT, ETCD_CLIENT_URL, ETCD_PEER_URL, NODE_IP, NODE_NAME, POD_CIDR, SERVICE_ACCOUNT_ISSUER,
    SERVICE_CIDR,
};
use super::part::Part;
use super::state_dir::StateDir;

/// What `part` is started with.
pub(crate) fn of(part: Part, state: &StateDir) -> Vec<String> {
    match part {
        Part::Etcd => etcd(state),
        Part::Containerd => {
            vec![
                "--config".to_owned(),
                path(&state.config().join("containerd.toml")),
            ]
        }
        Part::ApiServer => api_server(state),
        Part::ControllerManager => controller_manager(state),
        Part::Scheduler => scheduler(state),
        Part::Kubelet => kubelet(state),
        Part::KubeProxy => kube_proxy(state),
    }
}

fn etcd(state: &StateDir) -> Vec<String> {
    vec![
        "--unsafe-no-fsync".to_owned(),
        flag("data-dir", path(&state.data().join("etcd"))),
        flag("listen-client-urls", ETCD_CLIENT_URL),
        flag("advertise-client-urls", ETCD_CLIENT_URL),
        flag("listen-peer-urls", ETCD_PEER_URL),
        flag("initial-advertise-peer-urls", ETCD_PEER_URL),
        flag("initial-cluster", format!("default={ETCD_PEER_URL}")),
    ]
}

fn api_server(state: &StateDir) -> Vec<String> {
    let pki = |file: &str| path(&state.pki().join(file));
    vec![
        flag("etcd-servers", ETCD_CLIENT_URL),
        flag("secure-port", API_PORT),
        flag("advertise-address", NODE_IP),
        flag("authorization-mode", "Node,RBAC"),
        flag("enable-admission-plugins", "NodeRestriction"),
        flag("allow-privileged", true),
        flag("service-cluster-ip-range", SERVICE_CIDR),
        flag("service-account-issuer", SERVICE_ACCOUNT_ISSUER),
        flag("service-account-key-file", pki("service-account.pub")),
        flag(
            "service-account-signing-key-file",
            pki("service-account.key"),
        ),
        flag("client-ca-file", pki("ca.crt")),
        flag("tls-cert-file", pki("kube-apiserver.crt")),
        flag("tls-private-key-file", pki("kube-apiserver.key")),
        // Nothing stands in front of this API server; without them the parts ask for these for
        // ever.
        flag("requestheader-client-ca-file", pki("ca.crt")),
        flag("requestheader-allowed-names", "front-proxy"),
        flag("requestheader-username-headers", "X-Remote-User"),
        flag("requestheader-group-headers", "X-Remote-Group"),
        flag("requestheader-extra-headers-prefix", "X-Remote-Extra-"),
        flag("kubelet-client-certificate", pki("kubelet-client.crt")),
        flag("kubelet-client-key", pki("kubelet-client.key")),
        // Without it exec and logs try to resolve the node's name, which nobody answers.
        flag("kubelet-preferred-address-types", "InternalIP"),
    ]
}

fn controller_manager(state: &StateDir) -> Vec<String> {
    let mut flags = client(Part::ControllerManager, state);
    flags.extend([
        flag("bind-address", "127.0.0.1"),
        flag("leader-elect", false),
        // Its own default lets it wait for itself for seconds while it starts.
        flag("kube-api-qps", 200),
        flag("kube-api-burst", 400),
        flag("use-service-account-credentials", true),
        flag("cluster-cidr", POD_CIDR),
        flag("root-ca-file", path(&state.pki().join("ca.crt"))),
        flag(
            "service-account-private-key-file",
            path(&state.pki().join("service-account.key")),
        ),
    ]);
    flags
}

fn scheduler(state: &StateDir) -> Vec<String> {
    // Leader election stays on: a quiet cluster has almost no writes, and who waits for the next
    // resource version would wait for long.
    let mut flags = client(Part::Scheduler, state);
    flags.push(flag("bind-address", "127.0.0.1"));
    flags
}

fn kubelet(state: &StateDir) -> Vec<String> {
    vec![
        flag("config", path(&state.config().join("kubelet.json"))),
        flag("kubeconfig", path(&state.kubeconfig_of("kubelet"))),
        flag("root-dir", path(&state.data().join("kubelet"))),
        flag("cert-dir", path(&state.data().join("kubelet-pki"))),
        flag("hostname-override", NODE_NAME),
        flag("node-ip", NODE_IP),
    ]
}

fn kube_proxy(state: &StateDir) -> Vec<String> {
    vec![
        flag("kubeconfig", path(&state.kubeconfig_of("kube-proxy"))),
        flag("hostname-override", NODE_NAME),
        flag("proxy-mode", "nftables"),
        flag("cluster-cidr", POD_CIDR),
        // Zero leaves the connection tracking of the machine as it is.
        flag("conntrack-max-per-core", 0),
        flag("conntrack-tcp-timeout-established", "0"),
        flag("conntrack-tcp-timeout-close-wait", "0"),
    ]
}

/// The three kubeconfigs of a part that also answers questions itself.
fn client(part: Part, state: &StateDir) -> Vec<String> {
    let kubeconfig = path(&state.kubeconfig_of(part.program()));
    [
        "kubeconfig",
        "authentication-kubeconfig",
        "authorization-kubeconfig",
    ]
    .map(|name| flag(name, &kubeconfig))
    .to_vec()
}

fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}

fn path(path: &std::path::Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_part_works_below_the_folder_of_its_cluster() {
        let state = StateDir::at(Path::new("/tmp/c/up"));

        for part in Part::ALL {
            let arguments = of(part, &state).join(" ");
            assert!(arguments.contains("/tmp/c/up/"), "{part}: {arguments}");
        }
    }

    #[test]
    fn the_scheduler_keeps_its_leader_election() {
        let state = StateDir::at(Path::new("/tmp/c/up"));

        assert!(
            !of(Part::Scheduler, &state)
                .iter()
                .any(|flag| flag.contains("leader-elect"))
        );
    }
}
