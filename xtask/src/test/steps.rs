//! The steps of `cargo xtask test`: what each runs and why. Running them is left to the parent.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cargo::CargoCall;
use crate::sim;
use crate::workspace::{Package, Workspace};

/// One step, in the order in which they run: the cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Step {
    /// All code is written as the formatter writes it.
    Fmt,
    /// The rules that neither the compiler nor clippy knows (`cargo xtask tidy`).
    Tidy,
    /// Bans, licences and sources of every dependency, as deny.toml has them.
    Deny,
    /// The lint table of Cargo.toml, over every target and feature, without a warning.
    Clippy,
    /// Each library builds with no features, its default ones, and each one alone.
    Features,
    /// Unit, property and integration tests of all crates, all features on.
    Tests,
    /// Thousands of seeds of the simulator, in which the protocol keeps its promises.
    Swarm,
    /// Every example in the documentation compiles and runs.
    Doctests,
    /// The documentation builds, and every link in it leads somewhere.
    Docs,
    /// Each library can be packaged, and the package builds by itself.
    Package,
}

/// What a step consists of.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// `cargo xtask tidy`, in this process.
    Tidy,
    /// Calls of cargo, one after the other; the first that fails ends the step.
    Calls(Vec<CargoCall>),
    /// The same with a cargo subcommand that must be installed first.
    Installed {
        probe: CargoCall,
        install: &'static str,
        calls: Vec<CargoCall>,
    },
    /// A call that builds into a folder of its own, which is removed afterwards.
    Apart { call: CargoCall, folder: PathBuf },
}

/// Seeds of the simulator that run with every test: half a minute on two cores, the build aside.
const SWARM_SEEDS: u32 = 4_000;

impl Step {
    pub(super) fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// The name to type.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Tidy => "tidy",
            Self::Deny => "deny",
            Self::Clippy => "clippy",
            Self::Features => "features",
            Self::Tests => "tests",
            Self::Swarm => "swarm",
            Self::Doctests => "doctests",
            Self::Docs => "docs",
            Self::Package => "package",
        }
    }

    /// Why the step exists, in one line.
    pub(super) fn purpose(self) -> String {
        let help = self
            .to_possible_value()
            .and_then(|value| value.get_help().cloned());
        help.map(|help| help.to_string()).unwrap_or_default()
    }

    pub(super) fn work(self, workspace: &Workspace) -> Work {
        let one = |args: &str| Work::Calls(vec![CargoCall::new(args)]);
        match self {
            Self::Fmt => one("fmt --all --check"),
            Self::Tidy => Work::Tidy,
            Self::Deny => Work::Installed {
                probe: CargoCall::new("deny --version"),
                install: "cargo install cargo-deny --locked --debug",
                calls: vec![CargoCall::new(
                    "deny --all-features --locked check --hide-inclusion-graph \
                     bans licenses sources",
                )],
            },
            Self::Clippy => {
                one("clippy --workspace --all-targets --all-features --locked -- -D warnings")
            }
            Self::Features => Work::Calls(workspace.libraries().flat_map(feature_sets).collect()),
            // Examples are programs that tests run; none has tests of its own.
            Self::Tests => Work::Calls(vec![
                CargoCall::new("build --workspace --all-features --locked --examples"),
                CargoCall::new(
                    "test --workspace --all-features --locked --no-fail-fast --lib --bins --tests",
                ),
            ]),
            Self::Swarm => Work::Calls(vec![sim::call(&format!("--seeds {SWARM_SEEDS}"))]),
            Self::Doctests => one("test --workspace --all-features --locked --no-fail-fast --doc"),
            Self::Docs => Work::Calls(vec![
                CargoCall::new("doc --workspace --all-features --no-deps --locked")
                    .with_env("RUSTDOCFLAGS", "-D warnings"),
            ]),
            Self::Package => {
                let names: Vec<&str> = workspace.libraries().map(|it| it.name.as_str()).collect();
                // A name of its own for each run: cargo keeps what it unpacked and compiled of a
                // package by name, version and place, and would take last week's for today's.
                let chance = RandomState::new().build_hasher().finish();
                let folder = workspace.target.join(format!("package-{chance:016x}"));
                // Together, so that they find each other's packages before any is published.
                let call = CargoCall::new(&format!(
                    "package --locked --allow-dirty --package {}",
                    names.join(" --package ")
                ));
                Work::Apart {
                    call: call.with_target(&folder),
                    folder,
                }
            }
        }
    }
}

/// The sets of features in which a library must build: none, the default ones, each one alone.
fn feature_sets(package: &Package) -> Vec<CargoCall> {
    let is_own = |feature: &&String| *feature != "default" && !feature.starts_with('_');
    let alone = package
        .features
        .keys()
        .filter(is_own)
        .map(|feature| format!("--no-default-features --features {feature}"));
    let has_defaults = package
        .features
        .get("default")
        .is_some_and(|features| !features.is_empty());
    let default = has_defaults.then(String::new);
    [String::from("--no-default-features")]
        .into_iter()
        .chain(default)
        .chain(alone)
        .map(|set| {
            let name = &package.name;
            CargoCall::new(&format!(
                "clippy --package {name} --lib --locked {set} -- -D warnings"
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(features: &str) -> Workspace {
        Workspace::from_json(&format!(
            r#"{{"workspace_root": "/ws", "packages": [
                {{"name": "a", "publish": null, "manifest_path": "/ws/a/Cargo.toml",
                 "rust_version": "1.95", "features": {features}, "dependencies": []}},
                {{"name": "tool", "publish": [], "manifest_path": "/ws/tool/Cargo.toml",
                 "rust_version": "1.95", "features": {{}}, "dependencies": []}}]}}"#
        ))
        .unwrap()
    }

    fn calls(step: Step, features: &str) -> Vec<String> {
        match step.work(&workspace(features)) {
            Work::Calls(calls) => calls.iter().map(ToString::to_string).collect(),
            Work::Apart { call, .. } => vec![call.to_string()],
            Work::Tidy | Work::Installed { .. } => Vec::new(),
        }
    }

    #[test]
    fn a_library_is_built_without_features_and_with_each_alone() {
        let calls = calls(
            Step::Features,
            r#"{"default": [], "serde": [], "testing": []}"#,
        );
        let expected = ["", " --features serde", " --features testing"].map(|features| {
            format!(
                "cargo clippy --package a --lib --locked --no-default-features{features} \
                 -- -D warnings"
            )
        });
        assert_eq!(calls, expected);
    }

    #[test]
    fn defaults_are_built_where_there_are_any() {
        let calls = calls(Step::Features, r#"{"default": ["tokio"], "tokio": []}"#);
        assert!(calls.contains(&"cargo clippy --package a --lib --locked -- -D warnings".into()));
    }

    #[test]
    fn only_libraries_are_packaged() {
        let calls = calls(Step::Package, "{}");
        assert!(calls[0].contains("--package a"));
        assert!(!calls[0].contains("tool"));
    }

    #[test]
    fn every_step_is_called_as_it_is_named_and_says_why_it_exists() {
        for step in Step::all() {
            let value = step.to_possible_value().unwrap();
            assert_eq!(value.get_name(), step.name());
            assert!(!step.purpose().is_empty(), "{step:?}");
        }
    }
}
