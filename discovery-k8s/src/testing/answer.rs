//! The JSON of the API server's answers: lists, events, bookmarks, errors, access reviews. Pure.

use serde_json::{Value, json};

use super::faults::StatusFault;
use super::request::{Recorded, Resource};
use super::store::{Page, WatchEvent};

/// A list as the API server writes it.
pub(super) fn list(resource: Resource, page: &Page) -> Value {
    let mut metadata = json!({"resourceVersion": page.revision.to_string()});
    if let Some(next) = &page.next {
        metadata["continue"] = json!(next.token);
        metadata["remainingItemCount"] = json!(next.remaining);
    }
    let items: Vec<&Value> = page.items.iter().map(AsRef::as_ref).collect();
    json!({
        "kind": format!("{}List", resource.kind()),
        "apiVersion": resource.api_version(),
        "metadata": metadata,
        "items": items,
    })
}

/// One line of a watch, with its line end.
pub(super) fn event_line(event: &WatchEvent) -> String {
    line(&json!({"type": event.kind, "object": *event.object}))
}

/// A bookmark line: the version up to which the watch has told everything.
pub(super) fn bookmark_line(resource: Resource, revision: u64) -> String {
    line(&json!({
        "type": "BOOKMARK",
        "object": {
            "kind": resource.kind(),
            "apiVersion": resource.api_version(),
            "metadata": {"resourceVersion": revision.to_string(), "creationTimestamp": null},
        },
    }))
}

/// An error inside a stream.
pub(super) fn error_line(status: &StatusFault) -> String {
    line(&json!({"type": "ERROR", "object": error(status)}))
}

/// An error as the API server writes it.
pub(super) fn error(status: &StatusFault) -> Value {
    let mut details = json!({});
    if let Some(seconds) = status.retry_after_secs {
        details["retryAfterSeconds"] = json!(seconds);
    }
    if let Some((name, resource)) = &status.about {
        details["name"] = json!(name);
        details["kind"] = json!(resource);
    }
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": status.message,
        "reason": status.reason,
        "details": details,
        "code": status.code,
    })
}

/// The answer to an access review: what was asked, and whether it is allowed.
pub(super) fn review(mut asked: Value, allowed: bool) -> Value {
    if !asked.is_object() {
        asked = json!({});
    }
    asked["kind"] = json!(Resource::AccessReviews.kind());
    asked["apiVersion"] = json!(Resource::AccessReviews.api_version());
    asked["status"] = if allowed {
        json!({"allowed": true, "reason": "RBAC: allowed by the test's script"})
    } else {
        json!({"allowed": false})
    };
    asked
}

/// 401.
pub(super) fn unauthorised() -> StatusFault {
    status(401, "Unauthorized", "Unauthorized".to_owned())
}

/// 403, in the words of RBAC.
pub(super) fn forbidden(request: &Recorded) -> StatusFault {
    let resource = qualified(request.resource);
    let verb = request.verb.rbac();
    let name = request
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(" \"{name}\""));
    status(
        403,
        "Forbidden",
        format!(
            "{resource}{name} is forbidden: User \"system:serviceaccount:{namespace}:ring\" cannot \
             {verb} resource \"{plural}\" in API group \"{group}\" in the namespace \
             \"{namespace}\"",
            namespace = request.namespace,
            plural = request.resource.plural(),
            group = request.resource.group(),
        ),
    )
}

/// 404 for a named object.
pub(super) fn not_found(request: &Recorded) -> StatusFault {
    let name = request.name.as_deref().unwrap_or_default();
    let message = format!("{} \"{name}\" not found", qualified(request.resource));
    StatusFault {
        about: Some((name.to_owned(), request.resource.plural())),
        ..status(404, "NotFound", message)
    }
}

/// 404 for a path that this server does not have.
pub(super) fn no_such_path() -> StatusFault {
    let message = "the server could not find the requested resource";
    status(404, "NotFound", message.to_owned())
}

/// 400.
pub(super) fn bad_request(message: String) -> StatusFault {
    status(400, "BadRequest", message)
}

/// 410.
pub(super) fn expired() -> StatusFault {
    let message = "too old resource version, or the provided continue parameter is too old";
    status(410, "Expired", message.to_owned())
}

/// 504: a version was asked for that the store has not reached.
pub(super) fn too_large_version(asked: u64, current: u64) -> StatusFault {
    let message = format!("Too large resource version: {asked}, current: {current}");
    status(504, "Timeout", message)
}

fn status(code: u16, reason: &'static str, message: String) -> StatusFault {
    StatusFault {
        code,
        reason,
        message,
        retry_after_secs: None,
        about: None,
    }
}

fn qualified(resource: Resource) -> String {
    match resource.group() {
        "" => resource.plural().to_owned(),
        group => format!("{}.{group}", resource.plural()),
    }
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}
