//! Who may do what: accepted tokens and denied verbs. Pure; used for requests and reviews alike.

use std::collections::BTreeSet;

use serde_json::Value;

use super::request::{Recorded, Resource};

/// What the script allows. At first everything is allowed, with any token or none.
#[derive(Debug, Default)]
pub(super) struct Access {
    tokens: Option<BTreeSet<String>>,
    denied: BTreeSet<(String, String)>,
}

impl Access {
    pub(super) fn accept_only(&mut self, tokens: BTreeSet<String>) {
        self.tokens = Some(tokens);
    }

    /// The token that test clients use at first: any accepted one.
    pub(super) fn some_token(&self) -> Option<String> {
        self.tokens.as_ref()?.first().cloned()
    }

    pub(super) fn deny(&mut self, verb: &str, resource: Resource) {
        self.denied
            .insert((verb.to_owned(), resource.plural().to_owned()));
    }

    pub(super) fn allow(&mut self, verb: &str, resource: Resource) {
        self.denied
            .remove(&(verb.to_owned(), resource.plural().to_owned()));
    }

    pub(super) fn knows(&self, token: Option<&str>) -> bool {
        let Some(accepted) = &self.tokens else {
            return true;
        };
        token.is_some_and(|token| accepted.contains(token))
    }

    /// Everyone may review their own access, as on a real cluster.
    pub(super) fn permits(&self, request: &Recorded) -> bool {
        request.resource == Resource::AccessReviews
            || self.may(request.verb.rbac(), request.resource.plural())
    }

    /// The verdict on the attributes of an access review.
    pub(super) fn review(&self, asked: &Value) -> bool {
        let attributes = &asked["spec"]["resourceAttributes"];
        let text = |name: &str| attributes[name].as_str().unwrap_or_default();
        self.may(text("verb"), text("resource"))
    }

    fn may(&self, verb: &str, plural: &str) -> bool {
        !self.denied.contains(&(verb.to_owned(), plural.to_owned()))
    }
}
