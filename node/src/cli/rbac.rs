//! `rbac print`: the permissions that the Kubernetes finder needs, as a manifest to apply.

use clap::{Args, Subcommand};
use discovery_k8s::{KubeFinderConfig, role_manifest};

use super::{Failure, FinderFlags};
use crate::config::{Part, Surroundings};
use crate::exit;
use crate::terminal;

/// The permissions that the Kubernetes finder needs.
#[derive(Debug, Args)]
pub(super) struct RbacArgs {
    #[command(subcommand)]
    command: RbacCommand,
}

#[derive(Debug, Subcommand)]
enum RbacCommand {
    Print(PrintArgs),
}

/// Print Role and RoleBinding, one pair for each Service, ready for kubectl apply -f -.
#[derive(Debug, Args)]
struct PrintArgs {
    /// The pods' ServiceAccount [default: the Service's name]
    #[arg(long, value_name = "NAME")]
    service_account: Option<String>,

    /// Print the ServiceAccount as well
    #[arg(long)]
    with_service_account: bool,

    #[command(flatten)]
    finder: FinderFlags,
}

pub(super) fn run(args: &RbacArgs, surroundings: &Surroundings) -> Result<u8, Failure> {
    let RbacCommand::Print(args) = &args.command;
    let plan = args.finder.plan(surroundings)?;
    let configs = plan.parts.iter().filter_map(|part| match part {
        Part::Kubernetes { config, .. } => Some(&**config),
        Part::Dns(_) | Part::Static(_) | Part::File(_) => None,
    });
    let manifests: Vec<String> = configs.map(|config| manifest(config, args)).collect();
    if manifests.is_empty() {
        let what = "only the finder kubernetes needs permissions; give --service NAME";
        return Err(Failure::Usage(what.to_owned()));
    }
    terminal::say(&manifests.join("---\n"))?;
    Ok(exit::DONE)
}

fn manifest(config: &KubeFinderConfig, args: &PrintArgs) -> String {
    let account = args.service_account.as_deref().unwrap_or(&config.service);
    let role = role_manifest(config, account);
    if !args.with_service_account {
        return role;
    }
    let namespace = &config.namespace;
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {account}\n  \
         namespace: {namespace}\n---\n{role}"
    )
}
