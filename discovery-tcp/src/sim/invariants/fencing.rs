//! P9: (epoch, version, term) never goes back: every topology that is seen for the first time has a
//! greater token than all before it, and one topology has one term.

use std::collections::BTreeMap;
use std::sync::Arc;

use discovery_core::{ClusterId, FencingToken, TopologyVersion};

use super::chronicle::{Chronicle, key};
use super::{Fact, Invariant, View};
use crate::config::{Formation, RingConfig};
use crate::ring::Notice;

#[derive(Debug)]
pub(super) struct Fencing {
    /// Whether one store gives every cluster its epoch, or clocks that agree do, one cluster after
    /// the other. Else each is fenced by itself: two may stand where names found (P4).
    is_one_scale: bool,
    /// Whether clocks give epochs: who founds alone in the same millisecond as another has its token.
    by_clocks: bool,
    /// By cluster name, and by cluster where there is no common scale.
    highest: BTreeMap<(Arc<str>, Option<ClusterId>), FencingToken>,
}

impl Fencing {
    pub(super) fn new(config: &RingConfig, clocks_agree: bool) -> Self {
        Self {
            is_one_scale: match config.formation {
                Formation::Census => true,
                Formation::Single => clocks_agree,
                Formation::Majority(_) => false,
            },
            by_clocks: !matches!(config.formation, Formation::Census),
            highest: BTreeMap::new(),
        }
    }
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
        if chronicle.is_forced {
            return Ok(());
        }
        let token = news.topology.fencing_token();
        let name = Arc::clone(&view.process(*process).cluster_name);
        let cluster = (!self.is_one_scale).then(|| news.topology.cluster_id());
        let scale = (name, cluster);
        let same_moment = |highest: &FencingToken| {
            self.by_clocks && token == *highest && news.topology.version() == TopologyVersion::FIRST
        };
        if let Some(highest) = self.highest.get(&scale)
            && token <= *highest
            && !same_moment(highest)
        {
            let label = view.process(*process).label();
            return Err(format!(
                "{label} installs {} with the token {token} after {highest} was seen",
                topology.id()
            ));
        }
        self.highest.insert(scale, token);
        Ok(())
    }
}
