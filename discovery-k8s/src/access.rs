//! How the API server is reached: where it is, who we are, and whom we trust. There is no switch
//! that turns verification off, and a token never travels in the clear.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kube::client::ClientBuilder;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::sync::Notify;

use crate::error::{ApiError, Call, chain_words};
use crate::guard::GuardLayer;
use crate::stats::Counters;

/// Where a pod finds its token.
const POD_TOKEN_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Largest token, CA or kubeconfig file that is read, in bytes.
const CREDENTIAL_BYTES_MAX: u64 = 1024 * 1024;

/// How the API server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiAccess {
    /// From inside a pod: address from `KUBERNETES_SERVICE_HOST` and `_PORT`, token and CA from
    /// the mounted service account. Both files are read again while running.
    InCluster,
    /// By a kubeconfig file.
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

impl ApiAccess {
    /// Reads credentials and CA and builds a client from them; no request is sent.
    pub(crate) async fn client(
        &self,
        call: &Call,
        counters: &Arc<Counters>,
    ) -> Result<ApiClient, ApiError> {
        let mut config = self
            .config()
            .await
            .map_err(|message| call.bad_credentials(message))?;
        check_secured(&config).map_err(|message| call.bad_credentials(message))?;
        // kube would retry inside one call for up to 1,000 s and hide an outage from us.
        config.default_retry = false;
        config.connect_timeout = Some(call.deadline);
        let builder = ClientBuilder::try_from(config).map_err(|error| call.failed(&error))?;
        let watch_opened = Arc::new(Notify::new());
        let layer = GuardLayer {
            deadline: call.deadline,
            counters: Arc::clone(counters),
            watch_opened: Arc::clone(&watch_opened),
            next_watch: Arc::default(),
        };
        Ok(ApiClient {
            client: builder.with_layer(&layer).build(),
            watch_opened,
        })
    }

    async fn config(&self) -> Result<Config, String> {
        match self {
            Self::InCluster => {
                check_token(Path::new(POD_TOKEN_FILE)).await?;
                Config::incluster().map_err(|error| {
                    format!(
                        "the pod's service account cannot be used: {}; check that \
                         automountServiceAccountToken is not false",
                        chain_words(&error)
                    )
                })
            }
            Self::Kubeconfig { path, context } => {
                kubeconfig(path.as_deref(), context.clone()).await
            }
            Self::Endpoint(endpoint) => endpoint.config().await,
        }
    }
}

impl ApiEndpoint {
    async fn config(&self) -> Result<Config, String> {
        let url = self
            .url
            .parse::<http::Uri>()
            .ok()
            .filter(|url| url.host().is_some());
        let url = url.ok_or_else(|| {
            format!(
                "API server url '{}' is none; give https://host:port",
                self.url
            )
        })?;
        let mut config = Config::new(url);
        if let Some(path) = &self.token_file {
            check_token(path).await?;
            let token_file = Some(path.display().to_string());
            config.auth_info = AuthInfo {
                token_file,
                ..AuthInfo::default()
            };
        }
        if let Some(path) = &self.ca_file {
            config.root_cert = Some(read_ca(path).await?);
            config.root_cert_file = Some(path.clone());
        }
        Ok(config)
    }
}

/// Reads a whole small file, or says in words why not.
async fn read_small(path: &Path, what: &str) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let wrong = |error: std::io::Error| format!("{what} file {shown} cannot be read: {error}");
    let metadata = tokio::fs::metadata(path).await.map_err(wrong)?;
    if metadata.len() > CREDENTIAL_BYTES_MAX {
        return Err(format!(
            "{what} file {shown} has {} bytes; the limit is {CREDENTIAL_BYTES_MAX}",
            metadata.len()
        ));
    }
    tokio::fs::read(path).await.map_err(wrong)
}

/// kube takes an empty token for an anonymous caller; that would hide a broken mount.
async fn check_token(path: &Path) -> Result<(), String> {
    let token = read_small(path, "token").await?;
    let shown = path.display();
    if token.iter().all(u8::is_ascii_whitespace) {
        return Err(format!("token file {shown} is empty; write a bearer token"));
    }
    // kube puts the bytes into a header as they are.
    if token
        .iter()
        .any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
    {
        return Err(format!(
            "token file {shown} holds a space or a line end; write the token alone (printf, not echo)"
        ));
    }
    Ok(())
}

/// The certificates of a PEM file, as DER.
async fn read_ca(path: &Path) -> Result<Vec<Vec<u8>>, String> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    let shown = path.display();
    let bytes = read_small(path, "CA").await?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let certificates = certificates
        .map_err(|error| format!("CA file {shown} holds a broken PEM block: {error}"))?;
    if certificates.is_empty() {
        return Err(format!(
            "CA file {shown} holds no certificate; give the CA in PEM form"
        ));
    }
    Ok(certificates
        .iter()
        .map(|certificate| certificate.to_vec())
        .collect())
}

async fn kubeconfig(path: Option<&Path>, context: Option<String>) -> Result<Config, String> {
    let (shown, file) = match path {
        Some(path) => {
            read_small(path, "kubeconfig").await?;
            (path.display().to_string(), Kubeconfig::read_from(path))
        }
        None => (
            "$KUBECONFIG or ~/.kube/config".to_owned(),
            Kubeconfig::read(),
        ),
    };
    let wrong = |error: &(dyn std::error::Error + 'static)| {
        format!("kubeconfig {shown} cannot be used: {}", chain_words(error))
    };
    let file = file.map_err(|error| wrong(&error))?;
    let options = KubeConfigOptions {
        context,
        ..KubeConfigOptions::default()
    };
    Config::from_custom_kubeconfig(file, &options)
        .await
        .map_err(|error| wrong(&error))
}

/// Refuses what would send a token to somebody who was not verified.
fn check_secured(config: &Config) -> Result<(), String> {
    if config.accept_invalid_certs {
        return Err(
            "insecure-skip-tls-verify is set; remove it and give the CA instead".to_owned(),
        );
    }
    let url = &config.cluster_url;
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback =
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_loopback => Ok(()),
        Some("http") => Err(format!(
            "API server url '{url}' is plain http, which would show the token to everybody on the \
             way; give https, or http to loopback only"
        )),
        _ => Err(format!(
            "API server url '{url}' has no scheme; give https://host:port"
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

    #[tokio::test]
    async fn a_url_that_is_none_is_named() {
        let error = ApiEndpoint::new("10.96.0.1:6443/x y")
            .config()
            .await
            .unwrap_err();
        assert!(error.contains("'10.96.0.1:6443/x y'"), "{error}");
    }
}
