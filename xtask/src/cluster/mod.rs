//! A real Kubernetes of one node on this machine, and clusters elsewhere, for people and for
//! suites.
//!
//! In reading order: `constants` holds every version, address and limit; `prerequisites` and
//! `toolchain` (with `build`) see to the programs; `certificates`, `kubeconfig`, `config_files` and
//! `arguments` say how they are run and touch nothing; `start` brings a cluster up and `running` is
//! one that is; `target` puts it beside clusters that exist; `commands` is the command line. Inside
//! the namespaces work `supervisor`, `namespaces` (with `mounts`) and `processes`; `control` is
//! what is said between inside and outside. What all of them use: `state_dir`, `process_id`,
//! `cgroups`, `interrupt`, `program`, `deadline`, `progress`.

mod arguments;
mod build;
mod certificates;
mod cgroups;
mod commands;
mod config_files;
pub(crate) mod constants;
mod control;
pub(crate) mod deadline;
pub(crate) mod interrupt;
mod kubeconfig;
mod mounts;
mod namespaces;
mod part;
mod prerequisites;
mod process_id;
mod processes;
pub(crate) mod program;
pub(crate) mod progress;
mod running;
mod start;
mod state_dir;
mod supervisor;
mod target;
mod toolchain;

pub(crate) use commands::{ClusterCommand, run};
pub(crate) use prerequisites::Install;
pub(crate) use running::Cluster;
pub(crate) use start::ClusterOptions;
pub(crate) use target::{Skipped, Target};
