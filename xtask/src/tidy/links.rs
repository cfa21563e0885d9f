//! Whether links between our own pages lead to a file that exists.

use std::collections::BTreeSet;

use super::remark::Remark;
use super::tree::SourceFile;

pub(super) fn check(files: &[SourceFile], paths: &[String]) -> Vec<Remark> {
    let places: BTreeSet<&str> = paths.iter().flat_map(|path| with_folders(path)).collect();
    let pages = files.iter().filter(|file| file.extension() == "md");
    pages.flat_map(|page| broken(page, &places)).collect()
}

/// A path and every folder above it.
fn with_folders(path: &str) -> impl Iterator<Item = &str> {
    let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
    folders.chain([path])
}

fn broken(page: &SourceFile, places: &BTreeSet<&str>) -> Vec<Remark> {
    page.lines()
        .flat_map(|(number, line)| targets(line).map(move |target| (number, target)))
        .filter_map(|(number, target)| {
            let path = resolved(&page.path, target)?;
            (!path.is_empty() && !places.contains(path.as_str())).then(|| {
                let what = format!("links to '{target}', which does not exist");
                Remark::fault(format!("{}:{number}", page.path), what)
            })
        })
        .collect()
}

/// What the links of a line point at: `](target)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

/// The file a link means, from the root; `None` if it leads elsewhere or stays on the page.
fn resolved(page: &str, target: &str) -> Option<String> {
    let path = target.split('#').next().filter(|path| !path.is_empty())?;
    if path.contains("://") || path.starts_with("mailto:") {
        return None;
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(page: &str, text: &str) -> usize {
        let files = [
            SourceFile::of(page, text),
            SourceFile::of("docs/adr/0001-a.md", ""),
            SourceFile::of("README.md", ""),
        ];
        let mut paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
        paths.push("docs/images/a.png".to_owned());
        check(&files, &paths).len()
    }

    #[test]
    fn a_picture_is_a_file_like_any_other() {
        assert_eq!(faults("docs/ci.md", "![a](images/a.png)\n"), 0);
        assert_eq!(faults("docs/ci.md", "![b](images/b.png)\n"), 1);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_a_fault() {
        assert_eq!(
            faults("docs/ci.md", "see [a](adr/0009-z.md) and [b](READ.md)\n"),
            2
        );
    }

    #[test]
    fn links_to_files_folders_and_above_are_found() {
        let text = "[a](adr/0001-a.md#choice) [b](adr/) [c](../README.md) [d](./adr)\n";
        assert_eq!(faults("docs/ci.md", text), 0);
    }

    #[test]
    fn links_elsewhere_are_not_followed() {
        assert_eq!(
            faults("docs/ci.md", "[a](https://example.org/x) [b](#here)\n"),
            0
        );
    }
}
