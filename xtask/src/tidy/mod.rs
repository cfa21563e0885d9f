//! `cargo xtask tidy`: rules of this workspace that neither the compiler nor clippy knows.
//! This file lists the checks and prints what they say; each check is a file of its own, and all
//! but `purity` are pure functions of what is passed to them.

mod clauses;
mod conformance;
mod examples;
mod glossary;
mod headers;
mod layers;
mod licences;
mod links;
mod manifests;
mod markers;
mod names;
mod places;
mod purity;
mod remark;
mod sizes;
pub(crate) mod tree;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use self::remark::{Remark, Weight};
use self::tree::SourceFile;
use crate::workspace::Workspace;

/// Checks what neither the compiler nor clippy knows.
///
/// Reads every file that git tracks or would track; changes nothing. A fault fails the command, a
/// warning does not. `cargo xtask tidy --list` tells each check and why it exists.
///
/// Needs: git and the toolchain.
/// Takes: about a second.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {
    /// List the checks with their reasons and do nothing else.
    #[arg(long)]
    list: bool,
}

/// What the checks look at.
#[derive(Debug)]
struct Checkout<'a> {
    workspace: &'a Workspace,
    files: Vec<SourceFile>,
    /// The paths of all files, pictures and the like included.
    paths: Vec<String>,
}

/// One check: its name, why it exists, and what it says of a checkout.
struct Check {
    name: &'static str,
    reason: &'static str,
    run: fn(&Checkout<'_>) -> anyhow::Result<Vec<Remark>>,
}

const CHECKS: [Check; 15] = [
    Check {
        name: "layers",
        reason: "crates depend on each other along the arrows of ARCHITECTURE.md only",
        run: |checkout| Ok(layers::check(checkout.workspace)),
    },
    Check {
        name: "purity",
        reason: "the pure crates pull in no async runtime and no I/O; the Kubernetes version is \
                 left to the user",
        run: |checkout| purity::check(checkout.workspace),
    },
    Check {
        name: "manifests",
        reason: "one toolchain, one lint table and one clippy.toml hold everywhere",
        run: |checkout| Ok(manifests::check(checkout.workspace, &checkout.files)),
    },
    Check {
        name: "licences",
        reason: "a published crate carries its licences, which stand at the top level",
        run: |checkout| Ok(licences::check(checkout.workspace, &checkout.files)),
    },
    Check {
        name: "places",
        reason: "the top level holds the crates and little else, so that a glance reads it",
        run: |checkout| Ok(places::check(&checkout.files)),
    },
    Check {
        name: "headers",
        reason: "each file opens with what it holds and what it leaves to others",
        run: |checkout| Ok(headers::check(&checkout.files)),
    },
    Check {
        name: "sizes",
        reason: "a file that fits on six screens is read; a longer one is searched (warning)",
        run: |checkout| Ok(sizes::check(&checkout.files)),
    },
    Check {
        name: "markers",
        reason: "no test is switched off, no example goes uncompiled, no open end without an issue",
        run: |checkout| Ok(markers::check(&checkout.files)),
    },
    Check {
        name: "words",
        reason: "the repository speaks of the project, not of the machine it was written on",
        run: |checkout| Ok(words::check(&checkout.files)),
    },
    Check {
        name: "names",
        reason: "a name that fits everything says nothing",
        run: |checkout| Ok(names::check(&checkout.files)),
    },
    Check {
        name: "glossary",
        reason: "a word is found where the alphabet puts it, and stands there once",
        run: |checkout| Ok(glossary::check(&checkout.files)),
    },
    Check {
        name: "links",
        reason: "a link between our own pages leads somewhere",
        run: |checkout| Ok(links::check(&checkout.files, &checkout.paths)),
    },
    Check {
        name: "clauses",
        reason: "each clause of the protocol that is named exists, and is cited by a test",
        run: |checkout| Ok(clauses::check(&checkout.files)),
    },
    Check {
        name: "conformance",
        reason: "the table of the predecessor's scenarios names tests that exist",
        run: |checkout| Ok(conformance::check(&checkout.files)),
    },
    Check {
        name: "examples",
        reason: "the Rust examples of READMEs are compiled with a crate's documentation",
        run: |checkout| Ok(examples::check(&checkout.files)),
    },
];

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options.list {
        for check in &CHECKS {
            println!("{:<10} {}", check.name, check.reason);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if all_is_well(&Workspace::load()?)? {
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::FAILURE)
    }
}

/// Runs every check, prints what they say, and tells whether none found a fault.
pub(crate) fn all_is_well(workspace: &Workspace) -> anyhow::Result<bool> {
    let files = tree::read(&workspace.root)?;
    let paths = tree::files(&workspace.root)?;
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let checkout = Checkout {
        workspace,
        files,
        paths: paths.iter().map(text).collect(),
    };
    let (mut faults, mut warnings) = (0, 0);
    for check in &CHECKS {
        for remark in (check.run)(&checkout)? {
            let weight = match remark.weight {
                Weight::Fault => {
                    faults += 1;
                    "fault"
                }
                Weight::Warning => {
                    warnings += 1;
                    "warning"
                }
            };
            println!(
                "{weight} [{}] {}: {}",
                check.name, remark.place, remark.what
            );
        }
    }
    println!(
        "tidy: {} checks over {} files: {faults} faults, {warnings} warnings",
        CHECKS.len(),
        checkout.files.len()
    );
    Ok(faults == 0)
}
