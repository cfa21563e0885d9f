//! The keys of the messages that were delivered last, so that none is delivered again. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::messages::MessageCursor;

/// Keys by the place of their first message, at most so many; the oldest is forgotten first.
#[derive(Debug)]
pub(super) struct Keys {
    places: BTreeMap<Arc<str>, MessageCursor>,
    by_age: VecDeque<Arc<str>>,
    limit: usize,
}

impl Keys {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            places: BTreeMap::new(),
            by_age: VecDeque::new(),
            limit,
        }
    }

    /// Where a message with this key was delivered, if that is remembered.
    pub(super) fn delivered(&self, key: &str) -> Option<MessageCursor> {
        self.places.get(key).copied()
    }

    /// Whether a message with this key is to be delivered: not if one was. An empty key is none.
    pub(super) fn is_first(&mut self, key: &str, place: MessageCursor) -> bool {
        if key.is_empty() {
            return true;
        }
        if self.places.contains_key(key) {
            return false;
        }
        let key: Arc<str> = Arc::from(key);
        self.by_age.push_back(Arc::clone(&key));
        self.places.insert(key, place);
        if self.by_age.len() > self.limit
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.places.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_first_once_while_it_is_remembered() {
        let mut keys = Keys::new(2);
        assert!(keys.is_first("a", MessageCursor::sample(1)));
        assert!(!keys.is_first("a", MessageCursor::sample(2)));
        assert_eq!(keys.delivered("a"), Some(MessageCursor::sample(1)));
        assert!(keys.is_first("b", MessageCursor::sample(3)));
        assert!(keys.is_first("c", MessageCursor::sample(4)));
        assert_eq!(keys.delivered("a"), None);
        assert!(
            keys.is_first("a", MessageCursor::sample(5)),
            "two others came between"
        );
        assert_eq!(keys.places.len(), 2);
    }

    #[test]
    fn messages_without_a_key_are_all_first() {
        let mut keys = Keys::new(1);
        assert!(
            keys.is_first("", MessageCursor::sample(1))
                && keys.is_first("", MessageCursor::sample(2))
        );
        assert_eq!(keys.delivered(""), None);
    }
}
