//! The files that containerd, CNI and kubelet read, as text; nothing here touches the machine.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::constants::{CNI_PROGRAMS_DIR, NODE_IP, PAUSE_IMAGE, POD_CIDR};
use super::state_dir::StateDir;

/// containerd's configuration, version 3.
///
/// `restrict_oom_score_adj` is needed where the machine withholds `CAP_SYS_RESOURCE`: without it
/// every sandbox fails with "can't get final child's PID from pipe". No profile of `AppArmor` is
/// used, because one would be loaded into the machine's kernel and stay there. Network namespaces
/// of pods stay below `data`, and the plugins that would write elsewhere are off.
pub(crate) fn containerd(state: &StateDir, toolchain: &Path, runc: &Path) -> String {
    let data = state.data();
    let root = quoted(&data.join("containerd/root"));
    let run = quoted(&data.join("containerd/state"));
    let socket = quoted(&state.containerd_socket());
    let cni = quoted(&state.cni());
    let shim = quoted(&toolchain.join("containerd-shim-runc-v2"));
    let runc = quoted(runc);
    format!(
        r#"version = 3
root = {root}
state = {run}
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]

[grpc]
address = {socket}

[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE_IMAGE}"

[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
disable_apparmor = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{CNI_PROGRAMS_DIR}"]
conf_dir = {cni}
[plugins."io.containerd.cri.v1.runtime".containerd]
default_runtime_name = "runc"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
runtime_path = {shim}
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = {runc}
SystemdCgroup = false
"#
    )
}

/// One bridge for all pods; no masquerade, so that every pod sees the others' own addresses.
pub(crate) fn cni(state: &StateDir) -> String {
    pretty(&json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": true,
                "ipMasq": false,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": state.data().join("cni"),
                    "ranges": [[{ "subnet": POD_CIDR }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                },
            },
            { "type": "loopback" },
        ],
    }))
}

/// Kubelet's configuration.
pub(crate) fn kubelet(state: &StateDir, back_off_max: Option<Duration>) -> String {
    let mut config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true, "cacheTTL": "2m0s" },
            "x509": { "clientCAFile": state.pki().join("ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", state.cgroup()),
        "containerRuntimeEndpoint": format!("unix://{}", state.containerd_socket().display()),
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "failCgroupV1": false,
        "failSwapOn": false,
        "imageGCHighThresholdPercent": 100,
        "podLogsDir": state.pod_logs(),
        "resolvConf": state.config().join("resolv.conf"),
        "volumePluginDir": state.data().join("volume-plugins"),
    });
    if let Some(back_off_max) = back_off_max {
        // Otherwise a pod that is killed again and again waits 10 s to 5 min for its restart.
        let period = format!("{}s", back_off_max.as_secs());
        config["crashLoopBackOff"] = json!({ "maxContainerRestartPeriod": period });
    }
    pretty(&config)
}

/// There is no cluster DNS: a question is refused at once instead of leaving the namespace.
pub(crate) fn resolv_conf() -> String {
    format!("nameserver {NODE_IP}\noptions timeout:1 attempts:1\n")
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> StateDir {
        StateDir::at(Path::new("/tmp/c/up"))
    }

    #[test]
    fn every_path_containerd_writes_to_is_in_memory() {
        let text = containerd(&state(), Path::new("/cache/k"), Path::new("/usr/sbin/runc"));

        for key in ["root = ", "state = ", "address = "] {
            let line = text.lines().find(|line| line.starts_with(key)).unwrap();
            assert!(line.contains("\"/tmp/c/up/data/"), "{line}");
        }
        assert!(text.contains("restrict_oom_score_adj = true"));
    }

    #[test]
    fn back_off_is_the_default_unless_a_limit_is_given() {
        let plain: Value = serde_json::from_str(&kubelet(&state(), None)).unwrap();
        let short = kubelet(&state(), Some(Duration::from_secs(1)));
        let short: Value = serde_json::from_str(&short).unwrap();

        assert!(plain.get("crashLoopBackOff").is_none());
        assert_eq!(short["crashLoopBackOff"]["maxContainerRestartPeriod"], "1s");
        assert_eq!(short["cgroupRoot"], "/discovery-cluster-up");
    }

    #[test]
    fn pods_get_addresses_of_the_pod_range() {
        let config: Value = serde_json::from_str(&cni(&state())).unwrap();

        assert_eq!(
            config["plugins"][0]["ipam"]["ranges"][0][0]["subnet"],
            POD_CIDR
        );
        assert_eq!(config["plugins"][0]["ipMasq"], false);
    }
}
