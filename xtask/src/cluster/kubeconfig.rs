//! What a client needs to reach the API, as one self-contained kubeconfig; JSON is YAML.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::certificates::Identity;
use super::constants::API_PORT;

/// The name of cluster, user and context in every file.
const NAME: &str = "discovery-local";

/// The kubeconfig by which `identity` reaches the API from inside the cluster's network namespace.
pub(crate) fn render(authority: &str, identity: &Identity) -> String {
    let config: Value = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": NAME,
            "cluster": {
                "server": format!("https://127.0.0.1:{API_PORT}"),
                "certificate-authority-data": encoded(authority),
            },
        }],
        "users": [{
            "name": NAME,
            "user": {
                "client-certificate-data": encoded(&identity.certificate),
                "client-key-data": encoded(&identity.key),
            },
        }],
        "contexts": [{ "name": NAME, "context": { "cluster": NAME, "user": NAME } }],
        "current-context": NAME,
    });
    format!("{config:#}\n")
}

fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_holds_the_identity_and_names_its_context() {
        let identity = Identity {
            certificate: "C".to_owned(),
            key: "K".to_owned(),
        };

        let text = render("A", &identity);

        let config: Value = serde_json::from_str(&text).unwrap();
        let user = &config["users"][0]["user"];
        assert_eq!(
            config["clusters"][0]["cluster"]["server"],
            "https://127.0.0.1:6443"
        );
        assert_eq!(
            config["clusters"][0]["cluster"]["certificate-authority-data"],
            "QQ=="
        );
        assert_eq!(user["client-certificate-data"], "Qw==");
        assert_eq!(user["client-key-data"], "Sw==");
        assert_eq!(config["current-context"], config["contexts"][0]["name"]);
    }
}
