//! The object store behind the scripted server: objects, one counter of versions, a history for
//! watches and pages for long lists. Pure: HTTP, faults and permissions are elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::request::{Resource, Selector};

/// Most changes that watches can still be told of; older ones are compacted away, as etcd does.
pub const HISTORY_MAX: usize = 4096;

/// Most lists that can be paged through at the same time; the oldest then expires.
pub const PAGED_LISTS_MAX: usize = 16;

/// Where an object lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) resource: Resource,
    pub(super) namespace: String,
    pub(super) name: String,
}

type Objects = BTreeMap<Key, Arc<Value>>;

/// The objects as they were at one moment, for an answer that goes back in time.
#[derive(Clone, Debug)]
pub struct Moment {
    revision: u64,
    objects: Arc<Objects>,
}

impl Moment {
    /// The version the store had then.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

/// What a list asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListQuery<'a> {
    pub(super) resource: Resource,
    pub(super) namespace: &'a str,
    pub(super) selector: &'a Selector,
}

/// One page of a list.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Arc<Value>>,
    pub(super) revision: u64,
    pub(super) next: Option<Continuation>,
}

/// Where the next page starts, and how many items are left.
#[derive(Debug)]
pub(super) struct Continuation {
    pub(super) token: String,
    pub(super) remaining: usize,
}

/// What was asked for is older than the history, or its page is gone (410).
#[derive(Debug)]
pub(super) struct Expired;

/// One event of a watch.
#[derive(Debug)]
pub(super) struct WatchEvent {
    pub(super) kind: &'static str,
    pub(super) object: Arc<Value>,
}

#[derive(Debug)]
struct Change {
    revision: u64,
    key: Key,
    before: Option<Arc<Value>>,
    after: Option<Arc<Value>>,
}

#[derive(Debug)]
struct PagedList {
    revision: u64,
    items: Vec<Arc<Value>>,
}

/// The store.
#[derive(Debug)]
pub(super) struct Store {
    objects: Objects,
    revision: u64,
    compacted: u64,
    history: VecDeque<Change>,
    paged: BTreeMap<u64, PagedList>,
    paged_next: u64,
}

impl Store {
    /// A store at a version that is no first one, as in a cluster that has lived.
    pub(super) fn new() -> Self {
        Self {
            objects: Objects::new(),
            revision: 1000,
            compacted: 1000,
            history: VecDeque::new(),
            paged: BTreeMap::new(),
            paged_next: 1,
        }
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn moment(&self) -> Moment {
        Moment {
            revision: self.revision,
            objects: Arc::new(self.objects.clone()),
        }
    }

    /// Creates or replaces; `told` says whether watches hear of it.
    pub(super) fn put(&mut self, key: Key, object: Value, told: bool) -> u64 {
        self.revision += 1;
        let before = self.objects.get(&key).cloned();
        let object = Arc::new(completed(object, &key, self.revision));
        self.objects.insert(key.clone(), Arc::clone(&object));
        if told {
            self.remember(key, before, Some(object));
        }
        self.revision
    }

    /// Deletes; false if there was no such object.
    pub(super) fn delete(&mut self, key: &Key, told: bool) -> bool {
        let Some(before) = self.objects.remove(key) else {
            return false;
        };
        self.revision += 1;
        if told {
            self.remember(key.clone(), Some(before), None);
        }
        true
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.objects.get(key).cloned()
    }

    /// The first page of what matches now; `limit` of zero means all of it.
    pub(super) fn list(&mut self, query: ListQuery<'_>, limit: usize) -> Page {
        let items = matching(&self.objects, query);
        let revision = self.revision;
        if limit == 0 || items.len() <= limit {
            return Page {
                items,
                revision,
                next: None,
            };
        }
        let id = self.paged_next;
        self.paged_next += 1;
        self.paged.insert(id, PagedList { revision, items });
        while self.paged.len() > PAGED_LISTS_MAX {
            self.paged.pop_first();
        }
        self.page(id, 0, limit).unwrap_or(Page {
            items: Vec::new(),
            revision,
            next: None,
        })
    }

    /// What matched at that moment, unpaged.
    pub(super) fn list_at(moment: &Moment, query: ListQuery<'_>) -> Page {
        Page {
            items: matching(&moment.objects, query),
            revision: moment.revision,
            next: None,
        }
    }

    /// The page after the one that came with this token.
    pub(super) fn list_more(&self, token: &str, limit: usize) -> Result<Page, Expired> {
        let (id, offset) = token.split_once('-').ok_or(Expired)?;
        let id = id.parse().map_err(|_| Expired)?;
        let offset = offset.parse().map_err(|_| Expired)?;
        self.page(id, offset, limit).ok_or(Expired)
    }

    /// Forgets the history and every page, so that old versions and tokens are answered with 410.
    pub(super) fn compact(&mut self) {
        self.compacted = self.revision;
        self.history.clear();
        self.paged.clear();
    }

    /// What a watch of this query has to be told since `cursor`.
    pub(super) fn events_after(
        &self,
        query: ListQuery<'_>,
        cursor: u64,
    ) -> Result<Vec<WatchEvent>, Expired> {
        if cursor < self.compacted {
            return Err(Expired);
        }
        let told = self
            .history
            .iter()
            .filter(|change| change.revision > cursor);
        Ok(told.filter_map(|change| change.as_seen_by(query)).collect())
    }

    fn page(&self, id: u64, offset: usize, limit: usize) -> Option<Page> {
        let list = self.paged.get(&id)?;
        let rest = list.items.get(offset..)?;
        let count = if limit == 0 {
            rest.len()
        } else {
            limit.min(rest.len())
        };
        let remaining = rest.len() - count;
        Some(Page {
            items: rest[..count].to_vec(),
            revision: list.revision,
            next: (remaining > 0).then(|| Continuation {
                token: format!("{id}-{}", offset + count),
                remaining,
            }),
        })
    }

    fn remember(&mut self, key: Key, before: Option<Arc<Value>>, after: Option<Arc<Value>>) {
        self.history.push_back(Change {
            revision: self.revision,
            key,
            before,
            after,
        });
        while self.history.len() > HISTORY_MAX {
            if let Some(oldest) = self.history.pop_front() {
                self.compacted = oldest.revision;
            }
        }
    }
}

impl Change {
    /// The event that a watch of this query sees, which depends on whether the object matched
    /// before and after.
    fn as_seen_by(&self, query: ListQuery<'_>) -> Option<WatchEvent> {
        if !lies_in(&self.key, query) {
            return None;
        }
        let matched = |object: &Option<Arc<Value>>| {
            object
                .clone()
                .filter(|object| query.selector.matches(&self.key.name, object))
        };
        match (matched(&self.before), matched(&self.after)) {
            (None, Some(object)) => Some(WatchEvent {
                kind: "ADDED",
                object,
            }),
            (Some(_), Some(object)) => Some(WatchEvent {
                kind: "MODIFIED",
                object,
            }),
            (Some(object), None) => Some(WatchEvent {
                kind: "DELETED",
                object: Arc::new(at_revision(&object, self.revision)),
            }),
            (None, None) => None,
        }
    }
}

fn lies_in(key: &Key, query: ListQuery<'_>) -> bool {
    key.resource == query.resource && key.namespace == query.namespace
}

fn matching(objects: &Objects, query: ListQuery<'_>) -> Vec<Arc<Value>> {
    objects
        .iter()
        .filter(|(key, object)| lies_in(key, query) && query.selector.matches(&key.name, object))
        .map(|(_, object)| Arc::clone(object))
        .collect()
}

/// Fills in what the real server would: kind, name, namespace, uid and version. What is not an
/// object is left as it is, since some tests want it broken.
fn completed(mut object: Value, key: &Key, revision: u64) -> Value {
    let Some(fields) = object.as_object_mut() else {
        return object;
    };
    fields
        .entry("apiVersion")
        .or_insert_with(|| json!(key.resource.api_version()));
    fields
        .entry("kind")
        .or_insert_with(|| json!(key.resource.kind()));
    let metadata = fields
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.entry("name").or_insert_with(|| json!(key.name));
        metadata
            .entry("namespace")
            .or_insert_with(|| json!(key.namespace));
        metadata
            .entry("uid")
            .or_insert_with(|| json!(format!("uid-of-{}", key.name)));
        metadata.insert("resourceVersion".into(), json!(revision.to_string()));
    }
    object
}

