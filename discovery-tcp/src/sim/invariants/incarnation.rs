//! P5: a node id that was a member once never joins again, within one surviving history.

use super::chronicle::Chronicle;
use super::{Fact, Invariant, View};
use crate::ring::Notice;

#[derive(Debug)]
pub(super) struct Incarnation;

impl Invariant for Incarnation {
    fn promise(&self) -> &'static str {
        "P5"
    }

    fn on(&mut self, fact: &Fact<'_>, chronicle: &Chronicle, _: &View<'_>) -> Result<(), String> {
        let Fact::Notice(_, Notice::Changed(event)) = fact else {
            return Ok(());
        };
        let Some(news) = chronicle.news() else {
            return Ok(());
        };
        let Some(before) = news.previous.and_then(|previous| chronicle.get(&previous)) else {
            return Ok(());
        };
        let again = event
            .joined
            .iter()
            .find(|member| before.ever.contains(&member.id()));
        match again {
            None => Ok(()),
            Some(member) => Err(format!(
                "{} joins {} under a node id that was a member before",
                member.info,
                event.topology.id()
            )),
        }
    }
}
