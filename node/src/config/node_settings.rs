//! The lines of the table of settings that are about running a node.

use super::services::{
    GRPC_CONNECTIONS_MAX, HISTORY_BYTES_MAX, HISTORY_MAX, HTTP_CONNECTIONS_MAX, PAGES_MAX,
};
use super::settings::{Setting, list, setting, switch};

/// The node's name.
pub(super) const NAME: &str = "node.name";
/// The cluster's name.
pub(super) const CLUSTER: &str = "node.cluster";
/// Where other nodes reach it.
pub(super) const ADVERTISE: &str = "node.advertise";
/// The uid of its pod.
pub(super) const POD_UID: &str = "node.pod_uid";
/// Its zone.
pub(super) const ZONE: &str = "node.zone";
/// Its machine.
pub(super) const HOST_NODE: &str = "node.host_node";
/// Facts about it.
pub(super) const ATTRIBUTES: &str = "node.attributes";
/// Where the ring listens.
pub(super) const RING_LISTEN: &str = "ring.listen";
/// How a cluster comes into being.
pub(super) const FORMATION: &str = "ring.formation";
/// What is done when the quorum is lost for good.
pub(super) const RECOVERY: &str = "ring.recovery";
/// The names for formation by majority.
pub(super) const NAMES: &str = "ring.names";
/// What the settings digest is made of.
pub(super) const SHARED: &str = "ring.shared_settings";
/// Most bytes of a message.
pub(super) const PAYLOAD_BYTES_MAX: &str = "ring.payload_bytes_max";
/// Where the API listens.
pub(super) const GRPC_LISTEN: &str = "grpc.listen";
/// Most streams of the API.
pub(super) const STREAMS_MAX: &str = "grpc.streams_max";
/// Where probes, metrics and the page listen.
pub(super) const HTTP_LISTEN: &str = "http.listen";
/// Where operators are listened to.
pub(super) const ADMIN_LISTEN: &str = "admin.listen";
/// Whether a final refusal ends the process.
pub(super) const EXIT_ON_REFUSAL: &str = "run.exit_on_refusal";
/// How long an orderly end may take.
pub(super) const STOP_LIMIT: &str = "run.stop_limit";
/// How log lines are written.
pub(super) const LOG_FORMAT: &str = "run.log_format";

