//! How the API server is reached: where it is, who we are, and whom we trust. There is no switch
//! that turns verification off, and a token never travels in the clear. Reading files is
//! `access/files.rs`'s and `access/kubeconfig.rs`'s; what may be said of them `access/words.rs`'s.

mod files;
mod kubeconfig;
pub(crate) mod words;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kube::client::ClientBuilder;
use kube::config::AuthInfo;
use kube::{Client, Config};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, oneshot};

use self::files::{check_token, read_ca};
use crate::error::{ApiError, Call, chain_words};
use crate::guard::GuardLayer;
use crate::stats::Counters;

/// Where a pod finds its token.
const POD_TOKEN_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// How the API server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiAccess {
    /// From inside a pod: address from `KUBERNETES_SERVICE_HOST` and `_PORT`, token and CA from
    /// the mounted service account. Both files are read again while running.
    InCluster,
    /// By a kubeconfig file.
    ///
    /// A credential plugin (`exec`) runs without terminal and never interactively. Reading all of
    /// it, the plugin included, takes no longer than `request_deadline`. A plugin whose token
    /// expires runs again inside a request, which ends at the same deadline; a plugin that hangs
    /// then is not stopped, and may keep the runtime from shutting down until it ends.
    Kubeconfig {
        /// The file. Default: `$KUBECONFIG`, else `~/.kube/config`.
        path: Option<PathBuf>,
        /// The context in it. Default: its current one.
        context: Option<String>,
    },
    /// By address, token and CA given one by one.
    Endpoint(ApiEndpoint),
}

impl ApiAccess {
    /// In a pod [`ApiAccess::InCluster`], elsewhere the default kubeconfig.
    ///
    /// A process is in a pod if `KUBERNETES_SERVICE_HOST` is set, as every kubelet does.
    pub fn detect() -> Self {
        match std::env::var_os("KUBERNETES_SERVICE_HOST") {
            Some(_) => Self::InCluster,
            None => Self::Kubeconfig {
                path: None,
                context: None,
            },
        }
    }
}

/// An API server by address; what the predecessor calls `masterUrl` and `accountToken`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiEndpoint {
    /// `https://host:port`; plain `http` only to loopback (as to `kubectl proxy`).
    pub url: String,
    /// A file with a bearer token, read again at least once a minute and after each refusal.
    pub token_file: Option<PathBuf>,
    /// A PEM file with the CAs to trust, read again at least once a minute.
    pub ca_file: Option<PathBuf>,
}

impl ApiEndpoint {
    /// A server at this URL, asked without token, trusted by no CA of its own.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token_file: None,
            ca_file: None,
        }
    }
}

/// A client and the sign that one of its watch requests was answered.
#[derive(Clone)]
pub(crate) struct ApiClient {
    pub(crate) client: Client,
    /// Notified whenever a watch request starts to be answered, of which kube says nothing.
    pub(crate) watch_opened: Arc<Notify>,
}

impl std::fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiClient").finish_non_exhaustive()
    }
}

/// Shortest limit for reading credentials and CA and building a client of them: work for the
/// processor, which a pod may have little of, so that a short `request_deadline` is not for it.
const CREDENTIALS_TIME_MIN: Duration = Duration::from_secs(5);

/// Credentials that are read at one time, over all finders of a process. A reading that hangs (a
/// plugin, a network file system) keeps its thread and its place until it returns.
const READINGS_MAX: usize = 8;

static READINGS: Semaphore = Semaphore::const_new(READINGS_MAX);

impl ApiAccess {
    /// Reads credentials and CA and builds a client from them within the call's deadline, or
    /// [`CREDENTIALS_TIME_MIN`] if that is longer; no request is sent.
    ///
    /// # Errors
    ///
    /// [`ApiError::Credentials`] names what cannot be used and never its content;
    /// [`ApiError::Timeout`] if reading took too long.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the reading, which ends by itself and changes nothing.
    pub(crate) async fn client(
        &self,
        call: &Call,
        counters: &Arc<Counters>,
    ) -> Result<ApiClient, ApiError> {
        let watch_opened = Arc::new(Notify::new());
        let layer = GuardLayer {
            deadline: call.deadline,
            counters: Arc::clone(counters),
            watch_opened: Arc::clone(&watch_opened),
            last_watch: Arc::default(),
        };
        let limit = call.deadline.max(CREDENTIALS_TIME_MIN);
        let reading = tokio::time::timeout(limit, self.read(layer)).await;
        let client = reading
            .map_err(|_| call.slow_credentials(limit))?
            .map_err(|message| call.bad_credentials(message))?;
        Ok(ApiClient {
            client,
            watch_opened,
        })
    }

