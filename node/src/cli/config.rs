//! `config`: the annotated file, its schema, and what file, environment and flags come to.

use std::fmt::Write as _;

use clap::{Args, Subcommand};

use super::{Failure, NodeFlags};
use crate::config::{NodePlan, SETTINGS, Setting, Surroundings, example_file, schema};
use crate::exit;
use crate::terminal;
use crate::wrap::columns;

/// The configuration: what can be set, and what is.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print a file with every setting, explained and commented out
    Example,
    /// Print the JSON schema of the file
    Schema,
    /// Print what `run` would be run with, and where each value comes from
    Print(Box<Given>),
    /// Say everything that is wrong with what `run` would be run with; exit code 64 if anything is
    Check(Box<Given>),
}

#[derive(Debug, Args)]
struct Given {
    #[command(flatten)]
    node: NodeFlags,
}

pub(super) fn run(args: &ConfigArgs, surroundings: &Surroundings) -> Result<u8, Failure> {
    let text = match &args.command {
        ConfigCommand::Example => example_file(),
        ConfigCommand::Schema => format!("{:#}\n", schema()),
        ConfigCommand::Print(given) => table(&given.node.plan(surroundings)?),
        ConfigCommand::Check(given) => {
            let plan = given.node.plan(surroundings)?;
            let (name, cluster) = (&plan.node.name, &plan.node.ring.cluster_name);
            let advice = advice(&plan).map_or_else(String::new, |text| format!("{text}\n"));
            format!("ok: node {name} of cluster {cluster}\n{advice}")
        }
    };
    terminal::say(&text)?;
    Ok(exit::DONE)
}

/// What to add to the manifest of a pod, if anything.
pub(super) fn advice(plan: &NodePlan) -> Option<String> {
    let lines = plan.lines_to_add.join("\n");
    let words = "the pod does not know all of itself; add to the container's env";
    (!lines.is_empty()).then(|| format!("{words}:\n{lines}"))
}

/// What holds for a setting that nobody gave; a dash where only the running node can tell.
fn unset(setting: &Setting) -> String {
    setting.plain_default().unwrap_or("-").to_owned()
}

fn because(setting: &Setting) -> String {
    match (setting.plain_default(), setting.default) {
        (Some(_), _) => "default".to_owned(),
        (None, "") => "not set".to_owned(),
        (None, words) => format!("default: {words}"),
    }
}

/// Every setting with its value and where it comes from, then what the platform told.
fn table(plan: &NodePlan) -> String {
    let mut rows = vec![["SETTING", "VALUE", "FROM"].map(ToOwned::to_owned).to_vec()];
    for setting in SETTINGS {
        let given = plan.given.iter().find(|(key, _, _)| *key == setting.key);
        let (value, from) = match given {
            Some((_, values, origin)) => (values.join(", "), origin.to_string()),
            None => plan
                .derived(setting.key)
                .unwrap_or_else(|| (unset(setting), because(setting))),
        };
        rows.push(vec![setting.key.to_owned(), value, from]);
    }
    let node = &plan.node;
    let mut out = columns(&rows, 0);
    let addresses: Vec<String> = node.advertise.iter().map(ToString::to_string).collect();
    let _ = writeln!(
        out,
        "\nnode {} of cluster {}, at {} (port 0: the one it listens at), formation {}",
        node.name,
        node.ring.cluster_name,
        addresses.join(", "),
        node.ring.formation
    );
    let pod = node.pod_uid.as_ref().map_or("none", |uid| uid.as_str());
    let host = node.host_node.as_ref().map_or("none", |host| host.as_str());
    let _ = writeln!(out, "pod uid {pod}, host node {host}");
    let _ = writeln!(out, "operators at {}", node.admin_listen);
    out
}
