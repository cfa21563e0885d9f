//! Objects written the short way: slices, pods and Services as a test would describe them.

mod pod;
mod service;
mod slice;

pub use pod::{ContainerScript, PodScript, pod};
pub use service::{ServiceScript, service};
pub use slice::{Endpoint, SliceScript, slice};

use serde_json::Value;

use super::request::Resource;
use super::store::Key;

/// The namespace of every built object that names no other.
pub const NAMESPACE: &str = "default";

/// The Service of every built slice that names no other.
pub const SERVICE: &str = "ring";

/// One object with the place where it lies.
#[derive(Clone, Debug)]
pub struct Object {
    key: Key,
    json: Value,
}

impl Object {
    /// Any JSON in an object's place, however wrong.
    pub fn raw(resource: Resource, namespace: &str, name: &str, json: Value) -> Self {
        let key = Key {
            resource,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        Self { key, json }
    }

    pub(super) fn into_parts(self) -> (Key, Value) {
        (self.key, self.json)
    }
}

/// An object of this kind that lies where its metadata says.
fn placed(resource: Resource, json: Value) -> Object {
    let text = |field: &str| {
        let value = json["metadata"][field].as_str().unwrap_or_default();
        value.to_owned()
    };
    Object::raw(resource, &text("namespace"), &text("name"), json)
}
