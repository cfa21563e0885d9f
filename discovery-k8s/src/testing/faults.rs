//! Faults of the scripted server: what goes wrong, where, and how often. Pure bookkeeping; the
//! faults are acted out in `routes.rs` and `stream.rs`.

use std::time::Duration;

use super::request::{Recorded, Resource, Verb};
use super::store::Moment;

/// Where a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct On {
    resource: Option<Resource>,
    verb: Option<Verb>,
}

impl On {
    /// Every request, whatever it asks for; watches that have started are not touched.
    pub const fn any_request() -> Self {
        Self {
            resource: None,
            verb: None,
        }
    }

    /// The first page of lists.
    pub const fn list(resource: Resource) -> Self {
        Self::verb(Verb::List, resource)
    }

    /// Later pages of lists.
    pub const fn next_page(resource: Resource) -> Self {
        Self::verb(Verb::ListMore, resource)
    }

    /// The start of watches.
    pub const fn watch(resource: Resource) -> Self {
        Self::verb(Verb::Watch, resource)
    }

    /// Watches that have started, now and later.
    pub const fn stream(resource: Resource) -> Self {
        Self::verb(Verb::Stream, resource)
    }

    /// Reads of one object.
    pub const fn get(resource: Resource) -> Self {
        Self::verb(Verb::Get, resource)
    }

    /// Access reviews.
    pub const fn access_review() -> Self {
        Self::verb(Verb::Create, Resource::AccessReviews)
    }

    const fn verb(verb: Verb, resource: Resource) -> Self {
        Self {
            resource: Some(resource),
            verb: Some(verb),
        }
    }

    fn meets(self, verb: Verb, resource: Resource) -> bool {
        let verb_meets = match self.verb {
            Some(wanted) => wanted == verb,
            None => verb != Verb::Stream,
        };
        verb_meets && self.resource.is_none_or(|wanted| wanted == resource)
    }
}

/// What goes wrong. On a stream ([`On::stream`]) it strikes at once, whether or not there is an
/// event to send.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The answer is this status; on a stream, an `ERROR` event with it, then the end.
    Status(StatusFault),
    /// Nothing ever comes, though the connection stays; lifting the fault does not revive it.
    HalfOpen,
    /// The connection is closed where an answer, or the next line, would begin.
    HangUp,
    /// The connection is closed in the middle of a JSON line, or of a list.
    CutMidLine,
    /// A list, object or line that is no JSON.
    MalformedJson,
    /// A list, object or line whose one object is this many bytes long, made while it is sent.
    HugeObject {
        /// Length of the padding in bytes.
        bytes: u64,
    },
    /// A list with `resourceVersion=0` is answered from this moment; no other request notices.
    StaleList(Moment),
    /// A stream says nothing until the fault is lifted, though it still ends on time; then come
    /// the events that were held back. On a request, the same as [`Fault::HalfOpen`].
    Silent,
    /// Every answer, or every line, comes this much later; the client's clock must be real.
    Slow(Duration),
}

/// An error answer of the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusFault {
    pub(super) code: u16,
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) retry_after_secs: Option<u32>,
    /// The object that it is about: its name and its resource.
    pub(super) about: Option<(String, &'static str)>,
}

impl Fault {
    /// 401: the token is not accepted.
    pub fn unauthorised() -> Self {
        Self::status(401, "Unauthorized", "Unauthorized")
    }

    /// 403: a permission is missing.
    pub fn forbidden() -> Self {
        Self::status(403, "Forbidden", "forbidden: by the test's script")
    }

