//! P9: (epoch, version, term) never goes back: every topology that is seen for the first time has a
//! greater token than all before it, and one topology has one term.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chronicle::{Chronicle, key};
use super::{Fact, Invariant, View};
use crate::ring::Notice;

#[derive(Debug, Default)]
pub(super) struct Fencing {
    is_split: bool,
    /// By cluster name.
    highest: BTreeMap<Arc<str>, discovery_core::FencingToken>,
}

impl Invariant for Fencing {
    fn promise(&self) -> &'static str {
        "P9"
    }

    fn on(
        &mut self,
        fact: &Fact<'_>,
        chronicle: &Chronicle,
        view: &View<'_>,
    ) -> Result<(), String> {
        let (process, topology) = match fact {
            Fact::Notice(process, Notice::Installed { topology, .. }) => (process, topology),
            Fact::Notice(process, Notice::Changed(event)) => (process, &event.topology),
            _ => return Ok(()),
        };
        if let Some(first) = chronicle.get(&key(topology.id()))
            && first.topology.term() != topology.term()
        {
            let label = view.process(*process).label();
            let (here, there) = (topology.term(), first.topology.term());
            let id = topology.id();
            return Err(format!(
                "{label} installs {id} under term {here}, others under {there}"
            ));
        }
        let Some(news) = chronicle.news() else {
            return Ok(());
        };
        if let Fact::Notice(_, Notice::Changed(event)) = fact
            && event.previous.cluster_id != event.topology.cluster_id()
        {
            // Who splits a cluster off gives this promise up between the parts.
            self.is_split = true;
        }
        if chronicle.is_forced || self.is_split {
            return Ok(());
        }
        let token = news.topology.fencing_token();
        let name = Arc::clone(&view.process(*process).cluster_name);
        if let Some(highest) = self.highest.get(&name)
            && token <= *highest
        {
            let label = view.process(*process).label();
            return Err(format!(
                "{label} installs {} with the token {token} after {highest} was seen",
                topology.id()
            ));
        }
        self.highest.insert(name, token);
        Ok(())
    }
}
