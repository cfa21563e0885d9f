//! What a client asked for: resource, verb, selector and options read from a request line.
//! Pure; what is answered is decided in `routes.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tokio::time::Instant;

/// What the scripted server knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// `discovery.k8s.io/v1` EndpointSlices.
    EndpointSlices,
    /// `v1` Pods.
    Pods,
    /// `v1` Services.
    Services,
    /// `authorization.k8s.io/v1` access reviews of oneself, which can only be created.
    AccessReviews,
}

impl Resource {
    /// Every resource.
    pub const ALL: [Self; 4] = [
        Self::EndpointSlices,
        Self::Pods,
        Self::Services,
        Self::AccessReviews,
    ];

    /// The name in paths and in RBAC rules.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::EndpointSlices => "endpointslices",
            Self::Pods => "pods",
            Self::Services => "services",
            Self::AccessReviews => "selfsubjectaccessreviews",
        }
    }

    /// The name in objects.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::EndpointSlices => "EndpointSlice",
            Self::Pods => "Pod",
            Self::Services => "Service",
            Self::AccessReviews => "SelfSubjectAccessReview",
        }
    }

    /// The API group; empty for the core group.
    pub const fn group(self) -> &'static str {
        match self {
            Self::EndpointSlices => "discovery.k8s.io",
            Self::Pods | Self::Services => "",
            Self::AccessReviews => "authorization.k8s.io",
        }
    }

    /// Group and version as in objects.
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::EndpointSlices => "discovery.k8s.io/v1",
            Self::Pods | Self::Services => "v1",
            Self::AccessReviews => "authorization.k8s.io/v1",
        }
    }

    fn of(group: &str, plural: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|resource| resource.group() == group && resource.plural() == plural)
    }
}

/// What is done with a resource, more finely than RBAC's verbs, so that a fault can meet one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// The first page of a list.
    List,
    /// A later page of a list, asked for with a continue token.
    ListMore,
    /// The start of a watch.
    Watch,
    /// A watch that has started: what it streams. No request of its own.
    Stream,
    /// One object by name.
    Get,
    /// The making of an object.
    Create,
}

impl Verb {
    /// The verb that an RBAC rule would name.
    pub const fn rbac(self) -> &'static str {
        match self {
            Self::List | Self::ListMore => "list",
            Self::Watch | Self::Stream => "watch",
            Self::Get => "get",
            Self::Create => "create",
        }
    }
}

/// One request as the server received it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Recorded {
    /// What was to be done.
    pub verb: Verb,
    /// With what.
    pub resource: Resource,
    /// The namespace in the path; empty if there was none.
    pub namespace: String,
    /// The object's name in the path, if there was one.
    pub name: Option<String>,
    /// The query, decoded.
    pub query: BTreeMap<String, String>,
    /// The bearer token, if there was one.
    pub token: Option<String>,
    /// When it came, on tokio's clock.
    pub received_at: Instant,
    sent: Arc<AtomicU64>,
}

impl Recorded {
    /// One value of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// Bytes of the answer's body that were handed to the connection so far.
    ///
    /// A client that stopped to read stops this number too, up to the socket's buffers.
    pub fn body_bytes_sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn meter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.query(name).and_then(|value| value.parse().ok())
    }
}

/// Everything but the token, which is a secret even in a test's output.
impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}/", self.verb, self.namespace)?;
        write!(f, "{}", self.resource.plural())?;
        if let Some(name) = &self.name {
            write!(f, "/{name}")?;
        }
        write!(f, " {:?}", self.query)
    }
}

/// Reads the request line; `None` if this server has no such path or method there.
pub(super) fn parse(
    method: &str,
    path: &str,
    query: &str,
    token: Option<String>,
    received_at: Instant,
) -> Option<Recorded> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["api", "v1", rest @ ..] => ("", rest),
        ["apis", group, "v1", rest @ ..] => (*group, rest),
        _ => return None,
    };
    let (namespace, plural, name) = match rest {
        ["namespaces", namespace, plural] => (*namespace, *plural, None),
        ["namespaces", namespace, plural, name] => (*namespace, *plural, Some((*name).to_owned())),
        [plural] => ("", *plural, None),
        _ => return None,
    };
    let resource = Resource::of(group, plural)?;
    let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let verb = verb(method, &query, name.is_some())?;
    // Only access reviews exist outside namespaces, and nothing else can be created.
    let is_review = resource == Resource::AccessReviews;
    (is_review == (verb == Verb::Create) && is_review == namespace.is_empty()).then(|| Recorded {
        verb,
        resource,
        namespace: namespace.to_owned(),
        name,
        query,
        token,
        received_at,
        sent: Arc::default(),
    })
}

