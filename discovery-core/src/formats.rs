//! How the vocabulary reads in text formats (feature `serde`): ids and keywords as text, times in
//! milliseconds. What is read back passes the same checks as what is built in code; forms that
//! follow from a type's fields alone are derived where the type stands.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::de::Error as _;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::census::ResourceVersion;
use crate::finder::{FinderCause, FinderError, Finding, Provenance};
use crate::identity::{NodeId, NodeName, PodUid};
use crate::seed::{SEEDS_MAX, Seed, SeedCondition, SeedSet};

/// Written as its printed form; read back by parsing that.
macro_rules! as_text {
    ($($name:ty),+ $(,)?) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )+};
}

as_text!(NodeId, NodeName, PodUid, ResourceVersion);

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

/// A duration as whole milliseconds.
pub(crate) fn as_millis<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
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
#[path = "formats_tests.rs"]
mod tests;
