//! Every version, name, address and time limit of the local cluster, in one place.
//!
//! The versions are repeated in `xtask/go/*/go.mod`, where the build reads them; a test compares.

use std::time::Duration;

pub(crate) const KUBERNETES_VERSION: &str = "v1.36.3";
pub(crate) const ETCD_VERSION: &str = "v3.6.8";
pub(crate) const CONTAINERD_VERSION: &str = "v2.2.1";
/// The oldest Go that compiles them, as (major, minor).
pub(crate) const GO_VERSION_MIN: (u32, u32) = (1, 26);

/// The sandbox image every pod starts from; kubelet and containerd must agree on the name.
pub(crate) const PAUSE_IMAGE: &str = "registry.k8s.io/pause:3.10.1";

pub(crate) const NODE_NAME: &str = "node1";
/// Kubelet refuses loopback, so the node has an address of its own on a pair of its own.
pub(crate) const NODE_IP: &str = "10.89.0.1";
pub(crate) const NODE_IP_PREFIX: u8 = 24;
pub(crate) const POD_CIDR: &str = "10.88.0.0/16";
pub(crate) const SERVICE_CIDR: &str = "10.96.0.0/16";
/// The first address of `SERVICE_CIDR`: where pods find the API.
pub(crate) const API_SERVICE_IP: &str = "10.96.0.1";
pub(crate) const API_PORT: u16 = 6443;
pub(crate) const ETCD_CLIENT_URL: &str = "http://127.0.0.1:2379";
pub(crate) const ETCD_PEER_URL: &str = "http://127.0.0.1:2380";
pub(crate) const SERVICE_ACCOUNT_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// Where Debian's `containernetworking-plugins` puts its programs.
pub(crate) const CNI_PROGRAMS_DIR: &str = "/usr/lib/cni";
/// The containerd namespace in which kubelet's containers and images live.
pub(crate) const CONTAINERD_NAMESPACE: &str = "k8s.io";

/// Variable that moves the cache of built programs.
pub(crate) const CACHE_ENV: &str = "DISCOVERY_XTASK_CACHE";
/// Folder of clusters under the temporary directory; one folder in it for each cluster.
pub(crate) const STATE_FOLDER: &str = "discovery-cluster";
/// The cluster that `cluster up` starts.
pub(crate) const UP_LABEL: &str = "up";
/// The cluster of a test run is called so, followed by the number of the process that owns it.
pub(crate) const TEST_LABEL_PREFIX: &str = "e2e-";
/// A path of a Unix socket may hold 107 bytes; the longest one below the folder of a cluster takes
/// 50.
pub(crate) const STATE_PATH_BYTES_MAX: usize = 57;

/// One build, cold, on two busy cores takes about 11 minutes.
pub(crate) const BUILD_TIME_MAX: Duration = Duration::from_hours(1);
pub(crate) const INSTALL_TIME_MAX: Duration = Duration::from_mins(10);
pub(crate) const SUPERVISOR_READY_TIME_MAX: Duration = Duration::from_secs(20);
pub(crate) const CONTAINERD_READY_TIME_MAX: Duration = Duration::from_mins(1);
pub(crate) const API_READY_TIME_MAX: Duration = Duration::from_mins(2);
pub(crate) const CONTROLLERS_READY_TIME_MAX: Duration = Duration::from_mins(2);
pub(crate) const NODE_READY_TIME_MAX: Duration = Duration::from_mins(2);
pub(crate) const KUBECTL_TIME_MAX: Duration = Duration::from_mins(1);
/// One question to an API that may not answer yet.
pub(crate) const KUBECTL_PROBE_TIME_MAX: Duration = Duration::from_secs(5);
pub(crate) const IMPORT_TIME_MAX: Duration = Duration::from_mins(2);
pub(crate) const CONTROL_TIME_MAX: Duration = Duration::from_secs(15);
/// A part that is asked to end and does not is killed after this.
pub(crate) const PART_STOP_TIME_MAX: Duration = Duration::from_secs(5);
/// From asking the supervisor to end until it is killed with all it started.
pub(crate) const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(20);
/// A control group can be removed only a moment after its last process is gone.
pub(crate) const SWEEP_TIME_MAX: Duration = Duration::from_secs(10);
/// One set-up command inside the namespaces (`ip`, `mount`).
pub(crate) const SETUP_COMMAND_TIME_MAX: Duration = Duration::from_secs(10);

pub(crate) const POLL_PAUSE: Duration = Duration::from_millis(100);
/// Between two progress lines where standard error is not a terminal.
pub(crate) const PROGRESS_PAUSE: Duration = Duration::from_secs(10);

/// What is kept of the output of one program.
pub(crate) const OUTPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What an error quotes of a log.
pub(crate) const LOG_TAIL_LINES: usize = 15;
pub(crate) const LOG_TAIL_BYTES: u64 = 16 * 1024;
/// One request or answer on the control socket.
pub(crate) const CONTROL_BYTES_MAX: u64 = 16 * 1024;