    /// Everything that reads files or runs a plugin, on a thread of its own: it would block the
    /// runtime, and on one of the runtime's own threads it would keep a process from ending.
    async fn read(&self, layer: GuardLayer) -> Result<Client, String> {
        let place = READINGS.acquire().await;
        let place = place.map_err(|_| "no more credentials are read".to_owned())?;
        let (access, runtime) = (self.clone(), Handle::current());
        let (told, result) = oneshot::channel();
        let reading = std::thread::Builder::new().name("credentials".to_owned());
        let reading = reading.spawn(move || {
            let _inside = runtime.enter();
            // Nobody listens any more once the deadline has passed.
            let _ = told.send(access.build(&layer));
            drop(place);
        });
        reading.map_err(|error| format!("no thread can be started to read them: {error}"))?;
        // kube panics over a token that fits no header; only this thread ends with it.
        result.await.unwrap_or_else(|_| {
            let words = "the client cannot take the credentials; check that the token holds no \
                         line end or other control character";
            Err(words.to_owned())
        })
    }

    fn build(&self, layer: &GuardLayer) -> Result<Client, String> {
        let mut config = self.config()?;
        check_secured(&config)?;
        // kube would retry inside one call for up to 1,000 s and hide an outage from us.
        config.default_retry = false;
        config.connect_timeout = Some(layer.deadline);
        let plugin = kubeconfig::plugin_name(&config.auth_info);
        let builder = ClientBuilder::try_from(config)
            .map_err(|error| words::client_words(&error, plugin.as_deref()))?;
        Ok(builder.with_layer(layer).build())
    }

    fn config(&self) -> Result<Config, String> {
        match self {
            Self::InCluster => {
                check_token(Path::new(POD_TOKEN_FILE))?;
                Config::incluster().map_err(|error| {
                    format!(
                        "the pod's service account cannot be used: {}; check that \
                         automountServiceAccountToken is not false",
                        chain_words(&error)
                    )
                })
            }
            Self::Kubeconfig { path, context } => {
                kubeconfig::read(path.as_deref(), context.clone())
            }
            Self::Endpoint(endpoint) => endpoint.config(),
        }
    }
}

impl ApiEndpoint {
    fn config(&self) -> Result<Config, String> {
        let url = self
            .url
            .parse::<http::Uri>()
            .ok()
            .filter(|url| url.host().is_some());
        let url = url.ok_or_else(|| {
            format!(
                "API server url '{}' is none; give https://host:port",
                words::url_words(&self.url)
            )
        })?;
        let mut config = Config::new(url);
        if let Some(path) = &self.token_file {
            check_token(path)?;
            let token_file = Some(path.display().to_string());
            config.auth_info = AuthInfo {
                token_file,
                ..AuthInfo::default()
            };
        }
        if let Some(path) = &self.ca_file {
            config.root_cert = Some(read_ca(path)?);
            config.root_cert_file = Some(path.clone());
        }
        Ok(config)
    }
}

/// Refuses what would send a token to somebody who was not verified.
fn check_secured(config: &Config) -> Result<(), String> {
    if config.accept_invalid_certs {
        return Err(
            "insecure-skip-tls-verify is set; remove it and give the CA instead".to_owned(),
        );
    }
    let url = &config.cluster_url;
    let shown = words::url_words(&url.to_string());
    if url.authority().is_some_and(|it| it.as_str().contains('@')) {
        return Err(format!(
            "API server url '{shown}' carries a user or a password, which are not sent; remove \
             them and give a token file"
        ));
    }
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback =
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_loopback => Ok(()),
        Some("http") => Err(format!(
            "API server url '{shown}' is plain http, which would show the token to everybody on \
             the way; give https, or http to loopback only"
        )),
        _ => Err(format!(
            "API server url '{shown}' has no scheme; give https://host:port"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secured(url: &str) -> Result<(), String> {
        check_secured(&Config::new(url.parse().unwrap()))
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        assert_eq!(secured("http://127.0.0.1:8001/"), Ok(()));
        assert_eq!(secured("http://[::1]:8001/"), Ok(()));
        assert_eq!(secured("https://10.96.0.1/"), Ok(()));
        assert!(
            secured("http://10.96.0.1/")
                .unwrap_err()
                .contains("plain http")
        );
    }

    #[test]
    fn there_is_no_insecure_switch() {
        let mut config = Config::new("https://10.96.0.1/".parse().unwrap());
        config.accept_invalid_certs = true;
        assert!(
            check_secured(&config)
                .unwrap_err()
                .contains("insecure-skip-tls-verify")
        );
    }

    #[test]
    fn a_url_that_is_none_is_named() {
        let error = ApiEndpoint::new("10.96.0.1:6443/x y").config().unwrap_err();
        assert!(error.contains("'10.96.0.1:6443/x y'"), "{error}");
    }
}
