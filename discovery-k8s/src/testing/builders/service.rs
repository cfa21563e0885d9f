//! Services the short way.

use serde_json::{Value, json};

use super::{NAMESPACE, Object, placed};
use crate::testing::request::Resource;

/// Starts a headless Service in [`NAMESPACE`] that publishes addresses of pods not yet ready.
pub fn service(name: &str) -> ServiceScript {
    ServiceScript {
        json: json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {
                "clusterIP": "None",
                "publishNotReadyAddresses": true,
                "selector": {"app": name},
                "ports": [],
            },
        }),
    }
}

/// A Service being written; see [`service`].
#[derive(Clone, Debug)]
pub struct ServiceScript {
    json: Value,
}

impl ServiceScript {
    /// In this namespace.
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.json["metadata"]["namespace"] = json!(namespace);
        self
    }

    /// With one more TCP port.
    pub fn port(mut self, name: &str, number: u16) -> Self {
        let port = json!({"name": name, "port": number, "protocol": "TCP"});
        if let Some(ports) = self.json["spec"]["ports"].as_array_mut() {
            ports.push(port);
        }
        self
    }

    /// Whether addresses of pods not yet ready are published.
    pub fn publish_not_ready(mut self, publish: bool) -> Self {
        self.json["spec"]["publishNotReadyAddresses"] = json!(publish);
        self
    }

    /// The Service as JSON.
    pub fn json(self) -> Value {
        self.json
    }
}

impl From<ServiceScript> for Object {
    fn from(script: ServiceScript) -> Self {
        placed(Resource::Services, script.json)
    }
}
