//! From a request to its answer: records it, lets faults strike, checks who asks, reads the store.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use hyper::{Request, Response};
use serde_json::Value;
use tokio::time::Instant;

use super::answer;
use super::body::{self, ApiBody, Cut, padded, streamed};
use super::faults::{Fault, StatusFault};
use super::request::{self, Recorded, Resource, Selector, Verb};
use super::state::Shared;
use super::store::{Expired, Key, ListQuery, Moment, Page, Store};
use super::stream;

/// Largest body that a request may have, in bytes.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// What a handler found: JSON, or an error of the API.
type Found = Result<Value, StatusFault>;

/// Answers one request; an error closes the connection without an answer.
pub(super) async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<ApiBody>, Cut> {
    let Some(recorded) = read_head(&request) else {
        let answer = answer::error(&answer::no_such_path()).to_string();
        return Ok(response(404, body::whole(answer, &Arc::default())));
    };
    let fault = shared.change(|state| {
        state.record(recorded.clone());
        state.faults.strike(&recorded)
    });
    let mut moment = None;
    let mut breakage = None;
    match fault {
        Some(Fault::Status(status)) => return Ok(refusal(&status, &recorded)),
        Some(Fault::HalfOpen | Fault::Silent) => pending().await,
        Some(Fault::HangUp) => return Err(Cut),
        Some(Fault::Slow(pause)) => tokio::time::sleep(pause).await,
        Some(Fault::StaleList(then)) => moment = Some(then),
        Some(fault @ (Fault::CutMidLine | Fault::MalformedJson | Fault::HugeObject { .. })) => {
            breakage = Some(fault);
        }
        None => {}
    }
    if let Err(status) = admitted(&shared, &recorded) {
        return Ok(refusal(&status, &recorded));
    }
    if recorded.verb == Verb::Watch && breakage.is_none() {
        return Ok(match start_watch(&shared, &recorded) {
            Ok(body) => response(200, body),
            Err(status) => refusal(&status, &recorded),
        });
    }
    let found = match recorded.verb {
        Verb::Create => review(&shared, request.into_body()).await,
        Verb::Get => get(&shared, &recorded),
        Verb::List | Verb::ListMore | Verb::Watch | Verb::Stream => {
            list(&shared, &recorded, moment.as_ref())
        }
    };
    Ok(match found {
        Ok(found) => response(200, broken(&found, breakage.as_ref(), &recorded)),
        Err(status) => refusal(&status, &recorded),
    })
}

fn read_head(request: &Request<Incoming>) -> Option<Recorded> {
    let token = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(ToOwned::to_owned);
    request::parse(
        request.method().as_str(),
        request.uri().path(),
        request.uri().query().unwrap_or_default(),
        token,
        Instant::now(),
    )
}

fn admitted(shared: &Shared, request: &Recorded) -> Result<(), StatusFault> {
    let state = shared.look();
    if !state.access.knows(request.token.as_deref()) {
        return Err(answer::unauthorised());
    }
    if !state.access.permits(request) {
        return Err(answer::forbidden(request));
    }
    Ok(())
}

fn selector(request: &Recorded) -> Result<Selector, StatusFault> {
    let (labels, fields) = (
        request.query("labelSelector"),
        request.query("fieldSelector"),
    );
    Selector::parse(labels, fields).map_err(answer::bad_request)
}

fn list(shared: &Shared, request: &Recorded, moment: Option<&Moment>) -> Found {
    let selector = selector(request)?;
    let query = ListQuery {
        resource: request.resource,
        namespace: &request.namespace,
        selector: &selector,
    };
    let limit = request
        .number("limit")
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(0);
    let mut state = shared.look();
    let store = &mut state.store;
    let page: Page = match (request.verb, moment) {
        (Verb::ListMore, _) => store
            .list_more(request.query("continue").unwrap_or_default(), limit)
            .map_err(|Expired| answer::expired())?,
        (_, Some(moment)) => Store::list_at(moment, query),
        (_, None) => {
            check_version(request, store.revision())?;
            store.list(query, limit)
        }
    };
    Ok(answer::list(request.resource, &page))
}

