//! The commands that ask a running node, over its API.
//!
//! | module | what it holds |
//! |---|---|
//! | `link` | how the node is reached, and what its refusals say |
//! | `forms` | answers as text, JSON and YAML |
//! | `topology`, `events`, `status` | how things are, and what happens |
//! | `publish`, `subscribe` | messages |
//! | `operate` | drain, remove, recover and what else is for operators |

mod events;
mod forms;
mod link;
mod operate;
mod publish;
mod status;
mod subscribe;
mod topology;

pub(super) use events::{EventsArgs, run as events};
pub(super) use link::{NodeAddress, connect_to};
pub(super) use operate::{
    AdminArgs, DrainArgs, RecoverArgs, RemoveArgs, admin, drain, recover, remove,
};
pub(super) use publish::{PublishArgs, run as publish};
pub(super) use status::{StatusArgs, run as status};
pub(super) use subscribe::{SubscribeArgs, run as subscribe};
pub(super) use topology::{TopologyArgs, run as topology};
