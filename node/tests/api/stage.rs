//! What the tests stand on: a listing, whole nodes that are listed in it, and bounded waits.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{
    Discovery as _, FinderError, NodeName, PodUid, ProcessIdentity, Seed, Standing,
};
use discovery_node::app::{App, Control, End, Listeners};
use discovery_node::config::NodeConfig;
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::discovery_client::DiscoveryClient;
use discovery_tcp::TcpDiscovery;
use discovery_tcp::testing::SharedListing;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Longer than anything here takes, on a busy machine too; only a failure waits for it.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// A cluster to be; clones are the same.
#[derive(Clone)]
pub(crate) struct Stage {
    listing: SharedListing,
}

/// A node that runs, and the signals that it hears.
pub(crate) struct Running {
    pub(crate) discovery: TcpDiscovery,
    pub(crate) control: Control,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) admin: Option<std::path::PathBuf>,
    pub(crate) signal: Arc<Notify>,
    end: JoinHandle<End>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            listing: SharedListing::new(),
        }
    }

    /// A listed listener and the configuration of the node of this name.
    pub(crate) fn config(&self, name: &str) -> (NodeConfig, Listeners) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uid = PodUid::new(format!("uid-of-{name}")).unwrap();
        let mut seed = Seed::at(listener.local_addr().unwrap());
        seed.name = Some(name.parse().unwrap());
        seed.pod_uid = Some(uid.clone());
        self.listing.enter([seed]);
        let mut config = NodeConfig::on_loopback(NodeName::new(name).unwrap());
        config.pod_uid = Some(uid);
        let mut listeners = Listeners::default();
        listeners.ring = Some(listener);
        (config, listeners)
    }

    /// Lists the node of this name no more.
    pub(crate) fn unlist(&self, name: &str) {
        let uid = PodUid::new(format!("uid-of-{name}")).unwrap();
        self.listing.remove(&ProcessIdentity::Pod(uid));
    }

    /// From now on every finder fails so.
    pub(crate) fn fail(&self, error: FinderError) {
        self.listing.fail(error);
    }

    /// Starts a node of this configuration.
    pub(crate) async fn run(&self, (config, listeners): (NodeConfig, Listeners)) -> Running {
        let finder = Arc::new(self.listing.clone());
        let app = App::build(config, Some(finder)).with_listeners(listeners);
        let app = app.spawn().await.unwrap();
        let signal = Arc::new(Notify::new());
        let heard = Arc::clone(&signal);
        Running {
            discovery: app.discovery().clone(),
            control: app.control(),
            grpc: app.grpc_address().unwrap(),
            http: app.http_address().unwrap(),
            admin: app.admin_path().map(ToOwned::to_owned),
            signal,
            end: tokio::spawn(app.run(move || {
                let heard = Arc::clone(&heard);
                async move { heard.notified().await }
            })),
        }
    }

    /// Lists and starts the node of this name.
    pub(crate) async fn start(&self, name: &str) -> Running {
        self.run(self.config(name)).await
    }

    /// So many nodes that are members of one topology.
    pub(crate) async fn cluster(&self, count: usize) -> Vec<Running> {
        let mut nodes = Vec::new();
        for number in 0..count {
            nodes.push(self.start(&format!("ring-{number}")).await);
        }
        for node in &nodes {
            node.stands(|standing| is_member_of(standing, count)).await;
        }
        nodes
    }
}

/// Whether a standing is that of a member of a topology of so many.
pub(crate) fn is_member_of(standing: &Standing, members: usize) -> bool {
    match standing {
        Standing::Member { topology } => topology.len() == members,
        _ => false,
    }
}

impl Running {
    /// Waits until the node stands as wanted.
    pub(crate) async fn stands(&self, wanted: impl FnMut(&Standing) -> bool) {
        let mut standings = self.discovery.standings();
        let stood = timeout(LIMIT, standings.wait_for(wanted)).await.is_ok();
        assert!(stood, "it still stands as {:?}", self.discovery.standing());
    }

    /// Whether its health service says that it is ready.
    pub(crate) async fn is_ready(&self) -> bool {
        self.serves("readiness").await
    }

    /// Whether its health service says that this service is served.
    pub(crate) async fn serves(&self, service: &str) -> bool {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.grpc)).unwrap();
        let mut health = HealthClient::new(endpoint.connect().await.unwrap());
        let service = service.to_owned();
        let answer = health.check(HealthCheckRequest { service }).await.unwrap();
        answer.into_inner().status() == ServingStatus::Serving
    }

    /// What it answers by HTTP at this path, with the code that came before.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let got = async {
            let mut link = TcpStream::connect(self.http).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            link.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            link.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let answer = timeout(LIMIT, got).await.unwrap();
        let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (code, answer)
    }

    /// What its page shows now.
    pub(crate) async fn sight(&self) -> serde_json::Value {
        let told = async {
            let mut link = TcpStream::connect(self.http).await.unwrap();
            link.write_all(b"GET /live HTTP/1.0\r\n\r\n").await.unwrap();
            let mut lines = BufReader::new(link).lines();
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(data) = line.strip_prefix("data: ").or(line.strip_prefix("data:")) {
                    let telling: serde_json::Value = serde_json::from_str(data).unwrap();
                    return telling["sight"].clone();
                }
            }
            panic!("the page was told nothing")
        };
        timeout(LIMIT, told).await.unwrap()
    }

    /// A client of its API.
    pub(crate) async fn client(&self) -> DiscoveryClient<Channel> {
        let connected = DiscoveryClient::connect(format!("http://{}", self.grpc));
        timeout(LIMIT, connected).await.unwrap().unwrap()
    }

    /// Ends it as if it had been killed.
    pub(crate) async fn kill(self) {
        self.end.abort();
        // It was aborted just now.
        let _ = timeout(LIMIT, self.end).await;
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&self) -> bool {
        !self.end.is_finished()
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) -> End {
        timeout(LIMIT, self.end).await.unwrap().unwrap()
    }
}

/// The next answer of a stream, which must not have ended.
pub(crate) async fn next<T>(answers: &mut tonic::Streaming<T>) -> T {
    let answer = timeout(LIMIT, answers.message()).await.unwrap();
    answer.unwrap().expect("the stream has ended")
}

/// The version of a topology's name.
pub(crate) fn version(id: Option<&v1::TopologyRef>) -> u64 {
    id.unwrap().version
}

/// The reason that a refusal carries.
pub(crate) fn reason(status: &tonic::Status) -> String {
    use tonic_types::StatusExt as _;
    status
        .get_error_details()
        .error_info()
        .map_or_else(String::new, |told| told.reason.clone())
}