/// Refuses what the store cannot give: a version not reached, or exactly one that is past.
fn check_version(request: &Recorded, current: u64) -> Result<(), StatusFault> {
    let Some(asked) = request.number("resourceVersion") else {
        return Ok(());
    };
    let exact = request.query("resourceVersionMatch") == Some("Exact");
    match asked {
        asked if asked > current => Err(answer::too_large_version(asked, current)),
        asked if exact && asked < current => Err(answer::expired()),
        _ => Ok(()),
    }
}

fn get(shared: &Shared, request: &Recorded) -> Found {
    let key = Key {
        resource: request.resource,
        namespace: request.namespace.clone(),
        name: request.name.clone().unwrap_or_default(),
    };
    let object = shared.look().store.get(&key);
    object
        .map(|object| Value::clone(&object))
        .ok_or_else(|| answer::not_found(request))
}

async fn review(shared: &Shared, asked: Incoming) -> Found {
    let bytes = Limited::new(asked, REQUEST_BYTES_MAX)
        .collect()
        .await
        .map_err(|error| answer::bad_request(error.to_string()))?
        .to_bytes();
    let asked: Value =
        serde_json::from_slice(&bytes).map_err(|error| answer::bad_request(error.to_string()))?;
    let allowed = shared.look().access.review(&asked);
    Ok(answer::review(asked, allowed))
}

fn start_watch(shared: &Arc<Shared>, request: &Recorded) -> Result<ApiBody, StatusFault> {
    if request.query("sendInitialEvents") == Some("true") {
        let message = "sendInitialEvents is forbidden for watch unless the WatchList feature gate \
                       is enabled";
        return Err(answer::bad_request(message.to_owned()));
    }
    let selector = selector(request)?;
    let mut first = VecDeque::new();
    let cursor = match request.number("resourceVersion") {
        Some(version) if version > 0 => version,
        // From any version: what there is comes first, as if it had just been added.
        _ => {
            let query = ListQuery {
                resource: request.resource,
                namespace: &request.namespace,
                selector: &selector,
            };
            let page = shared.look().store.list(query, 0);
            let added = page.items.into_iter().map(|object| {
                answer::event_line(&super::store::WatchEvent {
                    kind: "ADDED",
                    object,
                })
            });
            first.extend(added);
            page.revision
        }
    };
    let lines = stream::watch(shared, request, selector, cursor, first);
    Ok(streamed(lines, &request.meter()))
}

/// The body of an answer, broken in the way the fault says.
fn broken(found: &Value, breakage: Option<&Fault>, request: &Recorded) -> ApiBody {
    let text = found.to_string();
    let meter = request.meter();
    match breakage {
        Some(Fault::CutMidLine) => body::first_half(&text, &meter),
        Some(Fault::MalformedJson) => {
            // The right length and the right beginning: only the parser can tell.
            let kept = text.len().saturating_sub(2);
            let text: String = text.chars().take(kept).chain("]]".chars()).collect();
            body::whole(text, &meter)
        }
        Some(Fault::HugeObject { bytes }) => {
            let (before, after) = around_padding(found, request);
            streamed(padded(before, *bytes, after), &meter)
        }
        _ => body::whole(text, &meter),
    }
}

/// A list of one padded object, or one padded object: the text before and after the padding.
fn around_padding(found: &Value, request: &Recorded) -> (String, String) {
    let (kind, version) = (request.resource.kind(), request.resource.api_version());
    let padding = "\"annotations\":{\"padding\":\"";
    if request.resource == Resource::AccessReviews || request.verb == Verb::Get {
        let before =
            format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{version}\",\"metadata\":{{{padding}");
        return (before, "\"}}}".to_owned());
    }
    let before = format!(
        "{{\"kind\":\"{kind}List\",\"apiVersion\":\"{version}\",\"metadata\":{},\"items\":[{{\
         \"metadata\":{{\"name\":\"padded\",{padding}",
        found["metadata"]
    );
    (before, "\"}}}]}".to_owned())
}

fn refusal(status: &StatusFault, request: &Recorded) -> Response<ApiBody> {
    let text = answer::error(status).to_string();
    let mut response = response(status.code, body::whole(text, &request.meter()));
    if let Some(seconds) = status.retry_after_secs {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn response(code: u16, body: ApiBody) -> Response<ApiBody> {
    let mut response = Response::new(body);
    if let Ok(code) = hyper::StatusCode::from_u16(code) {
        *response.status_mut() = code;
    }
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
