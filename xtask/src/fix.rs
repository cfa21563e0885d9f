//! `cargo xtask fix`: lets the formatter and the linter rewrite files, and names what they changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cargo::CargoCall;
use crate::tidy::tree;
use crate::workspace::Workspace;

/// Rewrites what the formatter and the linter can mend by themselves.
///
/// Runs `cargo clippy --fix` and then `cargo fmt`, over all crates, targets and features, also in
/// a checkout with changes of its own, and lists the files it changed. It never judges: whether
/// all is well, `cargo xtask test` says.
///
/// Needs: nothing but the toolchain.
/// Takes: as long as a build; seconds when little has changed.
///
/// Example: cargo xtask fix && git diff
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {}

pub(crate) fn run(_: &Options) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    let before = contents(&workspace.root)?;
    let mut all_ran = true;
    for call in [
        "clippy --fix --allow-dirty --allow-staged --workspace --all-targets --all-features",
        "fmt --all",
    ] {
        let call = CargoCall::new(call);
        println!("$ {call}");
        all_ran &= call.stream(&workspace.root, |_| {})?.success();
    }
    let changed = differing(&before, &contents(&workspace.root)?);
    for path in &changed {
        println!("changed {}", path.display());
    }
    println!("{} files changed", changed.len());
    if all_ran {
        Ok(ExitCode::SUCCESS)
    } else {
        eprintln!("xtask: something does not build; what could be mended was");
        Ok(ExitCode::FAILURE)
    }
}

type Contents = BTreeMap<PathBuf, Vec<u8>>;

fn contents(root: &Path) -> anyhow::Result<Contents> {
    let paths = tree::files(root)?.into_iter();
    let sources = paths.filter(|path| path.extension().is_some_and(|ext| ext == "rs"));
    Ok(sources
        .filter_map(|path| fs::read(root.join(&path)).ok().map(|bytes| (path, bytes)))
        .collect())
}

fn differing(before: &Contents, after: &Contents) -> Vec<PathBuf> {
    after
        .iter()
        .filter(|(path, bytes)| before.get(*path) != Some(*bytes))
        .map(|(path, _)| path.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_with_other_bytes_are_named() {
        let before = Contents::from([("a.rs".into(), vec![1]), ("b.rs".into(), vec![2])]);
        let after = Contents::from([("a.rs".into(), vec![1]), ("b.rs".into(), vec![3])]);
        assert_eq!(differing(&before, &after), [PathBuf::from("b.rs")]);
    }
}