/// Settings of `run`.
pub(super) const NODE_SETTINGS: &[Setting] = &[
    setting(
        NAME,
        "node-name",
        "NAME",
        "The node's name: stable across its runs, unique in the cluster",
        "POD_NAME, else HOSTNAME",
        r#""ring-0""#,
    ),
    setting(
        CLUSTER,
        "cluster",
        "NAME",
        "The name that all nodes of the cluster share; nodes of another one are turned away",
        "namespace and name of the Service, as prod/ring; without one 'default'",
        r#""prod/ring""#,
    ),
    list(setting(
        ADVERTISE,
        "advertise",
        "IP[:PORT]",
        "Where other nodes reach this one, best first; without a port, at the one it listens at",
        "POD_IPS, else the address it listens at",
        r#"["10.88.0.7"]"#,
    )),
    setting(
        POD_UID,
        "pod-uid",
        "UID",
        "The uid of the pod that the node runs in",
        "POD_UID",
        r#""b7d4f9e2-5a0c-4e0b-9a55-0d6f3c1e2a90""#,
    ),
    setting(
        ZONE,
        "zone",
        "NAME",
        "The failure zone that the node runs in",
        "",
        r#""eu-west-1a""#,
    ),
    setting(
        HOST_NODE,
        "host-node",
        "NAME",
        "The machine that the node runs on",
        "NODE_NAME",
        r#""worker-3""#,
    ),
    list(setting(
        ATTRIBUTES,
        "attribute",
        "KEY=VALUE",
        "A small fact about the node for all who see the topology; at most 31 keys and 4 KiB",
        "",
        r#"["build=2026.11"]"#,
    )),
    setting(
        RING_LISTEN,
        "ring-listen",
        "IP:PORT",
        "Where to listen for other nodes",
        "port 47500 of every address",
        r#""0.0.0.0:47500""#,
    ),
    setting(
        FORMATION,
        "formation",
        "HOW",
        "How a cluster comes into being: census (every listed process must answer), majority (of \
         the names given) or single (this node founds at once: for demos and tests)",
        "census, where the finder lists every process for sure",
        r#""census""#,
    )
    .one_of(&["census", "majority", "single"]),
    list(setting(
        NAMES,
        "founding-name",
        "NAME",
        "With formation majority: the names of all nodes of which a majority founds",
        "",
        r#"["ring-0", "ring-1", "ring-2"]"#,
    )),
    setting(
        RECOVERY,
        "recovery",
        "HOW",
        "What is done when the quorum is lost for good: census (with proofs of death) or manual",
        "census, where a census forms the cluster, else manual",
        r#""census""#,
    )
    .one_of(&["census", "manual"]),
    setting(
        "ring.proof",
        "proof",
        "RULE",
        "What proves a death: object, kubelet, any-object, address or off",
        "object",
        r#""object""#,
    )
    .one_of(&["object", "kubelet", "any-object", "address", "off"]),
    setting(
        "ring.quorum",
        "quorum",
        "WHOSE",
        "Who may decide: majority, or none (both sides of a partition go on)",
        "majority",
        r#""majority""#,
    )
    .one_of(&["majority", "none"]),
    setting(
        "ring.merge",
        "merge",
        "WHEN",
        "When another cluster of the same name is met: never, or auto (a side whose recovery is \
         impossible joins the other)",
        "never",
        r#""never""#,
    )
    .one_of(&["never", "auto"]),
    setting(
        SHARED,
        "shared-settings",
        "TEXT",
        "Settings of the application that all members must share; nodes with another text are \
         turned away",
        "",
        r#""partitions=1024""#,
    ),
    setting(
        "ring.silence_limit",
        "silence-limit",
        "TIME",
        "Silence of a member after which it is accused, 100ms or more",
        "2s",
        r#""2s""#,
    ),
    setting(
        "ring.leave_limit",
        "leave-limit",
        "TIME",
        "How long a leave may take to be decided",
        "5s",
        r#""5s""#,
    ),
    setting(
        "ring.recovery_after",
        "recovery-after",
        "TIME",
        "Quorum loss after which recovery starts",
        "2s",
        r#""2s""#,
    ),
    setting(
        PAYLOAD_BYTES_MAX,
        "payload-bytes",
        "BYTES",
        "Most bytes of a published message, at most 524288",
        "65536",
        "65536",
    )
    .within(1, 524_288),
    setting(
        "ring.publish_queue_max",
        "publish-queue",
        "COUNT",
        "Most messages of this node that wait to be decided",
        "1024",
        "1024",
    ),
    setting(
        "ring.links_max",
        "ring-links",
        "COUNT",
        "Most links to other nodes; one more that is opened to this node is turned away",
        "4096",
        "4096",
    ),
    setting(
        "ring.members_max",
        "members-max",
        "COUNT",
        "Most members of the cluster, 1 to 8192; the coordinator refuses one more",
        "1024",
        "1024",
    )
    .within(1, 8192),
    setting(
        "ring.frame_bytes_max",
        "frame-bytes",
        "BYTES",
        "Longest frame between nodes, 1 to 16 MiB: all members with their attributes have to fit \
         one; the same on all nodes",
        "1048576",
        "1048576",
    )
    .within(1_048_576, 16_777_216),
    setting(
        "ring.history_max",
        "ring-history",
        "COUNT",
        "Most decided entries kept for members that lag",
        "1024",
        "1024",
    ),
    setting(
        "ring.history_bytes_max",
        "ring-history-bytes",
        "BYTES",
        "Most bytes of decided entries kept for members that lag; frame_bytes_max or more",
        "1048576",
        "1048576",
    )
    .within(1_048_576, u64::MAX),
    setting(
        GRPC_LISTEN,
        "grpc-listen",
        "IP:PORT|off",
        "Where to serve the gRPC API",
        "port 47510 of every address",
        r#""0.0.0.0:47510""#,
    ),
    setting(
        STREAMS_MAX,
        "grpc-streams",
        "COUNT",
        "Most streams of the API at a time",
        "4096",
        "4096",
    ),
    setting(
        GRPC_CONNECTIONS_MAX,
        "grpc-connections",
        "COUNT",
        "Most connections of the API at a time; one more is closed at once",
        "4096",
        "4096",
    ),
    setting(
        HISTORY_MAX,
        "grpc-history",
        "COUNT",
        "Most changes, and most messages, kept for readers of the API who come back or are slow",
        "1024",
        "1024",
    ),
    setting(
        HISTORY_BYTES_MAX,
        "grpc-history-bytes",
        "BYTES",
        "Most bytes of messages kept for readers of the API",
        "4194304",
        "4194304",
    ),
    setting(
        HTTP_LISTEN,
        "http-listen",
        "IP:PORT|off",
        "Where to serve probes, metrics and the page",
        "port 47520 of every address",
        r#""0.0.0.0:47520""#,
    ),
    setting(
        HTTP_CONNECTIONS_MAX,
        "http-connections",
        "COUNT",
        "Most connections of HTTP at a time; one more is closed at once",
        "512",
        "512",
    ),
    setting(
        PAGES_MAX,
        "http-pages",
        "COUNT",
        "Most pages kept up to date at a time; one more is told to come back",
        "64",
        "64",
    ),
    setting(
        ADMIN_LISTEN,
        "admin-listen",
        "PATH|IP:PORT|off",
        "Where to serve operators: a Unix socket, or an address that only they reach",
        "admin.sock in $XDG_RUNTIME_DIR/discovery, else in /run/discovery",
        r#""/run/discovery/admin.sock""#,
    ),
    switch(
        EXIT_ON_REFUSAL,
        "exit-on-refusal",
        "Whether the process ends when the cluster refuses it for good; else it asks again",
        "false",
    ),
    setting(
        STOP_LIMIT,
        "stop-limit",
        "TIME",
        "How long an orderly end may take, the leave included; then the process ends all the same",
        "15s",
        r#""15s""#,
    ),
    setting(
        LOG_FORMAT,
        "log-format",
        "text|json",
        "How log lines are written",
        "text",
        r#""text""#,
    )
    .one_of(&["text", "json"]),
];
