//! Pods the short way.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::{NAMESPACE, Object, placed};
use crate::testing::request::Resource;

/// Starts a Pod in [`NAMESPACE`] with this uid, without any status.
pub fn pod(name: &str, uid: &str) -> PodScript {
    PodScript {
        json: json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": NAMESPACE, "uid": uid},
            "spec": {"containers": []},
            "status": {"phase": "Running", "containerStatuses": [], "conditions": []},
        }),
    }
}

/// A Pod being written; see [`pod`].
#[derive(Clone, Debug)]
pub struct PodScript {
    json: Value,
}

impl PodScript {
    /// In this namespace.
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.json["metadata"]["namespace"] = json!(namespace);
        self
    }

    /// With one more container and its status.
    pub fn container(mut self, container: ContainerScript) -> Self {
        let named = json!({"name": container.json["name"], "image": "test"});
        for (place, item) in [
            ("/spec/containers", named),
            ("/status/containerStatuses", container.json),
        ] {
            if let Some(list) = self.json.pointer_mut(place).and_then(Value::as_array_mut) {
                list.push(item);
            }
        }
        self
    }

    /// With one more true or false condition.
    pub fn condition(self, kind: &str, holds: bool) -> Self {
        self.condition_because(kind, holds, "")
    }

    /// With one more condition that has a reason.
    pub fn condition_because(mut self, kind: &str, holds: bool, reason: &str) -> Self {
        let status = if holds { "True" } else { "False" };
        let condition = json!({"type": kind, "status": status, "reason": reason});
        if let Some(conditions) = self.json["status"]["conditions"].as_array_mut() {
            conditions.push(condition);
        }
        self
    }

    /// In this phase.
    pub fn phase(mut self, phase: &str) -> Self {
        self.json["status"]["phase"] = json!(phase);
        self
    }

    /// With its deletion asked for at this time (RFC 3339).
    pub fn deleting_since(mut self, at: &str) -> Self {
        self.json["metadata"]["deletionTimestamp"] = json!(at);
        self
    }

    /// With this value at a JSON pointer that exists, to make the pod wrong on purpose.
    pub fn set(mut self, pointer: &str, value: Value) -> Self {
        if let Some(place) = self.json.pointer_mut(pointer) {
            *place = value;
        }
        self
    }

    /// The pod as JSON.
    pub fn json(self) -> Value {
        self.json
    }

    /// The pod as the typed object, for tests without a server.
    ///
    /// # Errors
    ///
    /// If it was made wrong on purpose.
    pub fn build(self) -> Result<Pod, serde_json::Error> {
        serde_json::from_value(self.json)
    }
}

impl From<PodScript> for Object {
    fn from(script: PodScript) -> Self {
        placed(Resource::Pods, script.json)
    }
}

/// One container's status being written.
#[derive(Clone, Debug)]
pub struct ContainerScript {
    json: Value,
}

impl ContainerScript {
    /// It runs since then (RFC 3339), and is ready.
    pub fn running(name: &str, since: &str) -> Self {
        Self::in_state(name, &json!({"running": {"startedAt": since}})).ready(true)
    }

    /// It waits, for this reason.
    pub fn waiting(name: &str, reason: &str) -> Self {
        Self::in_state(name, &json!({"waiting": {"reason": reason}}))
    }

    /// It ran from then to then (RFC 3339) and ended with this code.
    pub fn terminated(name: &str, started: &str, finished: &str, exit_code: i32) -> Self {
        Self::in_state(name, &ended(started, finished, exit_code))
    }

    /// Its status names no state.
    pub fn unreported(name: &str) -> Self {
        Self::in_state(name, &json!({}))
    }

    /// Restarted so often.
    pub fn restarts(mut self, count: u32) -> Self {
        self.json["restartCount"] = json!(count);
        self
    }

    /// Its run before this one lasted from then to then (RFC 3339) and ended with this code.
    pub fn last_run(mut self, started: &str, finished: &str, exit_code: i32) -> Self {
        self.json["lastState"] = ended(started, finished, exit_code);
        self
    }

    /// Reported ready or not.
    pub fn ready(mut self, ready: bool) -> Self {
        self.json["ready"] = json!(ready);
        self
    }

    fn in_state(name: &str, state: &Value) -> Self {
        Self {
            json: json!({
                "name": name, "image": "test", "imageID": "test", "restartCount": 0,
                "ready": false, "state": state, "lastState": {},
            }),
        }
    }
}

fn ended(started: &str, finished: &str, exit_code: i32) -> Value {
    json!({"terminated": {
        "startedAt": started, "finishedAt": finished, "exitCode": exit_code,
    }})
}
