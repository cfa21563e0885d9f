//! Seeds and reports in text formats: what an operator's script reads of a finder.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::finder::{FinderCause, FinderError, Finding, Provenance};
use crate::identity::{NodeName, PodUid};
use crate::seed::{SEEDS_MAX, Seed, SeedCondition, SeedSet};

impl Serialize for Provenance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for FinderCause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for FinderError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = serializer.serialize_struct("FinderError", 3)?;
        form.serialize_field("cause", &self.cause())?;
        form.serialize_field("detail", self.detail())?;
        form.serialize_field("remedy", &self.remedy())?;
        form.end()
    }
}

/// `state` says which of the three it is; `seeds` stands there when known, the error's fields when
/// unknown.
impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = serializer.serialize_struct("Finding", 4)?;
        form.serialize_field("state", self.state())?;
        match self {
            Self::Known(seeds) => form.serialize_field("seeds", seeds)?,
            Self::KnownEmpty => {}
            Self::Unknown(error) => {
                form.serialize_field("cause", &error.cause())?;
                form.serialize_field("detail", error.detail())?;
                form.serialize_field("remedy", &error.remedy())?;
            }
        }
        form.end()
    }
}

/// A seed as it is written, before its checks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeedForm {
    name: Option<NodeName>,
    addresses: Vec<SocketAddr>,
    pod_uid: Option<PodUid>,
    zone: Option<Arc<str>>,
    host_node: Option<Arc<str>>,
    hostname: Option<Arc<str>>,
    #[serde(default)]
    condition: SeedCondition,
}

impl TryFrom<SeedForm> for Seed {
    type Error = &'static str;

    fn try_from(form: SeedForm) -> Result<Self, Self::Error> {
        let mut addresses = form.addresses.into_iter();
        let first = addresses
            .next()
            .ok_or("a seed's addresses are empty; give at least one ip:port")?;
        let mut seed = addresses.fold(Self::at(first), Self::and_at);
        seed.name = form.name;
        seed.pod_uid = form.pod_uid;
        seed.zone = form.zone;
        seed.host_node = form.host_node;
        seed.hostname = form.hostname;
        seed.condition = form.condition;
        Ok(seed)
    }
}

impl<'de> Deserialize<'de> for SeedSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seeds = Vec::<Seed>::deserialize(deserializer)?;
        if seeds.len() > SEEDS_MAX {
            return Err(D::Error::custom(format_args!(
                "{} seeds; the limit is {SEEDS_MAX}",
                seeds.len()
            )));
        }
        Ok(Self::new(seeds))
    }
}

#[cfg(test)]
#[path = "seeds_tests.rs"]
mod tests;
