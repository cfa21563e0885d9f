//! EndpointSlices the short way.

use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::{Value, json};

use super::{NAMESPACE, Object, SERVICE, placed};
use crate::testing::request::Resource;

/// Starts an EndpointSlice of [`SERVICE`] in [`NAMESPACE`]: IPv4, without ports or endpoints.
pub fn slice(name: &str) -> SliceScript {
    SliceScript {
        json: json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "labels": {
                    "kubernetes.io/service-name": SERVICE,
                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                },
            },
            "addressType": "IPv4",
            "ports": [],
            "endpoints": [],
        }),
    }
}

/// An EndpointSlice being written; see [`slice()`].
#[derive(Clone, Debug)]
pub struct SliceScript {
    json: Value,
}

impl SliceScript {
    /// In this namespace.
    pub fn namespace(self, namespace: &str) -> Self {
        self.set("/metadata/namespace", json!(namespace))
    }

    /// Of this Service.
    pub fn service(mut self, service: &str) -> Self {
        self.json["metadata"]["labels"]["kubernetes.io/service-name"] = json!(service);
        self
    }

    /// With IPv4 addresses.
    pub fn v4(self) -> Self {
        self.set("/addressType", json!("IPv4"))
    }

    /// With IPv6 addresses.
    pub fn v6(self) -> Self {
        self.set("/addressType", json!("IPv6"))
    }

    /// With names for addresses, a type that is being retired.
    pub fn fqdn(self) -> Self {
        self.set("/addressType", json!("FQDN"))
    }

    /// With one more TCP port.
    pub fn port(mut self, name: &str, number: u16) -> Self {
        let port = json!({"name": name, "port": number, "protocol": "TCP"});
        push(&mut self.json["ports"], port);
        self
    }

    /// With one more port of any content.
    pub fn raw_port(mut self, port: Value) -> Self {
        push(&mut self.json["ports"], port);
        self
    }

    /// With one more endpoint.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        push(&mut self.json["endpoints"], endpoint.json);
        self
    }

    /// With more endpoints.
    pub fn endpoints(self, endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        endpoints.into_iter().fold(self, Self::endpoint)
    }

    /// With this value at a JSON pointer that exists, to make the slice wrong on purpose.
    pub fn set(mut self, pointer: &str, value: Value) -> Self {
        if let Some(place) = self.json.pointer_mut(pointer) {
            *place = value;
        }
        self
    }

    /// The slice as JSON.
    pub fn json(self) -> Value {
        self.json
    }

    /// The slice as the typed object, for tests without a server.
    ///
    /// # Errors
    ///
    /// If it was made wrong on purpose.
    pub fn build(self) -> Result<EndpointSlice, serde_json::Error> {
        serde_json::from_value(self.json)
    }
}

impl From<SliceScript> for Object {
    fn from(script: SliceScript) -> Self {
        placed(Resource::EndpointSlices, script.json)
    }
}

/// One endpoint of a slice being written. Conditions are absent unless set.
#[derive(Clone, Debug)]
pub struct Endpoint {
    json: Value,
}

impl Endpoint {
    /// The endpoint of this pod.
    pub fn pod(name: &str, uid: &str) -> Self {
        let target = json!({
            "kind": "Pod", "namespace": NAMESPACE, "name": name, "uid": uid,
        });
        let mut endpoint = Self::bare();
        endpoint.json["targetRef"] = target;
        endpoint
    }

    /// An endpoint that points to no object, as in slices made by hand.
    pub fn bare() -> Self {
        Self {
            json: json!({"addresses": [], "conditions": {}}),
        }
    }

    /// With one more address.
    pub fn at(mut self, address: &str) -> Self {
        push(&mut self.json["addresses"], json!(address));
        self
    }

    /// With this `ready` condition; `None` leaves it out, which the API reads as ready.
    pub fn ready(self, ready: impl Into<Option<bool>>) -> Self {
        self.condition("ready", ready.into())
    }

    /// With this `serving` condition; `None` leaves it out.
    pub fn serving(self, serving: impl Into<Option<bool>>) -> Self {
        self.condition("serving", serving.into())
    }

    /// With this `terminating` condition; `None` leaves it out.
    pub fn terminating(self, terminating: impl Into<Option<bool>>) -> Self {
        self.condition("terminating", terminating.into())
    }

    /// In this zone.
    pub fn zone(self, zone: &str) -> Self {
        self.with("zone", json!(zone))
    }

    /// On this Node.
    pub fn node(self, node: &str) -> Self {
        self.with("nodeName", json!(node))
    }

    /// With this host name.
    pub fn hostname(self, hostname: &str) -> Self {
        self.with("hostname", json!(hostname))
    }

    /// With any field, however wrong.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.json[field] = value;
        self
    }

    fn condition(mut self, name: &str, value: Option<bool>) -> Self {
        if let Some(conditions) = self.json["conditions"].as_object_mut() {
            match value {
                Some(value) => conditions.insert(name.to_owned(), json!(value)),
                None => conditions.remove(name),
            };
        }
        self
    }
}

fn push(list: &mut Value, item: Value) {
    if let Some(list) = list.as_array_mut() {
        list.push(item);
    }
}