    /// 404: no such object, or no such API.
    pub fn not_found() -> Self {
        Self::status(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
    }

    /// 410: the version or continue token is too old.
    pub fn gone() -> Self {
        Self::status(410, "Expired", "too old resource version: 1 (2)")
    }

    /// 429, to be asked again after this many seconds.
    pub fn throttled(retry_after_secs: u32) -> Self {
        let mut status = status(429, "TooManyRequests", "too many requests");
        status.retry_after_secs = Some(retry_after_secs);
        Self::Status(status)
    }

    /// 500.
    pub fn internal() -> Self {
        Self::status(500, "InternalError", "etcdserver: request timed out")
    }

    /// 503.
    pub fn unavailable() -> Self {
        Self::status(503, "ServiceUnavailable", "apiserver not ready")
    }

    fn status(code: u16, reason: &'static str, message: &str) -> Self {
        Self::Status(status(code, reason, message))
    }
}

fn status(code: u16, reason: &'static str, message: &str) -> StatusFault {
    StatusFault {
        code,
        reason,
        message: message.to_owned(),
        retry_after_secs: None,
        about: None,
    }
}

#[derive(Debug)]
struct Entry {
    id: u64,
    on: On,
    fault: Fault,
    left: Option<u32>,
    met: u32,
}

/// The faults in force, oldest first; as many as the test holds guards of.
#[derive(Debug, Default)]
pub(super) struct FaultBook {
    entries: Vec<Entry>,
    next_id: u64,
}

impl FaultBook {
    pub(super) fn add(&mut self, on: On, fault: Fault, times: Option<u32>) -> u64 {
        self.next_id += 1;
        self.entries.push(Entry {
            id: self.next_id,
            on,
            fault,
            left: times,
            met: 0,
        });
        self.next_id
    }

    pub(super) fn lift(&mut self, id: u64) {
        self.entries.retain(|entry| entry.id != id);
    }

    pub(super) fn met(&self, id: u64) -> u32 {
        let entry = self.entries.iter().find(|entry| entry.id == id);
        entry.map_or(0, |entry| entry.met)
    }

    /// The first fault that meets this request; counts as met.
    pub(super) fn strike(&mut self, request: &Recorded) -> Option<Fault> {
        let at_zero = request.query("resourceVersion") == Some("0");
        self.meet(|entry| {
            let fits = !matches!(entry.fault, Fault::StaleList(_)) || at_zero;
            fits && entry.on.meets(request.verb, request.resource)
        })
        .map(|(_, fault)| fault)
    }

    /// The first fault that meets this stream and did not meet it before (`met`).
    pub(super) fn strike_stream(
        &mut self,
        resource: Resource,
        met: &mut Vec<u64>,
    ) -> Option<Fault> {
        let (id, fault) =
            self.meet(|entry| entry.on.meets(Verb::Stream, resource) && !met.contains(&entry.id))?;
        met.push(id);
        Some(fault)
    }

    /// Whether streams of this resource are to say nothing now.
    pub(super) fn is_silent(&self, resource: Resource) -> bool {
        self.entries.iter().any(|entry| {
            matches!(entry.fault, Fault::Silent) && entry.on.meets(Verb::Stream, resource)
        })
    }

    fn meet(&mut self, fits: impl Fn(&Entry) -> bool) -> Option<(u64, Fault)> {
        let entry = self
            .entries
            .iter_mut()
            .find(|entry| entry.left != Some(0) && fits(entry))?;
        entry.left = entry.left.map(|left| left - 1);
        entry.met += 1;
        Some((entry.id, entry.fault.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_as_often_as_it_was_told_to() {
        let mut book = FaultBook::default();
        let id = book.add(On::stream(Resource::Pods), Fault::HangUp, Some(2));
        let strikes = (0..3).filter(|_| {
            book.strike_stream(Resource::Pods, &mut Vec::new())
                .is_some()
        });
        assert_eq!(strikes.count(), 2);
        assert_eq!(book.met(id), 2);
    }

    #[test]
    fn a_stream_meets_a_fault_once() {
        let mut book = FaultBook::default();
        book.add(On::stream(Resource::Pods), Fault::HangUp, None);
        let mut met = Vec::new();
        assert!(book.strike_stream(Resource::Pods, &mut met).is_some());
        assert!(book.strike_stream(Resource::Pods, &mut met).is_none());
        assert!(
            book.strike_stream(Resource::Pods, &mut Vec::new())
                .is_some()
        );
    }

    #[test]
    fn a_fault_on_any_request_leaves_streams_alone() {
        let mut book = FaultBook::default();
        book.add(On::any_request(), Fault::HangUp, None);
        assert!(
            book.strike_stream(Resource::Pods, &mut Vec::new())
                .is_none()
        );
    }
}
