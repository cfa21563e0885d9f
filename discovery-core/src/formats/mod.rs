//! How the vocabulary reads in text formats (feature `serde`): ids and keywords as text, times in
//! milliseconds. What is read back passes the same checks as what is built in code; forms that
//! follow from a type's fields alone are derived where the type stands.

mod seeds;
mod topology;

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::census::ResourceVersion;
use crate::discovery::Topic;
use crate::identity::{NodeId, NodeName, PodUid};
use crate::node::{HostNode, Zone};
use crate::version::ClusterId;

pub(crate) use seeds::SeedForm;
pub(crate) use topology::NodeForm;

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

as_text!(
    ClusterId,
    HostNode,
    NodeId,
    NodeName,
    PodUid,
    ResourceVersion,
    Topic,
    Zone,
);

/// A duration as whole milliseconds.
pub(crate) fn as_millis<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