fn at_revision(object: &Value, revision: u64) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("resourceVersion".into(), json!(revision.to_string()));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key {
            resource: Resource::EndpointSlices,
            namespace: "default".into(),
            name: name.into(),
        }
    }

    fn labelled(service: &str) -> Value {
        json!({"metadata": {"labels": {"kubernetes.io/service-name": service}}})
    }

    fn of_ring(selector: &Selector) -> ListQuery<'_> {
        ListQuery {
            resource: Resource::EndpointSlices,
            namespace: "default",
            selector,
        }
    }

    fn ring() -> Selector {
        Selector::parse(Some("kubernetes.io/service-name=ring"), None).unwrap()
    }

    fn names(items: &[Arc<Value>]) -> Vec<&str> {
        items
            .iter()
            .map(|item| item["metadata"]["name"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn pages_show_the_list_as_it_was_when_the_first_was_read() {
        let mut store = Store::new();
        for name in ["a", "b", "c"] {
            store.put(key(name), labelled("ring"), true);
        }
        let selector = ring();
        let first = store.list(of_ring(&selector), 2);
        let next = first.next.unwrap();
        store.delete(&key("c"), true);

        let second = store.list_more(&next.token, 2).unwrap();

        assert_eq!(names(&first.items), ["a", "b"]);
        assert_eq!(names(&second.items), ["c"]);
        assert_eq!(first.revision, second.revision);
        assert!(second.next.is_none());
    }

    #[test]
    fn compaction_expires_pages_and_cursors() {
        let mut store = Store::new();
        store.put(key("a"), labelled("ring"), true);
        let cursor = store.revision();
        store.put(key("b"), labelled("ring"), true);
        let selector = ring();
        let next = store.list(of_ring(&selector), 1).next.unwrap();

        store.compact();

        store.list_more(&next.token, 1).unwrap_err();
        store.events_after(of_ring(&selector), cursor).unwrap_err();
        let now = store.revision();
        store.events_after(of_ring(&selector), now).unwrap();
    }

    #[test]
    fn an_object_that_leaves_the_selector_is_told_as_deleted() {
        let mut store = Store::new();
        let selector = ring();
        let cursor = store.put(key("a"), labelled("ring"), true);
        store.put(key("a"), labelled("other"), true);

        let events = store.events_after(of_ring(&selector), cursor).unwrap();

        assert_eq!(events.len(), 1);
        assert_eq!(events[0].kind, "DELETED");
    }

    #[test]
    fn an_untold_change_is_in_lists_alone() {
        let mut store = Store::new();
        let selector = ring();
        let cursor = store.put(key("a"), labelled("ring"), true);
        store.delete(&key("a"), false);

        assert!(
            store
                .events_after(of_ring(&selector), cursor)
                .unwrap()
                .is_empty()
        );
        assert!(store.list(of_ring(&selector), 0).items.is_empty());
    }
}
