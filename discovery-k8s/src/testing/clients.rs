//! Configurations with which a Kubernetes client reaches the scripted server.

use std::path::Path;

use k8s_openapi::ByteString;
use kube::config::AuthInfo;
use serde_json::{Value, json};

use super::api::ScriptedApi;
use super::builders::NAMESPACE;
use super::tls::TestAuthority;

impl ScriptedApi {
    /// A configuration that reaches this server, with one of the accepted tokens and its authority.
    pub fn config(&self) -> kube::Config {
        let token = self.shared.look().access.some_token();
        self.config_with(match token {
            Some(token) => json!({"token": token}),
            None => json!({}),
        })
    }

    /// The same with this token instead.
    pub fn config_with_token(&self, token: &str) -> kube::Config {
        self.config_with(json!({"token": token}))
    }

    /// The same with the token read from a file, again and again.
    pub fn config_with_token_file(&self, path: &Path) -> kube::Config {
        self.config_with(json!({"tokenFile": path}))
    }

    /// A kubeconfig that reaches this server with this token, as text for a file (JSON is YAML).
    pub fn kubeconfig(&self, token: Option<&str>) -> String {
        let user = token.map_or_else(|| json!({}), |token| json!({"token": token}));
        let mut cluster = json!({"server": self.url()});
        if let Some(authority) = &self.authority {
            cluster["certificate-authority-data"] = json!(ByteString(authority.pem().into_bytes()));
        }
        let context = json!({"cluster": "scripted", "user": "test", "namespace": NAMESPACE});
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "scripted", "cluster": cluster}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": context}],
            "current-context": "test",
        });
        kubeconfig.to_string()
    }

    /// The certificate of the server's own authority as PEM; `None` without TLS.
    pub fn authority_pem(&self) -> Option<String> {
        self.authority.as_ref().map(TestAuthority::pem)
    }

    /// The server's address as a URL.
    pub fn url(&self) -> String {
        let scheme = if self.authority.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address())
    }

    fn config_with(&self, auth_info: Value) -> kube::Config {
        let url = self
            .url()
            .parse()
            .expect("a scheme and a socket address are a URL");
        let mut config = kube::Config::new(url);
        NAMESPACE.clone_into(&mut config.default_namespace);
        config.root_cert = self
            .authority
            .as_ref()
            .map(|authority| vec![authority.der()]);
        config.auth_info = auth_info_of(auth_info);
        config
    }
}

/// Reads credentials as a kubeconfig would write them.
fn auth_info_of(json: Value) -> AuthInfo {
    serde_json::from_value(json).expect("both fields are text in a kubeconfig too")
}
