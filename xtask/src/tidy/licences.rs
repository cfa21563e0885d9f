//! Whether every crate that may be published carries its licences: a package holds what is in its
//! own folder, and nothing of the top level.

use super::remark::Remark;
use super::tree::SourceFile;
use crate::workspace::{Package, Workspace};

/// What `license` in the manifests names, as files at the top level.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

pub(super) fn check(workspace: &Workspace, files: &[SourceFile]) -> Vec<Remark> {
    let of_package = |package| LICENCES.map(|name| of_file(workspace, package, files, name));
    let remarks = workspace.libraries().flat_map(of_package);
    remarks.flatten().collect()
}

/// What is wrong with one licence of one package. The text is read through the link, so that a link
/// that git checked out as a file with a path in it is seen, too.
fn of_file(
    workspace: &Workspace,
    package: &Package,
    files: &[SourceFile],
    name: &str,
) -> Option<Remark> {
    let folder = workspace.relative(package.manifest_path.parent()?);
    let place = folder.join(name).to_string_lossy().into_owned();
    let text_at = |path: &str| {
        files
            .iter()
            .find(|file| file.path == path)
            .map(|it| &it.text)
    };
    match (text_at(&place), text_at(name)) {
        (Some(here), Some(there)) if here == there => None,
        (None, _) => {
            let what =
                format!("is missing, so that the package has no licence; link it to ../{name}");
            Some(Remark::fault(place, what))
        }
        _ => {
            let what = format!("is another text than the top level's; link it to ../{name}");
            Some(Remark::fault(place, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a package that holds these files, beside the licences at the top level.
    fn said(publish: &str, held: &[(&str, &str)]) -> Vec<String> {
        let workspace = Workspace::from_json(&format!(
            r#"{{"workspace_root": "/ws", "packages": [{{
                "name": "a", "publish": {publish}, "manifest_path": "/ws/a/Cargo.toml",
                "rust_version": "1.95", "features": {{}}, "dependencies": []}}]}}"#
        ))
        .unwrap();
        let top = [("LICENSE-APACHE", "Apache"), ("LICENSE-MIT", "MIT")];
        let files: Vec<SourceFile> = top
            .iter()
            .chain(held)
            .map(|(path, text)| SourceFile::of(path, text))
            .collect();
        let remarks = check(&workspace, &files).into_iter();
        remarks.map(|remark| remark.place).collect()
    }

    #[test]
    fn a_package_with_both_licences_is_fine() {
        let both = [("a/LICENSE-APACHE", "Apache"), ("a/LICENSE-MIT", "MIT")];
        assert!(said("null", &both).is_empty());
    }

    #[test]
    fn a_licence_that_a_package_lacks_is_a_fault() {
        let one = [("a/LICENSE-APACHE", "Apache")];
        assert_eq!(said("null", &one), ["a/LICENSE-MIT"]);
        assert_eq!(said("null", &[]), ["a/LICENSE-APACHE", "a/LICENSE-MIT"]);
    }

    #[test]
    fn a_licence_of_another_text_is_a_fault() {
        let path = [
            ("a/LICENSE-APACHE", "Apache"),
            ("a/LICENSE-MIT", "../LICENSE-MIT"),
        ];
        assert_eq!(said("null", &path), ["a/LICENSE-MIT"]);
    }

    #[test]
    fn a_package_that_is_not_published_needs_none() {
        assert!(said("[]", &[]).is_empty());
    }
}