fn verb(method: &str, query: &BTreeMap<String, String>, named: bool) -> Option<Verb> {
    let on = |name: &str| {
        query
            .get(name)
            .is_some_and(|value| value == "true" || value == "1")
    };
    let paging = query.get("continue").is_some_and(|token| !token.is_empty());
    match method {
        "POST" => Some(Verb::Create),
        "GET" if named => Some(Verb::Get),
        "GET" if on("watch") => Some(Verb::Watch),
        "GET" if paging => Some(Verb::ListMore),
        "GET" => Some(Verb::List),
        _ => None,
    }
}

/// What objects must match: labels by equality, and the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    labels: Vec<(String, String)>,
    name: Option<String>,
}

impl Selector {
    /// Reads both selectors; an error names the part that this server does not know.
    pub(super) fn parse(labels: Option<&str>, fields: Option<&str>) -> Result<Self, String> {
        let labels = terms(labels)?;
        let mut name = None;
        for (field, value) in terms(fields)? {
            if field != "metadata.name" {
                return Err(format!("field label not supported: {field}"));
            }
            name = Some(value);
        }
        Ok(Self { labels, name })
    }

    pub(super) fn matches(&self, name: &str, object: &Value) -> bool {
        let labelled = |(label, value): &(String, String)| {
            object["metadata"]["labels"][label].as_str() == Some(value.as_str())
        };
        self.name.as_deref().is_none_or(|wanted| wanted == name) && self.labels.iter().all(labelled)
    }
}

fn terms(selector: Option<&str>) -> Result<Vec<(String, String)>, String> {
    let terms = selector.unwrap_or_default().split(',');
    terms
        .filter(|term| !term.is_empty())
        .map(|term| match term.split_once('=') {
            Some((key, value)) if !key.ends_with('!') && !key.contains(' ') => {
                let value = value.strip_prefix('=').unwrap_or(value);
                Ok((key.to_owned(), value.to_owned()))
            }
            _ => Err(format!("unable to parse requirement: {term}")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, path: &str, query: &str) -> Option<Recorded> {
        parse(method, path, query, None, Instant::now())
    }

    #[test]
    fn a_watch_is_told_from_a_list_and_a_later_page() {
        let path = "/apis/discovery.k8s.io/v1/namespaces/prod/endpointslices";
        for (query, verb) in [
            ("", Verb::List),
            ("limit=2&continue=", Verb::List),
            ("limit=2&continue=1-2", Verb::ListMore),
            ("watch=true&resourceVersion=5", Verb::Watch),
        ] {
            assert_eq!(read("GET", path, query).unwrap().verb, verb, "{query}");
        }
    }

    #[test]
    fn a_path_or_method_that_the_server_does_not_have_is_refused() {
        for (method, path) in [
            ("GET", "/api/v1/pods"),
            (
                "GET",
                "/apis/discovery.k8s.io/v1beta1/namespaces/a/endpointslices",
            ),
            ("DELETE", "/api/v1/namespaces/a/pods/b"),
            ("POST", "/api/v1/namespaces/a/pods"),
            (
                "GET",
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            ),
        ] {
            assert!(read(method, path, "").is_none(), "{method} {path}");
        }
    }

    #[test]
    fn a_selector_that_is_not_equality_is_refused() {
        Selector::parse(Some("a!=b"), None).unwrap_err();
        Selector::parse(Some("a in (b)"), None).unwrap_err();
        Selector::parse(None, Some("status.phase=Running")).unwrap_err();
        Selector::parse(Some("a==b,c=d"), Some("metadata.name=x")).unwrap();
    }
}
